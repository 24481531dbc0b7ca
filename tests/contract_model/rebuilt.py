"""The contract's state from its events alone, as somebody would rebuild it who reads no storage.

What an event says twice is checked: counts and quorums, silent members, superseded rounds. The
result is the model's `State` without its log, so that it compares with the model's own, and every
view of it with the contract's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.onchain import Policy, Role
from oepnode.domain.rounds.tally import Ballot
from tests.contract_model import views
from tests.contract_model.state import (
    NOT_ENDED,
    RoundRecord,
    RoundStatus,
    Seat,
    State,
    Terms,
)
from tests.support.anvil import Emitted

_NOT_YET_KNOWN: Final = Policy()
"""The policy of epoch 1 for a moment: its event follows that of the epoch."""


def rebuild(chain_id: int, contract: bytes, events: Sequence[Emitted]) -> State:
    """The state that a contract's events give, from its deployment on."""
    state = State(chain_id, contract, frozenset(), ())
    for event in events:
        state = _ON[event.name](state, event.values, event.block)
    for event in events:
        if event.name == "EpochStarted":
            terms = state.terms[event.values["epoch"] - 1]
            stated = (event.values["memberCount"], event.values["quorum"])
            assert stated == (terms.member_count, terms.quorum)
    return state


Values = dict[str, Any]

# --- members, roles, pause -----------------------------------------------------------------------


def _epoch_started(state: State, of: Values, _: int) -> State:
    assert of["epoch"] == state.epoch + 1
    policy = state.terms[-1].policy if state.terms else _NOT_YET_KNOWN
    return replace(state, terms=(*state.terms, Terms(of["members"], policy)))


def _policy_changed(state: State, of: Values, _: int) -> State:
    assert of["epoch"] == state.epoch
    policy = Policy(
        of["quorumNumerator"],
        of["quorumDenominator"],
        of["voteWindow"],
        of["revealWindow"],
        of["rulesVersion"],
    )
    return replace(state, terms=(*state.terms[:-1], replace(state.terms[-1], policy=policy)))


def _worker_added(state: State, of: Values, _: int) -> State:
    seat = Seat(of["operator"], of["signer"], of["epoch"], NOT_ENDED, of["index"])
    return replace(state, seats=(*state.seats, seat))


def _worker_removed(state: State, of: Values, _: int) -> State:
    return _ended(state, of["operator"], of["signer"], of["epoch"])


def _signer_rotated(state: State, of: Values, _: int) -> State:
    former = state.live_seat(of["operator"])
    assert former is not None
    state = _ended(state, of["operator"], of["previousSigner"], of["epoch"])
    seat = Seat(of["operator"], of["signer"], of["epoch"], NOT_ENDED, former.index)
    return replace(state, seats=(*state.seats, seat))


def _ended(state: State, operator: bytes, signer: bytes, epoch: int) -> State:
    seat = state.live_seat(operator)
    assert seat is not None
    assert seat.signer == signer
    ended = replace(seat, until=epoch)
    return replace(state, seats=tuple(ended if s is seat else s for s in state.seats))


def _endpoint_changed(state: State, of: Values, _: int) -> State:
    return replace(state, endpoints={**state.endpoints, of["operator"]: of["url"]})


def _paused(state: State, _: Values, __: int) -> State:
    assert not state.is_paused
    return replace(state, is_paused=True)


def _unpaused(state: State, _: Values, __: int) -> State:
    assert state.is_paused
    return replace(state, is_paused=False)


def _role_granted(state: State, of: Values, _: int) -> State:
    grant = (Role(of["role"]), of["account"])
    assert grant not in state.roles
    return replace(state, roles=state.roles | {grant})


def _role_revoked(state: State, of: Values, _: int) -> State:
    grant = (Role(of["role"]), of["account"])
    assert grant in state.roles
    return replace(state, roles=state.roles - {grant})


# --- rounds --------------------------------------------------------------------------------------


def _round_opened(state: State, of: Values, block: int) -> State:
    assert of["round"] == len(state.rounds) + 1
    terms = state.terms[of["epoch"] - 1]
    assert of["rulesVersion"] == terms.policy.rules_version
    opened = RoundRecord(
        epoch=of["epoch"],
        requester=of["requester"],
        horizon=(of["horizonStart"], of["horizonIntervals"]),
        envelope_digest=of["envelopeDigest"],
        registry_digest=of["registryDigest"],
        opened_at=of["voteDeadline"] - terms.policy.vote_window_s,
        opened_in_block=block,
        vote_deadline=of["voteDeadline"],
        reveal_deadline=of["revealDeadline"],
        waiting=terms.members,
    )
    return replace(state, rounds=(*state.rounds, opened))


def _ballot_cast(state: State, of: Values, _: int) -> State:
    round_, index = _voter(state, of)
    return _with(state, of, replace(round_, ballots=(*round_.ballots, Ballot(index, of["ballot"]))))


def _abstained(state: State, of: Values, _: int) -> State:
    round_, index = _voter(state, of)
    return _with(
        state, of, replace(round_, abstentions={**round_.abstentions, index: of["reason"]})
    )


def _voter(state: State, of: Values) -> tuple[RoundRecord, int]:
    """The round in which this member waits no longer, and the member's index."""
    round_ = state.rounds[of["round"] - 1]
    index = _index(state, round_, of["operator"])
    assert round_.waiting >> index & 1
    return replace(round_, waiting=round_.waiting & ~(1 << index)), index


def _root_revealed(state: State, of: Values, _: int) -> State:
    round_ = state.rounds[of["round"] - 1]
    quorum = state.terms[round_.epoch - 1].quorum
    assert (of["count"], of["quorum"]) == (of["matched"].bit_count(), quorum)
    result = Result(of["root"], of["partitions"])
    if of["count"] >= quorum:
        return _with(state, of, replace(round_, result=result))
    return _with(
        state, of, replace(round_, candidates={**round_.candidates, result: of["matched"]})
    )


def _round_finalised(state: State, of: Values, _: int) -> State:
    round_ = state.rounds[of["round"] - 1]
    assert round_.result == Result(of["root"], of["partitions"])
    latest = views.latest_final(state, round_.horizon)
    assert of["superseded"] == (latest if latest < of["round"] else 0)
    return _with(state, of, replace(round_, status=RoundStatus.FINAL))


def _round_failed(state: State, of: Values, _: int) -> State:
    round_ = state.rounds[of["round"] - 1]
    assert of["silent"] == round_.waiting
    return _with(state, of, replace(round_, status=RoundStatus.FAILED))


def _round_cancelled(state: State, of: Values, _: int) -> State:
    round_ = state.rounds[of["round"] - 1]
    return _with(state, of, replace(round_, status=RoundStatus.CANCELLED))


def _equivocated(state: State, of: Values, _: int) -> State:
    round_ = state.rounds[of["round"] - 1]
    bit = 1 << _index(state, round_, of["operator"])
    assert not round_.equivocators & bit
    assert of["ballot"] != of["otherBallot"]
    return _with(state, of, replace(round_, equivocators=round_.equivocators | bit))


def _index(state: State, round_: RoundRecord, operator: bytes) -> int:
    seats = state.electorate(round_.epoch)
    return next(seat.index for seat in seats if seat.operator == operator)


def _with(state: State, of: Values, round_: RoundRecord) -> State:
    place = of["round"] - 1
    return replace(state, rounds=(*state.rounds[:place], round_, *state.rounds[place + 1 :]))


_ON: dict[str, Callable[[State, Values, int], State]] = {
    "EpochStarted": _epoch_started,
    "PolicyChanged": _policy_changed,
    "WorkerAdded": _worker_added,
    "WorkerRemoved": _worker_removed,
    "SignerRotated": _signer_rotated,
    "EndpointChanged": _endpoint_changed,
    "Paused": _paused,
    "Unpaused": _unpaused,
    "RoleGranted": _role_granted,
    "RoleRevoked": _role_revoked,
    "RoundOpened": _round_opened,
    "BallotCast": _ballot_cast,
    "Abstained": _abstained,
    "RootRevealed": _root_revealed,
    "RoundFinalised": _round_finalised,
    "RoundFailed": _round_failed,
    "RoundCancelled": _round_cancelled,
    "Equivocated": _equivocated,
}
