"""A unit's telemetry checked against dispatch targets."""

from __future__ import annotations

from typing import Any

import pytest

from oepnode.client.answers import to_json
from oepnode.client.edge.assessments import assess_telemetry
from oepnode.client.edge.submissions import load_dispatch, load_telemetry
from oepnode.client.edge.targets import NoTargetsInStepError, Targets, worst_targets
from oepnode.errors import ConfigError
from tests.support.edge_files import measured, target
from tests.support.telemetry_columns import A, B, reading
from tests.unit.client.edge.conftest import Write


def test_targets_are_checked_at_their_level(write: Write) -> None:
    telemetry = load_telemetry(write("u.json", measured("UNIT1")))
    dispatch = load_dispatch(write("d.json", target(1, "UNIT1", -30)))
    at_flex = assess_telemetry(telemetry, targets=Targets(dispatch, "Flex"))
    assert (at_flex.conforms, at_flex.levels) == (True, ())
    at_nmi = assess_telemetry(telemetry, targets=Targets(dispatch))
    assert at_nmi.conforms is False
    assert at_nmi.targets is not None
    assert at_nmi.targets.verdicts == {"within": 0, "above": 0, "below": 1, "unmeasured": 0}
    with pytest.raises(TypeError, match="does not support item assignment"):
        at_nmi.targets.verdicts["below"] = 0  # type: ignore[index]
    assert at_nmi.targets.intervals["deviation_w"].to_list() == [-40_000]
    assert set(to_json(at_nmi.report())) == {"telemetry", "dispatch", "conforms"}
    with pytest.raises(ConfigError, match="none are given"):
        assert at_nmi.intervals


def test_an_unmeasured_target_has_no_deviation(write: Write, write_telemetry: Write) -> None:
    telemetry = load_telemetry(write_telemetry("t.json", reading(A, 1)))
    dispatch = load_dispatch(write("d.json", target(1, "UNIT1", 5)))
    targets = assess_telemetry(telemetry, targets=Targets(dispatch)).targets
    assert targets is not None
    assert targets.conforms is None
    (row,) = targets.intervals.to_dicts()
    assert (row["verdict"], row["actual_w"], row["deviation_w"]) == ("unmeasured", None, None)


def test_the_sum_of_fewer_nmis_and_a_contradiction_are_notes(
    write: Write, write_telemetry: Write
) -> None:
    rows = [reading(A, 5), reading(B, 5), reading(A, 6), reading(A, 7), reading(A, 7, 9)]
    telemetry = load_telemetry(write_telemetry("t.json", *rows))
    dispatch = load_dispatch(write("d.json", target(1, "UNIT1", 0)))
    notes = assess_telemetry(telemetry, targets=Targets(dispatch)).notes
    assert any("the sum of fewer than 2 NMIs in 1 minute" in note for note in notes)
    assert any("1 minute not checked against targets" in note for note in notes)


def test_the_targets_missed_most_go_first(write: Write) -> None:
    telemetry = load_telemetry(write("u.json", measured("UNIT1")))
    dispatch = load_dispatch(write("d.json", target(1), target(2), target(3)))
    targets = assess_telemetry(telemetry, targets=Targets(dispatch)).targets
    assert targets is not None
    worst = worst_targets(targets)
    assert worst["verdict"].to_list() == ["below", "unmeasured", "unmeasured"]
    met = assess_telemetry(telemetry, targets=Targets(dispatch, "Flex")).targets
    assert met is not None
    assert "within" not in worst_targets(met)["verdict"].to_list()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"level": "flex"}, "level must be NMI or Flex, received 'flex'"),
        ({"level": "nmi"}, "level must be NMI or Flex"),
        ({"step": 4}, "step must be 2 or 3, received 4"),
    ],
)
def test_other_levels_and_steps_are_rejected(
    write: Write, wrong: dict[str, Any], message: str
) -> None:
    dispatch = load_dispatch(write("d.json", target(1)))
    with pytest.raises(ConfigError, match=message):
        Targets(dispatch, **wrong)
    with pytest.raises(NoTargetsInStepError):
        Targets(dispatch, step=1)
