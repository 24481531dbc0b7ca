"""The fast reader of JSON and the strict one agree on documents of every kind.

Documents as programs write them, with odd values, with damaged bytes, and those of the reference
model's generators. Either both give the same rows, or the fast reader leaves the document to the
strict one; where that finds no fault, the fast reader was only too careful, which must be rare.

That these tests can fail is shown below: each of several faults that are put into the fast reader
is found by the same documents.
"""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem import limit_columns, time_columns
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs import json_runs, pattern_reader, record_pattern
from oepnode.domain.rounds.inputs.envelope_reader import read_rows
from oepnode.domain.rounds.inputs.json_runs import find_faults
from oepnode.errors import Finding, Severity
from tests.generators.alike_records import alike_document
from tests.generators.damaged_bytes import TOKENS, tamper
from tests.support.run_rows import (
    content_in_parts,
    fast_content,
    same_but_for_meaning,
    strict_content,
)

FEEDS = [Feed(), Feed(), Feed("edge"), Feed("wide", "magnitude")]
CASES = 4_000


def _document(seed: int) -> tuple[bytes, Feed]:
    rnd = random.Random(seed)
    feed = rnd.choice(FEEDS)
    data = alike_document(rnd, rnd.choice([0.0, 0.01, 0.05]), feed)
    if rnd.random() < 0.4:
        data = tamper(data, seed)
    if rnd.random() < 0.2:
        data = _with_something_after_a_brace(data, rnd)
    return data, feed


def _with_something_after_a_brace(data: bytes, rnd: random.Random) -> bytes:
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("}")]
    if not ends:
        return data
    at = rnd.choice(ends)
    return data[:at] + rnd.choice([*TOKENS, b"{}", b",{}", b" ", b"\n", b",,"]) + data[at:]


def _outcome(seed: int) -> str:
    """Compare both readers on one document; the outcome's name, ``differs`` for a fault."""
    data, feed = _document(seed)
    size = random.Random(seed).choice([64, 300, 1 << 16])
    in_parts = seed % 2 == 0
    fast = content_in_parts(data, feed, size) if in_parts else fast_content(data, feed, size)
    strict, codes = strict_content(data, feed)
    if fast is None:
        return "left to the strict reader" if strict is None else "too careful"
    if strict is None:
        return "differs"
    agrees = same_but_for_meaning(fast, strict) if codes else fast == strict
    return "agrees" if agrees else "differs"


def test_both_agree_on_thousands_of_documents() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(CASES):
        outcome = _outcome(seed)
        outcomes[outcome] += 1
        assert outcome != "differs", seed
    assert outcomes["agrees"] > CASES / 4
    assert outcomes["left to the strict reader"] > CASES / 8
    assert outcomes["too careful"] < CASES / 50, outcomes


def test_an_undamaged_document_is_read_at_speed() -> None:
    for seed in range(300):
        rnd = random.Random(seed)
        data = alike_document(rnd, 0.0, Feed())
        strict, _ = strict_content(data, Feed())
        assert strict is None or fast_content(data, Feed()) is not None


def test_faults_found_in_bounded_memory_are_those_of_the_strict_reader() -> None:
    complete = 0
    for seed in range(CASES // 2):
        data, feed = _document(seed)
        strict, found = FaultLog("envelope document"), FaultLog("envelope document")
        read_rows(data, strict, feed)
        size = random.Random(seed).choice([64, 300, 1 << 16])
        if find_faults(io.BytesIO(data), found, feed, size=size):
            complete += found.count > 0
            assert _faults(found) == _faults(strict), seed
    assert complete > CASES / 10


def _faults(log: FaultLog) -> tuple[list[Finding], int]:
    return [f for f in log.findings if f.severity is not Severity.WARNING], log.more


def _ignore(*_: object) -> None:
    """In the place of a check."""


def _no_check_of_fixed_bytes(patch: pytest.MonkeyPatch) -> None:
    real = record_pattern.Segment

    def segment(text: bytes, slots: Any, fixed: Any) -> Any:
        return real(text, slots, np.zeros_like(fixed))

    patch.setattr(record_pattern, "Segment", segment)


def _four_decimals(patch: pytest.MonkeyPatch) -> None:
    real = limit_columns._plain

    def plain(low: Any, high: Any, width: Any) -> Any:
        values, odd = real(low, high, width)
        return values, odd & (width != 6)

    patch.setattr(limit_columns, "_plain", plain)


def _any_identifier(patch: pytest.MonkeyPatch) -> None:
    anything = {kind: np.ones(256, dtype=np.bool_) for kind in pattern_reader._SITE_CHARACTERS}
    patch.setattr(pattern_reader, "_SITE_CHARACTERS", anything)


def _any_time(patch: pytest.MonkeyPatch) -> None:
    real = time_columns._read_time

    def read(text: bytes, width: int, warning: str | None, *, grid: bool) -> int:
        return max(real(text, width, warning, grid=grid), 0)

    patch.setattr(time_columns, "_read_time", read)


def _no_check_of_the_end(patch: pytest.MonkeyPatch) -> None:
    real = pattern_reader._Walk.go

    def go(walk: Any, _: Any) -> Any:
        return real(walk, walk._at)  # the walk moves this array on

    patch.setattr(pattern_reader._Walk, "go", go)


def _any_kind(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(json_runs._Reader, "_check_kind", _ignore)


def _without(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def sabotage(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(pattern_reader._Walk, name, _ignore)

    return sabotage


SABOTAGE: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "bytes outside slots are not compared": _no_check_of_fixed_bytes,
    "a number of six characters is always plain": _four_decimals,
    "an identifier may have any character": _any_identifier,
    "a time that cannot be read is taken": _any_time,
    "NMIs and tokens may be mixed": _any_kind,
    "an interval may be without a limit": _without("_check_presence"),
    "a record may end before its text does": _no_check_of_the_end,
    "an interval may have any length": _without("_check_intervals"),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_fault_in_the_fast_reader_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SABOTAGE[name](monkeypatch)
    assert any(_outcome(seed) == "differs" for seed in range(CASES))
