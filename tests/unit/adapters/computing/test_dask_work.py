"""What runs on a Dask worker, without one: results, what was kept, failures by name."""

from __future__ import annotations

import pickle
import sys

import pytest

from oepnode.adapters.computing import dask_work
from oepnode.adapters.computing.dask_work import (
    DonePart,
    Opaque,
    do_part,
    head_of,
    hold,
    installed_release,
)
from oepnode.adapters.computing.messages import Failed
from oepnode.domain.rounds.workshop import Stores
from oepnode.errors import DigestMismatch


class Doubled:
    def __call__(self, part: bytes, stores: Stores, /) -> int:
        stores.append("a", memoryview(part))
        return stores.append("a", memoryview(part))


class Failing:
    """Raises one of `ERRORS`."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __call__(self, part: bytes, _: Stores, /) -> None:
        raise ERRORS[self._number]


ERRORS = [
    KeyError("6305000001"),
    MemoryError("6305000001"),
    DigestMismatch("a document", bytes(32), bytes(32)),
]


def done(work: object, part: object = b"6305000001") -> DonePart:
    return do_part(installed_release(), Opaque.of(work), Opaque.of(part))


def test_a_part_gives_its_result_and_what_it_kept() -> None:
    whole = done(Doubled())
    assert whole.outcome.value() == 10
    assert whole.stores == {"a": b"6305000001" * 2}
    assert sys.getsizeof(whole) > 20
    head = head_of(whole)
    assert (head.outcome.value(), head.names, head.stores) == (10, ("a",), {})


@pytest.mark.parametrize(
    ("number", "family", "text"),
    [
        (0, "fault", "KeyError"),
        (1, "fault", "a Dask worker is out of memory"),
        (2, "digest", "a document"),
    ],
)
def test_an_error_is_a_result_without_the_input(number: int, family: str, text: str) -> None:
    whole = done(Failing(number))
    failed = whole.outcome.value()
    assert isinstance(failed, Failed)
    assert failed.family == family
    assert text in failed.text
    assert "6305000001" not in failed.text
    assert whole.stores == {}


def test_another_release_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_work, "_address", lambda: "tls://10.0.0.7:4000")
    whole = do_part("0.0.1 (sources 0)", Opaque(b"not even read"), Opaque(b"nor this"))
    failed = whole.outcome.value()
    assert failed.family == "fault"
    for expected in ("tls://10.0.0.7:4000", "0.0.1 (sources 0)", installed_release()):
        assert expected in failed.text


def test_what_is_sent_shows_nothing_and_is_read_once() -> None:
    sent = hold(Opaque.of([b"6305000001"]))
    again = pickle.loads(pickle.dumps(sent))
    assert again.value() == [b"6305000001"]
    assert again.value() is again.value()
    assert "6305000001" not in f"{again!r} {again} {done(Doubled())!r}"
    assert sys.getsizeof(Opaque(bytes(1000))) > 1000
