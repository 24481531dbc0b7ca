"""The six scenarios of HLD §4.1: participation steps and levels."""

from __future__ import annotations

import numpy as np
import pytest

from oepnode.domain.edge.boffers import rules
from oepnode.domain.edge.boffers.gate_closure import check_rebids, gate_closure
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.boffers.participation import ParticipationStep
from oepnode.domain.edge.dispatch.conformance import check_dispatch
from oepnode.domain.edge.telemetry.aggregate import UnitTelemetry
from oepnode.domain.nem.nem_time import MICROS
from tests.support.rule_days import DAY, changed, codes, day, violations

STEPS_AND_LEVELS = [(step, level) for step in ParticipationStep for level in ("NMI", "Flex")]


def test_hld_4_1_six_scenarios() -> None:
    assert len(set(STEPS_AND_LEVELS)) == 6
    allowed = {
        step: (
            accepts(day(level=level), step),
            accepts(day({}, fixed_load=-5_000, level=level), step),
            must_respond(step),
            has_gate_closure(step, level),
        )
        for step, level in STEPS_AND_LEVELS
    }
    assert allowed == {
        ParticipationStep.VISIBILITY: (True, False, False, True),
        ParticipationStep.SELF_DISPATCH: (False, True, True, False),
        ParticipationStep.SCHEDULED: (True, True, True, True),
    }
    nothing, load = np.zeros(1, np.int64), np.full(1, -2_000)
    unit = UnitTelemetry(nothing, np.full(1, -3_000), nothing, load, nothing, nothing + 1)
    assert unit.flow_w("NMI") == -3_000, "native load included"
    assert unit.flow_w("Flex") == -2_000, "controllable assets only"


def accepts(offer: BofferDay, step: int) -> bool:
    return not codes(violations(lambda d: rules.check_day(d, step), offer))


def must_respond(step: int) -> bool:
    """Whether there are targets to conform to."""
    try:
        check_dispatch([0], [0], [0], [0], step)
    except ValueError:
        return False
    return True


def has_gate_closure(step: int, level: str) -> bool:
    """Whether a price that changed after gate closure is reported."""
    closure_us = gate_closure(DAY) * MICROS
    first = day(level=level, submitted_us=closure_us)
    late = day(level=level, submitted_us=closure_us + 1, prices=changed({13: 1.2}))
    return any(b.code == "gate.price_changed" for _, b in check_rebids([first, late], step))


@pytest.mark.parametrize(("step", "level"), STEPS_AND_LEVELS, ids=str)
def test_hld_4_1_each_scenario_has_a_boffer_that_passes_and_one_that_fails(
    step: ParticipationStep, level: str
) -> None:
    may_price = step is not ParticipationStep.SELF_DISPATCH
    may_fix = step is not ParticipationStep.VISIBILITY
    assert accepts(day(level=level), step) == may_price
    assert accepts(day({}, fixed_load=-5_000, level=level), step) == may_fix
