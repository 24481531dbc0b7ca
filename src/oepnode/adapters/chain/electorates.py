"""Electorates that were read before, valid only on the branch of the chain they were read on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from oepnode.adapters.chain.quorum import Quorum
from oepnode.domain.rounds.onchain import Electorate, Head

_KEPT: Final = 64


class ElectorateCache:
    """Electorates with the blocks at which they were read.

    The electorate of an epoch never changes on one branch of the chain; after a reorganisation
    another one may have its number. So an electorate counts only while the block at which it was
    read is still the chain's.
    """

    def __init__(self, quorum: Quorum) -> None:
        self._quorum = quorum
        self._known: dict[int, tuple[Head, Electorate]] = {}

    async def get(
        self, epoch: int, at: Head, read: Callable[[int, Head], Awaitable[Electorate]]
    ) -> Electorate:
        """The electorate of an epoch.

        Args:
            epoch: The epoch.
            at: The block that the answer must be of.
            read: Reads it from the chain.
        """
        known = self._known.get(epoch)
        if known is not None and await self._is_before(known[0], at):
            return known[1]
        electorate = await read(epoch, at)
        if len(self._known) >= _KEPT:
            self._known.pop(min(self._known))
        self._known[epoch] = (at, electorate)
        return electorate

    async def _is_before(self, earlier: Head, at: Head) -> bool:
        """Whether a block is on the branch of a later one."""
        if earlier.number >= at.number:
            return earlier == at
        return await self._quorum.block(earlier.number) == earlier
