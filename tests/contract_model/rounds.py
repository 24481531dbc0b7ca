"""Opening, voting, revealing and closing rounds: the rules of ``OepConsensus.sol``.

Every step returns the state after it, with the events that it emits, or raises `Reverted` with the
contract's error.
"""

from __future__ import annotations

from dataclasses import replace

from oepnode.domain.rounds import signed_ballots, tally
from oepnode.domain.rounds.ballot import Reason, Result, Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import (
    Abstained,
    BallotCast,
    Equivocated,
    Event,
    Role,
    RootRevealed,
    RoundCancelled,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.domain.rounds.signed_ballots import SIGNED_BALLOT_SIZE, Recover, SignedBallot
from oepnode.domain.rounds.tally import Ballot
from tests.contract_model.electorate import require_paused, require_role, require_text
from tests.contract_model.packed_ballots import PACKED_BALLOT_SIZE, rolling_hash, unpack
from tests.contract_model.state import (
    NO_HASH,
    NO_LOCATION,
    Call,
    Reverted,
    RoundRecord,
    RoundStatus,
    Seat,
    State,
)

HORIZON_UNIT_S = 300
EVIDENCE_TIME_S = 30 * 24 * 3600
LOWEST_BALLOT = max(Reason) + 1


def open_round(
    state: State, call: Call, horizon: tuple[int, int], envelope: bytes, registry: bytes
) -> State:
    """Open a round with the electorate and terms of the current epoch.

    Args:
        state: Before.
        call: Caller and time.
        horizon: Start in units of 300 s since the Unix epoch, and number of intervals.
        envelope: Digest, 32 bytes.
        registry: Digest, 32 bytes.
    """
    require_role(state, call, Role.REQUESTER)
    require_paused(state, False)
    if horizon[1] == 0:
        raise Reverted("EmptyHorizon")
    for name, digest in (("envelopeDigest", envelope), ("registryDigest", registry)):
        if digest == NO_HASH:
            raise Reverted("Missing", name)
    terms = state.terms[-1]
    if terms.member_count == 0:
        raise Reverted("EmptyElectorate", state.epoch)
    vote_deadline = call.time + terms.policy.vote_window_s
    opened = RoundRecord(
        epoch=state.epoch,
        requester=call.sender,
        horizon=horizon,
        envelope_digest=envelope,
        registry_digest=registry,
        opened_at=call.time,
        opened_in_block=call.block,
        vote_deadline=vote_deadline,
        reveal_deadline=vote_deadline + terms.policy.reveal_window_s,
        waiting=terms.members,
    )
    event = RoundOpened(
        NO_LOCATION,
        round=len(state.rounds) + 1,
        epoch=opened.epoch,
        requester=call.sender,
        horizon_start=horizon[0] * HORIZON_UNIT_S,
        interval_count=horizon[1],
        envelope_digest=envelope,
        registry_digest=registry,
        rules_version=terms.policy.rules_version,
        vote_deadline=vote_deadline,
        reveal_deadline=opened.reveal_deadline,
    )
    return replace(state, rounds=(*state.rounds, opened), log=(*state.log, event))


# --- votes ---------------------------------------------------------------------------------------


def cast_ballot(state: State, call: Call, number: int, ballot: bytes, custody: bytes) -> State:
    """Cast the calling signer's ballot."""
    if ballot == NO_HASH:
        raise Reverted("Missing", "ballot")
    if Vote(ballot, custody).reason is not None:
        raise Reverted("ReservedBallot", LOWEST_BALLOT, ballot)
    if custody == NO_HASH:
        raise Reverted("Missing", "custody")
    round_, seat = _take_vote(state, call, number)
    event = BallotCast(NO_LOCATION, number, seat.operator, ballot, custody)
    return _with(state, number, _with_ballot(round_, seat, ballot), event)


def abstain(state: State, call: Call, number: int, reason: int) -> State:
    """Record that the calling signer's worker could not compute a result."""
    if reason == 0:
        raise Reverted("Missing", "reason")
    round_, seat = _take_vote(state, call, number)
    event = Abstained(NO_LOCATION, number, seat.operator, reason)
    return _with(state, number, _with_abstention(round_, seat, reason), event)


def cast_ballots(state: State, call: Call, number: int, packed: bytes, recover: Recover) -> State:
    """Cast votes that their signers have signed; those of members who have voted are skipped.

    Args:
        state: Before.
        call: Caller and time.
        number: Of the round.
        packed: Signed votes, 128 bytes each.
        recover: Of signers.
    """
    _require_whole(packed, SIGNED_BALLOT_SIZE)
    before = round_ = _require_voting(state, call, number)
    events: list[Event] = []
    for entry, signed in enumerate(signed_ballots.unpack(packed)):
        seat = _signed(state, number, entry, signed, recover)
        if not before.waiting >> seat.index & 1:
            continue
        if not round_.waiting >> seat.index & 1:
            raise Reverted("DuplicateEntry", entry, seat.operator)
        round_, vote, operator = _without_vote(round_, seat), signed.vote, seat.operator
        if vote.reason is not None:
            round_ = _with_abstention(round_, seat, vote.reason)
            events.append(Abstained(NO_LOCATION, number, operator, vote.reason))
        else:
            round_ = _with_ballot(round_, seat, vote.ballot)
            events.append(BallotCast(NO_LOCATION, number, operator, vote.ballot, vote.custody))
    if round_ is before:
        raise Reverted("NothingCast", number)
    return _with(state, number, round_, *events)


def report_equivocation(
    state: State, call: Call, number: int, packed: bytes, recover: Recover
) -> State:
    """Record that a member signed two votes for one round.

    Args:
        state: Before.
        call: Caller and time.
        number: Of the round.
        packed: The two signed votes, 128 bytes each.
        recover: Of signers.
    """
    _require_whole(packed, SIGNED_BALLOT_SIZE)
    if len(packed) != 2 * SIGNED_BALLOT_SIZE:
        raise Reverted("BallotsLength", 2 * SIGNED_BALLOT_SIZE, len(packed))
    round_ = round_of(state, number)
    deadline = round_.reveal_deadline + EVIDENCE_TIME_S
    if call.time >= deadline:
        raise Reverted("EvidenceClosed", number, deadline, call.time)
    first, second = signed_ballots.unpack(packed)
    seat = _signed(state, number, 0, first, recover)
    other = _signed(state, number, 1, second, recover)
    if seat.operator != other.operator:
        raise Reverted("TwoSigners", seat.operator, other.operator)
    if first.vote.ballot == second.vote.ballot:
        raise Reverted("SameBallot", number, seat.operator)
    if round_.equivocators >> seat.index & 1:
        raise Reverted("AlreadyEquivocated", number, seat.operator)
    equivocators = round_.equivocators | 1 << seat.index
    event = Equivocated(NO_LOCATION, number, seat.operator, first.vote.ballot, second.vote.ballot)
    return _with(state, number, replace(round_, equivocators=equivocators), event)


def _signed(state: State, number: int, entry: int, signed: SignedBallot, recover: Recover) -> Seat:
    signer = recover(context_of(state, number), signed)
    if signer is None:
        raise Reverted("InvalidSignature", entry)
    vote = signed.vote
    if vote.ballot == NO_HASH:
        raise Reverted("Missing", "ballot")
    if vote.reason is not None and vote.custody != NO_HASH:
        raise Reverted("CustodyOfAbstention", NO_HASH, vote.custody)
    if vote.reason is None and vote.custody == NO_HASH:
        raise Reverted("Missing", "custody")
    epoch = state.rounds[number - 1].epoch
    seat = state.seat_of(signer)
    if seat is None or not seat.votes_in(epoch):
        raise Reverted("SignerNotInElectorate", entry, signer, epoch)
    return seat


def _require_voting(state: State, call: Call, number: int) -> RoundRecord:
    require_paused(state, False)
    return _require_before_vote_deadline(state, call, number)


def _require_before_vote_deadline(state: State, call: Call, number: int) -> RoundRecord:
    round_ = _open(state, number)
    if call.time >= round_.vote_deadline:
        raise Reverted("VotingClosed", number, round_.vote_deadline, call.time)
    return round_


def _take_vote(state: State, call: Call, number: int) -> tuple[RoundRecord, Seat]:
    round_ = _require_voting(state, call, number)
    seat = state.seat_of(call.sender)
    if seat is None or not seat.votes_in(round_.epoch):
        raise Reverted("NotInElectorate", call.sender, round_.epoch)
    if not round_.waiting >> seat.index & 1:
        raise Reverted("AlreadyVoted", number, seat.operator)
    return _without_vote(round_, seat), seat


def _without_vote(round_: RoundRecord, seat: Seat) -> RoundRecord:
    return replace(round_, waiting=round_.waiting & ~(1 << seat.index))


def _with_ballot(round_: RoundRecord, seat: Seat, ballot: bytes) -> RoundRecord:
    return replace(round_, ballots=(*round_.ballots, Ballot(seat.index, ballot)))


def _with_abstention(round_: RoundRecord, seat: Seat, reason: int) -> RoundRecord:
    return replace(round_, abstentions={**round_.abstentions, seat.index: reason})


# --- outcomes ------------------------------------------------------------------------------------


def reveal_root(state: State, call: Call, number: int, result: Result, packed: bytes) -> State:
    """Count the ballots cast for a result; with a quorum it is final.

    Args:
        state: Before.
        call: Caller and time.
        number: Of the round.
        result: The result to reveal.
        packed: All ballots in the order cast, 33 bytes each.
    """
    round_ = _open(state, number)
    if round_.waiting and call.time < round_.vote_deadline:
        raise Reverted("VotingStillOpen", number, round_.vote_deadline, call.time, round_.waiting)
    _require_before_reveal_deadline(round_, call, number)
    _require_whole(packed, PACKED_BALLOT_SIZE)
    context = context_of(state, number)
    expected = rolling_hash(context, round_.ballots)
    received = rolling_hash(context, unpack(packed))
    if received != expected:
        raise Reverted("BallotsMismatch", expected, received)
    matched = tally.matching(context, round_.ballots, result)
    if not matched:
        raise Reverted("NothingMatched", number, result.hash)
    votes = tally.bitmap(matched)
    revealed = RootRevealed(NO_LOCATION, number, result.root, result.partitions, votes)
    if len(matched) >= state.terms[round_.epoch - 1].quorum:
        final = replace(round_, status=RoundStatus.FINAL, result=result)
        finalised = RoundFinalised(NO_LOCATION, number, result.root, result.partitions, votes)
        return _with(state, number, final, revealed, finalised)
    if result in round_.candidates:
        raise Reverted("AlreadyRevealed", number, result.hash, round_.candidates[result])
    candidates = {**round_.candidates, result: votes}
    return _with(state, number, replace(round_, candidates=candidates), revealed)


def fail_round(state: State, call: Call, number: int) -> State:
    """Close a round whose reveal window has passed without a final root."""
    round_ = _open(state, number)
    if call.time < round_.reveal_deadline:
        raise Reverted("RevealStillOpen", number, round_.reveal_deadline, call.time)
    failed = replace(round_, status=RoundStatus.FAILED)
    return _with(state, number, failed, RoundFailed(NO_LOCATION, number))


def cancel_round(state: State, call: Call, number: int, reason: str) -> State:
    """Give up a round while it is voting."""
    require_role(state, call, Role.REQUESTER)
    if not reason:
        raise Reverted("Missing", "reason")
    require_text(reason)
    round_ = _require_before_vote_deadline(state, call, number)
    if not round_.waiting:
        raise Reverted("EverybodyVoted", number)
    cancelled = replace(round_, status=RoundStatus.CANCELLED)
    return _with(state, number, cancelled, RoundCancelled(NO_LOCATION, number, reason))


# --- parts ---------------------------------------------------------------------------------------


def context_of(state: State, number: int) -> RoundContext:
    """Context that the round's ballots are bound to."""
    return RoundContext(state.chain_id, state.contract, number)


def round_of(state: State, number: int) -> RoundRecord:
    """A round of any status."""
    if not 0 < number <= len(state.rounds):
        raise Reverted("UnknownRound", len(state.rounds), number)
    return state.rounds[number - 1]


def _require_whole(packed: bytes, each: int) -> None:
    if len(packed) % each:
        raise Reverted("BallotsLength", each, len(packed))


def _open(state: State, number: int) -> RoundRecord:
    if not 0 < number <= len(state.rounds):
        raise Reverted("WrongStatus", number, RoundStatus.OPEN, RoundStatus.NONE)
    round_ = state.rounds[number - 1]
    if round_.status is not RoundStatus.OPEN:
        raise Reverted("WrongStatus", number, RoundStatus.OPEN, round_.status)
    return round_


def _with(state: State, number: int, round_: RoundRecord, *events: Event) -> State:
    rounds = state.rounds
    changed = (*rounds[: number - 1], round_, *rounds[number:])
    return replace(state, rounds=changed, log=(*state.log, *events))


def _require_before_reveal_deadline(round_: RoundRecord, call: Call, number: int) -> None:
    if call.time >= round_.reveal_deadline:
        raise Reverted("RevealClosed", number, round_.reveal_deadline, call.time)
