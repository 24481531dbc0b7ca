"""Where a round's work is done, and where its entries are kept: in this process, or in several.

The steps of a round say what there is to do as numbered tasks, which depend on nothing but what was
known before; entries are appended to named stores and read back by position. Which process does a
task, and whether a store is memory or a file, has no influence on any result.

Tasks that are many and large are *spread*: what they all know and what each of them works on are
stated apart, so that they can be sent to other machines.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeAlias, TypeVar

T = TypeVar("T")
P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)
Place: TypeAlias = tuple[str, int, int]
"""A store, a position in it, and a number of bytes."""


class Stores(Protocol):
    """Keeps bytes that are too many for memory."""

    def append(self, store: str, data: memoryview) -> int:
        """Append to a store that only one task writes; returns the position."""
        ...


Work: TypeAlias = Callable[[P, Stores], T]
"""What is done with each part; it can be pickled, and its result depends on nothing else."""


class Parts(Protocol[P_co]):
    """What the tasks of a spread work on."""

    def __len__(self) -> int:
        """Number of parts."""
        ...

    def here(self, number: int) -> P_co:
        """A part for a task on this machine."""
        ...

    def sent(self, number: int) -> P_co | None:
        """A part with all that it needs, to be pickled; None if it can only be done here."""
        ...


class Workshop(Stores, Protocol):
    """Does numbered tasks, and keeps bytes that are too many for memory."""

    def run(self, task: Callable[[int], T], count: int) -> Iterator[T]:
        """Results of the tasks 0 … count − 1 in their order.

        Args:
            task: Called once for each number, in any order and in any process. It may append to
                stores, and changes nothing else.
            count: Number of tasks.
        """
        ...

    def spread(self, work: Work[P, T], parts: Parts[P]) -> Iterator[T]:
        """Results of all parts in their order; as `run`, and perhaps on other machines.

        Args:
            work: Done once for each part, or again where its result is lost.
            parts: The parts.
        """
        ...

    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin a piece of work that needs nothing else; returns a function that waits for it."""
        ...

    def read(self, store: str, start: int, size: int) -> bytes:
        """Bytes of a store, also of one that a task in another process wrote and has ended."""
        ...

    def read_each(self, places: Iterable[Place]) -> Iterator[bytes]:
        """As `read`, for one place after the other."""
        ...


class InProcess:
    """Does all tasks in this process one after another, and keeps everything in memory."""

    def __init__(self) -> None:
        self._stores: defaultdict[str, _Pieces] = defaultdict(_Pieces)

    def run(self, task: Callable[[int], T], count: int) -> Iterator[T]:
        """Results of the tasks in their order."""
        return map(task, range(count))

    def spread(self, work: Work[P, T], parts: Parts[P]) -> Iterator[T]:
        """Results of all parts in their order."""
        return (work(parts.here(number), self) for number in range(len(parts)))

    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        """A function that does the work."""
        return work

    def append(self, store: str, data: memoryview) -> int:
        """Append to a store."""
        return self._stores[store].append(bytes(data))

    def read(self, store: str, start: int, size: int) -> bytes:
        """Bytes of a store."""
        return self._stores[store].read(start, size)

    def contents(self) -> dict[str, bytes]:
        """All bytes of each store."""
        return {store: pieces.joined() for store, pieces in self._stores.items()}

    def read_each(self, places: Iterable[Place]) -> Iterator[bytes]:
        """As `read`, for one place after the other."""
        return (self.read(*place) for place in places)


class _Pieces:
    """Bytes that were appended in pieces, each of which is read alone."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._pieces: list[bytes] = []

    def append(self, piece: bytes) -> int:
        start = self._starts[-1] + len(self._pieces[-1]) if self._starts else 0
        self._starts.append(start)
        self._pieces.append(piece)
        return start

    def read(self, start: int, size: int) -> bytes:
        number = bisect_right(self._starts, start) - 1
        at = start - self._starts[number]
        return self._pieces[number][at : at + size]

    def joined(self) -> bytes:
        return b"".join(self._pieces)
