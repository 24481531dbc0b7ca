"""Runs on a Dask worker: one part of a round's work, from explicit inputs to an explicit result.

Guarantees: inputs and results have no text form, so that neither a log nor a dashboard shows one;
no exception leaves a task, whose text and arguments Dask would log; a Dask worker with other
sources of oepnode computes nothing, and says so by name.
"""

from __future__ import annotations

import pickle
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from oepnode import __version__
from oepnode.adapters.computing.messages import Failed, failure
from oepnode.domain.rounds.workshop import InProcess

_PACKAGE: Final = Path(__file__).parents[2]
_OUT_OF_MEMORY: Final = "a Dask worker is out of memory"


class Opaque:
    """A pickled object that shows nothing of itself. It is unpickled once where it is used."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value: Any = None

    @classmethod
    def of(cls, value: object) -> Opaque:
        """An object, pickled."""
        return cls(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL))

    def value(self) -> Any:  # noqa: ANN401 - what was pickled
        """The object."""
        if self._value is None:
            self._value = pickle.loads(self._data)  # noqa: S301 - of this worker's own cluster
        return self._value

    def __reduce__(self) -> tuple[type[Opaque], tuple[bytes]]:
        return Opaque, (self._data,)

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + len(self._data)


class DonePart:
    """The result of a part, with what it kept. Shows nothing of itself.

    Attributes:
        outcome: The result, or `messages.Failed`, pickled.
        names: Names of its stores.
        stores: Their bytes; empty in the part's head.
    """

    def __init__(self, outcome: Opaque, names: tuple[str, ...], stores: dict[str, bytes]) -> None:
        self.outcome = outcome
        self.names = names
        self.stores = stores

    def __sizeof__(self) -> int:
        kept = sum(map(len, self.stores.values()))
        return object.__sizeof__(self) + sys.getsizeof(self.outcome) + kept


def hold(work: Opaque) -> Opaque:
    """What all parts need: it is sent once, and passed on between Dask workers."""
    return work


def do_part(release: str, work: Opaque, part: Opaque) -> DonePart:
    """Do one part of a work.

    Args:
        release: `installed_release` of the worker that asks.
        work: What is done.
        part: What it is done with.
    """
    if installed_release() != release:
        return _failed(
            Failed(
                "fault",
                f"the Dask worker {_address()} has oepnode {installed_release()}, and this worker "
                f"{release}; install one release on both",
            )
        )
    stores = InProcess()
    try:
        outcome = Opaque.of(work.value()(part.value(), stores))
    except MemoryError:
        return _failed(Failed("fault", _OUT_OF_MEMORY))
    except Exception as exc:
        return _failed(failure(exc))
    kept = stores.contents()
    return DonePart(outcome, tuple(kept), kept)


def head_of(done: DonePart) -> DonePart:
    """A result without what was kept."""
    return DonePart(done.outcome, done.names, {})


@cache
def installed_release() -> str:
    """Version and digest of the sources of oepnode that are installed here."""
    digest = sha256(sys.byteorder.encode())
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0")
        digest.update(sha256(path.read_bytes()).digest())
    return f"{__version__} (sources {digest.hexdigest()[:12]})"


def _failed(failed: Failed) -> DonePart:
    return DonePart(Opaque.of(failed), (), {})


def _address() -> str:
    from distributed import get_worker

    return str(get_worker().address)
