"""The worker's decisions, one rule per test; ``docs/design.md`` §2, steps 3 to 6."""

import pytest
from msgspec.structs import replace

from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Phase
from oepnode.worker.state import (
    AbstainFromRound,
    CastBallot,
    Change,
    CloseFailedRound,
    ComputeResult,
    Effect,
    NotComputed,
    PublishBundles,
    Resynced,
    RevealResult,
    RoundState,
    decode_effect,
    decode_state,
    effect_id,
    encode_effect,
    encode_state,
)
from oepnode.worker.transition import begin, transition
from tests.support.rounds import (
    COMPUTED,
    ELECTORATE,
    MEMBERS,
    OPENED_AT,
    REVEAL_DEADLINE,
    RIGHT,
    TURN_S,
    VOTE_DEADLINE,
    WRONG,
    abstained,
    ballot,
    computed,
    context,
    finalised,
    fresh,
    location,
    opened,
    revealed,
    ticked,
)

Changes = tuple[Change, ...]


def run(state: RoundState, *changes: Change) -> tuple[RoundState, list[Effect]]:
    """Take changes in one after another; returns the last state and all effects."""
    requested: list[Effect] = []
    for change in changes:
        state, effects = transition(state, change, TURN_S)
        requested.extend(effects)
    return state, requested


# --- opening and voting --------------------------------------------------------------------------


def test_a_member_computes_when_a_round_opens() -> None:
    _, effects = begin(context(), opened(), ELECTORATE, MEMBERS[2].operator)
    assert effects == (ComputeResult(1),)


def test_a_stranger_to_the_electorate_does_nothing() -> None:
    state, effects = begin(context(), opened(), ELECTORATE, b"\x99" * 20)
    assert effects == ()
    late = ticked(REVEAL_DEADLINE + 1000)
    assert run(state, COMPUTED, ballot(0), late, finalised())[1] == []


def test_unknown_rules_lead_to_an_abstention() -> None:
    state, effects = begin(context(), opened(rules_version=2), ELECTORATE, MEMBERS[0].operator)
    assert effects == (AbstainFromRound(1),)
    assert state.reason == Reason.RULES_UNKNOWN


def test_a_result_is_voted_for() -> None:
    assert run(fresh(), COMPUTED)[1] == [CastBallot(1)]


def test_a_result_that_cannot_be_computed_is_an_abstention_with_its_reason() -> None:
    change = NotComputed(opened().inputs, Reason.INPUT_MISMATCH, "other bytes")
    state, effects = run(fresh(), change)
    assert effects == [AbstainFromRound(1)]
    assert (state.reason, state.detail) == (Reason.INPUT_MISMATCH, "other bytes")


def test_a_result_that_comes_too_late_is_not_voted_for() -> None:
    assert run(fresh(), ticked(VOTE_DEADLINE), COMPUTED)[1] == []


def test_a_vote_is_requested_once() -> None:
    _, effects = run(fresh(), COMPUTED, COMPUTED, ticked(OPENED_AT + 1), ballot(3), COMPUTED)
    assert effects == [CastBallot(1)]


def test_a_vote_already_on_chain_is_not_cast_again() -> None:
    assert run(fresh(), ballot(0), COMPUTED)[1] == []


def test_a_result_survives_a_later_failure_to_compute() -> None:
    state, _ = run(fresh(), COMPUTED, NotComputed(opened().inputs, Reason.INTERNAL_FAULT, "x"))
    assert (state.result, state.reason) == (RIGHT, None)


def test_a_ballot_under_this_operators_name_that_it_did_not_compute_is_noticed() -> None:
    state, _ = run(fresh(), COMPUTED, ballot(0, WRONG))
    assert state.is_ballot_foreign
    assert not run(fresh(), COMPUTED, ballot(0))[0].is_ballot_foreign


# --- revealing -----------------------------------------------------------------------------------


def test_nothing_is_revealed_while_voting_is_open() -> None:
    changes: Changes = (COMPUTED, *(ballot(i) for i in range(4)), ticked(VOTE_DEADLINE - 1))
    assert run(fresh(1), *changes)[1] == [CastBallot(1)]


def test_the_first_in_turn_reveals_as_soon_as_all_members_have_voted() -> None:
    state, _ = run(fresh(1), COMPUTED, *(ballot(i) for i in range(4)), abstained(4))
    assert run(state, ticked(OPENED_AT + 5))[1] == [RevealResult(1)]


@pytest.mark.parametrize("me", range(5))
def test_members_take_turns_to_reveal(me: int) -> None:
    state, _ = run(fresh(me), COMPUTED, *(ballot(i) for i in range(5)), ticked(OPENED_AT + 5))
    turn = (me - 1) % 5  # of round 1
    due = OPENED_AT + 5 + int(turn * TURN_S)
    if turn:
        assert run(state, ticked(due - 1))[1] == []
        assert run(state, ticked(due))[1] == [RevealResult(1)]


def test_the_first_turn_goes_round_with_the_rounds_number() -> None:
    first = []
    for number in range(1, 6):
        for me in range(5):
            state = fresh(me, number)
            changes: Changes = (computed(number), *(ballot(i, number=number) for i in range(5)))
            if run(state, *changes, ticked(OPENED_AT + 5))[1][1:]:
                first.append(me)
    assert first == [1, 2, 3, 4, 0]


def test_the_voting_deadline_allows_a_reveal_with_voters_missing() -> None:
    state, _ = run(fresh(1), COMPUTED, *(ballot(i) for i in range(4)))
    assert run(state, ticked(VOTE_DEADLINE))[1] == [RevealResult(1)]


def test_a_root_leaves_when_the_end_of_the_vote_is_settled() -> None:
    """Until then a reorganisation can open the vote again, for those who know the root by then."""
    state, _ = run(fresh(1), COMPUTED, *(ballot(i) for i in range(4)))
    state, effects = run(state, ticked(VOTE_DEADLINE, 10), ticked(VOTE_DEADLINE + 9, 10))
    assert effects == []
    assert state.closed_at is None
    assert run(state, ticked(VOTE_DEADLINE + 10, 10))[1] == [RevealResult(1)]


def test_with_half_of_the_reveal_window_gone_a_root_is_revealed_all_the_same() -> None:
    half = VOTE_DEADLINE + (REVEAL_DEADLINE - VOTE_DEADLINE) // 2
    state, _ = run(fresh(1), COMPUTED, *(ballot(i) for i in range(4)))
    assert run(state, ticked(half - 1, 500))[1] == []
    assert run(state, ticked(half, 500))[1] == [RevealResult(1)]


def test_a_vote_is_not_cast_after_its_deadline_however_deep_that_is() -> None:
    assert run(fresh(1), ticked(VOTE_DEADLINE, 30), COMPUTED)[1] == []


def test_a_result_without_quorum_waits_for_those_with_one() -> None:
    votes = (ballot(0, WRONG), *(ballot(i) for i in range(1, 5)))
    state = replace(fresh(1), result=WRONG)
    state, effects = run(state, *(ballot(i, WRONG) for i in (1, 2)), ballot(3), ticked(1))
    assert effects == []
    lone = replace(fresh(0), result=WRONG)
    lone, _ = run(lone, *votes, ticked(OPENED_AT + 5))
    late = OPENED_AT + 5 + int((4 + 5) * TURN_S)
    assert run(lone, ticked(late - 1))[1] == []
    assert run(lone, ticked(late))[1] == [RevealResult(1)]


def test_a_revealed_result_is_not_revealed_again() -> None:
    changes: Changes = (COMPUTED, *(ballot(i) for i in range(5)), revealed(RIGHT, 0b11111))
    assert run(fresh(1), *changes, ticked(OPENED_AT + 50))[1] == [CastBallot(1)]


def test_another_revealed_root_does_not_stop_this_workers() -> None:
    votes = (ballot(0, WRONG), *(ballot(i) for i in range(1, 5)))
    changes: Changes = (COMPUTED, *votes, revealed(WRONG, 1), ticked(OPENED_AT + 5))
    assert run(fresh(1), *changes)[1] == [CastBallot(1), RevealResult(1)]


def test_a_worker_without_a_matching_ballot_reveals_nothing() -> None:
    changes = [ballot(i, WRONG) for i in range(5)]
    effects = run(fresh(1), COMPUTED, *changes, ticked(VOTE_DEADLINE + 50))[1]
    assert effects == [CastBallot(1)]


# --- the end -------------------------------------------------------------------------------------


def test_nothing_is_revealed_from_the_reveal_deadline_on() -> None:
    state, _ = run(fresh(1), COMPUTED, *(ballot(i) for i in range(5)))
    assert run(state, ticked(REVEAL_DEADLINE))[1] == [CloseFailedRound(1)]


def test_members_take_turns_to_close_a_failed_round() -> None:
    state, _ = run(fresh(3), ticked(REVEAL_DEADLINE))
    due = REVEAL_DEADLINE + int(2 * TURN_S)
    assert run(state, ticked(due - 1))[1] == []
    assert run(state, ticked(due))[1] == [CloseFailedRound(1)]


def test_the_right_result_is_delivered_when_final() -> None:
    assert run(fresh(), COMPUTED, ballot(0), finalised())[1][-1] == PublishBundles(1)


def test_a_result_computed_after_finality_is_delivered_too() -> None:
    state, effects = run(fresh(), finalised())
    assert effects == []
    assert run(state, COMPUTED)[1] == [PublishBundles(1)]


def test_another_final_result_is_not_delivered() -> None:
    state, effects = run(fresh(), COMPUTED, finalised(WRONG))
    assert effects == [CastBallot(1)]
    assert state.is_over


@pytest.mark.parametrize(
    ("event", "phase"),
    [
        (onchain.RoundFailed(location(4), 1), Phase.FAILED),
        (onchain.RoundCancelled(location(4), 1, "wrong document"), Phase.CANCELLED),
    ],
)
def test_nothing_is_done_in_a_round_that_failed_or_was_cancelled(
    event: onchain.Event, phase: Phase
) -> None:
    state, _ = run(fresh(1), event)
    assert state.phase == phase
    assert run(state, COMPUTED, ticked(REVEAL_DEADLINE + 999))[1] == []


# --- reorganisation ------------------------------------------------------------------------------


def test_a_vote_lost_in_a_reorganisation_is_cast_again() -> None:
    state, _ = run(fresh(), COMPUTED, ballot(0), ballot(1))
    state, effects = run(state, Resynced((opened(), ballot(1))))
    assert effects == [CastBallot(1)]
    assert not state.have_i_voted


def test_a_vote_that_survived_a_reorganisation_is_not_cast_again() -> None:
    state, _ = run(fresh(), COMPUTED, ballot(0))
    state, effects = run(state, Resynced((opened(), ballot(1), ballot(0))))
    assert effects == []
    assert [operator for operator, _ in state.ballots] == [
        MEMBERS[1].operator,
        MEMBERS[0].operator,
    ]


def test_a_round_removed_by_a_reorganisation_is_over() -> None:
    state, _ = run(fresh(), COMPUTED, ballot(0))
    state, effects = run(state, Resynced(()))
    assert (state.is_over, effects) == (True, [])


def test_finality_lost_in_a_reorganisation_is_reached_again() -> None:
    votes = [ballot(i) for i in range(5)]
    state, _ = run(fresh(1), COMPUTED, *votes, ticked(OPENED_AT + 5), finalised())
    assert state.is_over
    _, effects = run(state, Resynced((opened(), *votes)))
    assert effects == [RevealResult(1)]


def test_a_result_of_other_inputs_is_ignored() -> None:
    other = replace(opened(), registry_digest=b"\x55" * 32)
    state, effects = run(fresh(), replace(COMPUTED, inputs=other.inputs))
    assert (state.result, effects) == (None, [])
    late = NotComputed(other.inputs, Reason.INPUT_INVALID, "x")
    assert run(fresh(), late) == (fresh(), [])


def test_all_turns_fit_into_the_reveal_window() -> None:
    closed: Changes = (
        COMPUTED,
        *(ballot(i, WRONG) for i in range(4)),
        ballot(0),
        ticked(OPENED_AT + 5),
    )
    state, _ = transition(fresh(0), closed[0], turn_s=1e9)
    for change in (*closed[1:], ticked(REVEAL_DEADLINE - 1)):
        state, effects = transition(state, change, turn_s=1e9)
    assert effects == (RevealResult(1),)


# --- storage -------------------------------------------------------------------------------------


def test_states_and_effects_survive_the_store() -> None:
    state, effects = run(
        fresh(1), COMPUTED, *(ballot(i) for i in range(5)), ticked(OPENED_AT + 9), finalised()
    )
    assert decode_state(encode_state(state)) == state
    for effect in (*effects, AbstainFromRound(1), CloseFailedRound(1)):
        assert decode_effect(encode_effect(effect)) == effect


def test_effect_ids_are_deterministic() -> None:
    assert effect_id(CastBallot(7)) == "7/cast"
