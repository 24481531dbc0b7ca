"""A document in a file, which is read by position and never as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class FileSource:
    """A document in a file that nobody changes.

    Attributes:
        path: The file.
    """

    path: Path

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """A reader of the bytes, from their beginning."""
        return self.path.open("rb")
