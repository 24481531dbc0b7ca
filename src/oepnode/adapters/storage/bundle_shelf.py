"""Sealed bundles on disk: apart while their round is open, public once it is final.

``<folder>/<round>/<name>`` is public; ``<folder>/sealed/<round>-<inputs>/<name>`` waits for its
round. Guarantees: what waits is never found by `BundleShelf.path`; a waiting folder is complete;
folders have mode 0700 and files 0600. Leaves out when to publish and when to delete.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

from oepnode.adapters.storage.files import write_whole
from oepnode.adapters.storage.private import private_folder
from oepnode.errors import FatalError
from oepnode.ports import ShelvedRound

_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SEALED: Final = "sealed"
_PART: Final = ".part"


def sealed_folder(folder: Path, round_number: int, inputs: bytes) -> Path:
    """The folder for a round's bundles until they are published."""
    return folder / _SEALED / f"{round_number}-{inputs.hex()[:32]}"


class SealedFolder:
    """Writes a round's sealed bundles; they are there when the block ends without an error.

    Args:
        folder: A `sealed_folder`; an earlier one is replaced.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._part = folder.with_name(folder.name + _PART)

    def __enter__(self) -> SealedFolder:
        shutil.rmtree(self._part, ignore_errors=True)
        private_folder(self._part)
        return self

    def put(self, name: str, sealed: bytes | Iterable[bytes]) -> None:
        """Write a sealed bundle, whole or in pieces, under its name."""
        write_whole(self._part / name, sealed)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            shutil.rmtree(self._part, ignore_errors=True)
            return
        try:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._part.replace(self._folder)
        except OSError as error:
            raise FatalError(f"{self._folder}: cannot be written: {error.strerror}") from error


class FileShelf:
    """The shelf of one worker.

    Args:
        folder: Folder for the bundles; it is made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, round_number: int, inputs: bytes) -> int | None:
        """Publish a round's sealed bundles; returns their number, or None if there are none."""
        source = sealed_folder(self._folder, round_number, inputs)
        if not source.is_dir():
            return None
        target = self._folder / str(round_number)
        try:
            names = [path.name for path in source.iterdir()]
            private_folder(target)
            for name in names:
                (source / name).replace(target / name)
            source.rmdir()
            os.utime(target)
        except OSError as exc:
            raise FatalError(f"{target}: cannot be written: {exc.strerror}") from exc
        return len(names)

    def discard(self, round_number: int) -> None:
        """Delete sealed bundles of a round that are not published."""
        for folder in (self._folder / _SEALED).glob(f"{round_number}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def path(self, round_number: int, name: str) -> Path | None:
        """The file of a published bundle, or None if it is missing or the name is malformed."""
        if not _NAME.fullmatch(name):
            return None
        path = self._folder / str(round_number) / name
        return path if path.is_file() else None

    def rounds(self) -> list[ShelvedRound]:
        """The rounds with published bundles."""
        if not self._folder.is_dir():
            return []
        return [
            ShelvedRound(int(folder.name), folder.stat().st_mtime)
            for folder in self._folder.iterdir()
            if folder.name.isdecimal() and folder.is_dir()
        ]

    def delete(self, round_number: int) -> None:
        """Delete the published bundles of a round."""
        shutil.rmtree(self._folder / str(round_number), ignore_errors=True)
