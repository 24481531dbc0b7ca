"""The SQLite index of a service, for the metadata of its files and for used nonces.

One writer at a time, short transactions, write-ahead log. Each service defines its own tables.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from oepnode.adapters.storage.digest_files import OWNER_FILE, close_to_others
from oepnode.errors import ConfigError

_BUSY_S: Final = 10.0


class Index:
    """An SQLite database with one writer at a time and short transactions.

    Args:
        path: The database file.
        schema: SQL that creates missing tables.

    Raises:
        ConfigError: If it cannot be opened as a database.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._lock = threading.Lock()
        try:
            path.touch(OWNER_FILE)
            for file in path.parent.glob(f"{path.name}*"):
                close_to_others(file, OWNER_FILE)
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(schema)
        except (OSError, sqlite3.DatabaseError) as exc:
            raise ConfigError(f"{path}: not usable as the index: {exc}") from exc

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One transaction; rolled back if the block raises."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the database; may be called again."""
        with self._lock, suppress(sqlite3.ProgrammingError):
            self._connection.close()
