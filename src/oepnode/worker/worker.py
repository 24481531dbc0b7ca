"""The worker: follows the chain, stores the state of its rounds, and carries out their effects.

Order of steps, and the consequence of a crash after each:
1. an event is read from the chain — nothing is stored; it is read again;
2. the round's new state and its effects are committed — the effects are pending, and are carried
   out on the next start;
3. an effect is carried out — the chain shows it; repeating it finds it done;
4. the cursor moves on — events before it are not read again.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from oepnode.config import WorkerSettings
from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, Event, Head, Phase, parse_address
from oepnode.errors import (
    ConflictError,
    EvidenceError,
    FatalError,
    TransportError,
    location_of,
)
from oepnode.ports import ChainReader, Cursor, Store, StoredEffect, StoredRound
from oepnode.worker.effects import EffectRunner
from oepnode.worker.lateness import window_problem
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.requesting import Requester
from oepnode.worker.shown_errors import shown_error
from oepnode.worker.state import (
    Change,
    Effect,
    Resynced,
    RoundState,
    Ticked,
    decode_effect,
    decode_state,
    effect_id,
    encode_effect,
    encode_state,
)
from oepnode.worker.transition import begin, transition

_FAULT_WAIT_S: Final = 5.0
_LONGEST_FAULT_WAIT_S: Final = 600.0
_PAGE_BLOCKS: Final = 5_000
_LAG_BLOCKS: Final = 64
"""Blocks that nodes may lag behind the cursor; a cursor further ahead is not believed."""
_REORG_ROUNDS: Final = 8
"""Number of newest rounds that are read again after a reorganisation."""


class Health(Struct):
    """Chain head and codes of the last errors of a worker, for its status page."""

    head: Head | None = None
    chain_error: str = ""
    sender_error: str = ""

    @property
    def is_following(self) -> bool:
        """Whether the worker follows its chain."""
        return self.head is not None and not self.chain_error


class Worker:
    """One worker of one operator.

    Args:
        settings: The worker's settings.
        ports: Access to chain, services and storage.
        store: Durable state.
        metrics: Counters to update.
    """

    def __init__(
        self, settings: WorkerSettings, ports: WorkerPorts, store: Store, metrics: WorkerMetrics
    ) -> None:
        self._settings = settings
        self._ports = ports
        self._store = store
        self._metrics = metrics
        self._operator = parse_address(settings.operator)
        self._log = structlog.get_logger("oepnode.worker")
        self._live: dict[int, RoundState] = {}
        self._effects: asyncio.TaskGroup | None = None
        self._running: set[str] = set()
        self._again: set[str] = set()
        self.health = Health()
        self.runner = EffectRunner(
            ports,
            self.state_of,
            self._apply,
            metrics,
            settings,
        )
        self.requester = Requester(ports, store, is_requester=settings.is_requester)

    # --- life ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Follow the chain and the sender until cancelled."""
        self._recover()
        async with asyncio.TaskGroup() as tasks:
            self._effects = tasks
            for stored in self._store.pending_effects():
                self._start(decode_effect(stored.payload))
            tasks.create_task(self._follow_forever())
            tasks.create_task(self._poll_forever())

    def _recover(self) -> None:
        for stored in self._store.rounds(limit=1_000, live_only=True):
            self._live[stored.number] = decode_state(stored.state)

    async def _follow_forever(self) -> None:
        while True:
            try:
                await self.follow()
                self.health.chain_error = ""
            except (TransportError, ConflictError) as exc:
                self.health.chain_error = shown_error(exc)
                self._metrics.retries.labels("follow").inc()
                self._log.warning("chain_follow_failed", reason=str(exc))
            await asyncio.sleep(self._settings.follow_interval_s)

    async def _poll_forever(self) -> None:
        while True:
            try:
                await self.requester.poll()
                self.health.sender_error = ""
            except (TransportError, ConflictError, EvidenceError) as exc:
                self.health.sender_error = shown_error(exc)
                self._log.warning("sender_poll_failed", reason=str(exc))
            await asyncio.sleep(self._until_next_poll())

    def _until_next_poll(self) -> float:
        """Seconds to the next multiple of the poll interval; 1800 s falls on NEM half hours."""
        interval = self._settings.poll_interval_s
        return interval - self._ports.clock.now() % interval

    # --- the chain -------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Process the events since the cursor, all at one block of the chain, and let time pass.

        Raises:
            TransportError: If the chain does not respond, or lags behind the cursor.
        """
        chain = await self._ports.chain.settled()
        head = await chain.head()
        first = await self._first_block(chain, head)
        await self._apply_blocks(chain, first, head)
        # Deadlines pass at the newest block, however far behind it events are believed.
        now = await self._now(chain, head)
        for number in list(self._live):
            self._apply(number, Ticked(now, head.time))
        if self.health.head is None:
            self._warn_of_windows(await self._ports.chain.current_electorate(), now - head.time)
        self.health.head = head
        self._metrics.chain_head.set(head.number)
        self._metrics.chain_time.set(head.time)

    async def _now(self, chain: ChainReader, head: Head) -> int:
        return max(head.time, await chain.newest_time())

    def _warn_of_windows(self, windows: Electorate, behind_s: float, **fields: int) -> None:
        if problem := window_problem(windows, behind_s):
            self._log.warning("windows_too_short", reason=problem, **fields)

    async def _first_block(self, chain: ChainReader, head: Head) -> int:
        """The block to go on from: after the newest cursor that the chain still has."""
        cursors = self._store.cursors()
        if not cursors:
            return self._settings.chain.start_block
        ahead = cursors[0].block - head.number
        if 0 < ahead <= _LAG_BLOCKS:
            raise TransportError(
                f"the chain is at block {head.number}, behind block {cursors[0].block}, which this "
                "worker has processed; wait until the nodes have caught up",
                code="node.behind",
            )
        standing = await self._standing(chain, head, cursors)
        if standing == cursors[0]:
            return standing.block + 1
        self._log.warning(
            "chain_reorganised",
            rounds=_REORG_ROUNDS,
            block=cursors[0].block,
            standing=None if standing is None else standing.block,
        )
        await self._resync(chain)
        if standing is None:
            return self._settings.chain.start_block
        self._store.set_cursor(standing)
        return standing.block + 1

    async def _standing(
        self, chain: ChainReader, head: Head, cursors: list[Cursor]
    ) -> Cursor | None:
        """The newest cursor whose block is still the chain's, or None."""
        for cursor in cursors:
            if cursor.block <= head.number and await chain.block_hash(cursor.block) == cursor.hash:
                return cursor
        return None

    async def _apply_blocks(self, chain: ChainReader, first: int, head: Head) -> None:
        """Process the events of all blocks up to the head, moving the cursor after each page."""
        while first <= head.number:
            last = min(first + _PAGE_BLOCKS - 1, head.number)
            for event in await chain.events(first, last):
                await self._apply_event(chain, event)
            is_head = last == head.number
            last_hash = head.hash if is_head else await chain.block_hash(last)
            self._store.set_cursor(Cursor(last, last_hash))
            first = last + 1

    async def _resync(self, chain: ChainReader) -> None:
        """Read the newest rounds again, on chain and in the store."""
        count = await chain.round_count()
        numbers = {stored.number for stored in self._store.rounds(limit=_REORG_ROUNDS)}
        numbers |= set(range(max(1, count - _REORG_ROUNDS + 1), count + 1))
        for number in sorted(numbers):
            await self._reread(chain, number)

    async def _reread(self, chain: ChainReader, number: int) -> None:
        """Read a round again."""
        events = await chain.round_events(number)
        opened = next((e for e in events if isinstance(e, onchain.RoundOpened)), None)
        if opened is not None and self._is_new(opened):
            await self._open(chain, opened)
        self._apply(number, Resynced(tuple(events)))

    def _is_new(self, opened: onchain.RoundOpened) -> bool:
        """Whether a round is unknown here, was cancelled, or has other inputs than before."""
        known = self.state_of(opened.round)
        if known is None or known.phase == Phase.CANCELLED:
            return True
        return (known.opened.inputs, known.opened.epoch) != (opened.inputs, opened.epoch)

    async def _apply_event(self, chain: ChainReader, event: Event) -> None:
        if not isinstance(event, onchain.RoundOpened):
            self._apply(event.round, event)
        elif self._is_new(event) and await self._is_credible(chain, event):
            await self._open(chain, event)

    async def _is_credible(self, chain: ChainReader, opened: onchain.RoundOpened) -> bool:
        """Whether the contract itself knows a round that an event announces as new.

        Numbers rise by one. Rounds that were announced by no event are read before this one.
        """
        number, count = opened.round, await chain.round_count()
        if number > count:
            return self._ignore(opened, f"the contract has {count} rounds")
        if self.state_of(number) is not None:
            current = await _opening(chain, number)
            if current is None or current.inputs != opened.inputs:
                return self._ignore(opened, "the round has other inputs")
        newest = self._store.rounds(limit=1)
        first = newest[0].number + 1 if newest else number
        for missing in range(max(first, number - _REORG_ROUNDS), number):
            self._log.warning("round_unannounced", round=missing)
            await self._reread(chain, missing)
        return True

    def _ignore(self, opened: onchain.RoundOpened, reason: str) -> bool:
        self._log.warning("round_ignored", round=opened.round, reason=reason)
        return False

    async def _open(self, chain: ChainReader, opened: onchain.RoundOpened) -> None:
        electorate = await chain.electorate(opened.epoch)
        context = RoundContext(chain.chain_id, chain.contract, opened.round)
        state, effects = begin(context, opened, electorate, self._operator)
        head = await chain.head()
        state = replace(state, now=await self._now(chain, head))
        self._warn_of_windows(electorate, state.now - head.time, round=opened.round)
        self._log.info("round_opened", round=opened.round, member=state.me is not None)
        if state.me is not None:
            self._metrics.rounds_seen.inc()
        self._commit(state, effects)

    # --- states and effects ----------------------------------------------------------------------

    def state_of(self, number: int) -> RoundState | None:
        """The current state of a round, or None."""
        state = self._live.get(number)
        if state is None:
            stored = self._store.round(number)
            state = None if stored is None else decode_state(stored.state)
        return state

    def newest(self, limit: int) -> list[RoundState]:
        """The newest rounds, newest first."""
        return [decode_state(stored.state) for stored in self._store.rounds(limit)]

    def _apply(self, number: int, change: Change) -> None:
        before = self.state_of(number)
        if before is None:
            return
        after, effects = transition(before, change, self._settings.reveal_turn_s)
        if after == before:
            return
        if not effects and replace(after, now=before.now) == before:
            self._live[number] = after  # only time has passed; a restart reads it again
            return
        self._commit(after, effects)
        self._report_change(before, after)

    def _commit(self, state: RoundState, effects: tuple[Effect, ...]) -> None:
        stored = [
            StoredEffect(effect_id(effect), effect.round, encode_effect(effect))
            for effect in effects
        ]
        is_live = not state.is_over
        self._store.commit(StoredRound(state.number, is_live, encode_state(state)), stored)
        if is_live:
            self._live[state.number] = state
        else:
            self._live.pop(state.number, None)
        for effect in effects:
            self._start(effect)

    def _start(self, effect: Effect) -> None:
        name = effect_id(effect)
        if name in self._running:
            self._again.add(name)
        elif self._effects is not None:
            self._running.add(name)
            self._effects.create_task(self._carry_out(name, effect))
            self._metrics.pending_effects.set(len(self._running))

    async def _carry_out(self, name: str, effect: Effect) -> None:
        try:
            while True:
                self._again.discard(name)
                await self._carry_out_once(name, effect)
                if name not in self._again:
                    break  # otherwise a reorganisation requested it again meanwhile
            self._store.effect_done(name)
        finally:
            self._running.discard(name)
            self._metrics.pending_effects.set(len(self._running))

    async def _carry_out_once(self, name: str, effect: Effect) -> None:
        """Carry out an effect, and retry after an error; an internal error stops no other."""
        wait = _FAULT_WAIT_S
        while True:
            try:
                return await self.runner.carry_out(effect)
            except FatalError:
                raise
            except EvidenceError as exc:
                self.runner.note_retry(name, str(exc))
            except Exception as exc:
                error = f"{type(exc).__name__} at {location_of(exc)}"
                self.runner.note_retry(name, f"internal error: {error}")
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_FAULT_WAIT_S)

    def _report_change(self, before: RoundState, after: RoundState) -> None:
        """Log and count votes, foreign ballots and ends of rounds."""
        if after.have_i_voted and not before.have_i_voted:
            self._count_vote(after)
        if after.is_ballot_foreign and not before.is_ballot_foreign:
            self._log.error(
                "foreign_ballot_detected",
                round=after.number,
                reason="the operator's ballot on chain is not the one that this worker computed",
                fix="rotate the signer's key at once",
            )
        if after.is_over and not before.is_over:
            if after.summary is not None:
                self._metrics.compute_seconds.observe(after.summary.seconds)
            if after.final is None or after.final != after.result:
                self._ports.shelf.discard(after.number)
            outcome = _outcome(after)
            self._metrics.rounds_over.labels(outcome).inc()
            log = self._log.info if outcome == "matched" else self._log.warning
            log("round_ended", round=after.number, outcome=outcome)

    def _count_vote(self, state: RoundState) -> None:
        reason = next((r for who, r in state.abstentions if who == state.operator), None)
        if reason is None:
            self._metrics.ballots_cast.inc()
        else:
            self._metrics.abstentions.labels(Reason(reason).label).inc()


async def _opening(chain: ChainReader, number: int) -> onchain.RoundOpened | None:
    events = await chain.round_events(number)
    return next((e for e in events if isinstance(e, onchain.RoundOpened)), None)


def _outcome(state: RoundState) -> str:
    if state.final is None:
        return state.phase.name.lower()
    if state.result is None:
        return "final without this worker"
    return "matched" if state.result == state.final else "mismatched"
