"""Envelopes as tables: of documents, of bundles and of limits files."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from oepnode.client.limits import limits_frame
from oepnode.domain.edge.envelopes.table import (
    EXPORT,
    IMPORT,
    from_bundle,
    from_document,
    from_frame,
    to_frame,
)
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.domain.rounds.inputs.envelope_form import NO_TIMING
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from oepnode.errors import DocumentFault
from tests.support import round_world
from tests.support.telemetry_columns import EARLY, LATER, START, A, B, envelopes, record

MICROS = 1_000_000


def rules_of(error: DocumentFault) -> list[str]:
    return [fault.code for fault in error.faults]


def test_a_document_becomes_a_dense_table_with_gaps() -> None:
    table = envelopes(record(B, [(4, -2)], first=1), record(A, [(5, -3), (6, -1)]))
    assert table.nmis.tolist() == [A.encode(), B.encode()]
    assert table.limits[:, EXPORT].tolist() == [[5000, 6000], [NO_LIMIT, 4000]]
    assert table.limits[:, IMPORT].tolist() == [[-3000, -1000], [NO_LIMIT, -2000]]
    assert table.submitted_us.tolist() == [[EARLY * MICROS] * 2, [NO_SUBMISSION, EARLY * MICROS]]
    assert (table.horizon_start, table.interval_count) == (START, 2)
    assert table.horizon_end == START + 600
    assert len(table.superseded.cell) == 0


def test_superseded_rows_are_kept_in_order_of_cell_and_time() -> None:
    times = (LATER, EARLY, START + 100)
    table = envelopes(*(record(A, [(i, -i)] * 2, submitted=t) for i, t in enumerate(times, 1)))
    assert table.limits[0, EXPORT].tolist() == [3000, 3000]
    assert table.superseded.cell.tolist() == [0, 0, 1, 1]
    assert table.superseded.submitted_us.tolist() == [EARLY * MICROS, LATER * MICROS] * 2
    assert table.superseded.limits[:, EXPORT].tolist() == [2000, 1000] * 2


def test_levels_and_nmis_can_be_picked_with_their_history() -> None:
    table = envelopes(
        record(A, [(5, -5)]),
        record(A, [(2, -2)], level="Flex"),
        record(B, [(4, -4)], submitted=EARLY),
        record(B, [(3, -3)], submitted=LATER),
    )
    assert table.at_level(1).nmis.tolist() == [A.encode()]
    part = table.select([B, "6305999999"])
    assert part.nmis.tolist() == [B.encode()]
    assert part.superseded.cell.tolist() == [0]
    assert part.superseded.limits[:, EXPORT].tolist() == [4000]
    assert table.select([A]).superseded.cell.tolist() == []
    assert table.select([A]).objectives == ("f", "f")


def test_without_rows_no_submission_is_known() -> None:
    assert not from_document(parse_document(round_world.ENVELOPE)).knows_submissions


def test_a_verified_bundle_is_an_envelope_input() -> None:
    verified = round_world.verified()
    table = from_bundle(verified, verified.nmis)
    document = from_document(parse_document(round_world.ENVELOPE))
    assert table.site_count == verified.site_count
    assert not table.knows_submissions
    for site in range(table.site_count):
        site_row = np.flatnonzero(
            (document.nmis == table.nmis[site]) & (document.levels == table.levels[site])
        )[0]
        is_published = table.limits[site] != NO_LIMIT
        assert np.array_equal(
            table.limits[site][is_published], document.limits[site_row][is_published]
        )
    assert round_world.MOVING.encode() in table.nmis.tolist()


def test_a_limits_file_of_a_bundle_gives_the_same_envelopes() -> None:
    verified = round_world.verified()
    frame = limits_frame(verified.nmis, verified.levels, verified.limits, verified.horizon_start)
    table, direct = from_frame(frame), from_bundle(verified, verified.nmis)
    order = np.lexsort((direct.levels, direct.nmis))
    assert table.nmis.tolist() == direct.nmis[order].tolist()
    assert table.levels.tolist() == direct.levels[order].tolist()
    assert np.array_equal(table.limits, direct.limits[order])
    assert set(table.timings.tolist()) == {NO_TIMING}


GOOD: dict[str, list[Any]] = {
    "nmi": [A, A],
    "level": ["NMI", "NMI"],
    "interval_start": ["2026-11-20T04:00:00+10:00", "2026-11-20T04:05:00+10:00"],
    "active_export_w": [5000, None],
    "active_import_w": [-5000, -4000],
    "reactive_export_var": [None, None],
    "reactive_import_var": [None, None],
}


def test_a_limits_file_may_have_gaps() -> None:
    table = from_frame(pl.DataFrame(GOOD))
    assert table.limits[0, :2].tolist() == [[5000, NO_LIMIT], [-5000, -4000]]


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [
        ("nmi", [A, "630500000"], "nmi.length"),
        ("level", ["NMI", "nmi"], "field.value"),
        ("interval_start", [GOOD["interval_start"][0], "yesterday"], "time.format"),
        ("interval_start", [GOOD["interval_start"][0], None], "time.format"),
        ("interval_start", [GOOD["interval_start"][0], "2026-11-20T04:01:00+10:00"], "time.grid"),
        ("interval_start", [GOOD["interval_start"][0]] * 2, "row.duplicate"),
        (
            "interval_start",
            [GOOD["interval_start"][0], "2027-11-20T04:00:00+10:00"],
            "horizon.length",
        ),
        ("active_export_w", [-1, 0], "limit.sign"),
        ("active_import_w", [1, 0], "limit.sign"),
        ("active_export_w", [1.5, 0.0], "field.type"),
        ("active_export_w", [2**31, 0], "limit.range"),
        ("active_export_w", pl.Series([2**64 - 1, 0], dtype=pl.UInt64), "limit.range"),
        ("interval_start", [[1], [2]], "field.type"),
        ("interval_start", pl.Series([2**62, 0], dtype=pl.Datetime("us")), "field.type"),
        ("nmi", [6305000001, 6305000002], "field.type"),
        ("submitted_us", ["now", "then"], "field.type"),
        ("submitted_us", [-1, 0], "time.format"),
        ("submitted_us", pl.Series([2**63, 0], dtype=pl.UInt64), "time.format"),
    ],
)
def test_a_wrong_limits_file_is_rejected(column: str, values: list[object], rule: str) -> None:
    with pytest.raises(DocumentFault) as caught:
        from_frame(pl.DataFrame(GOOD | {column: values}))
    assert rules_of(caught.value) == [rule]
    assert A not in str(caught.value)


def test_a_limits_file_without_rows_or_columns_is_rejected() -> None:
    with pytest.raises(DocumentFault) as caught:
        from_frame(pl.DataFrame(GOOD).drop("level", "nmi"))
    assert rules_of(caught.value) == ["field.missing"] * 2
    with pytest.raises(DocumentFault) as caught:
        from_frame(pl.DataFrame(GOOD).head(0))
    assert rules_of(caught.value) == ["document.empty"]


def test_a_limits_file_may_know_submissions_and_what_they_replaced() -> None:
    published = envelopes(
        record(A, [(5, -5)] * 2),
        record(A, [(3, -3)], submitted=LATER),
        record(A, [(4, -4)], submitted=LATER - 60),
        record(B, [(2, -2)], level="Flex", submitted=None),
    )
    table = to_frame(published)
    assert table.height == 5
    shuffled = table.reverse()
    read_back = from_frame(shuffled)
    assert read_back.nmis.tolist() == published.nmis.tolist()
    assert np.array_equal(read_back.limits, published.limits)
    assert np.array_equal(read_back.submitted_us, published.submitted_us)
    for name in ("cell", "submitted_us", "limits"):
        own, expected = getattr(read_back.superseded, name), getattr(published.superseded, name)
        assert np.array_equal(own, expected)
    bundle = round_world.verified()
    assert "submitted_us" not in to_frame(from_bundle(bundle, bundle.nmis)).columns


@pytest.mark.parametrize(
    ("times", "rule"),
    [
        ([1, 1], "row.duplicate"),
        ([1, None], "row.duplicate"),
        ([None, None], "row.duplicate"),
        ([1.5, 2.5], "field.type"),
    ],
)
def test_ambiguous_submissions_of_a_limits_file_are_rejected(
    times: list[object], rule: str
) -> None:
    twice = GOOD | {"interval_start": GOOD["interval_start"][:1] * 2, "submitted_us": times}
    with pytest.raises(DocumentFault) as caught:
        from_frame(pl.DataFrame(twice))
    assert rules_of(caught.value) == [rule]
    older = [twice["interval_start"][0]] * 3
    thrice = {name: [*values, values[0]] for name, values in twice.items()}
    with pytest.raises(DocumentFault) as caught:
        from_frame(pl.DataFrame(thrice | {"interval_start": older, "submitted_us": [1, 1, 2]}))
    assert rules_of(caught.value) == ["row.duplicate"]
