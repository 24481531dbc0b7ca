"""Members by their signers, kept in memory, so that strangers cost no cryptography.

Guarantees: unknown signers lead to one read of the chain every `REFRESH_S` at most, whoever asks
and however often (one at a time while the chain does not respond). A member that was added or
rotated its signer is found that much later. A member that was removed may still be found: whoever
needs to know reads the chain.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from oepnode.domain.rounds.onchain import Member

REFRESH_S: Final = 2.0


class KnownSigners:
    """Members by signer.

    Args:
        load: Reads the members from the chain.
        now: Returns monotonic seconds.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[Iterable[Member]]],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._now = now
        self._members: dict[bytes, Member] = {}
        self._next_load = 0.0
        self._loading: asyncio.Task[None] | None = None

    async def find(self, signer: bytes) -> Member | None:
        """The member with a signer, or None.

        Raises:
            TransportError: If the signer is unknown and the chain does not respond.
        """
        if signer not in self._members and self._now() >= self._next_load:
            # One read for everybody who waits; shielded, since one of them may be cancelled.
            if self._loading is None:
                self._loading = asyncio.create_task(self._reload())
            await asyncio.shield(self._loading)
        return self._members.get(signer)

    async def _reload(self) -> None:
        try:
            members = await self._load()
            self._members = {member.signer: member for member in members}
            self._next_load = self._now() + REFRESH_S
        finally:
            self._loading = None
