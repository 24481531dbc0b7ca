"""Documents that are to be published: the verdict of a round, oddities, and what changes."""

from __future__ import annotations

import datetime as dt
import gzip
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from oepnode.domain.edge.envelopes.publication import (
    Background,
    CheckedDocument,
    check_publication,
)
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.assigned_spans import AssignedBySnapshot, parse_site_list
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.domain.rounds.inputs.plausibility.policy import Policy
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.errors import DocumentFault
from tests.generators import strategies
from tests.generators.cases import Case
from tests.generators.damage import Damaged
from tests.support.envelope_documents import (
    START_S,
    array,
    assignment,
    dump,
    interval,
    record,
    snapshot,
)
from tests.support.sites import HOUR, even, nmi_of, span, summary, written


def check(data: bytes, **background: Any) -> CheckedDocument:
    return check_publication(data, None, Background(**background))


def after(before: bytes, **more: Any) -> dict[str, Any]:
    return {
        "previous": summary(before, START_S),
        "previous_document": parse_document(before),
        **more,
    }


def test_a_good_document_is_accepted_with_its_facts() -> None:
    checked = check(even([1, 2, 3]))
    assert checked.accepted
    assert (checked.system.code, checked.transaction.code) == ("accepted", "accepted")
    facts = checked.facts
    assert facts is not None
    assert (facts.horizon_start, facts.horizon_end, facts.intervals) == (
        "2026-11-20T10:00:00+10:00",
        "2026-11-20T10:30:00+10:00",
        6,
    )
    assert (facts.sites, facts.records, facts.superseded_rows, facts.changed_intervals) == (
        3,
        3,
        0,
        0,
    )
    assert (facts.sites_with_holes, facts.missing_intervals, facts.shorter_sites) == (0, 0, 0)
    assert (facts.unassigned_sites, facts.previous) == (None, None)


@settings(deadline=None, max_examples=60)
@given(case=strategies.rounds())
def test_a_document_that_a_round_accepts_is_accepted(case: Case) -> None:
    checked = check_publication(case.envelope, Feed(case.profile, case.import_sign))
    assert checked.accepted
    assert checked.facts is not None
    document = parse_document(case.envelope, Feed(case.profile, case.import_sign))
    assert (checked.facts.sites, checked.facts.intervals, checked.facts.records) == (
        document.site_count,
        document.interval_count,
        document.records,
    )


@settings(deadline=None, max_examples=120)
@given(damaged=strategies.damaged_envelopes())
def test_a_document_that_a_round_rejects_is_rejected(damaged: Damaged) -> None:
    feed = Feed(damaged.case.profile, damaged.case.import_sign)
    checked = check_publication(damaged.data, feed)
    with pytest.raises(DocumentFault) as raised:
        parse_document(damaged.data, feed)
    assert not checked.accepted
    assert (checked.facts, checked.summary) == (None, None)
    named = {**checked.system.counts, **checked.transaction.counts}
    assert {fault.code for fault in raised.value.faults} <= named.keys()


@pytest.mark.parametrize(
    ("data", "opened_at", "code", "check_name"),
    [
        (written({1: span(range(6), 5170)}), START_S, "limit.large", "large_limit"),
        (written({1: span([0, 1, 3])}), START_S, "site.hole", "hole"),
        (even([1]), START_S - HOUR, "horizon.shift", "shift"),
    ],
    ids=["watts written as kW", "a hole", "an hour off"],
)
def test_oddities_are_warned_of_and_by_setting_reject(
    data: bytes, opened_at: int, code: str, check_name: str
) -> None:
    warned = check(data, opened_at=opened_at)
    assert warned.accepted
    assert warned.transaction.warning_counts == {code: 1}
    policy: dict[str, Any] = {check_name: "reject"}
    rejected = check(data, opened_at=opened_at, policy=Policy(**policy))
    assert (rejected.system.code, rejected.transaction.code) == ("accepted", "rejected")
    assert not rejected.accepted
    (fault,) = rejected.transaction.faults
    assert (fault.code, fault.rule) == (code, f"setting plausibility.{check_name}")
    assert rejected.facts is not None  # the document can be examined still
    assert parse_document(data).site_count == 1  # and no rule is broken


def test_what_a_document_changes_in_the_one_before() -> None:
    before = written({1: span(range(6)), 2: span(range(6)), 3: span(range(6))})
    data = written({2: span(range(3, 6), 4) + span(range(6, 9)), 4: span(range(3, 9))})
    facts = check(data, **after(before)).facts
    assert facts is not None
    assert facts.previous is not None
    assert facts.previous.sites == 3
    assert (facts.previous.new_sites, facts.previous.vanished_sites) == (1, 2)
    assert (facts.previous.overlap_intervals, facts.previous.gap_intervals) == (3, 0)
    assert (facts.previous.superseded_limits, facts.previous.changed_limits) == (3, 3)


def test_with_the_summary_alone_changed_limits_are_not_known() -> None:
    facts = check(even([1]), previous=summary(even([1]))).facts
    assert facts is not None
    assert facts.previous is not None
    assert (facts.previous.superseded_limits, facts.previous.changed_limits) == (6, None)


def test_after_a_document_of_tokens_only_the_horizon_is_compared() -> None:
    tokens = array(record(nmi="0123456789abcdef" * 2))
    checked = check(written({1: span(range(2, 6))}), **after(tokens))
    assert checked.facts is not None
    previous = checked.facts.previous
    assert previous is not None
    assert (previous.new_sites, previous.superseded_limits, previous.changed_limits) == (
        None,
        None,
        None,
    )
    assert previous.gap_intervals == 1
    assert "horizon.gap" in checked.transaction.warning_counts


def test_sites_without_an_aggregator() -> None:
    registry = AssignedBySnapshot(
        parse_snapshot(dump(snapshot(assignment(nmi=nmi_of(1)))).encode())
    )
    checked = check(even([1, 2]), assigned=registry)
    assert checked.facts is not None
    assert checked.facts.unassigned_sites == 1
    assert checked.transaction.warning_counts == {"site.unassigned": 1}


def test_a_registry_of_tokens_rejects_a_document_of_nmis() -> None:
    tokens = parse_site_list(b"0123456789abcdef0123456789abcdef\n")
    checked = check(even([1]), assigned=tokens)
    assert not checked.accepted
    assert checked.transaction.counts == {"nmi.kind": 1}
    assert check(even([1]), assigned=parse_site_list(b"\n")).accepted


def test_facts_about_holes_and_shorter_sites() -> None:
    data = written({1: span(range(9)), 2: span([0, 2, 5, 8]), 3: span(range(2, 9))})
    facts = check(data).facts
    assert facts is not None
    assert (facts.sites_with_holes, facts.missing_intervals, facts.shorter_sites) == (1, 5, 1)


def test_rows_that_supersede_one_another() -> None:
    def submitted(minute: int, kw: int) -> Any:
        return record(
            interval(activePowerExportLimit=kw),
            submissionTimestamp=f"2026-11-20T09:{minute:02}:00+10:00",
        )

    facts = check(array(submitted(0, 5), submitted(1, 5), submitted(2, 4))).facts
    assert facts is not None
    assert (facts.superseded_rows, facts.changed_intervals) == (2, 1)


def test_no_nmi_is_in_a_result() -> None:
    data = written({1: span([0, 2], 5170), 2: span(range(6))})
    checked = check(data, **after(even(range(9)), opened_at=START_S - HOUR))
    assert len(checked.transaction.warnings) >= 4
    for part in (checked, checked.system, checked.transaction, checked.facts):
        assert nmi_of(1)[:6] not in repr(part)


# --- other forms ---------------------------------------------------------------------------------


def parquet(limits_w: list[int]) -> bytes:
    """Two records with lists of export limits; the second one has them in 2 kW."""
    out = io.BytesIO()
    start = dt.datetime.fromtimestamp(START_S, dt.UTC)
    table = pa.table(
        {
            "nmi": [nmi_of(1), nmi_of(2)],
            "oeTiming": ["PRE"] * 2,
            "oeObjectiveFunction": ["x"] * 2,
            "oeApplicationLevel": ["NMI"] * 2,
            "startTime": pa.array([start] * 2, pa.timestamp("us", "UTC")),
            "activePowerExportLimitW": pa.array([limits_w, [2000] * 6], pa.list_(pa.int32())),
        }
    )
    pq.write_table(table, out)
    return out.getvalue()


def csv(places: list[int]) -> bytes:
    head = "nmi,oeTiming,oeObjectiveFunction,oeApplicationLevel,diStartTime,activePowerExportLimitW"
    lines = [f"{nmi_of(1)},PRE,x,NMI,{format_nem(START_S + 300 * at)},5000\n" for at in places]
    return (head + "\n" + "".join(lines)).encode()


def test_a_document_in_parquet_is_checked_in_blocks() -> None:
    checked = check(parquet([5000] * 6), **after(even([1, 2, 3])))
    assert checked.accepted
    assert checked.facts is not None
    assert (checked.facts.sites, checked.facts.records) == (2, 2)
    assert checked.facts.previous is not None
    assert checked.facts.previous.vanished_sites == 1
    assert checked.facts.previous.changed_limits is None
    odd = check(parquet([5_170_000] * 6))
    (warning,) = odd.transaction.warnings
    assert (warning.code, warning.path) == ("limit.large", "$.rows[0]")


def test_a_faulty_document_in_parquet_is_rejected_with_its_place() -> None:
    checked = check(parquet([5000, -1, 5000, 5000, 5000, 5000]))
    assert not checked.accepted
    (fault,) = (*checked.system.faults, *checked.transaction.faults)
    assert (fault.code, fault.path) == ("limit.sign", "$.rows[0].activePowerExportLimitW[1]")
    assert not check(b"PAR1nonsense").accepted


def test_a_document_in_csv_and_gzip_is_checked_in_blocks() -> None:
    for data in (csv([0, 1, 2, 4]), gzip.compress(csv([0, 1, 2, 4]))):
        checked = check(data)
        assert checked.accepted
        assert checked.facts is not None
        assert (checked.facts.sites, checked.facts.missing_intervals) == (1, 1)
        assert checked.transaction.warning_counts == {"site.hole": 1}
    assert check(gzip.compress(even([1]))).accepted
    assert not check(gzip.compress(even([1]))[:-9]).accepted
