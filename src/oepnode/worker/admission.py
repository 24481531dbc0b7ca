"""Bounds the rounds that a worker computes in an hour.

Whoever holds a requester's key can open rounds without end, and each costs time and fees. Over the
bound a worker computes only rounds that the sender itself names as those of its newest document, so
that junk delays no real round; the others it skips in silence, because an abstention would cost a
fee for each. Rounds that are final already were computed by a quorum, and do not count. The count
is this process's own and by its own clock: nothing that a node says can fill it up.
"""

from __future__ import annotations

import asyncio
from typing import Final

from oepnode.errors import ConflictError, TransportError
from oepnode.ports import Clock, EnvelopeSource
from oepnode.worker.state import RoundState

_HOUR_S: Final = 3600.0
_LATEST_S: Final = 10.0


class Admission:
    """Admits rounds to be computed.

    Args:
        clock: Time of day.
        sender: The sender's gateway.
        per_hour: Rounds that are admitted in an hour, besides those that the sender names.
    """

    def __init__(self, clock: Clock, sender: EnvelopeSource, per_hour: int) -> None:
        self._clock = clock
        self._sender = sender
        self._per_hour = per_hour
        self._admitted: dict[int, tuple[float, bytes]] = {}

    async def admits(self, state: RoundState) -> bool:
        """Whether to compute a round; an admitted one counts once."""
        now, digest = self._clock.now(), state.opened.envelope_digest
        recent = self._admitted.items()
        self._admitted = {n: (at, d) for n, (at, d) in recent if abs(now - at) < _HOUR_S}
        if state.number in self._admitted:
            return True
        if len(self._admitted) >= self._per_hour and not await self._is_named(state):
            return False
        self._admitted[state.number] = now, digest
        return True

    async def _is_named(self, state: RoundState) -> bool:
        """Whether the sender names this round as that of its newest document.

        A sender that knows no chain names no round: then the first round of the document counts.
        """
        try:
            async with asyncio.timeout(_LATEST_S):
                latest = await self._sender.latest()
        except (TransportError, ConflictError, TimeoutError):
            return False
        digest = state.opened.envelope_digest
        if latest is None or latest.digest != digest:
            return False
        if latest.round is None:
            return all(known != digest for _, known in self._admitted.values())
        return latest.round == state.number
