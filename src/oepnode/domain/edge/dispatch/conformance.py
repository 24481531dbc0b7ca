"""Dispatch conformance: a unit's telemetry at the end of each interval against its target.

Leaves out adding up a unit's telemetry (``telemetry.aggregate``), and checking that telemetry and
targets are of the same DUID (``telemetry.duid``).
Source: Part C §1.1, HLD §4.3 to §4.5 (post-dispatch).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Int64s
from oepnode.domain.edge.timeseries.lookup import find_times
from oepnode.domain.edge.timeseries.tolerance import Tolerance

WITHIN, ABOVE, BELOW, UNMEASURED = range(4)
VERDICTS: Final = ("within", "above", "below", "unmeasured")


@dataclass(frozen=True)
class DispatchConformance:
    """A unit's flow at the end of each interval, and its target; one element per target.

    Attributes:
        interval_end: UTC seconds.
        target_w: The targets.
        actual_w: Flow at the interval's end; 0 where unmeasured.
        deviation_w: Actual − target: positive is more generation or less load.
        verdict: uint8, index into `VERDICTS`.
        tolerance: Allowance off the target.
    """

    interval_end: Int64s
    target_w: Int64s
    actual_w: Int64s
    deviation_w: Int64s
    verdict: Bytes
    tolerance: Tolerance = field(default_factory=Tolerance)

    @property
    def conforms(self) -> bool | None:
        """Whether every target was measured and met; None where none was measured."""
        if (self.verdict == UNMEASURED).all():
            return None
        return bool((self.verdict == WITHIN).all())

    def count(self, verdict: int) -> int:
        """Number of intervals with a verdict."""
        return int((self.verdict == verdict).sum())


def check_dispatch(
    minute: Sequence[int] | Int64s,
    flow_w: Sequence[int] | Int64s,
    interval_end: Sequence[int] | Int64s,
    target_w: Sequence[int] | Int64s,
    step: int,
    tolerance: Tolerance | None = None,
) -> DispatchConformance:
    """Check a unit's telemetry against its dispatch targets.

    A target is what must be reached by the end of the interval (Part C §1.1, "Dispatch Target"),
    so the measurement at that minute counts.

    Args:
        minute: UTC seconds of the unit's measurements, each at most once.
        flow_w: The unit's flow at them: at level NMI its active power, at level Flex the sum of
            controlled generation and load (`aggregate.UnitTelemetry.flow_w`).
        interval_end: UTC seconds of the targets, each at most once.
        target_w: The targets.
        step: 2 or 3. In step 1 no response is required (HLD §4.3), so there is nothing to conform
            to.
        tolerance: Allowance off the target.

    Raises:
        ValueError: For another step, or where a time occurs twice.
    """
    if step not in {2, 3}:
        raise ValueError(
            "targets bind in steps 2 and 3 only; in step 1 no response is required (HLD §4.3)"
        )
    allowed = tolerance or Tolerance()
    times, flows = _in_order(minute, flow_w)
    ends, targets = _in_order(interval_end, target_w)
    measured, index = find_times(times, ends)
    actual = np.zeros(len(ends), dtype=np.int64)
    actual[measured] = flows[index]
    deviation = np.where(measured, actual - targets, 0)
    verdict = np.full(len(ends), WITHIN, dtype=np.uint8)
    beyond = np.abs(deviation) > allowed.allowance(targets)
    verdict[beyond & (deviation > 0)] = ABOVE
    verdict[beyond & (deviation < 0)] = BELOW
    verdict[~measured] = UNMEASURED
    return DispatchConformance(ends, targets, actual, deviation, verdict, allowed)


def _in_order(
    times: Sequence[int] | Int64s, values: Sequence[int] | Int64s
) -> tuple[Int64s, Int64s]:
    instants, amounts = np.asarray(times, dtype=np.int64), np.asarray(values, dtype=np.int64)
    order = np.argsort(instants, kind="stable")
    instants, amounts = instants[order], amounts[order]
    if (instants[1:] == instants[:-1]).any():
        raise ValueError("a unit must have one measurement a minute and one target an interval")
    return instants, amounts
