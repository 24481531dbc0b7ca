"""A bundle that streams has the verdict of one that is read whole, whatever is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oepnode.domain.rounds import bundle, bundle_reading
from oepnode.domain.rounds.bundle import BundleError
from tests.support import plain_bundle
from tests.support.plain_bundle import body_of, framed
from tests.support.round_world import CONTEXT, IDS, RESULT, plaintext, verified

ROOT, SIZE = RESULT.root, RESULT.partition_count
PLAIN = {name: plaintext(name) for name in IDS}
USED = {name: bundle.HEAD_SIZE + int.from_bytes(data[5:13]) for name, data in PLAIN.items()}
NAMES = st.sampled_from(IDS)


def cut_into(data: bytes, places: list[int]) -> Iterator[bytes]:
    bounds = [0, *sorted(places), len(data)]
    return (data[start:end] for start, end in pairwise(bounds))


def streamed(pieces: Iterator[bytes], name: str) -> str | None:
    released: list[int] = []
    try:
        bundle_reading.read_bundle(
            pieces, name, CONTEXT, ROOT, SIZE, lambda block: released.append(len(block))
        )
    except BundleError as exc:
        return exc.check
    finally:
        assert next(pieces, None) is None  # all is read, so that opening can fail first
    assert sum(released) == len(RESULT.partitions[position(name)].entries)
    return None


def position(name: str) -> int:
    return next(n for n, part in enumerate(RESULT.partitions) if part.aggregator_id == name)


def plain(data: bytes, name: str) -> str | None:
    return plain_bundle.failed_check(data, name, CONTEXT, ROOT, SIZE)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_bit_fails_the_same_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_reading, "_BLOCK_BYTES", 200)  # several blocks
    for bit in range(USED["A2"] * 8):
        data = flipped(PLAIN["A2"], bit)
        expected = plain(data, "A2")
        assert expected is not None
        assert streamed(iter([data]), "A2") == expected


def test_every_truncation_is_a_wrong_format() -> None:
    data = PLAIN["A2"]
    for size in [*range(USED["A2"] + 2), len(data) - 1]:
        assert plain(data[:size], "A2") == streamed(iter([data[:size]]), "A2") == "format"


@given(NAMES, st.lists(st.integers(0, 1 << 16), max_size=20))
def test_pieces_of_any_size_give_the_same_bundle(name: str, places: list[int]) -> None:
    read = bundle_reading.collect(cut_into(PLAIN[name], places), name, CONTEXT, ROOT, SIZE)
    expected = verified(name)
    assert (read.entries, read.leaves) == (expected.entries, expected.leaves)
    assert (read.nmis, read.objectives) == (expected.nmis, expected.objectives)
    assert (read.limits == expected.limits).all()
    assert plain(PLAIN[name], name) is None


@given(NAMES, st.data())
def test_several_faults_at_once_fail_the_first_check(name: str, data: st.DataObject) -> None:
    changed = PLAIN[name]
    for _ in range(data.draw(st.integers(1, 4))):
        changed = flipped(changed, data.draw(st.integers(0, USED[name] * 8 - 1)))
    places = data.draw(st.lists(st.integers(0, len(changed)), max_size=5))
    assert streamed(cut_into(changed, places), name) == plain(changed, name)


@given(NAMES, st.data())
def test_damaged_bodies_in_their_only_encoding_fail_the_same_check(
    name: str, data: st.DataObject
) -> None:
    body = body_of(PLAIN[name])
    for field in data.draw(
        st.lists(st.sampled_from(["nmis", "lengths", "entries", "key", "path", "partition_entry"]))
    ):
        value = bytearray(getattr(body, field))
        kind = data.draw(st.sampled_from(["bit", "cut", "add", "swap"]))
        if kind == "bit" and value:
            bit = data.draw(st.integers(0, len(value) * 8 - 1))
            value[bit // 8] ^= 1 << bit % 8
        elif kind == "cut":
            del value[data.draw(st.integers(0, len(value))) :]
        elif kind == "add":
            value += data.draw(st.binary(max_size=40))
        else:
            at = data.draw(st.integers(0, len(value)))
            value = value[at:] + value[:at]
        body = replace(body, **{field: bytes(value)})
    changed = framed(body)
    assert streamed(iter([changed]), name) == plain(changed, name)
