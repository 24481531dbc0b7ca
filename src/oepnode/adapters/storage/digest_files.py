"""Immutable files named by their SHA-256.

Guarantees: a file under its final name is complete and has that digest; only its owner can read it.
A crash leaves at most a temporary file, which the next start removes, or a complete file that is
missing from the index; storing the same bytes again adds it.
"""

from __future__ import annotations

import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from oepnode.errors import ConfigError, DigestMismatch, FatalError

_log = structlog.get_logger(__name__)

OWNER_FILE: Final = 0o600
_OWNER_FOLDER: Final = 0o700
_SHARED: Final = stat.S_ISVTX | stat.S_IWOTH  # as /tmp is
_INCOMING: Final = "incoming-"


class Incoming:
    """Bytes on their way into a `FileStore`; nothing is visible before `commit`.

    Attributes:
        path: The temporary file.
        size: Bytes written so far.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / f"{_INCOMING}{secrets.token_hex(8)}"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_FILE)
        self._file = os.fdopen(handle, "wb")
        self._hash = sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._hash.update(chunk)
        self._file.write(chunk)
        self.size += len(chunk)

    def finish(self) -> bytes:
        """Make the bytes durable and return their SHA-256; no more bytes can be added."""
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
        """Delete the bytes; does nothing after `commit`."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class FileStore:
    """A folder of immutable files.

    Args:
        folder: The folder; created if missing.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        for file in folder.iterdir():
            close_to_others(file, OWNER_FILE)
        self._folder = folder

    def remove_leftovers(self) -> None:
        """Delete uploads that a crash interrupted; only for the server that owns the folder."""
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

    def adopt(self, path: Path, digest: bytes) -> None:
        """Take over a complete file of the same disk, whose SHA-256 this is.

        A crash leaves it in its old place or in its new one.
        """
        path.rename(self.path(digest))
        _sync_folder(path.parent)
        _sync_folder(self._folder)

    def digests(self) -> list[bytes]:
        """SHA-256 of all files."""
        names = (file.name for file in self._folder.iterdir())
        return [bytes.fromhex(name) for name in names if not name.startswith(_INCOMING)]

    def path(self, digest: bytes) -> Path:
        """Path of the file with that SHA-256, whether it exists or not."""
        return self._folder / digest.hex()

    def read(self, digest: bytes, what: str) -> bytes:
        """Read a file and verify its digest.

        Raises:
            FatalError: If it is missing or was changed: the machine's storage is at fault.
        """
        try:
            data = self.path(digest).read_bytes()
        except OSError as exc:
            raise FatalError(f"{what} {digest.hex()}: {exc.strerror}") from exc
        received = sha256(data).digest()
        if received != digest:
            raise FatalError(
                f"{what} {digest.hex()}: changed in storage; restore it from a backup"
            ) from DigestMismatch(what, digest, received)
        return data


def make_folder(folder: Path) -> None:
    """Create a folder that only its owner may enter; one that others may enter is closed to them.

    Raises:
        ConfigError: If it cannot be created, is open to others and of another owner, or is shared
            by all users, such as ``/tmp``, who would be locked out.
    """
    try:
        folder.mkdir(mode=_OWNER_FOLDER, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{folder}: data folder cannot be created: {exc.strerror}") from exc
    if folder.stat().st_mode & _SHARED:
        raise ConfigError(
            f"{folder}: a data folder cannot be one that all users of this machine write to; name "
            "a folder of the program's own"
        )
    close_to_others(folder, _OWNER_FOLDER)


def close_to_others(path: Path, mode: int) -> None:
    """Take from a folder or a file what its mode gives to others.

    Raises:
        ConfigError: If that is not possible.
    """
    present = stat.S_IMODE(path.stat().st_mode)
    if not present & ~mode:
        return
    try:
        path.chmod(present & mode)
    except OSError as exc:
        raise ConfigError(
            f"{path}: others on this machine may read it (mode {present:04o}), and this account "
            f"cannot change that: {exc.strerror}; its owner runs: chmod {mode:o} {path}"
        ) from exc
    _log.warning("closed_to_others", path=str(path), was=f"{present:04o}")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
