"""Members, signers, policy, roles and the pause: the rules of ``Electorate.sol``.

Every step returns the state after it, or raises `Reverted` with the contract's error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oepnode.domain.rounds.onchain import Policy, Role
from tests.contract_model.state import (
    MAX_MEMBERS,
    MAX_TEXT,
    MAX_WINDOW_S,
    NOBODY,
    NOT_ENDED,
    Call,
    NewWorker,
    Reverted,
    Seat,
    State,
    Terms,
)


def deploy(chain_id: int, contract: bytes, admin: bytes, policy: Policy) -> State:
    """The state of a new contract: epoch 1, without members."""
    _require_account(contract, admin)
    _check_policy(policy)
    return State(chain_id, contract, frozenset({(Role.ADMIN, admin)}), (Terms(0, policy),))


# --- members -------------------------------------------------------------------------------------


def add_workers(state: State, call: Call, workers: Sequence[NewWorker]) -> State:
    """Add workers, from the next epoch on."""
    require_role(state, call, Role.ADMIN)
    if not workers:
        raise Reverted("Missing", "workers")
    members = state.terms[-1].members
    epoch = state.epoch + 1
    for worker in workers:
        if worker.operator == NOBODY:
            raise Reverted("Missing", "operator")
        seat = state.live_seat(worker.operator)
        if seat is not None:
            raise Reverted("AlreadyMember", worker.operator, seat.signer)
        if members.bit_count() == MAX_MEMBERS:
            raise Reverted("ElectorateFull", MAX_MEMBERS)
        index = next(i for i in range(MAX_MEMBERS) if not members >> i & 1)
        members |= 1 << index
        state = _take_seat(state, epoch, worker.operator, worker.signer, index)
        state = _set_endpoint(state, worker.operator, worker.url)
    return _start_epoch(state, replace(state.terms[-1], members=members))


def remove_worker(state: State, call: Call, operator: bytes) -> State:
    """Remove a worker, from the next epoch on."""
    require_role(state, call, Role.ADMIN)
    state, index = _leave_seat(state, operator)
    terms = state.terms[-1]
    return _start_epoch(state, replace(terms, members=terms.members & ~(1 << index)))


def rotate_signer(state: State, call: Call, signer: bytes) -> State:
    """Give the calling operator another signer, from the next epoch on."""
    epoch = state.epoch + 1
    state, index = _leave_seat(state, call.sender)
    state = _take_seat(state, epoch, call.sender, signer, index)
    return _start_epoch(state, state.terms[-1])


def set_policy(state: State, call: Call, policy: Policy) -> State:
    """Set quorum, windows and rules version, from the next epoch on."""
    require_role(state, call, Role.ADMIN)
    _check_policy(policy)
    return _start_epoch(state, replace(state.terms[-1], policy=policy))


def set_endpoint(state: State, call: Call, url: str) -> State:
    """Set the URL of the calling operator's worker."""
    if state.live_seat(call.sender) is None:
        raise Reverted("NotMember", call.sender)
    return _set_endpoint(state, call.sender, url)


# --- roles and pause -----------------------------------------------------------------------------


def grant_role(state: State, call: Call, role: Role, account: bytes) -> State:
    """Give an account a role."""
    require_role(state, call, Role.ADMIN)
    _require_account(state.contract, account)
    return replace(state, roles=state.roles | {(role, account)})


def revoke_role(state: State, call: Call, role: Role, account: bytes) -> State:
    """Take a role from an account."""
    require_role(state, call, Role.ADMIN)
    return _without_role(state, role, account)


def renounce_role(state: State, call: Call, role: Role, account: bytes) -> State:
    """Give up a role of one's own."""
    if account != call.sender:
        raise Reverted("AccessControlBadConfirmation")
    return _without_role(state, role, account)


def pause(state: State, call: Call) -> State:
    """Stop opening and voting."""
    require_role(state, call, Role.GUARDIAN)
    require_paused(state, False)
    return replace(state, is_paused=True)


def unpause(state: State, call: Call) -> State:
    """Let opening and voting go on."""
    require_role(state, call, Role.ADMIN)
    require_paused(state, True)
    return replace(state, is_paused=False)


def require_role(state: State, call: Call, role: Role) -> None:
    """Reject a caller without the role."""
    if (role, call.sender) not in state.roles:
        raise Reverted("AccessControlUnauthorizedAccount", call.sender, role.value)


def require_paused(state: State, expected: bool) -> None:
    """Reject in the other state of the pause."""
    if state.is_paused != expected:
        raise Reverted("PauseState", expected, state.is_paused)


def require_text(text: str) -> None:
    """Reject a text that is too long."""
    size = len(text.encode())
    if size > MAX_TEXT:
        raise Reverted("TextTooLong", MAX_TEXT, size)


# --- parts ---------------------------------------------------------------------------------------


def _require_account(contract: bytes, account: bytes) -> None:
    if account == NOBODY:
        raise Reverted("Missing", "account")
    if account == contract:
        raise Reverted("OwnAddress", account)


def _without_role(state: State, role: Role, account: bytes) -> State:
    roles = state.roles - {(role, account)}
    if not any(other is Role.ADMIN for other, _ in roles):
        raise Reverted("LastAdministrator", account)
    return replace(state, roles=roles)


def _check_policy(policy: Policy) -> None:
    numerator, denominator = policy.quorum_numerator, policy.quorum_denominator
    if denominator == 0 or numerator > denominator:
        raise Reverted("InvalidQuorum", numerator, denominator)
    for window in (policy.vote_window_s, policy.reveal_window_s):
        if not 0 < window <= MAX_WINDOW_S:
            raise Reverted("InvalidWindow", MAX_WINDOW_S, window)
    if policy.rules_version == 0:
        raise Reverted("Missing", "rulesVersion")


def _start_epoch(state: State, terms: Terms) -> State:
    return replace(state, terms=(*state.terms, terms))


def _take_seat(state: State, epoch: int, operator: bytes, signer: bytes, index: int) -> State:
    if signer == NOBODY:
        raise Reverted("Missing", "signer")
    used = state.seat_of(signer)
    if used is not None:
        raise Reverted("SignerUsed", signer, used.operator)
    seat = Seat(operator, signer, epoch, NOT_ENDED, index)
    return replace(state, seats=(*state.seats, seat))


def _leave_seat(state: State, operator: bytes) -> tuple[State, int]:
    seat = state.live_seat(operator)
    if seat is None:
        raise Reverted("NotMember", operator)
    ended = replace(seat, until=state.epoch + 1)
    seats = tuple(ended if other is seat else other for other in state.seats)
    return replace(state, seats=seats), seat.index


def _set_endpoint(state: State, operator: bytes, url: str) -> State:
    require_text(url)
    return replace(state, endpoints={**state.endpoints, operator: url})
