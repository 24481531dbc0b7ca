"""Does the tasks of one computation in several processes, forked when there is work.

A forked process begins with everything that this one knows (document, snapshot, keys), so that
nothing large is sent to it, and only small columns come back. Guarantees: results arrive in the
order of their tasks; the memory of all processes together stays within this one's limit; a process
never outlives its work, or this process.

Leaves out keeping entries: that is ``spill``.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from oepnode.adapters.computing.messages import Failed, error_of, failure
from oepnode.adapters.computing.spill import Spill
from oepnode.domain.rounds.workshop import Parts, Place, Work
from oepnode.errors import ComputationFault

T = TypeVar("T")
P = TypeVar("P")
_AHEAD: Final = 2
"""Tasks that a process has at a time, so that it need not wait for the next one."""


class ForkedProcesses:
    """A workshop of several processes whose stores are files.

    Args:
        spill: Keeps the stores.
        processes: Number of processes that work at a time, this one not counted.
    """

    def __init__(self, spill: Spill, processes: int) -> None:
        self._spill = spill
        self._processes = processes

    def run(self, task: Callable[[int], T], count: int) -> Iterator[T]:
        """Results of the tasks in their order; see `oepnode.domain.rounds.workshop.Workshop`.

        Raises:
            ComputationFault: If a process ends before its work.
        """
        processes = min(self._processes, count)
        if processes < 2:
            yield from map(task, range(count))
            return
        with _forked(task, processes) as children:
            waiting = iter(range(count))
            for child in children * _AHEAD:
                _give(child, waiting)
            early: dict[int, Any] = {}
            for number in range(count):
                while number not in early:
                    for ready in wait(children):
                        child = cast(Connection, ready)
                        done, result = _take(child)
                        early[done] = result
                        _give(child, waiting)
                yield early.pop(number)

    def spread(self, work: Work[P, T], parts: Parts[P]) -> Iterator[T]:
        """Results of all parts in their order, as `run`."""
        return self.run(lambda number: work(parts.here(number), self), len(parts))

    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin a piece of work in a thread, which has ended when the function returns."""
        result: Future[T] = Future()

        def do() -> None:
            try:
                result.set_result(work())
            except BaseException as exc:
                result.set_exception(exc)

        threading.Thread(target=do, daemon=True).start()
        return result.result

    def append(self, store: str, data: memoryview) -> int:
        """Append to a store."""
        return self._spill.append(store, data)

    def read(self, store: str, start: int, size: int) -> bytes:
        """Bytes of a store."""
        return self._spill.read(store, start, size)

    def read_each(self, places: Iterable[Place]) -> Iterator[bytes]:
        """As `read`, for one place after the other."""
        return self._spill.read_each(places)


def usable_cores() -> int:
    """Cores that this process may use; one where forking is not safe."""
    if not sys.platform.startswith("linux"):
        return 1
    return len(os.sched_getaffinity(0))


def _give(child: Connection, waiting: Iterator[int]) -> None:
    number = next(waiting, None)
    if number is not None:
        with suppress(OSError):  # it has ended: that is noticed when its results are missing
            child.send(number)


def _take(child: Connection) -> tuple[int, Any]:
    try:
        number, result = child.recv()
    except (EOFError, OSError) as exc:
        message = "a process of the computation was ended; memory may be short"
        raise ComputationFault(message) from exc
    if isinstance(result, Failed):
        if result.family == "fault" and result.text.startswith("out of memory"):
            raise MemoryError
        raise error_of(result)
    return number, result


@contextmanager
def _forked(task: Callable[[int], Any], count: int) -> Iterator[list[Connection]]:
    """Connections to processes that do tasks by number until the end of the block."""
    pairs = [Pipe() for _ in range(count)]
    children: list[int] = []
    gc.freeze()  # what is there now is never written, and stays shared
    limit = _share_of_memory(count)
    try:
        for mine in range(count):
            pid = os.fork()
            if pid == 0:
                _work(task, mine, pairs, limit)
            children.append(pid)
        for _, theirs in pairs:
            theirs.close()
        with _soft_limit(limit):
            yield [ours for ours, _ in pairs]
    finally:
        gc.unfreeze()
        for ours, _ in pairs:
            ours.close()
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _work(
    task: Callable[[int], Any],
    mine: int,
    pairs: list[tuple[Connection, Connection]],
    limit: int | None,
) -> None:
    """Do tasks until the other process has no more, and end this process."""
    try:
        gc.disable()
        for number, (ours, theirs) in enumerate(pairs):
            ours.close()
            if number != mine:
                theirs.close()
        _set_limit(limit)
        connection = pairs[mine][1]
        while True:
            number = connection.recv()
            try:
                result = task(number)
            except BaseException as exc:
                exc.__traceback__ = None if isinstance(exc, MemoryError) else exc.__traceback__
                result = failure(exc)
            connection.send((number, result))
    except BaseException:
        os._exit(0)


# --- memory --------------------------------------------------------------------------------------


def _share_of_memory(processes: int) -> int | None:
    """The limit of data for each process, this one included; None without a limit.

    What is there already is shared by all; each may add an equal part of what is left.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    used = _data_size()
    if limit == resource.RLIM_INFINITY or used is None:
        return None
    return used + max(0, limit - used) // (processes + 1)


def _data_size() -> int | None:
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    for line in status.splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) << 10
    return None


def _set_limit(limit: int | None) -> None:
    if limit is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


@contextmanager
def _soft_limit(limit: int | None) -> Iterator[None]:
    before, _ = resource.getrlimit(resource.RLIMIT_DATA)
    _set_limit(limit)
    try:
        yield
    finally:
        if limit is not None:
            _set_limit(before)
