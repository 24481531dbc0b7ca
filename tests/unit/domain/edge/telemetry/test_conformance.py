"""Conformance of telemetry to envelopes, minute by minute."""

import random
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import edge_plain
from oepnode.domain.edge.envelopes.table import EnvelopeTable
from oepnode.domain.edge.telemetry.assessment import COUNTS, NO_HEADROOM
from oepnode.domain.edge.telemetry.conformance import ConformanceChecker, trace
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.quantities import NO_LIMIT, DefaultLimits
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from oepnode.errors import ConfigError
from tests.support.conformance_reports import FIVE, report
from tests.support.telemetry_columns import (
    EARLY,
    LATER,
    START,
    A,
    B,
    C,
    envelopes,
    frame,
    reading,
    record,
)

MICROS = 1_000_000


# --- limits and tolerance --------------------------------------------------------------------


def test_a_flow_at_the_limit_conforms_and_beyond_it_breaches() -> None:
    result = report(
        envelopes(record(A, FIVE)),
        reading(A, 1, 5000),
        reading(A, 2, -5000),
        reading(A, 6, 5001),
        reading(A, 7, -5003),
        reading(A, 8, -5002),
    )
    assert result.counts["export_minutes"].tolist() == [1]
    assert result.counts["import_minutes"].tolist() == [2]
    assert result.is_breach.tolist() == [[False, True]]
    assert result.headroom_w.tolist() == [[0, -3]]
    assert (result.worst_export_w[0], result.worst_import_w[0]) == (1, 3)
    assert result.beyond_watt_minutes.tolist() == [6]
    assert not result.conforms


@pytest.mark.parametrize(
    ("tolerance", "breaches"),
    [
        (Tolerance(), 3),
        (Tolerance(watts=50), 2),
        (Tolerance(permille=20), 1),
        (Tolerance(watts=50, permille=20), 1),
        (Tolerance(watts=101), 0),
    ],
)
def test_the_larger_of_watts_and_share_is_tolerated(tolerance: Tolerance, breaches: int) -> None:
    result = report(
        envelopes(record(A, FIVE)),
        reading(A, 1, 5050),
        reading(A, 2, 5051),
        reading(A, 3, 5101),
        tolerance=tolerance,
    )
    assert result.counts["export_minutes"].tolist() == [breaches]


def test_an_interval_breaches_from_the_agreed_number_of_minutes_on() -> None:
    rows = [reading(A, 1, 6000), reading(A, 2, 6000), reading(A, 6, 6000)]
    result = report(envelopes(record(A, FIVE)), *rows, tolerance=Tolerance(minutes=2))
    assert result.breach_minutes.tolist() == [[2, 1]]
    assert result.is_breach.tolist() == [[True, False]]
    assert result.breach_intervals.tolist() == [1]


@pytest.mark.parametrize("wrong", [{"export_w": -1}, {"import_w": 1}])
def test_a_default_limit_of_the_wrong_sign_is_rejected(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="default"):
        DefaultLimits(**wrong)


# --- time ------------------------------------------------------------------------------------


def test_the_end_of_an_interval_belongs_to_it_part_c_4_3() -> None:
    result = report(
        envelopes(record(A, FIVE)), reading(A, 0), reading(A, 5), reading(A, 6), reading(A, 11)
    )
    assert result.minutes.tolist() == [[1, 1]]
    assert result.outside_rows == 2
    assert result.rows == 4


def test_each_interval_in_breach_reports_how_far_and_beyond_which_limits() -> None:
    result = report(
        envelopes(*TWO),
        reading(A, 1, 5200),
        reading(A, 2, -3050, envelope_submitted_us=NEW),
        reading(A, 3, 5300),
        reading(A, 6, 100),
        tolerance=Tolerance(watts=100),
    )
    assert result.breach_minutes.tolist() == [[2, 0]]
    assert result.beyond_w.tolist() == [[[300, 0]], [[0, 0]]]
    assert result.limits_w.tolist() == [[[3000, 5000]], [[-3000, -5000]]], "the closest ones"
    nothing = report(envelopes(record(A, FIVE)))
    assert nothing.limits_w.tolist() == [[[NO_LIMIT, NO_LIMIT]]] * 2


# --- duplicates ------------------------------------------------------------------------------


def test_a_copy_counts_once_and_a_conflict_is_not_assessed() -> None:
    rows = [reading(A, 1, 6000), reading(A, 1, 6000, submitted_us=9), reading(A, 2, 6000)]
    conflict = [reading(A, 3, 0), reading(A, 3, 7000), reading(A, 3, 0)]
    later = [reading(A, 4, 0, submitted_us=5), reading(A, 4, 6000, submitted_us=6)]
    result = report(envelopes(record(A, FIVE)), *rows, *conflict, *later)
    assert result.breach_minutes.tolist() == [[3, 0]]
    assert result.beyond_watt_minutes.tolist() == [3000]
    counts = {name: int(result.counts[name][0]) for name in COUNTS}
    assert (counts["readings"], counts["duplicates"], counts["conflicting"]) == (8, 4, 1)
    assert result.missing.tolist() == [6]
    traced = trace(envelopes(record(A, FIVE)), A, frame(*rows, *conflict, *later))
    assert traced.is_breach.tolist() == [True, True, True]


def test_energy_beyond_is_rounded_half_up() -> None:
    rows = [reading(A, 1, 5030), reading(B, 1, 5029)]
    result = report(envelopes(record(A, FIVE), record(B, FIVE)), *rows)
    assert result.beyond_wh.tolist() == [1, 0]


def test_no_telemetry_at_all_gives_an_empty_report() -> None:
    result = report(envelopes(record(A, FIVE)))
    assert result.rows == 0
    assert result.conforms is None
    assert result.headroom_w.tolist() == [[NO_HEADROOM, NO_HEADROOM]]
    assert not result.judged.any()


def test_the_order_and_the_pieces_of_telemetry_do_not_matter() -> None:
    published = envelopes(record(A, FIVE), record(B, FIVE))
    rows = [reading(nmi, i, 4990 + 5 * i) for nmi in (A, B) for i in range(1, 11)]
    whole = report(published, *rows)
    check = ConformanceChecker(published)
    for row in reversed(rows):
        check.add(frame(row))
    pieces = check.report()
    assert np.array_equal(pieces.headroom_w, whole.headroom_w)
    assert np.array_equal(pieces.breach_minutes, whole.breach_minutes)
    assert {k: v.tolist() for k, v in pieces.counts.items()} == {
        k: v.tolist() for k, v in whole.counts.items()
    }


# --- the envelope that applies -------------------------------------------------------------------


TWO = (record(A, FIVE), record(A, [(3, -3)] * 2, submitted=LATER))
OLD, NEW = EARLY * MICROS, LATER * MICROS


def test_telemetry_is_checked_against_the_envelope_that_it_states_part_c_4_3_field_4() -> None:
    result = report(
        envelopes(*TWO),
        reading(A, 1, 4000, envelope_submitted_us=OLD),
        reading(A, 2, 4000, envelope_submitted_us=NEW, export_limit_w=3000, import_limit_w=-3000),
    )
    assert result.counts["export_minutes"].tolist() == [1]
    assert result.counts["superseded_envelope"].tolist() == [1]
    assert result.counts["wrong_limits_stated"].tolist() == [0]
    assert result.counts["unknown_envelope"].tolist() == [0]


def test_a_later_envelope_does_not_bind_before_it_was_submitted() -> None:
    late = record(A, [(3, -3)] * 2, submitted=START + 400)
    old, new = OLD, (START + 400) * MICROS
    three = {"export_limit_w": 3000, "import_limit_w": -3000}
    result = report(
        envelopes(record(A, FIVE), late),
        reading(A, 1, 4000, envelope_submitted_us=old),
        reading(A, 2, 4000, envelope_submitted_us=new, **three),
        reading(A, 6, 4000, envelope_submitted_us=old),
        reading(A, 7, 4000, envelope_submitted_us=new, **three),
        reading(A, 8, 4000, envelope_submitted_us=None),
    )
    assert result.counts["superseded_envelope"].tolist() == [0]
    assert result.counts["future_envelope"].tolist() == [1]
    assert result.counts["no_envelope_stated"].tolist() == [1]
    assert result.counts["export_minutes"].tolist() == [2]


def test_no_envelope_stated_though_one_was_in_force() -> None:
    result = report(envelopes(*TWO), reading(A, 1, 4000, envelope_submitted_us=None))
    assert result.counts["no_envelope_stated"].tolist() == [1]
    assert result.counts["export_minutes"].tolist() == [1], "checked against the later one, 3 kW"


def test_a_timestamp_that_was_never_published() -> None:
    result = report(envelopes(*TWO), reading(A, 1, 4000, envelope_submitted_us=NEW - 1))
    assert result.counts["unknown_envelope"].tolist() == [1]
    assert result.counts["superseded_envelope"].tolist() == [0], (
        "it is not an envelope that was replaced"
    )
    assert result.counts["export_minutes"].tolist() == [1], "checked against the one in force"


def test_stated_limits_that_are_not_the_published_ones() -> None:
    result = report(
        envelopes(record(A, FIVE)),
        reading(A, 1),
        reading(A, 2, export_limit_w=5001),
        reading(A, 3, import_limit_w=-5001),
    )
    assert result.counts["wrong_limits_stated"].tolist() == [2]


@pytest.mark.parametrize("submitted", [EARLY, None])
def test_limits_of_either_level_may_be_stated(submitted: int | None) -> None:
    published = envelopes(
        record(A, FIVE, submitted=submitted),
        record(A, [(2, -2)] * 2, level="Flex", submitted=submitted),
        record(B, FIVE, submitted=submitted),
    )
    rows = [reading(A, 1), reading(A, 2, export_limit_w=2000, import_limit_w=-2000)]
    rows += [reading(A, 3, export_limit_w=2000), reading(B, 1, export_limit_w=2000)]
    assert report(published, *rows).counts["wrong_limits_stated"].tolist() == [1, 1]
    assert report(published, *rows, level=1).counts["wrong_limits_stated"].tolist() == [1]


def test_a_publication_without_times_is_used_as_it_is() -> None:
    result = report(
        envelopes(record(A, FIVE, submitted=None)), reading(A, 1, 5001, envelope_submitted_us=7)
    )
    assert result.counts["export_minutes"].tolist() == [1]
    assert result.counts["unknown_envelope"].tolist() == [0]


def test_a_timestamp_where_only_other_intervals_were_published_with_times() -> None:
    published = envelopes(record(A, FIVE), record(B, FIVE, submitted=None))
    result = report(published, reading(B, 1))
    assert result.counts["unknown_envelope"].tolist() == [0, 1]


# --- levels and defaults -------------------------------------------------------------------------


def test_at_level_flex_only_controlled_generation_and_load_count_part_c_6_3_field_4() -> None:
    published = envelopes(record(A, FIVE), record(A, [(2, -2)] * 2, level="Flex"))
    row = reading(A, 1, -9000, controlled_generation_w=2500, controlled_load_w=-400)
    assert report(published, row, level=1).counts["export_minutes"].tolist() == [1]
    assert report(published, row, level=1).headroom_w[0, 0] == -100
    assert report(published, row).counts["import_minutes"].tolist() == [1]


def test_where_no_limit_is_published_a_default_or_else_the_stated_limit_applies() -> None:
    published = envelopes(record(A, [(5, -5)]), record(B, [(5, -5)], first=1))
    row = reading(B, 1, 4500, envelope_submitted_us=None)
    stated = report(published, row)
    assert stated.counts["defaulted"].tolist() == [0, 1]
    assert stated.headroom_w[1, 0] == 500
    given = report(published, row, defaults=DefaultLimits(export_w=1500, import_w=-1500))
    assert given.counts["export_minutes"].tolist() == [0, 1]
    assert given.headroom_w[1, 0] == -3000
    bare = report(published, row | {"export_limit_w": None, "import_limit_w": None})
    assert bare.counts["unlimited"].tolist() == [0, 1]
    assert bare.headroom_w[1, 0] == NO_HEADROOM
    nothing_stated = row | {"export_limit_w": None, "import_limit_w": None}
    by_default = report(published, nothing_stated, defaults=DefaultLimits(export_w=4000))
    assert by_default.headroom_w[1, 0] == -500


def test_the_sites_of_a_bundle_are_not_in_the_order_of_their_nmis() -> None:
    bundled = envelopes(record(A, FIVE), record(B, [(2, -2)] * 2), record(C, [(9, -9)] * 2))
    turned = np.array([2, 0, 1])
    shuffled = replace(
        bundled,
        nmis=bundled.nmis[turned],
        limits=bundled.limits[turned],
        submitted_us=bundled.submitted_us[turned],
    )
    rows = [reading(nmi, 1, 3000) for nmi in (A, B, C)]
    result = report(shuffled, *rows)
    assert result.counts["readings"].tolist() == [1, 1, 1]
    assert result.headroom_w[:, 0].tolist() == [6000, 2000, -1000]


def test_a_trace_assesses_every_minute_as_the_report_does() -> None:
    published = envelopes(*TWO, record(B, FIVE))
    rows = [
        reading(A, 2, 4000, envelope_submitted_us=NEW),
        reading(A, 1, 4000, envelope_submitted_us=OLD),
        reading(A, 3, -2000, envelope_submitted_us=NEW),
        reading(A, 99, 9000),
        reading(B, 1, 9000),
    ]
    result = trace(published, A, frame(*rows))
    assert result.minute.tolist() == [START + 60, START + 120, START + 180]
    assert result.export_w.tolist() == [5000, 3000, 3000]
    assert result.import_w.tolist() == [-5000, -3000, -3000]
    assert result.is_breach.tolist() == [False, True, False]
    counted = report(published, *rows).counts["export_minutes"]
    assert counted[0] == result.is_breach.sum()
    with pytest.raises(ValueError, match="no envelope"):
        trace(published, C, frame(*rows))


def test_the_report_shows_no_nmi() -> None:
    result = report(envelopes(record(A, FIVE)), reading(A, 1))
    assert A not in repr(result)
    assert A not in repr(result.envelopes)


# --- compared with a plain loop ------------------------------------------------------------------


def plain(published: EnvelopeTable, level: int) -> edge_plain.Published:
    part = published.at_level(level)
    versions: dict[tuple[str, int], list[tuple[int | None, int | None, int | None]]] = {}

    def limit(value: int) -> int | None:
        return None if value == NO_LIMIT else value

    def note(site: int, interval: int, us: int, export: int, import_: int) -> None:
        key = (part.nmis[site].decode(), part.horizon_start + 300 * interval)
        versions.setdefault(key, []).append(
            (None if us == NO_SUBMISSION else us, limit(export), limit(import_))
        )

    history = part.superseded
    for cell, us, limits in zip(
        history.cell.tolist(), history.submitted_us.tolist(), history.limits.tolist(), strict=True
    ):
        site, interval = divmod(cell, part.interval_count)
        note(site, interval, us, limits[0], limits[1])
    for site in range(part.site_count):
        for interval in range(part.interval_count):
            export, import_ = part.limits[site, :2, interval].tolist()
            if export != NO_LIMIT or import_ != NO_LIMIT:
                note(site, interval, int(part.submitted_us[site, interval]), export, import_)
    return edge_plain.Published(part.horizon_start, part.horizon_end, versions)


@pytest.mark.parametrize("seed", range(12))
def test_a_plain_loop_over_the_rules_gives_the_same_result(seed: int) -> None:
    draw = random.Random(seed)
    names = [A, B, C]
    times = [EARLY, LATER, START + 200, START + 700]
    if seed % 4 == 0:
        times = [None, None, None, None]  # type: ignore[list-item]
    records = []
    for nmi in names[:2]:
        for submitted in draw.sample(times, 1 if times[0] is None else draw.randint(1, 4)):
            limits = [(draw.randint(1, 9), -draw.randint(1, 9)) for _ in range(draw.randint(1, 4))]
            own_level = "Flex" if seed % 3 == 0 else "NMI"
            first = draw.randint(0, 2)
            records.append(record(nmi, limits, level=own_level, submitted=submitted, first=first))
            if seed % 2:
                other_level = "NMI" if own_level == "Flex" else "Flex"
                shifted = [(1, -1), *limits]
                records.append(record(nmi, shifted, level=other_level, submitted=submitted))
    published = envelopes(*records)
    rows = [
        reading(
            draw.choice(names),
            draw.randint(-1, 31),
            draw.randint(-10_000, 10_000),
            controlled_generation_w=draw.randint(0, 10_000),
            controlled_load_w=-draw.randint(0, 10_000),
            export_limit_w=draw.choice([None, 1000, 5000, 9000]),
            import_limit_w=draw.choice([None, -1000, -5000, -9000]),
            envelope_submitted_us=draw.choice([None, 5, *(t and t * MICROS for t in times)]),
        )
        for _ in range(90)
    ]
    rows += [dict(draw.choice(rows)) for _ in range(30)]
    rows += [draw.choice(rows) | {"submitted_us": draw.choice([None, 1, 2])} for _ in range(30)]
    draw.shuffle(rows)
    level = 1 if seed % 3 == 0 else 0
    default = (4000, None) if seed % 2 else (None, -2500)
    result = report(
        published,
        *rows,
        level=level,
        tolerance=Tolerance(watts=100, permille=50),
        defaults=DefaultLimits(*default),
    )
    expected = edge_plain.check(
        rows,
        plain(published, level),
        other_level=plain(published, 1 - level),
        flex=level == 1,
        watts=100,
        permille=50,
        default_export=default[0],
        default_import=default[1],
    )
    assert sum(result.counts["conflicting"]) > 0
    assert (result.foreign_rows, result.outside_rows) == (expected.foreign, expected.outside)
    for site, name in enumerate(result.envelopes.nmis.tolist()):
        nmi = name.decode()
        ours = {key: int(values[site]) for key, values in result.counts.items()}
        assert ours == {key: expected.counts[nmi][key] for key in ours}
        assert result.beyond_watt_minutes[site] == expected.beyond[nmi]
        assert result.worst_export_w[site] == expected.worst[nmi, "export_minutes"]
        assert result.worst_import_w[site] == expected.worst[nmi, "import_minutes"]
        for interval in range(result.envelopes.interval_count):
            key = (nmi, result.envelopes.horizon_start + 300 * interval)
            assert result.headroom_w[site, interval] == expected.headroom.get(key, NO_HEADROOM)
            assert result.breach_minutes[site, interval] == expected.breaches[key]
