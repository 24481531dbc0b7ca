"""Opens a round on chain once, despite repeated requests, lost responses and crashes.

Guarantees: while a round with the same inputs runs or is final, no second one is opened; the intent
is stored before the transaction is sent, so an unknown outcome is looked up on chain before sending
again. Leaves out a transaction that is still pending after a crash: it can open a second round with
the same inputs, which does no harm; a later round supersedes an earlier one.
"""

from __future__ import annotations

import asyncio

from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import ConflictError
from oepnode.ports import Chain, Clock
from oepnode.services.sender.metrics import SenderMetrics
from oepnode.services.sender.store import EnvelopeStore, StoredDocument


class RoundOpener:
    """Opens rounds for stored documents, one at a time.

    Args:
        chain: The contract, with an account that holds ``REQUESTER_ROLE``.
        clock: Clock for the recorded time.
        store: Storage of intents and outcomes.
        metrics: Counts the opened rounds.
    """

    def __init__(
        self, chain: Chain, clock: Clock, store: EnvelopeStore, metrics: SenderMetrics
    ) -> None:
        self._chain = chain
        self._clock = clock
        self._store = store
        self._metrics = metrics
        self._turn = asyncio.Lock()

    async def open(self, document: StoredDocument, registry_digest: bytes) -> tuple[int, bool]:
        """Open a round, or return the valid one.

        Returns:
            The round's number, and whether this call opened it.

        Raises:
            ConflictError: If the contract rejects it.
            TransportError: If the chain does not respond; repeating the call is safe.
        """
        async with self._turn:
            return await self._open(document, registry_digest)

    async def _open(self, document: StoredDocument, registry: bytes) -> tuple[int, bool]:
        envelope = document.digest
        known = await asyncio.to_thread(self._store.round_of, envelope, registry)
        if known is not None and await self._is_valid(known):
            return known, False
        newest = await self._chain.round_count()
        after = await asyncio.to_thread(self._store.begin_opening, envelope, registry, newest)
        number = await self._find(range(after + 1, newest + 1), envelope, registry)
        opened = number is None
        if number is None:
            number = await self._send(document, registry)
        # A crash before this line: the intent is stored, and the next request finds the round.
        await asyncio.to_thread(
            self._store.note_round, envelope, registry, number, self._clock.now()
        )
        self._metrics.rounds_opened.inc()
        return number, opened

    async def _is_valid(self, number: int) -> bool:
        """Whether a round runs or is final; after a failed one a new one may be opened."""
        state = await self._chain.round(number)
        return state is not None and state.phase not in {Phase.FAILED, Phase.CANCELLED}

    async def _find(self, numbers: range, envelope: bytes, registry: bytes) -> int | None:
        for number in numbers:
            opened = await self._chain.opening(number)
            if opened and (opened.envelope_digest, opened.registry_digest) == (envelope, registry):
                return number
        return None

    async def _send(self, document: StoredDocument, registry: bytes) -> int:
        try:
            return await self._chain.open_round(
                document.horizon_start, document.interval_count, document.digest, registry
            )
        except ConflictError:
            await asyncio.to_thread(self._store.abandon_opening, document.digest, registry)
            raise
