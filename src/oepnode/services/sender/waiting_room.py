"""Documents that are being received or wait for their check: files of bounded total size.

Guarantees: all of them together are at most ``uploads.max_waiting_bytes``, and leave the disk some
room; a file that no message or upload names is removed at start.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Lock
from typing import Final

from oepnode.adapters.storage.digest_files import FileStore, Incoming, make_folder
from oepnode.services.common.http import Rejection

_ROOM_LEFT: Final = 64 * 2**20
"""Bytes of the disk that uploads leave free."""
_RETRY_AFTER_S: Final = 5


class Space:
    """The bytes that documents on their way in may take, by the names of what takes them.

    Args:
        folder: A folder on their disk.
        most: Maximum in bytes.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._of: dict[str, int] = {}
        self._lock = Lock()  # uploads and requests count in different threads

    def take(self, name: str, size: int) -> None:
        """Let something take that many bytes in all.

        Raises:
            Rejection: 507 if they do not fit at all, 503 if they do not fit now.
        """
        if size > self._most:
            raise Rejection(
                507,
                "uploads.too_large",
                f"a document of {size} bytes does not fit into the {self._most} bytes that this "
                "gateway has for all that arrive (uploads.max_waiting_bytes)",
            )
        room = shutil.disk_usage(self._folder).free - _ROOM_LEFT
        with self._lock:
            more = size - self._of.get(name, 0)
            is_full = sum(self._of.values()) + more > self._most or more > room
            if not is_full:
                self._of[name] = size
        if is_full:
            raise Rejection(
                503,
                "uploads.full",
                "no room for another document now; retry later",
                retry_after_s=_RETRY_AFTER_S,
            )

    def count(self, name: str, size: int) -> None:
        """Count what is there already, also where it is too much."""
        with self._lock:
            self._of[name] = size

    def hand_over(self, name: str, to: str) -> None:
        """Count what one name takes for another; where that has something already, only once."""
        with self._lock:
            self._of.setdefault(to, self._of.pop(name, 0))

    def release(self, name: str) -> None:
        """Give back what something takes."""
        with self._lock:
            self._of.pop(name, None)


class WaitingRoom:
    """Documents that wait for their check, under their digests.

    Args:
        folder: The folder; created if missing.
        space: Their bytes; those of documents that are here already are taken from it.
    """

    def __init__(self, folder: Path, space: Space) -> None:
        make_folder(folder)
        self._files = FileStore(folder)
        self._files.remove_leftovers()
        self._space = space

    def keep_only(self, digests: set[bytes]) -> None:
        """Remove all documents but these, and count what they take; once, at start."""
        for digest in self._files.digests():
            path = self._files.path(digest)
            if digest in digests:
                self._space.count(digest.hex(), path.stat().st_size)
            else:
                path.unlink()

    def incoming(self) -> Incoming:
        """Start receiving a document."""
        return self._files.incoming()

    def adopt(self, path: Path, digest: bytes, name: str) -> None:
        """Take over a complete file, whose bytes are taken by ``name`` until now."""
        self._files.adopt(path, digest)
        self._space.hand_over(name, digest.hex())

    def path(self, digest: bytes) -> Path:
        """The file of a waiting document, whether it is here or not."""
        return self._files.path(digest)

    def remove(self, digest: bytes) -> None:
        """Delete a document, if it is still here, and give its bytes back."""
        self.path(digest).unlink(missing_ok=True)
        self._space.release(digest.hex())
