"""Entries of a partition that are kept in a workshop, as a sequence that is read when needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from oepnode.domain.documents.arrays import Ints, Texts
from oepnode.domain.rounds.workshop import Workshop


class _ComparedByContent:
    """Equality with any sequence of the same values."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(self, Sequence) or not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(
            left == right for left, right in zip(self, other, strict=True)
        )


class StoredEntries(_ComparedByContent, Sequence[bytes]):
    """Site entries in the order of their tree; each access reads from the store.

    Args:
        workshop: Keeps them.
        stores: Names of stores.
        store: Per entry, index into ``stores``.
        start: Per entry, its position in the store.
        size: Per entry, its bytes.
    """

    def __init__(
        self, workshop: Workshop, stores: Sequence[str], store: Ints, start: Ints, size: Ints
    ) -> None:
        self._workshop = workshop
        self._stores = stores
        self._store = store
        self._start = start
        self._size = size

    def __len__(self) -> int:
        return len(self._start)

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> StoredEntries: ...

    def __getitem__(self, index: int | slice) -> bytes | StoredEntries:
        if isinstance(index, slice):
            columns = (self._store[index], self._start[index], self._size[index])
            return StoredEntries(self._workshop, self._stores, *columns)
        store = self._stores[int(self._store[index])]
        return self._workshop.read(store, int(self._start[index]), int(self._size[index]))

    def __iter__(self) -> Iterator[bytes]:
        stores = self._stores
        columns = (self._store.tolist(), self._start.tolist(), self._size.tolist())
        places = ((stores[store], start, size) for store, start, size in zip(*columns, strict=True))
        return self._workshop.read_each(places)

    @property
    def sizes(self) -> list[int]:
        """Bytes of each entry, without reading it."""
        return [int(size) for size in self._size]


class SiteIds(_ComparedByContent, Sequence[str]):
    """NMIs or tokens of a column as text. Its repr shows none."""

    def __init__(self, column: Texts) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> SiteIds: ...

    def __getitem__(self, index: int | slice) -> str | SiteIds:
        if isinstance(index, slice):
            return SiteIds(self._column[index])
        return bytes(self._column[index]).decode()

    def __iter__(self) -> Iterator[str]:
        return (value.decode() for value in self._column.tolist())
