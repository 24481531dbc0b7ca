from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import computation, replay
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import DigestMismatch, DocumentFault, EvidenceError
from tests.support.round_world import (
    CONTEXT,
    ENVELOPE,
    INPUTS,
    REGISTRY,
    RESULT,
    SALT,
    START,
    opened,
    state,
)

FINAL = state(3, Phase.FINAL)


def test_equal_inputs_give_the_chains_root() -> None:
    reported: list[str] = []
    verdict = replay.replay(
        INPUTS, CONTEXT, opened(), FINAL, lambda *step: reported.append(step[0])
    )
    assert verdict.is_equal
    assert verdict.computed == RESULT
    assert set(reported) == {"read", "weave"}


def test_another_root_on_chain_is_a_result_and_not_an_error() -> None:
    for other in (
        replace(FINAL, root=b"\x01" * 32),
        replace(FINAL, partitions=FINAL.partitions + 1),
        state(3, Phase.FAILED),
    ):
        assert not replay.replay(INPUTS, CONTEXT, opened(), other).is_equal


def test_another_round_gives_another_root() -> None:
    later = RoundContext(CONTEXT.chain_id, CONTEXT.contract, 4)
    assert not replay.replay(INPUTS, later, opened(4), FINAL).is_equal


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"envelope": ENVELOPE + b" "}, DigestMismatch),
        ({"registry": REGISTRY + b" "}, DigestMismatch),
        ({"salt": bytes(32)}, DigestMismatch),
        ({"salt": SALT[:31]}, DigestMismatch),
        ({"feed": Feed(import_sign="magnitude")}, DocumentFault),
    ],
)
def test_inputs_of_another_round_are_rejected(
    change: dict[str, object], error: type[EvidenceError]
) -> None:
    with pytest.raises(error) as caught:
        computation.compute(dataclasses.replace(INPUTS, **change), CONTEXT, opened())  # type: ignore[arg-type]
    assert SALT.hex() not in str(caught.value)


def test_unknown_rules_are_rejected() -> None:
    with pytest.raises(computation.RulesUnknown, match="received 2"):
        computation.compute(INPUTS, CONTEXT, replace(opened(), rules_version=2))


@pytest.mark.parametrize("change", [{"horizon_start": START + 300}, {"interval_count": 7}])
def test_another_horizon_than_the_rounds(change: dict[str, int]) -> None:
    with pytest.raises(DocumentFault) as caught:
        computation.compute(INPUTS, CONTEXT, replace(opened(), **change))
    assert caught.value.faults[0].code == "horizon.mismatch"


def test_inputs_show_neither_salt_nor_nmi() -> None:
    assert repr(INPUTS) == "Inputs(feed=Feed(profile='wide', import_sign='canonical'))"
