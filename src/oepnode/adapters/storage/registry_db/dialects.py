"""Differences of SQLite and PostgreSQL, all in one place.

Guarantees: a writer excludes other writers until its transaction ends; a reader sees one state of
the database; a password is in no message and no log.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.schema import AddConstraint, DropConstraint

from oepnode.adapters.storage.digest_files import OWNER_FILE, close_to_others
from oepnode.adapters.storage.registry_db.tables import ASSIGNMENTS
from oepnode.errors import ConfigError, FatalError, OepError, TransportError

_BUSY_S: Final = 60.0
_CONNECT_S: Final = 10
_MIGRATION_LOCK: Final = 0x6F657031
"""Key of the lock of migrations: "oep1"."""
FORMS: Final = "sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"

Row = tuple[Any, ...]


class Dialect(ABC):
    """A kind of database."""

    @abstractmethod
    def engine(self) -> Engine:
        """An engine, which opens connections."""

    @abstractmethod
    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction that sees one state of the database."""

    @abstractmethod
    def begin_writing(self, connection: Connection) -> None:
        """Begin a transaction, and wait until no other one writes."""

    @abstractmethod
    def load(self, connection: Connection, table: Table, rows: Iterable[Row]) -> None:
        """Insert many rows in the order of the table's columns."""

    @contextmanager
    def foreign_keys_at_the_end(self, connection: Connection, table: Table) -> Iterator[None]:
        """Check a table's foreign keys all at once when the block ends, where that is faster."""
        yield

    @abstractmethod
    def begin_migrating(self, connection: Connection) -> None:
        """Begin a transaction, and wait until no other one migrates."""

    @abstractmethod
    def analyse(self, connection: Connection, table: Table) -> None:
        """Let the planner know the size of a table that was filled in this transaction."""

    @abstractmethod
    def is_driver_error(self, error: BaseException) -> bool:
        """Whether an error is the driver's own."""

    @abstractmethod
    def is_integrity_error(self, error: BaseException) -> bool:
        """Whether an error of the driver says that a rule of the database was broken."""

    @abstractmethod
    def reason_of(self, error: BaseException) -> str:
        """The part of a driver's error that quotes no value: a constraint's name, or a code."""

    @abstractmethod
    def unavailable(self, kind: str) -> OepError:
        """The error of a database that cannot be used now."""


class Sqlite(Dialect):
    """A database in a file.

    Args:
        path: The file; made if missing, readable by its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def engine(self) -> Engine:
        """Connections with foreign keys and a write-ahead log; transactions begin explicitly."""
        try:
            self._path.touch(OWNER_FILE)
        except OSError as exc:
            raise ConfigError(
                f"{self._path}: not usable as the registry's database: {exc.strerror}"
            ) from exc
        for file in self._path.parent.glob(f"{self._path.name}*"):
            close_to_others(file, OWNER_FILE)
        url = URL.create("sqlite", database=str(self._path))
        engine = create_engine(url, connect_args={"timeout": _BUSY_S}, hide_parameters=True)
        event.listen(engine, "connect", _prepare)
        return engine

    def begin_reading(self, connection: Connection) -> None:
        """A deferred transaction with its first read, which fixes the state."""
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()

    def begin_writing(self, connection: Connection) -> None:
        """An immediate transaction: the one writer."""
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def begin_migrating(self, connection: Connection) -> None:
        """As for writing."""
        self.begin_writing(connection)

    def load(self, connection: Connection, table: Table, rows: Iterable[Row]) -> None:
        """Insert in batches by one prepared statement."""
        marks = ", ".join("?" * len(table.columns))
        cursor = _driver(connection).cursor()
        cursor.executemany(f"INSERT INTO {table.name} VALUES ({marks})", rows)  # noqa: S608 - ours
        cursor.close()

    def analyse(self, connection: Connection, table: Table) -> None:
        """Nothing to do: its planner knows no sizes."""

    def is_driver_error(self, error: BaseException) -> bool:
        """One of sqlite3."""
        return isinstance(error, sqlite3.Error)

    def is_integrity_error(self, error: BaseException) -> bool:
        """A constraint, or a trigger."""
        return isinstance(error, sqlite3.IntegrityError)

    def reason_of(self, error: BaseException) -> str:
        """The name of SQLite's error code, such as ``SQLITE_CONSTRAINT_UNIQUE``."""
        return str(getattr(error, "sqlite_errorname", ""))

    def unavailable(self, kind: str) -> OepError:
        """Busy, or not to be written."""
        if "BUSY" in kind or "LOCKED" in kind:
            return TransportError(
                f"{self._path}: another process has been writing the registry's database for "
                f"{_BUSY_S:.0f} s; try again"
            )
        return FatalError(f"{self._path}: the registry's database cannot be used: {kind}")


class Postgresql(Dialect):
    """A database on a server.

    Args:
        url: Its URL, without a password.
        password: Its password; without one, psycopg looks in ``~/.pgpass`` and ``PGPASSWORD``.
    """

    def __init__(self, url: URL, password: str | None) -> None:
        self._url = url if password is None else url.set(password=password)

    def engine(self) -> Engine:
        """Connections that are tested before they are used."""
        try:
            return create_engine(
                self._url,
                connect_args={"connect_timeout": _CONNECT_S},
                hide_parameters=True,
                pool_pre_ping=True,
            )
        except ModuleNotFoundError as exc:
            raise ConfigError(
                "PostgreSQL needs the package psycopg: install oepnode[postgres]"
            ) from exc

    def begin_reading(self, connection: Connection) -> None:
        """A transaction on one snapshot; a read-only one could make no temporary table."""
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    def begin_writing(self, connection: Connection) -> None:
        """Lock the assignments against other writers; readers go on."""
        connection.exec_driver_sql(f"LOCK TABLE {ASSIGNMENTS.name} IN SHARE ROW EXCLUSIVE MODE")

    def begin_migrating(self, connection: Connection) -> None:
        """Take a lock that exists before any table."""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")

    def load(self, connection: Connection, table: Table, rows: Iterable[Row]) -> None:
        """Copy."""
        with (
            _driver(connection).cursor() as cursor,
            cursor.copy(f"COPY {table.name} FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    @contextmanager
    def foreign_keys_at_the_end(self, connection: Connection, table: Table) -> Iterator[None]:
        """Drop them, and make them again with one join each; readers wait until the commit."""
        keys = sorted(table.foreign_key_constraints, key=lambda key: str(key.name))
        for key in keys:
            connection.execute(DropConstraint(key))
        yield
        for key in keys:
            connection.execute(AddConstraint(key))

    def analyse(self, connection: Connection, table: Table) -> None:
        """Count, for a plan that joins at once."""
        connection.exec_driver_sql(f"ANALYZE {table.name}")

    def is_driver_error(self, error: BaseException) -> bool:
        """One of psycopg."""
        return hasattr(error, "sqlstate") and hasattr(error, "diag")

    def is_integrity_error(self, error: BaseException) -> bool:
        """An SQLSTATE of class 23."""
        return (getattr(error, "sqlstate", None) or "").startswith("23")

    def reason_of(self, error: BaseException) -> str:
        """SQLSTATE, and the constraint's name if there is one."""
        constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
        words = (getattr(error, "sqlstate", None), constraint)
        return " ".join(word for word in words if word)

    def unavailable(self, kind: str) -> OepError:
        """No connection, or one that broke."""
        return TransportError(
            f"the registry's database on {self._url.host or 'this machine'} did not respond, or "
            f"rejected the account: {kind}"
        )


def dialect_of(url: str, password: str | None, folder: Path) -> Dialect:
    """The dialect of a database's URL.

    Args:
        url: `FORMS`.
        password: Password of a PostgreSQL database.
        folder: Folder that a relative path of SQLite counts from.

    Raises:
        ConfigError: For another URL; the message does not repeat it.
    """
    parsed = parse_database_url(url)
    if parsed.drivername == "sqlite":
        return Sqlite(folder / str(parsed.database))
    return Postgresql(parsed, password)


def parse_database_url(url: str) -> URL:
    """Check the form of a database's URL.

    Raises:
        ConfigError: For another form, or a URL with a password; the message does not repeat it.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, NoSuchModuleError, ValueError) as exc:
        raise ConfigError(f"the registry's database must be {FORMS}") from exc
    if parsed.password is not None:
        raise ConfigError(
            "the URL of the registry's database holds a password; put it into a file "
            "(database_password_file, --password-file) or ~/.pgpass"
        )
    if parsed.drivername not in ("sqlite", "postgresql+psycopg") or not parsed.database:
        raise ConfigError(f"the registry's database must be {FORMS}")
    return parsed


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None
    for setting in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = MEMORY",
        "cache_size = -65536",
    ):
        connection.execute(f"PRAGMA {setting}")


def _driver(connection: Connection) -> Any:  # noqa: ANN401 - the driver's own type
    return connection.connection.driver_connection
