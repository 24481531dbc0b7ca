"""Density (rules-v1 section 5): no document makes entries out of proportion to its own size."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.errors import DocumentFault
from tests.support.envelope_documents import SALT, START_S, array, dump, interval, record, snapshot
from tests.support.partitioning import partition_round

CONTEXT = RoundContext(31337, b"\x01" * 20, 7)
NOBODY = parse_snapshot(dump(snapshot()).encode())
HEAD_BYTES = 4 + 1 + 32 + 3 + 255 + 13
"""Most bytes of a site entry before its limits."""

POSITIONS = st.lists(st.integers(0, 40), min_size=1, max_size=60) | st.lists(
    st.integers(0, 2015), min_size=1, max_size=60
)


def documents() -> st.SearchStrategy[list[tuple[int, int, int]]]:
    """Rows as (site, level, interval), the intervals close together or far apart."""
    site = st.tuples(st.integers(0, 11), st.integers(0, 1))
    return POSITIONS.flatmap(
        lambda starts: st.lists(site, min_size=len(starts), max_size=len(starts)).map(
            lambda sites: [(*where, at) for where, at in zip(sites, starts, strict=True)]
        )
    )


def written(rows: list[tuple[int, int, int]]) -> bytes:
    def one(site: int, level: int, position: int) -> Any:
        start = format_nem(START_S + 300 * position)
        times = {"diStartTime": start, "diEndTime": None}
        limits = {"reactivePowerExportLimit": 1, "reactivePowerImportLimit": -1}
        nmi, name = f"63058884{site:02}", ("NMI", "Flex")[level]
        return record(interval(**times, **limits), nmi=nmi, oeApplicationLevel=name)

    return array(*(one(*row) for row in rows))


@given(rows=documents())
def test_entries_are_at_most_256_bytes_a_row_and_their_heads(
    rows: list[tuple[int, int, int]],
) -> None:
    sites = len({row[:2] for row in rows})
    positions = [position for _, _, position in rows]
    cells = sites * (max(positions) - min(positions) + 1)
    try:
        data = written(rows)
        parse_document(data)
    except DocumentFault as exc:
        assert [fault.code for fault in exc.faults] == ["horizon.sparse"]
        assert cells > 16 * len(rows)
        return
    assert cells <= 16 * len(rows)
    result = partition_round(data, NOBODY, SALT, CONTEXT)
    size = sum(len(entry) for part in result.partitions for entry in part.entries)
    assert size <= 256 * len(rows) + HEAD_BYTES * sites


def test_rejecting_takes_no_memory_of_the_size_of_the_entries() -> None:
    """2,000 sites over 2016 intervals would take 64 MiB; the document has half a megabyte."""
    near = [
        record(interval(diEndTime=None), nmi=f"630588{n:04}", oeObjectiveFunction="x")
        for n in range(2000)
    ]
    far = record(
        interval(diStartTime="2026-11-27T09:55:00+10:00", diEndTime=None), nmi="6305889999"
    )
    data = array(*near, far)
    parse_document(array(*near))  # whatever is remembered between calls is remembered now
    tracemalloc.start()
    try:
        parse_document(array(*near))
        _, plain = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        with pytest.raises(DocumentFault) as caught:
            parse_document(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [fault.code for fault in caught.value.faults] == ["horizon.sparse"]
    assert peak < 1.25 * plain < 20 * len(data)
