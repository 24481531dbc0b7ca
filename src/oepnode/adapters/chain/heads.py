"""Finds the block that a decision is read at: one that enough nodes have, and that can be true.

Guarantees: a block is returned only if enough nodes give the same hash and time for it; its time is
neither long past nor in the future; and the newest block advances no faster than a chain can. A
node that claims other blocks is outvoted and named. Source: docs/design.md.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from oepnode.adapters.chain.agreement import Agreement, Answer
from oepnode.adapters.chain.node import Node
from oepnode.adapters.chain.profiles import profile_of
from oepnode.config import ChainSettings
from oepnode.domain.rounds.onchain import Head
from oepnode.errors import TransportError
from oepnode.ports import Clock

_GRACE_S: Final = 0.5
_PATIENCE_S: Final = 5.0
"""The same where those that answered are far from each other, so that one of them lies or lags."""
_BLOCKS_A_SECOND: Final = 10
_BURST: Final = 1_000
"""Blocks by which a chain may be ahead of `_BLOCKS_A_SECOND`."""
_NEAR: Final = 4
"""Blocks by which the newest of two honest nodes may differ."""
_FAR: Final = 64
"""Blocks by which a node's newest may differ from the others' without being named."""


class Heads:
    """The newest block, and the newest settled one.

    Args:
        agreement: The nodes.
        settings: Finality, age and lead.
        clock: Clock that a block's time is compared with.
    """

    def __init__(self, agreement: Agreement, settings: ChainSettings, clock: Clock) -> None:
        profile = profile_of(settings.chain_id)
        self._agreement = agreement
        self._clock = clock
        self._max_age_s = settings.max_head_age_s or profile.max_head_age_s
        self._max_lead_s = (
            profile.max_head_lead_s
            if settings.max_head_lead_s is None
            else settings.max_head_lead_s
        )
        self._is_tagged = settings.finality == "finalized" and profile.has_finality
        self._depth = settings.confirmations
        if settings.finality == "finalized":
            self._depth = self._depth or profile.confirmations
        self._last: Head | None = None

    async def newest(self) -> Head:
        """The newest block that enough nodes have.

        Raises:
            TransportError: If there is none that can be true.
        """
        claims = await self._claims()
        plausible = [claim for claim in claims if not self._wrong(claim)]
        if len(plausible) < self._agreement.agree:
            raise TransportError(f"newest block: {self._said(claims)}")
        head = await self._highest(plausible)
        if (wrong := self._problem(head)) != "":
            raise TransportError(f"newest block: {wrong}")
        self._name(head, claims)
        self._last = head
        return head

    async def settled(self) -> Head:
        """The newest block that the settings call final."""
        newest = await self.newest()
        number = await self._finalized(newest) if self._is_tagged else None
        if number is None:
            number = max(0, newest.number - self._depth)
        return newest if number == newest.number else await self._agreed(number, [])

    async def age_s(self) -> float:
        """Age of the newest block by the clock, in seconds; 0 where the chain's time is ahead."""
        last = self._last or await self.newest()
        return max(0.0, self._clock.now() - last.time)

    async def _finalized(self, newest: Head) -> int | None:
        """The newest number that enough nodes call final, None where they have no such tag."""
        claims = await self._agreement.ask_each(lambda node: node.finalized(), _GRACE_S)
        usable = [claim.value for claim in claims if not claim.failure]
        numbers = sorted((block.number for block in usable if block is not None), reverse=True)
        if len(usable) - len(numbers) >= self._agreement.agree:
            return None
        if len(numbers) < self._agreement.agree:  # one that denies the tag proves nothing
            raise TransportError(f"finalized block: {self._said_final(claims)}")
        return min(newest.number, int(numbers[self._agreement.agree - 1]))

    async def _claims(self) -> list[Answer]:
        """The nodes' newest blocks; a slow node is waited for where the quick ones differ."""

        def newest(node: Node) -> Awaitable[Head]:
            return node.block("latest")

        claims = await self._agreement.ask_each(newest, _GRACE_S)
        numbers = sorted((_head(c).number for c in claims if not self._wrong(c)), reverse=True)
        agree = self._agreement.agree
        is_near = len(numbers) >= agree and numbers[0] - numbers[agree - 1] <= _NEAR
        if is_near or len(claims) == len(self._agreement.nodes):
            return claims
        return await self._agreement.ask_each(newest, _PATIENCE_S)

    async def _highest(self, plausible: list[Answer]) -> Head:
        """The highest claimed block that enough nodes have; one of them may be a block behind."""
        numbers = sorted((_head(claim).number for claim in plausible), reverse=True)
        highest, *lower = numbers[self._agreement.agree - 1 :]
        try:
            return await self._agreed(highest, plausible)
        except TransportError:
            for number in lower:
                if highest - _NEAR <= number < highest:
                    return await self._agreed(number, plausible)
            raise

    async def _agreed(self, number: int, claims: list[Answer]) -> Head:
        known = {c.node.name: _head(c) for c in claims if _head(c).number == number}

        async def head(node: Node) -> Head:
            return known.get(node.name) or await node.block(number)

        return await self._agreement.ask("head", head)

    # --- what can be true ------------------------------------------------------------------------

    def _wrong(self, claim: Answer) -> str:
        return claim.failure or self._problem(_head(claim))

    def _problem(self, head: Head) -> str:
        """Why a block cannot be the newest, or an empty text."""
        now, last = self._clock.now(), self._last
        if head.time > now + self._max_lead_s:
            return f"its time is {head.time - now:.0f} s ahead of this machine's clock; check both"
        if head.time < now - self._max_age_s:
            return (
                f"it is {now - head.time:.0f} s old, maximum {self._max_age_s:g} s: the nodes lag, "
                "or the chain has stopped"
            )
        if last is None:
            return ""
        passed = max(0, head.time - last.time)
        if head.number - last.number > _BURST + _BLOCKS_A_SECOND * passed:
            return f"it is {head.number - last.number} blocks after the last one, {passed} s later"
        return ""

    def _name(self, head: Head, claims: list[Answer]) -> None:
        """Name the nodes whose newest block cannot be, or is far from the others'."""
        for claim in claims:
            name = claim.node.name
            if claim.failure:
                self._agreement.disagreements.fails(name, "head", claim.failure)
            elif self._problem(_head(claim)) or abs(_head(claim).number - head.number) > _FAR:
                self._agreement.disagreements.differs(name, "head")

    @staticmethod
    def _said_final(claims: list[Answer]) -> str:
        return "; ".join(
            f"{c.node.name}: {c.failure or ('no such tag' if c.value is None else 'usable')}"
            for c in claims
        )

    def _said(self, claims: list[Answer]) -> str:
        return "; ".join(f"{c.node.name}: {self._wrong(c) or 'usable'}" for c in claims)


def _head(claim: Answer) -> Head:
    head: Head = claim.value
    return head
