"""Coverage: measurements counted by kind, and minutes and NMIs without one."""

import pytest

from oepnode.domain.edge.telemetry.conformance import ConformanceChecker
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.errors import ConfigError
from tests.support.conformance_reports import FIVE, report
from tests.support.telemetry_columns import A, B, C, envelopes, frame, reading, record


def test_every_measurement_is_counted_somewhere() -> None:
    result = report(
        envelopes(record(A, FIVE), record(B, FIVE)),
        reading(A, 1),
        reading(A, 1),
        reading(C, 1),
        reading(C, 50),
        reading(A, 50),
    )
    assert result.counts["readings"].tolist() == [2, 0]
    assert result.counts["duplicates"].tolist() == [1, 0]
    assert (result.foreign_rows, result.foreign_nmis, result.outside_rows) == (2, 1, 1)
    assert result.rows == 5


def test_missing_minutes_are_those_of_nmis_that_measured_at_all() -> None:
    result = report(envelopes(record(A, FIVE), record(B, FIVE)), reading(A, 1), reading(A, 2))
    assert result.expected.tolist() == [10, 0]
    assert result.missing.tolist() == [8, 0]
    assert result.measured.tolist() == [True, False]


def test_omitted_nmis_of_the_portfolio_do_not_conform() -> None:
    published = envelopes(record(A, FIVE), record(B, FIVE), record(C, [(5, -5)]))
    rows = [reading(A, i) for i in range(1, 11)]
    complete = report(published, *rows, portfolio={A})
    assert (complete.conforms, complete.is_complete) == (True, True)
    assert complete.unmeasured.tolist() == [False, True, True]
    assert report(published, *rows).conforms, "the aggregator of the others is not known"
    lacking = report(published, *rows, portfolio={A, B, C})
    assert lacking.conforms is None
    assert lacking.lacking_intervals.tolist() == [0, 2, 1]
    assert (lacking.expected.tolist(), lacking.missing.tolist()) == ([10, 10, 5], [0, 10, 5])
    half = report(published, *rows[:5], portfolio={A})
    assert (half.conforms, half.lacking_intervals.tolist()) == (None, [1, 0, 0])
    assert report(published, reading(A, 1, 6000), portfolio={A, B}).conforms is False


def test_a_minute_left_out_or_in_conflict_is_incomplete_unless_it_is_tolerated() -> None:
    published = envelopes(record(A, FIVE))
    rows = [reading(A, i) for i in range(1, 11)]
    without = [*rows[:2], *rows[3:]]
    conflict = [*rows, reading(A, 3, 7000)]
    for incomplete in (without, conflict):
        strict = report(published, *incomplete, portfolio={A})
        assert (strict.conforms, strict.lacking_intervals.tolist()) == (None, [1])
        allowed = report(published, *incomplete, portfolio={A}, tolerance=Tolerance(missing=1))
        assert allowed.conforms is True
        assert report(published, *incomplete).conforms is True, (
            "nothing requires that it is measured"
        )
    two = report(published, *without[1:], portfolio={A}, tolerance=Tolerance(missing=1))
    assert two.lacking_intervals.tolist() == [1]
    for missing in (-1, 5):
        with pytest.raises(ConfigError, match="0 to 4 minutes"):
            Tolerance(missing=missing)


def test_rows_at_other_nmis_and_hours_may_be_duplicates_too() -> None:
    rows = [reading(C, 1), reading(C, 1), reading(C, 2), reading(C, 2, 9), reading(A, 99)]
    result = report(envelopes(record(A, FIVE)), *rows, reading(A, 99))
    assert (result.rows, result.foreign_rows, result.outside_rows) == (6, 4, 2)
    assert result.foreign_nmis == 1


def test_a_minute_in_two_pieces_cannot_be_deduplicated() -> None:
    check = ConformanceChecker(envelopes(record(A, FIVE)))
    check.add(frame(reading(A, 1)))
    before = check.report()
    with pytest.raises(ValueError, match="earlier piece"):
        check.add(frame(reading(A, 1)))
    assert check.report().counts["readings"].tolist() == before.counts["readings"].tolist()
