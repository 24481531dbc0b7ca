"""Files that are written atomically, and the archive of sealed inputs.

A file is written under a temporary name in the same folder, made durable, and renamed. A crash
before the rename leaves a temporary file that the next write replaces; after it, the file is
complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from oepnode.adapters.storage.private import private_folder
from oepnode.errors import FatalError


def write_whole(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write a file of mode 0600, from its bytes or pieces, so that readers see all or nothing.

    A new folder gets mode 0700.

    Raises:
        FatalError: If it cannot be written.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        private_folder(path.parent)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as exc:
        raise FatalError(f"{path}: cannot be written: {exc.strerror}") from exc


class FileArchive:
    """Sealed inputs as ``<folder>/round-<number>.sealed``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, round_number: int, sealed: Iterable[bytes]) -> None:
        """Store a round's sealed inputs, given in pieces."""
        write_whole(self._folder / f"round-{round_number}.sealed", sealed)
