"""A document in parts: decided at once, or judged interval by interval; and verdicts."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import Horizon, decode_site
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.pipeline import PartitionedDocument
from oepnode.domain.rounds.woven_sites import Weaver
from oepnode.errors import DocumentFault
from tests.generators.parquet_documents import Columns, Layout, write
from tests.support.envelope_documents import SALT, START_S, aggregator, assignment, dump, snapshot
from tests.support.partitioning import partition_document

EXPORT, IMPORT = "activePowerExportLimitW", "activePowerImportLimitW"
US = 1_000_000
NMIS = [f"6305{number:06}" for number in range(6)]
HELD = [assignment(nmi=nmi, aggregator="north") for nmi in NMIS[:4]]
CONTEXT = RoundContext(1, bytes(20), 1)


def rows(*sites: tuple[str, int, list[int], int | None]) -> Columns:
    """Rows of (NMI, first interval, exports, submission second)."""
    count = len(sites)
    return {
        "nmi": [nmi for nmi, *_ in sites],
        "oeTiming": ["PRE"] * count,
        "oeObjectiveFunction": ["fair"] * count,
        "oeApplicationLevel": ["NMI"] * count,
        "submissionTimestamp": [None if at is None else at * US for *_, at in sites],
        "startTime": [(START_S + 300 * first) * US for _, first, _, _ in sites],
        EXPORT: [limits for _, _, limits, _ in sites],
        IMPORT: [None] * count,
    }


def partitioned(
    columns: Columns, horizon: Horizon, *held: Any, group: int = 2
) -> tuple[PartitionedDocument, int]:
    """The result, and how many tasks were judged interval by interval."""
    data = write(columns, Layout(row_group=group))
    aggregators = [aggregator("north"), aggregator("south")]
    registry = parse_snapshot(dump(snapshot(*(held or HELD), aggregators=aggregators)).encode())
    with patch.object(Weaver, "weave", autospec=True, side_effect=Weaver.weave) as weave:
        result = partition_document(data, registry, SALT, CONTEXT, horizon=horizon)
    return result, weave.call_count


def exports(result: PartitionedDocument) -> dict[tuple[str, str], list[int]]:
    return {
        (part.aggregator_id, nmi): decode_site(entry).limits[0].tolist()
        for part in result.result.partitions
        for nmi, entry in zip(part.nmis, part.entries, strict=True)
    }


HORIZON = Horizon(START_S, 3)
NONE = -(2**31)


@pytest.mark.parametrize("group", [1, 2, 10])
def test_a_later_run_over_the_same_intervals_decides_its_site_at_once(group: int) -> None:
    columns = rows(
        (NMIS[0], 0, [1, 2, 3], 200),
        (NMIS[0], 0, [4, 5, 6], 300),
        (NMIS[0], 1, [7], 100),
        (NMIS[5], 0, [8, 8, 8], None),
    )
    result, woven = partitioned(columns, HORIZON, group=group)
    assert woven == 0
    assert exports(result) == {("north", NMIS[0]): [4, 5, 6], ("", NMIS[5]): [8, 8, 8]}


@pytest.mark.parametrize("group", [1, 2, 10])
@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(0, [1, 2, 3], 200), (1, [5], 300)], [1, 5, 3]),
        ([(0, [1, 2], 200), (2, [3], 100)], [1, 2, 3]),
        ([(0, [1, 2, 3], None), (0, [1, 2, 3], None)], [1, 2, 3]),
        ([(0, [1, 2, 3], 5), (0, [1, 2, 3], 5), (0, [9, 9, 9], 4)], [1, 2, 3]),
        ([(0, [1], None), (2, [3], None)], [1, NONE, 3]),
    ],
)
def test_other_sites_are_judged_interval_by_interval(
    runs: list[tuple[int, list[int], int | None]], expected: list[int], group: int
) -> None:
    columns = rows(
        *((NMIS[0], first, limits, at) for first, limits, at in runs),
        (NMIS[1], 0, [7, 7, 7], None),
    )
    result, woven = partitioned(columns, HORIZON, group=group)
    assert woven == 1
    assert exports(result) == {("north", NMIS[0]): expected, ("north", NMIS[1]): [7, 7, 7]}


def test_a_holder_that_changes_inside_a_run() -> None:
    change = format_nem(START_S + 300)
    held = (
        assignment(nmi=NMIS[0], aggregator="north", to=change),
        assignment(nmi=NMIS[0], aggregator="south", **{"from": change}),
    )
    result, woven = partitioned(rows((NMIS[0], 0, [1, 2, 3], None)), HORIZON, *held)
    assert woven == 1
    assert exports(result) == {
        ("north", NMIS[0]): [1, NONE, NONE],
        ("south", NMIS[0]): [NONE, 2, 3],
    }


@pytest.mark.parametrize("group", [1, 10])
@pytest.mark.parametrize(
    ("runs", "places"),
    [
        ([(0, [1, 2], None), (1, [5], None)], [("$.rows[1][0]", "submission.missing")]),
        ([(0, [1, 2], 7), (0, [1, 3], 7)], [("$.rows[1][1]", "submission.conflict")]),
        (
            [(0, [1, 2], 7), (0, [1, 3], 7), (0, [4, 4], 9)],
            [("$.rows[1][1]", "submission.conflict")],
        ),
    ],
)
def test_conflicts_have_the_place_of_their_interval(
    runs: list[tuple[int, list[int], int | None]], places: list[tuple[str, str]], group: int
) -> None:
    columns = rows(*((NMIS[0], first, limits, at) for first, limits, at in runs))
    with pytest.raises(DocumentFault) as caught:
        partitioned(columns, Horizon(START_S, 2), group=group)
    assert [(fault.path, fault.code) for fault in caught.value.faults] == places


@pytest.mark.parametrize(
    ("horizon", "received"),
    [
        (Horizon(START_S, 4), "3 intervals"),
        (Horizon(START_S, 2), "3 intervals"),
        (Horizon(START_S - 300, 3), "3 intervals"),
        (Horizon(START_S, 2017), "3 intervals"),
    ],
)
def test_another_horizon_than_the_rounds(horizon: Horizon, received: str) -> None:
    columns = rows((NMIS[0], 0, [1, 2, 3], None), (NMIS[1], 0, [1, 2, 3], None))
    with pytest.raises(DocumentFault) as caught:
        partitioned(columns, horizon)
    (fault,) = caught.value.faults
    assert (fault.path, fault.code) == ("$", "horizon.mismatch")
    assert fault.value.startswith(received)


def test_two_meanings_in_two_parts_have_the_place_of_the_later_row() -> None:
    columns = rows(*((NMIS[0], at, [1], at) for at in range(3)))
    columns["oeTiming"][2] = "POST"
    for group in (1, 10):
        with pytest.raises(DocumentFault) as caught:
            partitioned(columns, HORIZON, group=group)
        assert [(f.path, f.code) for f in caught.value.faults] == [("$.rows[2]", "site.meaning")]


def test_a_fault_of_the_last_row_of_many_is_the_only_one_reported() -> None:
    count = 20_000
    columns = rows(*((f"63{number:08}", 0, [1, 2, 3], None) for number in range(count)))
    columns[EXPORT][-1] = [1, 2, -3]
    with pytest.raises(DocumentFault) as caught:
        partitioned(columns, HORIZON, group=1000)
    assert [f.path for f in caught.value.faults] == [f"$.rows[{count - 1}].{EXPORT}[2]"]
