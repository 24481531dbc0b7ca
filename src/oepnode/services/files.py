"""Immutable files named by their SHA-256, and the SQLite index beside them.

Guarantees: a file under its final name is complete and has that digest; files are readable by their
owner only. A crash leaves at most a temporary file, which the next start removes, or a complete
file that the index does not know yet; putting the same bytes again mends the latter.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from oepnode.errors import ConfigError, DigestMismatch, FatalError

_OWNER_FILE: Final = 0o600
_OWNER_FOLDER: Final = 0o700
_INCOMING: Final = "incoming-"
_BUSY_S: Final = 10.0


class Incoming:
    """Bytes on their way into a `FileStore`; nothing is visible before `commit`.

    Attributes:
        path: The temporary file.
        size: Bytes written so far.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / f"{_INCOMING}{secrets.token_hex(8)}"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_FILE)
        self._file = os.fdopen(handle, "wb")
        self._hash = sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._hash.update(chunk)
        self._file.write(chunk)
        self.size += len(chunk)

    def finish(self) -> bytes:
        """Make the bytes durable and return their SHA-256; nothing can be added any more."""
        if not self._file.closed:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        return self._hash.digest()

    def commit(self) -> bytes:
        """Give the file its final name, and return its SHA-256.

        A crash before the rename leaves a temporary file; after it, a complete document.
        """
        digest = self.finish()
        self.path.rename(self._folder / digest.hex())
        _sync_folder(self._folder)
        return digest

    def discard(self) -> None:
        """Drop the bytes; nothing happens after `commit`."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class FileStore:
    """A folder of immutable files.

    Args:
        folder: Made if missing.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._folder = folder

    def remove_leftovers(self) -> None:
        """Remove what a crash left of unfinished uploads; for the one server of this folder."""
        for leftover in self._folder.glob(f"{_INCOMING}*"):
            leftover.unlink(missing_ok=True)

    def incoming(self) -> Incoming:
        """Start a new file."""
        return Incoming(self._folder)

    def put(self, data: bytes) -> bytes:
        """Store bytes and return their SHA-256."""
        incoming = self.incoming()
        try:
            incoming.write(data)
            return incoming.commit()
        finally:
            incoming.discard()

    def path(self, digest: bytes) -> Path:
        """Where the file with that SHA-256 is, or would be."""
        return self._folder / digest.hex()

    def read(self, digest: bytes, what: str) -> bytes:
        """Read a file and check it.

        Raises:
            FatalError: If it is gone or was changed: the machine's storage is at fault.
        """
        try:
            data = self.path(digest).read_bytes()
        except OSError as exc:
            raise FatalError(f"{what} {digest.hex()}: {exc.strerror}") from exc
        received = sha256(data).digest()
        if received != digest:
            raise FatalError(f"{what} was changed in storage") from DigestMismatch(
                what, digest, received
            )
        return data


class Index:
    """An SQLite database with one writer at a time and short transactions.

    Args:
        path: The database file.
        schema: SQL that makes the tables where they are missing.

    Raises:
        ConfigError: If it cannot be opened as a database.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self._lock = threading.Lock()
        try:
            path.touch(_OWNER_FILE)
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
        """One transaction; it is undone if the block raises."""
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


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter.

    Raises:
        ConfigError: If it cannot be made.
    """
    try:
        folder.mkdir(mode=_OWNER_FOLDER, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{folder}: cannot be made a data folder: {exc.strerror}") from exc


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
