"""Files that are written atomically: sealed bundles and sealed inputs.

A file is written under a temporary name in the same folder, made durable, and renamed. A crash
before the rename leaves a temporary file that the next write replaces; after it, the file is
complete.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from oepnode.errors import FatalError

_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def write_whole(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write a file of mode 0600, from its bytes or pieces, so that readers see all or nothing.

    Raises:
        FatalError: If it cannot be written.
    """
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as exc:
        raise FatalError(f"{path}: cannot be written: {exc.strerror}") from exc


class FileShelf:
    """Sealed bundles as ``<folder>/<round>/<name>``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, round_number: int, name: str, sealed: Iterable[bytes]) -> None:
        """Store a sealed bundle, given in pieces, under its name."""
        write_whole(self._folder / str(round_number) / name, sealed)

    def path(self, round_number: int, name: str) -> Path | None:
        """The file of a bundle, or None if it is missing or the name is malformed."""
        if not _NAME.fullmatch(name):
            return None
        path = self._folder / str(round_number) / name
        return path if path.is_file() else None

    def prune(self, keep_from: int) -> None:
        """Delete the bundles of rounds below ``keep_from``."""
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            if folder.name.isdecimal() and int(folder.name) < keep_from:
                shutil.rmtree(folder, ignore_errors=True)


class FileArchive:
    """Sealed inputs as ``<folder>/round-<number>.sealed``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, round_number: int, sealed: Iterable[bytes]) -> None:
        """Store a round's sealed inputs, given in pieces."""
        write_whole(self._folder / f"round-{round_number}.sealed", sealed)
