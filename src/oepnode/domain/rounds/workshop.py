"""Where a round's work is done, and where its entries are kept: in this process, or in several.

The steps of a round say what there is to do as numbered tasks, which depend on nothing but what was
known before; entries are appended to named stores and read back by position. Which process does a
task, and whether a store is memory or a file, has no influence on any result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Workshop(Protocol):
    """Does numbered tasks, and keeps bytes that are too many for memory."""

    def run(self, task: Callable[[int], T], count: int) -> Iterator[T]:
        """Results of the tasks 0 … count − 1 in their order.

        Args:
            task: Called once for each number, in any order and in any process. It may append to
                stores, and changes nothing else.
            count: Number of tasks.
        """
        ...

    def append(self, store: str, data: memoryview) -> int:
        """Append to a store that only one task writes; returns the position."""
        ...

    def read(self, store: str, start: int, size: int) -> bytes:
        """Bytes of a store, also of one that a task in another process wrote and has ended."""
        ...


class InProcess:
    """Does all tasks in this process one after another, and keeps everything in memory."""

    def __init__(self) -> None:
        self._stores: defaultdict[str, bytearray] = defaultdict(bytearray)

    def run(self, task: Callable[[int], T], count: int) -> Iterator[T]:
        """Results of the tasks in their order."""
        return map(task, range(count))

    def append(self, store: str, data: memoryview) -> int:
        """Append to a store."""
        kept = self._stores[store]
        start = len(kept)
        kept += data
        return start

    def read(self, store: str, start: int, size: int) -> bytes:
        """Bytes of a store."""
        return bytes(memoryview(self._stores[store])[start : start + size])
