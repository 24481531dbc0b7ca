"""Reveals results and closes failed rounds for workers that pay no fee.

Guarantees: nothing is held, and so no root is known here, before its round's vote has closed. A
result is held only if at least one ballot of the round was cast for it, so that a stranger cannot
make the relay pay; the node then tries the call before it is sent. Each step is sent until the
chain shows it or it has become pointless. Leaves out keeping steps across a restart: workers hand
them in until they are on chain.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from oepnode.domain.rounds import relayed_steps, tally
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import BallotCast, Member, Phase, RootRevealed, Round
from oepnode.domain.rounds.relayed_steps import RelayedStep
from oepnode.errors import ConflictError, TransportError, location_of
from oepnode.ports import Chain
from oepnode.services.common.http import INTERNAL_ERROR, Rejection, shown_reason
from oepnode.services.common.turns import MOST_WAITING, Turns
from oepnode.services.relay.metrics import RelayMetrics

_log = structlog.get_logger(__name__)

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 15.0
MAX_HELD: Final = 256


@dataclass
class _Held:
    """When a held step may be sent, the wait after the last problem, and that problem."""

    not_before: float = 0.0
    wait_s: float = 0.0
    trouble: str = ""


class StepPool:
    """Accepts steps and sends them.

    Args:
        chain: The contract, with an account that pays.
        metrics: The relay's metrics.
        now: Returns monotonic seconds.
    """

    def __init__(
        self, chain: Chain, metrics: RelayMetrics, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._chain = chain
        self._now = now
        self._held: dict[RelayedStep, _Held] = {}
        # Anyone may hand in, and nobody signs: all wait in one line.
        self._turns = Turns(most_of_one=MOST_WAITING)
        self._metrics = metrics
        metrics.watch("steps", self._turns)
        metrics.held_steps.set_function(lambda: self.count)

    # --- accepting -------------------------------------------------------------------------------

    async def accept(self, line: bytes, is_gone: Callable[[], bool] = lambda: False) -> RelayedStep:
        """Hold a step; one that is held already changes nothing.

        Args:
            line: A step as `relayed_steps.encode` writes it.
            is_gone: Whether the client has closed its connection.

        Raises:
            EvidenceError: If it is not a step.
            Rejection: If it is not possible now, nobody voted for the result, or too many wait.
            TransportError: If the chain does not respond.
        """
        step = relayed_steps.decode(line)
        here = RoundContext(self._chain.chain_id, self._chain.contract, step.context.number)
        if step.context != here:
            raise Rejection(
                422,
                "step.elsewhere",
                f"this relay serves contract 0x{here.contract.hex()} on chain {here.chain_id}",
            )
        if step not in self._held:
            async with self._turns.turn("anyone", is_gone):
                await self._check(step)
            if len(self._held) >= MAX_HELD:
                raise Rejection(503, "relay.full", "the relay holds too many steps; retry later")
            self._held.setdefault(step, _Held())
            _log.info("step_held", round=here.number, step=_name(step))
        return step

    async def _check(self, step: RelayedStep) -> None:
        number = step.context.number
        state = await self._chain.round(number)
        if state is None:
            raise Rejection(
                404, "round.unknown", f"round {number} is unknown to the relay's node; retry later"
            )
        if state.phase is not _phase_of(step):
            raise Rejection(
                409,
                "round.other_phase",
                f"round {number} is {state.phase.name.lower()}; to {_name(step)} it, it must be "
                f"{_phase_of(step).name.lower()}",
            )
        if step.result is not None:
            ballots, revealed = await self._votes(state, step.result)
            if step.result in revealed:
                raise Rejection(409, "root.known", "this result has been revealed already")
            if not ballots:
                raise Rejection(422, "root.unmatched", "no ballot of the round is for this result")

    async def _votes(
        self, state: Round, result: Result
    ) -> tuple[list[tuple[Member, bytes]], set[Result]]:
        """All ballots of a round if one is for the result, else none; and results on chain."""
        electorate = await self._chain.electorate(state.epoch)
        newest = await self._chain.newest()  # the contract takes all ballots, or none
        events = await newest.round_events(state.number)
        cast = [event for event in events if isinstance(event, BallotCast)]
        revealed = {Result(e.root, e.partitions) for e in events if isinstance(e, RootRevealed)}
        context = RoundContext(self._chain.chain_id, self._chain.contract, state.number)
        if not tally.count(context, electorate, cast, result).matched:
            return [], revealed
        members = {member.operator: member for member in electorate.members}
        return [(members[event.operator], event.ballot) for event in cast], revealed

    # --- reporting -------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Number of held steps."""
        return len(self._held)

    @property
    def trouble(self) -> str:
        """The problem that delays a step, or empty."""
        return next((held.trouble for held in self._held.values() if held.trouble), "")

    # --- sending ---------------------------------------------------------------------------------

    async def run(self, interval_s: float) -> None:
        """Send the held steps repeatedly, until cancelled."""
        while True:
            await self.send_steps()
            await asyncio.sleep(interval_s)

    async def send_steps(self) -> None:
        """Send each held step that is due, or release it where it is pointless."""
        for step, held in list(self._held.items()):
            if self._now() < held.not_before:
                continue
            try:
                await self._send(step)
            except (TransportError, ConflictError) as exc:
                self._postpone(step, held, str(exc), shown_reason(exc))
            except Exception as exc:  # an internal error in one step stops no other
                error, location = type(exc).__name__, location_of(exc)
                _log.error("step_failed", round=step.context.number, error=error, location=location)
                self._postpone(step, held, INTERNAL_ERROR, INTERNAL_ERROR)

    async def _send(self, step: RelayedStep) -> None:
        number = step.context.number
        state = await self._chain.round(number)
        if state is None or state.phase is not _phase_of(step):
            self._release(step)
        elif step.result is None:
            await self._chain.fail_round(number)
            self._metrics.steps.labels(_name(step)).inc()
            _log.info("failed_round_closed", round=number)
        else:
            ballots, revealed = await self._votes(state, step.result)
            if step.result in revealed or not ballots:
                self._release(step)
                return
            root, partitions = step.result.root, step.result.partitions
            await self._chain.reveal_root(number, root, partitions, ballots)
            self._metrics.steps.labels(_name(step)).inc()
            _log.info("root_revealed", round=number, root=root.hex())

    def _release(self, step: RelayedStep) -> None:
        self._held.pop(step, None)
        _log.info("step_released", round=step.context.number, step=_name(step))

    def _postpone(self, step: RelayedStep, held: _Held, reason: str, shown: str) -> None:
        held.wait_s = min(max(2 * held.wait_s, FIRST_WAIT_S), LONGEST_WAIT_S)
        held.not_before = self._now() + held.wait_s
        held.trouble = shown
        _log.warning("step_postponed", round=step.context.number, reason=reason, wait_s=held.wait_s)


def _phase_of(step: RelayedStep) -> Phase:
    return Phase.EXPIRED if step.result is None else Phase.REVEALING


def _name(step: RelayedStep) -> str:
    return "close" if step.result is None else "reveal"
