"""Opens a round on chain once, despite repeated requests, lost responses, crashes, reorganisations.

Guarantees: while a round with the same inputs runs or is final, no second one is opened, also while
the first one's block is not final enough; a request is answered only with a round that the chain's
newest block has with exactly these inputs. The intent is stored before the transaction is sent, so
an unknown outcome is looked up on chain before sending again, and so is a round that another
requester opened, among the newest. An opening that a reorganisation took away is looked for under
other numbers, and opened again at the next request.

Leaves out a transaction that is still pending after a crash: it can open a second round with the
same inputs, which does no harm; a later round supersedes an earlier one.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from msgspec import Struct
from msgspec.structs import replace

from oepnode.domain.rounds.onchain import Phase, RoundOpened
from oepnode.errors import ConflictError, TransportError, location_of
from oepnode.ports import Chain, ChainReader
from oepnode.services.sender.openings import Opening, Openings
from oepnode.services.sender.store import StoredDocument

_log = structlog.get_logger(__name__)

_CHECK_EVERY_S: Final = 5.0
_LOOK_BACK: Final = 8
"""Rounds by which a reorganisation may bring an opening down."""


class OpenedRound(Struct, frozen=True):
    """The outcome of a request for a round.

    Attributes:
        number: The round's number.
        is_new: Whether this request opened it.
        is_settled: Whether its opening is final enough; until then a reorganisation can take it
            away, or give it another number.
    """

    number: int
    is_new: bool
    is_settled: bool


class RoundOpener:
    """Opens rounds for stored documents, one at a time, and follows them until they are settled.

    Args:
        chain: The contract, with an account that holds ``REQUESTER_ROLE``.
        openings: Memory of intents and outcomes.
    """

    def __init__(self, chain: Chain, openings: Openings) -> None:
        self._chain = chain
        self._openings = openings
        self._turn = asyncio.Lock()

    async def open(self, document: StoredDocument, registry_digest: bytes) -> OpenedRound:
        """Open a round, or return the valid one.

        Raises:
            ConflictError: If the contract rejects it.
            TransportError: If the chain does not respond; repeating the call is safe.
        """
        async with self._turn:
            known = await asyncio.to_thread(self._openings.of, document.digest, registry_digest)
            newest = await self._chain.newest()
            intent = Opening(
                digest=document.digest,
                registry_digest=registry_digest,
                after_round=await newest.round_count(),
                block=(await newest.head()).number,
            )
            # Another requester can have opened it: then this gateway knows nothing of it.
            opening = known or intent
            opened = await self._sighting(newest, opening)
            if opened is not None and await _is_valid(newest, opened.round):
                opening = await self._note(opening, opened)
                return OpenedRound(opened.round, is_new=False, is_settled=opening.is_settled)
            return await self._open(document, intent, known)

    async def _open(
        self, document: StoredDocument, intent: Opening, known: Opening | None
    ) -> OpenedRound:
        await self._put(intent)
        try:
            opened = await self._chain.open_round(
                document.horizon_start,
                document.interval_count,
                intent.digest,
                intent.registry_digest,
            )
        except ConflictError:
            await asyncio.to_thread(self._openings.drop, intent)
            if known is not None:
                await self._put(known)
            raise
        # A crash before this line: the intent is stored, and the next request finds the round.
        opening = await self._note(intent, opened)
        return OpenedRound(opened.round, is_new=True, is_settled=opening.is_settled)

    # --- following -------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Check the openings that are not settled now and then, until cancelled."""
        while True:
            try:
                await self.check()
            except (TransportError, ConflictError) as exc:
                _log.warning("openings_not_checked", reason=str(exc))
            except Exception as exc:  # an internal error stops no later check
                error, where = type(exc).__name__, location_of(exc)
                _log.error("openings_check_failed", error=error, location=where)
            await asyncio.sleep(_CHECK_EVERY_S)

    async def check(self) -> None:
        """Compare the openings that are not settled with the chain.

        Raises:
            ConflictError: If the contract rejects a question.
            TransportError: If the chain does not respond.
        """
        async with self._turn:
            unsettled = await asyncio.to_thread(self._openings.unsettled)
            if not unsettled:
                return
            newest = await self._chain.newest()
            for opening in unsettled:
                opened = await self._sighting(newest, opening)
                # Where the round is not known, one that failed is of an earlier attempt.
                if opened is not None and (
                    opening.round is not None or await _is_valid(newest, opened.round)
                ):
                    await self._note(opening, opened)
                else:
                    await self._note_absence(newest, opening)

    async def _note(self, opening: Opening, opened: RoundOpened) -> Opening:
        """Store where the chain has the round, and whether that is settled."""
        if opening.round not in {None, opened.round}:
            _log.warning("opening_moved", round=opening.round, to=opened.round)
        seen = replace(
            opening,
            round=opened.round,
            block=opened.location.block,
            transaction=opened.location.transaction,
        )
        if not (seen == opening and opening.is_settled):
            seen = replace(seen, is_settled=await self._is_settled(opened))
        if seen != opening:
            await self._put(seen)
        return seen

    async def _put(self, opening: Opening) -> None:
        """Store an opening, and report those that lost their number to it."""
        for lost in await asyncio.to_thread(self._openings.put, opening):
            _report_vanished(lost)

    async def _is_settled(self, opened: RoundOpened) -> bool:
        try:
            settled = await self._chain.settled()
            on_chain = await settled.opening(opened.round)
        except TransportError:
            return False  # the round is open; a later check finds out
        return on_chain is not None and on_chain.inputs == opened.inputs

    async def _note_absence(self, newest: ChainReader, opening: Opening) -> None:
        """Store that the newest block has no such round, and whether that is settled.

        Then it is looked for at the next request alone: its transaction can still be mined.
        """
        if opening.round is not None:
            block = (await newest.head()).number
            _report_vanished(opening)
            await self._put(replace(opening, round=None, block=block, is_settled=False))
        elif (await (await self._chain.settled()).head()).number >= opening.block:
            await self._put(replace(opening, is_settled=True))

    async def _sighting(self, newest: ChainReader, opening: Opening) -> RoundOpened | None:
        """The round that the newest block has with an opening's inputs, or None.

        Raises:
            TransportError: If the newest block lies before the opening's: the nodes are behind.
        """
        head = await newest.head()
        if head.number < opening.block:
            raise TransportError(
                f"the chain is at block {head.number}, behind block {opening.block} of an opening; "
                "retry when the nodes have caught up",
                code="node.behind",
            )
        count = await newest.round_count()
        first = max(1, min(opening.after_round, count - _LOOK_BACK) + 1)
        numbers = list(range(count, first - 1, -1))
        if opening.round is not None and opening.round <= count:
            numbers.insert(0, opening.round)
        for number in numbers:
            opened = await newest.opening(number)
            if opened is not None and _is_of(opened, opening):
                return opened
        return None


def _report_vanished(opening: Opening) -> None:
    _log.warning(
        "opening_vanished",
        round=opening.round,
        document=opening.digest.hex(),
        transaction=opening.transaction.hex(),
        fix="publish the document again, or request its round again",
    )


def _is_of(opened: RoundOpened, opening: Opening) -> bool:
    inputs = opened.envelope_digest, opened.registry_digest
    return inputs == (opening.digest, opening.registry_digest)


async def _is_valid(chain: ChainReader, number: int) -> bool:
    """Whether a round runs or is final; after a failed one a new one may be opened."""
    state = await chain.round(number)
    return state is not None and state.phase not in {Phase.FAILED, Phase.CANCELLED}
