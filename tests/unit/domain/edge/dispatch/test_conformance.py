"""Dispatch targets against a unit's telemetry (Part C §1.1, HLD §4.3 to §4.5)."""

import pytest

from oepnode.domain.edge.dispatch.conformance import (
    ABOVE,
    BELOW,
    UNMEASURED,
    WITHIN,
    check_dispatch,
)
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from tests.support.telemetry_columns import (
    START,
)

# --- dispatch ------------------------------------------------------------------------------------


def test_a_target_is_met_at_the_end_of_its_interval_hld_4_4() -> None:
    minutes = [START + 60 * i for i in range(1, 11)]
    flows = [0, 0, 0, 0, -30_000, 0, 0, 0, 0, 20_000]
    result = check_dispatch(minutes, flows, [START + 300, START + 600], [-30_000, 20_000], step=2)
    assert result.conforms
    assert result.actual_w.tolist() == [-30_000, 20_000]


def test_deviations_above_below_within_tolerance_and_unmeasured_hld_4_5() -> None:
    ends = [START + 300 * i for i in range(1, 6)]
    result = check_dispatch(
        ends[:4][::-1],
        [-1000, 900, -1101, 1101],
        ends,
        [1000, -1000, 1000, -1000, 500],
        step=3,
        tolerance=Tolerance(watts=10, permille=100),
    )
    assert result.verdict.tolist() == [ABOVE, BELOW, WITHIN, WITHIN, UNMEASURED]
    assert result.deviation_w.tolist() == [101, -101, -100, 0, 0]
    assert [result.count(verdict) for verdict in (WITHIN, ABOVE, BELOW, UNMEASURED)] == [2, 1, 1, 1]
    assert not result.conforms


def test_targets_without_any_measurement_are_not_assessed() -> None:
    assert check_dispatch([START], [0], [START + 300], [5], step=2).conforms is None
    assert check_dispatch([START], [0], [], [], step=2).conforms is None


def test_in_step_1_nobody_is_required_to_respond_hld_4_3() -> None:
    with pytest.raises(ValueError, match=r"HLD §4\.3"):
        check_dispatch([START], [0], [START], [0], step=1)


@pytest.mark.parametrize("duplicate", [0, 1])
def test_a_duplicate_time_is_rejected(duplicate: int) -> None:
    twice, once = [START, START], [START]
    times = (twice, once) if duplicate == 0 else (once, twice)
    with pytest.raises(ValueError, match="one measurement a minute"):
        check_dispatch(times[0], [0] * len(times[0]), times[1], [0] * len(times[1]), step=2)
