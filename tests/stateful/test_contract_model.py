"""The contract's model without a chain; the lockstep test compares the rest with the contract."""

from __future__ import annotations

import pytest

from oepnode.domain.rounds.ballot import Result, ballot_for
from oepnode.domain.rounds.onchain import Policy, Role
from oepnode.errors import ConflictError
from tests.contract_model import electorate, rounds, views
from tests.contract_model.state import NOBODY, Call, NewWorker, Reverted, State

CONTRACT, ADMIN, OPERATOR, SIGNER = (bytes([index]) * 20 for index in range(1, 5))
CUSTODY = b"\xcc" * 32
POLICY = Policy(2, 3, 60, 60, 1)


def deployed() -> State:
    return electorate.deploy(31337, CONTRACT, ADMIN, POLICY)


def test_a_contract_needs_an_administrator_and_a_policy() -> None:
    with pytest.raises(Reverted, match=r"Missing\(account\)") as caught:
        electorate.deploy(31337, CONTRACT, NOBODY, POLICY)
    assert (caught.value.error, caught.value.arguments) == ("Missing", ("account",))
    assert isinstance(caught.value, ConflictError)
    with pytest.raises(Reverted, match="InvalidQuorum"):
        electorate.deploy(31337, CONTRACT, ADMIN, Policy(3, 2, 60, 60, 1))


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    before = deployed()
    worker = NewWorker(OPERATOR, SIGNER, "http://w")
    after = electorate.add_workers(before, Call(ADMIN, 0), [worker])
    assert before == deployed()
    assert (before.epoch, after.epoch) == (1, 2)
    with pytest.raises(Reverted, match="SignerUsed"):
        electorate.add_workers(after, Call(ADMIN, 0), [NewWorker(b"\x09" * 20, SIGNER, "")])
    assert len(after.seats) == 1


def test_an_unknown_round_has_no_values() -> None:
    state = deployed()
    assert views.latest_final(state, (1, 6)) == 0
    with pytest.raises(Reverted, match=r"UnknownRound\(0, 1\)"):
        views.candidates(state, 1)
    with pytest.raises(Reverted, match="WrongStatus"):
        rounds.fail_round(state, Call(ADMIN, 0), 1)


@pytest.mark.parametrize(
    ("members", "share", "quorum"),
    [
        (0, (2, 3), 1),
        (1, (0, 1), 1),
        (2, (1, 2), 2),
        (3, (2, 3), 2),
        (4, (2, 3), 3),
        (5, (2, 3), 4),
        (6, (1, 2), 4),
        (7, (1, 1), 7),
        (100, (2, 3), 67),
        (128, (2, 3), 86),
    ],
)
def test_a_quorum_is_the_share_rounded_up_and_a_majority_at_least(
    members: int, share: tuple[int, int], quorum: int
) -> None:
    workers = [
        NewWorker(index.to_bytes(20), (index + 500).to_bytes(20), "")
        for index in range(1, members + 1)
    ]
    state = electorate.deploy(1, CONTRACT, ADMIN, Policy(*share, 60, 60, 1))
    if workers:
        state = electorate.add_workers(state, Call(ADMIN, 0), workers)
    assert state.terms[-1].quorum == quorum
    assert state.roles == {(Role.ADMIN, ADMIN)}


def test_a_member_removed_while_a_round_is_open_still_votes_in_it() -> None:
    """Guarantee 6: the electorate is that of the epoch in which the round opened."""
    requester, horizon, digests = b"\x20" * 20, (1, 6), (b"\x30" * 32, b"\x31" * 32)
    newcomer, late_signer = b"\x21" * 20, b"\x22" * 20
    state = electorate.grant_role(deployed(), Call(ADMIN, 0), Role.REQUESTER, requester)
    state = electorate.add_workers(state, Call(ADMIN, 0), [NewWorker(OPERATOR, SIGNER, "")])
    state = rounds.open_round(state, Call(requester, 0), horizon, *digests)
    state = electorate.add_workers(state, Call(ADMIN, 1), [NewWorker(newcomer, late_signer, "")])
    state = electorate.remove_worker(state, Call(ADMIN, 2), OPERATOR)
    state = rounds.open_round(state, Call(requester, 3), horizon, *digests)
    assert [seat.operator for seat in state.electorate(state.rounds[0].epoch)] == [OPERATOR]
    assert [seat.operator for seat in state.electorate(state.rounds[1].epoch)] == [newcomer]

    with pytest.raises(Reverted, match="NotInElectorate"):
        rounds.cast_ballot(state, Call(late_signer, 4), 1, b"\x09" * 32, CUSTODY)
    with pytest.raises(Reverted, match="NotInElectorate"):
        rounds.cast_ballot(state, Call(SIGNER, 4), 2, b"\x09" * 32, CUSTODY)
    result = Result(b"\x40" * 32, 1)
    ballot = ballot_for(rounds.context_of(state, 1), 0, result)
    state = rounds.cast_ballot(state, Call(SIGNER, 4), 1, ballot, CUSTODY)
    packed = b"".join(vote.pack() for vote in state.rounds[0].ballots)
    state = rounds.reveal_root(state, Call(OPERATOR, 5), 1, result, packed)
    assert state.rounds[0].result == result
