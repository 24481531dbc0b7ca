"""A unit's telemetry checked against its dispatch targets.

Source: Part C §1.1 (Dispatch Target), HLD §4.3 to §4.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.submissions import Submission
from oepnode.client.values import counted
from oepnode.domain.documents.arrays import Bytes, Int64s
from oepnode.domain.edge.dispatch.conformance import UNMEASURED, VERDICTS
from oepnode.domain.edge.telemetry.aggregate import UnitSums, UnitTelemetry, from_frame
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.choices import Level, require_choice
from oepnode.domain.nem.nem_time import format_nem
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl


class NoTargetsInStepError(ConfigError):
    """Targets were given for step 1 of participation, in which they do not bind."""

    def __init__(self) -> None:
        super().__init__(
            "dispatch targets bind in steps 2 and 3; in step 1 no response is required (HLD §4.3)"
        )


class Targets(PrivateStruct, frozen=True):
    """Dispatch targets that telemetry is checked against.

    Attributes:
        dispatch: The dispatch instructions of one DUID.
        level: Flows that the targets sum up: at the connection points, or of flexible assets only.
        step: Step of participation; targets bind in 2 and 3 only.
        tolerance: Tolerance around a target.

    Raises:
        NoTargetsInStepError: For step 1, in which no response is required.
        ConfigError: For another level or step.
    """

    dispatch: Submission
    level: Level = "NMI"
    step: int = 3
    tolerance: Tolerance = Tolerance()

    def __post_init__(self) -> None:
        require_choice("level", self.level, Level)
        require_binding_step(self.step)


def require_binding_step(step: int) -> None:
    """Reject a step of participation in which targets do not bind.

    Raises:
        NoTargetsInStepError: For step 1, in which no response is required.
        ConfigError: For another number.
    """
    if step == 1:
        raise NoTargetsInStepError
    if step not in {2, 3}:
        raise ConfigError(f"step must be 2 or 3, received {step!r}")


class TargetAssessment(Struct, frozen=True):
    """Result of checking a unit's telemetry against its dispatch targets.

    Attributes:
        duid: The unit.
        step: Step of participation.
        level: NMI or Flex, the flows that the targets sum up.
        conforms: Whether every target was measured and met; None where none was measured.
        verdicts: Number of intervals per verdict.
        intervals: Per target: interval_end, target_w, actual_w, deviation_w, verdict.
    """

    duid: str
    step: int
    level: str
    conforms: bool | None
    verdicts: Mapping[str, int]
    intervals: pl.DataFrame


def unit_telemetry(telemetry: Submission) -> UnitTelemetry:
    """A unit's telemetry: as submitted for its DUID, or added up from that of its NMIs."""
    if telemetry.duid is not None:
        return from_frame(telemetry.rows)
    sums = UnitSums()
    sums.add(telemetry.rows)
    return sums.unit()


def check_targets(
    telemetry: Submission, targets: Targets
) -> tuple[TargetAssessment, tuple[str, ...]]:
    """Check a unit's telemetry against its targets.

    Returns:
        The result, and sentences on what could not be checked.

    Raises:
        ConfigError: If an interval has two targets.
        DocumentFault: If the targets are of another DUID than the telemetry.
    """
    from oepnode.domain.edge.dispatch.conformance import check_dispatch
    from oepnode.domain.edge.telemetry import duid as duids

    duid = targets.dispatch.duid or ""
    if telemetry.duid is not None:
        duids.check_same("dispatch instruction", duid, telemetry.duid, "telemetry")
    unit, rows = unit_telemetry(telemetry), targets.dispatch.rows
    flow, step = unit.flow_w(targets.level), targets.step
    ends, watts = rows["interval_end"].to_numpy(), rows["target_w"].to_numpy()
    try:
        result = check_dispatch(unit.minute, flow, ends, watts, step, targets.tolerance)
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc
    verdicts = MappingProxyType({name: result.count(code) for code, name in enumerate(VERDICTS)})
    intervals = _target_rows(
        result.interval_end, result.target_w, result.actual_w, result.deviation_w, result.verdict
    )
    assessment = TargetAssessment(duid, step, targets.level, result.conforms, verdicts, intervals)
    return assessment, tuple(_unit_notes(unit, is_summed=telemetry.duid is None))


def worst_targets(targets: TargetAssessment) -> pl.DataFrame:
    """The targets that were not met, those missed most first."""
    import polars as pl

    missed = targets.intervals.filter(pl.col("verdict") != "within")
    size = pl.col("deviation_w").fill_null(0).abs()
    return missed.sort(size, descending=True, maintain_order=True)


def _target_rows(
    interval_end: Int64s,
    target_w: Int64s,
    actual_w: Int64s,
    deviation_w: Int64s,
    verdict: Bytes,
) -> pl.DataFrame:
    import polars as pl

    is_measured = pl.Series(verdict != UNMEASURED)
    return pl.DataFrame(
        {
            "interval_end": [format_nem(end) for end in interval_end.tolist()],
            "target_w": target_w,
            "actual_w": actual_w,
            "deviation_w": deviation_w,
            "verdict": pl.Series(VERDICTS).gather(verdict),
        }
    ).with_columns(
        pl.when(is_measured).then(pl.col(name)).alias(name) for name in ("actual_w", "deviation_w")
    )


def _unit_notes(unit: UnitTelemetry, *, is_summed: bool) -> Iterable[str]:
    lacking = int((~unit.is_whole).sum()) if is_summed else 0
    if lacking:
        yield (
            f"the sum of fewer than {counted(unit.most_nmis, 'NMI')} in "
            f"{counted(lacking, 'minute')}: a gap, or an NMI that came or went"
        )
    if unit.conflicting:
        yield (
            f"{counted(unit.conflicting, 'minute')} not checked against targets: measurements "
            "contradict each other"
        )
