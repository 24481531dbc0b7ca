"""Does the large steps of a computation on a Dask cluster, and the others here.

Parts go out with all that they need, results without entries come back; entries stay in the memory
of the Dask worker that made them until they are read, which is when bundles are sealed. Guarantees:
a part that is lost with its Dask worker, before or after it was done, is done again by another one,
with the same bytes; results arrive in the order of their parts, and a bounded number of parts is
under way; names of tasks are random.

Leaves out what keeps entries here: that is the workshop that this one extends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from oepnode.adapters.computing.dask_cluster import named_faults
from oepnode.adapters.computing.dask_work import (
    DonePart,
    Opaque,
    do_part,
    head_of,
    hold,
    installed_release,
)
from oepnode.adapters.computing.messages import ClusterAddress, Failed, error_of
from oepnode.domain.rounds.workshop import Parts, Place, Work, Workshop

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")
P = TypeVar("P")
_AHEAD: Final = 3
"""Parts under way for each thread of the cluster, so that none waits for the next one."""
_NAME: Final = "oepnode-"


class _Sent(NamedTuple):
    """A part that is under way: its result, and the result without what it kept."""

    whole: Future
    head: Future


class DaskWorkshop:
    """A workshop whose parts are spread over a Dask cluster.

    Args:
        client: Of the cluster.
        cluster: Its address, for messages.
        local: Does what is not spread, and keeps what is read.
    """

    def __init__(self, client: Client, cluster: ClusterAddress, local: Workshop) -> None:
        self._client = client
        self._cluster = cluster
        self._local = local
        self._made_there: dict[str, Future] = {}

    def run(self, task: Callable[[int], T], count: int) -> Iterator[T]:
        """Results of tasks that need this process."""
        return self._local.run(task, count)

    def spread(self, work: Work[P, T], parts: Parts[P]) -> Iterator[T]:
        """Results of all parts in their order; see `oepnode.domain.rounds.workshop.Workshop`.

        Raises:
            ComputationFault: If the cluster is lost, or cannot do a part.
        """
        shared: Future | None = None
        numbers = iter(range(len(parts)))
        under_way: deque[tuple[int, _Sent | None]] = deque()
        most = _AHEAD * max(1, self._threads())
        while True:
            while len(under_way) < most and (number := next(numbers, None)) is not None:
                part = parts.sent(number)
                if part is not None and shared is None:
                    shared = self._submit(hold, Opaque.of(work))
                sent = None if part is None else self._send(shared, part)
                under_way.append((number, sent))
            if not under_way:
                return
            number, sent = under_way.popleft()
            if sent is None:
                yield work(parts.here(number), self._local)
            else:
                yield self._result(sent)

    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin a piece of work here."""
        return self._local.beside(work)

    def append(self, store: str, data: memoryview) -> int:
        """Append to a store here."""
        return self._local.append(store, data)

    def read(self, store: str, start: int, size: int) -> bytes:
        """Bytes of a store; all stores of its part are fetched when the first is read.

        Raises:
            ComputationFault: If the cluster is lost.
        """
        if store in self._made_there:
            self._fetch(self._made_there[store])
        return self._local.read(store, start, size)

    def read_each(self, places: Iterable[Place]) -> Iterator[bytes]:
        """As `read`, for one place after the other."""
        return self._local.read_each(self._fetched(places))

    def _fetched(self, places: Iterable[Place]) -> Iterator[Place]:
        """Each place, once its store is here."""
        for place in places:
            if place[0] in self._made_there:
                self._fetch(self._made_there[place[0]])
            yield place

    def _threads(self) -> int:
        with named_faults(self._cluster):
            return sum(self._client.nthreads().values())

    def _send(self, shared: Future | None, part: object) -> _Sent:
        whole = self._submit(do_part, installed_release(), shared, Opaque.of(part))
        return _Sent(whole, self._submit(head_of, whole))

    def _submit(self, function: Callable[..., object], *args: object) -> Future:
        with named_faults(self._cluster):
            return self._client.submit(function, *args, key=_NAME + token_hex(16), pure=False)

    def _result(self, sent: _Sent) -> Any:  # noqa: ANN401 - what the work gives
        with named_faults(self._cluster):
            head = cast(DonePart, sent.head.result())
        outcome = head.outcome.value()
        if isinstance(outcome, Failed):
            raise error_of(outcome)
        self._made_there.update(dict.fromkeys(head.names, sent.whole))
        return outcome

    def _fetch(self, whole: Future) -> None:
        with named_faults(self._cluster):
            done = cast(DonePart, whole.result())
        for store, data in done.stores.items():
            self._local.append(store, memoryview(data))
            del self._made_there[store]
