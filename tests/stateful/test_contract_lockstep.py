"""The contract on Anvil and its Python twin stay equal, whatever anybody does."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract_model.machine import ContractMachine
from tests.support.anvil import Anvil
from tests.support.sizes import sized

LIVES = sized(40)
CAMPAIGN_LIVES = 500
STEPS = 50


def live(anvil: Anvil, count: int, *, is_new_each_time: bool) -> Counter[str]:
    """Run a number of lives; returns how often each outcome of each step occurred."""
    ContractMachine.anvil = anvil
    ContractMachine.seen = Counter()
    run_state_machine_as_test(
        ContractMachine,
        settings=settings(
            max_examples=count,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not is_new_each_time,
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return ContractMachine.seen


def test_the_contract_and_its_twin_agree_after_every_step(anvil: Anvil) -> None:
    seen = live(anvil, LIVES, is_new_each_time=False)
    for what in ("castBallot: done", "castBallots: done", "revealRoot: done"):
        assert seen[what] > LIVES // 2, f"{what} only {seen[what]} times: the lives do not get far"


@pytest.mark.campaign
def test_the_contract_and_its_twin_agree_after_very_many_steps(anvil: Anvil) -> None:
    seen = live(anvil, CAMPAIGN_LIVES, is_new_each_time=True)
    assert seen["a round ended FINAL"] > CAMPAIGN_LIVES // 2
