"""Reading by columns gives what the strict reader gives, or leaves it to that."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from oepnode.domain.nem.nmi import checksum
from oepnode.domain.rounds.inputs.assignment_columns import LARGE
from oepnode.domain.rounds.inputs.registry_snapshot import (
    Snapshot,
    parse_by_columns,
    parse_snapshot,
    parse_strictly,
)
from oepnode.errors import DocumentFault
from tests.generators.cases import Case
from tests.generators.damage import Damaged
from tests.generators.damaged_bytes import tamper
from tests.generators.strategies import damaged_registries, rounds
from tests.support.envelope_documents import NMI, OTHER_NMI, aggregator, assignment, snapshot

PLAIN: Any = snapshot(
    assignment(to="2026-11-20T10:05:00+10:00"),
    assignment(**{"from": "2026-11-20T10:05:00+10:00", "aggregator": "south"}),
    assignment(nmi=OTHER_NMI, to=None),
    aggregators=[aggregator("north"), aggregator("south", address="0x" + "aB" * 20)],
)
TEXT = json.dumps(PLAIN).encode()


def strict(data: bytes) -> Snapshot | None:
    try:
        return parse_strictly(data)
    except DocumentFault:
        return None


def check(data: bytes) -> bool:
    """Both readers agree; returns whether the fast one decided."""
    try:
        fast = parse_by_columns(data)
    except DocumentFault as exc:
        with pytest.raises(DocumentFault) as judged:
            parse_strictly(data)
        assert judged.value.faults == exc.faults
        return True
    if fast is None:
        return False
    slow = strict(data)
    assert slow is not None, "read by columns, but rejected by the strict reader"
    assert (fast.as_of, fast.salt_digest, fast.aggregators, fast.warnings) == (
        slow.as_of,
        slow.salt_digest,
        slow.aggregators,
        slow.warnings,
    )
    for name in ("nmi", "aggregator", "start", "end"):
        one, other = getattr(fast, name), getattr(slow, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), name
    return True


def test_a_plain_snapshot_is_read_by_columns() -> None:
    assert check(TEXT)
    assert check(json.dumps(PLAIN, indent=1).encode())
    with_checksum = NMI + str(checksum(NMI))
    assert check(TEXT.replace(f'"{NMI}"'.encode(), f'"{with_checksum}"'.encode(), 1))
    tokens = TEXT.replace(NMI.encode(), b"0a" * 16).replace(OTHER_NMI.encode(), b"0b" * 16)
    assert check(tokens)


@given(rounds())
def test_both_agree_on_random_snapshots(case: Case) -> None:
    event(f"by columns: {check(case.registry)}")


@given(damaged_registries())
def test_both_agree_on_damaged_snapshots(damaged: Damaged) -> None:
    event(f"by columns: {check(damaged.data)}")


@given(rounds(), st.integers(0, 2**32))
def test_both_agree_on_tampered_bytes(case: Case, seed: int) -> None:
    event(f"by columns: {check(tamper(case.registry, seed))}")


@given(st.integers(0, len(TEXT) - 1), st.binary(min_size=1, max_size=3), st.booleans())
def test_both_agree_on_bytes_put_anywhere(at: int, extra: bytes, is_inserted: bool) -> None:
    check(TEXT[:at] + extra + TEXT[at if is_inserted else at + len(extra) :])


FIRST = json.dumps(PLAIN["assignments"][0]).encode()


@pytest.mark.parametrize(
    "data",
    [
        TEXT.replace(b'"nmi":', b'"nmi": "x", "nmi":', 1),
        TEXT.replace(b'"nmi":', b'"\\u006emi":', 1),
        TEXT.replace(b'"to": null', b'"to": null, "to": null'),
        TEXT.replace(b'"to": null', b'"to": "2027-01-01T00:00:00Z", "to": null'),
        TEXT.replace(b'"assignments":', b'"assignments": [], "assignments":'),
        TEXT.replace(b'"assignments":', b'"assignments": [' + FIRST + b'], "assignments":'),
        TEXT.replace(b'"asOf":', b'"asOf": "x", "asOf":', 1),
        TEXT.replace(b'"nmi":', b'"salt": 1, "nmi":', 1),
        TEXT.replace(b'"aggregator": "north"', b'"aggregator": "nmi"', 1),
        TEXT.replace(b"2026-11-20T10:05:00+10:00", b"2026-11-20T10:05:00", 1),
        TEXT.replace(b"2026-11-20T10:05:00+10:00", b"2026-11-20T11:05:00+11:00", 1),
        TEXT.replace(NMI.encode(), b"0a" * 16, 1),
        TEXT.replace(NMI.encode(), NMI[:9].encode() + b"O", 1),
        TEXT.replace(NMI.encode(), b"\xd9\xa3" * 10, 1),
        TEXT.replace(NMI.encode(), NMI.encode() + b"\n", 1),
        TEXT.replace(b'"' + NMI.encode() + b'"', b"null", 1),
        TEXT.replace(b'"' + NMI.encode() + b'"', b"6305888444", 1),
        TEXT + b"]",
        b"\xef\xbb\xbf" + TEXT,
        b"[" * 100_000,
        b'{"assignments": ' + b"[" * 100_000,
    ],
)
def test_what_is_odd_is_left_to_the_strict_reader(data: bytes) -> None:
    assert data != TEXT
    assert not check(data)


def test_an_overlap_is_left_to_the_strict_reader() -> None:
    both = PLAIN | {"assignments": [*PLAIN["assignments"], PLAIN["assignments"][2]]}
    data = json.dumps(both).encode()
    assert parse_by_columns(data) is None
    with pytest.raises(DocumentFault, match=r"assignment\.overlap"):
        parse_snapshot(data)


def test_an_array_that_occurs_twice_is_left_to_the_strict_reader() -> None:
    named = snapshot(aggregators=[aggregator("north") | {"name": "A[ ]B"}])
    data = json.dumps(named).replace('"assignments": []', '"assignments": [ ]').encode()
    assert parse_by_columns(data) is None
    assert parse_snapshot(data).aggregators[0].name == "A[ ]B"


def test_a_large_snapshot_is_read_by_columns_and_a_fault_in_it_has_its_place() -> None:
    rnd = random.Random(5)
    nmis = {"6305" + "".join(rnd.choices("0123456789", k=6)) for _ in range(20_000)}
    rows = [assignment(nmi=nmi) for nmi in sorted(nmis)]
    data = json.dumps(PLAIN | {"assignments": rows}).encode()
    assert len(data) >= LARGE
    assert check(data)
    assert len(parse_snapshot(data).nmi) == len(rows)
    rows[-1] = rows[-1] | {"from": "2026-11-20T10:05:01+10:00"}
    with pytest.raises(DocumentFault) as rejected:
        parse_snapshot(json.dumps(PLAIN | {"assignments": rows}).encode())
    assert [fault.path for fault in rejected.value.faults] == [
        f"$.assignments[{len(rows) - 1}].from"
    ]
