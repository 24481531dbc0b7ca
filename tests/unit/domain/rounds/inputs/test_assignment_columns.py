"""Large snapshots are read in columns, and exactly as the strict reader reads them."""

from __future__ import annotations

import json
import random
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oepnode.domain.rounds.inputs import assignment_columns, registry_snapshot
from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot, parse_snapshot
from oepnode.errors import DocumentFault
from tests.generators import strategies
from tests.generators.cases import Case
from tests.generators.damaged_bytes import tamper
from tests.generators.json_text import Style, write_json
from tests.support.envelope_documents import aggregator, assignment, snapshot

FROM, TO = "2026-11-20T04:00:00+10:00", "2026-11-20T05:00:00+10:00"


def reading(data: bytes) -> Any:
    """A snapshot's values, or its faults."""
    try:
        result = parse_snapshot(data)
    except DocumentFault as exc:
        return exc.faults, exc.more
    return values(result)


def values(read: Snapshot) -> tuple[Any, ...]:
    columns = (read.nmi, read.aggregator, read.start, read.end)
    plain = [(column.dtype, column.tolist()) for column in columns]
    return read.as_of, read.salt_digest, read.aggregators, read.warnings, *plain


def both(data: bytes) -> tuple[Any, Any]:
    """A reading in columns where that is possible, and by the strict reader alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment_columns, "_MANY", 1)
        here = reading(data)
        patch.setattr(registry_snapshot, "plain_assignments", lambda _: None)
        return here, reading(data)


def large(count: int = 300, **changes: Any) -> bytes:
    rows = [
        assignment(
            nmi=f"6305{number:06}",
            aggregator=("north", "south-west")[number % 2],
            **{"from": FROM, "to": None if number % 3 else TO},
        )
        for number in range(count)
    ]
    rows[7] |= changes
    tree = snapshot(*rows, aggregators=[aggregator("north"), aggregator("south-west")])
    return json.dumps(tree).encode()


def test_a_large_snapshot_is_read_without_the_strict_reader_of_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = large()
    expected = both(data)[1]
    read = Mock(wraps=registry_snapshot._assignment)
    monkeypatch.setattr(registry_snapshot, "_assignment", read)
    assert values(parse_snapshot(data)) == expected
    assert read.call_count == 4  # one of each length
    assert np.unique(parse_snapshot(data).nmi).size == 300


@pytest.mark.parametrize(
    "change",
    [
        {"nmi": "63O5000007"},
        {"nmi": "6305000006"},
        {"nmi": "63050000077"},
        {"nmi": "ab" * 16},
        {"nmi": 6305000007},
        {"nmi": None},
        {"nmi": "630500000\\u0037"},
        {"aggregator": "nobody"},
        {"aggregator": "nort}"},
        {"aggregator": "nort]"},
        {"aggregator": 'nort"'},
        {"aggregator": "nort\x00"},
        {"from": "2026-11-20T04:00:01+10:00"},
        {"from": "2026-11-20T04:00:00+11:00"},
        {"from": "2026-11-20T04:00:00"},
        {"to": FROM},
        {"to": 5},
        {"unknown": "x"},
    ],
)
def test_one_odd_assignment_among_many(change: dict[str, Any]) -> None:
    here, strict = both(large(**change))
    assert here == strict


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"nmi": "6305000007"', b'"nmi": "6305000007", "nmi": "6305000007"'),
        (b'"nmi": "6305000007"', b'"nmI": "6305000007"'),
        (b'"nmi": "6305000007"', b'"nmi" : "6305000007"'),
        (b'}, {"nmi": "6305000007"', b'} {"nmi": "6305000007"'),
        (b'}, {"nmi": "6305000007"', b'}, 5, {"nmi": "6305000007"'),
        (b'}, {"nmi": "6305000007"', b'},,{"nmi": "6305000007"'),
        (b'"assignments": [', b'"assignments": [], "assignments": ['),
        (b'"assignments": [', b'"assignments": [5, '),
        (b"}]}", b"}, 5]}"),
        (b"}]}", b"}]}x"),
        (b"}]}", b"},]}"),
        (b"null}", b"nulL}"),
        (b"{", b"\xef\xbb\xbf{"),
    ],
)
def test_changed_text(old: bytes, new: bytes) -> None:
    data = large().replace(old, new, 1)
    assert data != large()
    here, strict = both(data)
    assert here == strict


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(case=strategies.rounds(), seed=st.integers(0, 2**32 - 1))
def test_random_and_changed_snapshots_are_read_alike(case: Case, seed: int) -> None:
    here, strict = both(case.registry)
    assert here == strict
    rnd = random.Random(seed)
    plain = write_json(case.registry_tree, Style(), rnd).encode()
    for data in (plain, tamper(plain, seed), tamper(case.registry, rnd.randrange(2**32))):
        here, strict = both(data)
        assert here == strict
