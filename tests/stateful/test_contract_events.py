"""The contract's events alone give its whole state, and none of their kinds is spare."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Policy, Role
from tests.contract_model.lockstep import CUSTODY, HORIZONS, RESULTS, Lockstep
from tests.contract_model.rebuilt import rebuild
from tests.contract_model.state import RoundStatus
from tests.support.anvil import Anvil, Emitted


@pytest.fixture(scope="module")
def life(anvil: Anvil) -> Lockstep:
    """A contract to which everything has happened once."""
    pair = Lockstep(anvil, Policy(1, 2, 50, 50, 1))
    pair.enrol(5)
    who = pair.people
    final, failed, cancelled = pair.open(), pair.open(HORIZONS[1]), pair.open()
    for seat in range(3):
        pair.cast(final, who.signers[seat])
    pair.cast(final, who.signers[3], RESULTS[1])
    pair.do("abstain", who.signers[4], final, int(Reason.INPUT_INVALID))
    pair.reveal(final, RESULTS[1])
    pair.cast(failed, who.signers[0])
    votes = [pair.signed(who.signers[1], bytes([kind]) * 32, failed) for kind in (1, 2)]
    pair.report(failed, votes)
    pair.do("cancelRound", who.requester, cancelled, "no inputs")
    pair.do("rotateSigner", who.operators[0], who.signers[8])
    pair.do("removeWorker", who.admin, who.operators[1])
    pair.do("setPolicy", who.admin, Policy(1, 1, 60, 60, 2))
    pair.do("setEndpoint", who.operators[2], "http://elsewhere")
    pair.do("pause", who.guardian)
    pair.do("revokeRole", who.admin, Role.GUARDIAN, who.guardian)
    pair.do("unpause", who.admin)
    pair.wait(40)
    pair.reveal(final, RESULTS[0])
    pair.wait(100)
    pair.do("failRound", who.stranger, failed)
    pair.do("grantRole", who.admin, Role.GUARDIAN, who.guardian)
    pair.do("pause", who.guardian)
    assert pair.state.rounds[final - 1].candidates
    assert {round_.status for round_ in pair.state.rounds} == {
        RoundStatus.FINAL,
        RoundStatus.FAILED,
        RoundStatus.CANCELLED,
    }
    return pair


def events(life: Lockstep) -> list[Emitted]:
    return life.chain.events(life.first_block)


def test_the_state_and_every_view_follow_from_the_events(life: Lockstep) -> None:
    life.audit()


@pytest.mark.parametrize(
    "name",
    [
        "EpochStarted", "PolicyChanged", "WorkerAdded", "WorkerRemoved", "SignerRotated",
        "EndpointChanged", "Paused", "Unpaused", "RoleGranted", "RoleRevoked", "RoundOpened",
        "BallotCast", "Abstained", "RootRevealed", "RoundFinalised", "RoundFailed",
        "RoundCancelled", "Equivocated",
    ],
)  # fmt: skip
def test_without_one_event_the_state_is_another(life: Lockstep, name: str) -> None:
    log = events(life)
    kinds = [event.name for event in log]
    assert name in kinds
    last = len(log) - 1 - kinds[::-1].index(name)
    try:
        rebuilt = rebuild(life.anvil.chain_id, life.chain.address, log[:last] + log[last + 1 :])
    except (AssertionError, IndexError, StopIteration):
        return
    assert rebuilt != replace(life.state, log=())


def test_a_custody_root_is_in_an_event_only(life: Lockstep) -> None:
    roots = {event.values["custody"] for event in events(life) if event.name == "BallotCast"}
    assert roots == {CUSTODY}
