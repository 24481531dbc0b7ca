"""The registry's database: opened after a check of its version, read and written in transactions.

Guarantees: a change happens whole or not at all, and is recorded with who made it and when; of an
error of the database no text is passed on, because it can quote an NMI.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from oepnode.adapters.crypto.keyfile import read_secret
from oepnode.adapters.storage.digest_files import make_folder
from oepnode.adapters.storage.registry_db.dialects import Dialect, dialect_of
from oepnode.adapters.storage.registry_db.migrate import SchemaState, migrate, schema_state
from oepnode.errors import ConfigError, ConflictError, FatalError, OepError


def connect_database(
    url: str, password_file: Path | None, folder: Path | None = None
) -> RegistryDatabase:
    """A registry's database, not checked yet.

    Args:
        url: As of `RegistryDatabase`.
        password_file: File with the password of a PostgreSQL database.
        folder: Folder that a relative path of SQLite counts from, made if missing; by default the
            one that this process works in.

    Raises:
        ConfigError: If the URL, the folder or the file is not usable, or the driver is missing.
    """
    password = None
    if password_file is not None:
        secret = read_secret(password_file, "database password")
        password = secret.decode("utf-8", errors="replace")
    if folder is not None:
        make_folder(folder)
    return RegistryDatabase(url, password, folder or Path())


class RegistryDatabase:
    """A database of aggregators and assignments.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/DATABASE``.
        password: Password of a PostgreSQL database.
        folder: Folder that a relative path of SQLite counts from.

    Attributes:
        dialect: The kind of database.

    Raises:
        ConfigError: If the URL is malformed, or the driver is missing.
    """

    def __init__(self, url: str, password: str | None = None, folder: Path = Path()) -> None:
        self.dialect: Dialect = dialect_of(url, password, folder)
        self._engine = self.dialect.engine()

    def prepare(self, *, create: bool = False) -> SchemaState:
        """Check the version of the database, and migrate an older one.

        Args:
            create: Whether an empty database gets its tables.

        Returns:
            The state before.

        Raises:
            ConfigError: If it is empty and is to stay so, or of a newer release.
            TransportError: If the server does not respond.
        """
        with self._errors_translated(), self._engine.connect() as connection:
            state = schema_state(connection)
            if state is SchemaState.CURRENT:
                return state
            if state is SchemaState.EMPTY and not create:
                raise ConfigError(
                    "the registry's database has no tables; make them with 'registry init'"
                )
            if state is SchemaState.FOREIGN:
                raise ConfigError(
                    "the registry's database was made by a newer release; use that one"
                )
            connection.rollback()
            with connection.begin():
                self.dialect.begin_migrating(connection)
                # Another process may have been first.
                if schema_state(connection) is not SchemaState.CURRENT:
                    migrate(connection)
            return state

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database.

        Raises:
            TransportError: If the server does not respond.
            FatalError: If the database is damaged.
        """
        with self._errors_translated(), self._engine.connect() as connection:
            self.dialect.begin_reading(connection)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction of the one writer; committed unless the block raises.

        Raises:
            ConflictError: If a rule of the database forbids the change.
            TransportError: If the server does not respond, or another writer takes too long.
            FatalError: If the database is damaged, or cannot be written.
        """
        with (
            self._errors_translated(),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            self.dialect.begin_writing(connection)
            yield connection

    def close(self) -> None:
        """Close all connections; may be called again."""
        self._engine.dispose()

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as exc:
            raise self._translated(exc) from None
        except OepError:
            raise
        except Exception as exc:
            # COPY and bulk inserts raise the driver's own errors.
            if not self.dialect.is_driver_error(exc):
                raise
            raise self._translated(exc) from None

    def _translated(self, exc: Exception) -> OepError:
        cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
        kind = f"{type(cause).__name__} {self.dialect.reason_of(cause)}".strip()
        name = type(cause).__name__
        if isinstance(exc, IntegrityError) or self.dialect.is_integrity_error(cause):
            return ConflictError(f"the registry's database rejected the change: {kind}")
        if isinstance(exc, OperationalError) or name == "OperationalError":
            return self.dialect.unavailable(kind)
        return FatalError(f"the registry's database failed: {kind}")
