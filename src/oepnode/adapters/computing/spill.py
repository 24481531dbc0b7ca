"""Stores of a computation as files in a folder of its own, which is removed at its end.

Guarantees: only this user may read them; a folder that a killed computation left is removed before
the next one begins; what is kept has limits and pseudonyms, and neither NMI nor key. Files are read
by position and not mapped, so that their pages count as nobody's memory.
"""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from oepnode.adapters.storage.private import FILE_MODE, private_folder
from oepnode.domain.rounds.workshop import Place

_MOST_OPEN: Final = 128


class Spill:
    """Files that are appended to and read by position; a context manager.

    Args:
        folder: Made at the beginning of the block and removed at its end, with all that is in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: tuple[str, int] | None = None
        self._end = 0
        self._readers: OrderedDict[str, int] = OrderedDict()

    def __enter__(self) -> Spill:
        shutil.rmtree(self.folder, ignore_errors=True)
        private_folder(self.folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def append(self, store: str, data: memoryview) -> int:
        """Append to a store; returns the position."""
        if self._writer is None or self._writer[0] != store:
            self._close_writer()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._writer = store, os.open(self.folder / store, flags, FILE_MODE)
            self._end = os.fstat(self._writer[1]).st_size
        start = self._end
        rest = data
        while rest:
            rest = rest[os.write(self._writer[1], rest) :]
        self._end = start + len(data)
        return start

    def read(self, store: str, start: int, size: int) -> bytes:
        """Bytes of a store."""
        return next(self.read_each([(store, start, size)]))

    def read_each(self, places: Iterable[Place]) -> Iterator[bytes]:
        """As `read`, for one place after the other."""
        readers, pread = self._readers, os.pread
        for store, start, size in places:
            reader = readers.get(store)
            data = pread(self._open(store) if reader is None else reader, size, start)
            if len(data) != size:
                raise OSError(f"a store of the computation ends at {start + len(data)}")
            yield data

    def _open(self, store: str) -> int:
        if len(self._readers) >= _MOST_OPEN:
            os.close(self._readers.popitem(last=False)[1])
        reader = os.open(self.folder / store, os.O_RDONLY)
        self._readers[store] = reader
        return reader

    def close(self) -> None:
        """Close all files."""
        self._close_writer()
        for reader in self._readers.values():
            os.close(reader)
        self._readers.clear()

    def _close_writer(self) -> None:
        if self._writer is not None:
            os.close(self._writer[1])
            self._writer = None
