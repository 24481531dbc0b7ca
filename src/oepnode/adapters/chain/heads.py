"""Finds the block that a decision is read at: one that enough nodes have, and that can be true.

Guarantees: a block is returned only if enough nodes give the same hash and time for it; its time is
neither long past nor in the future; and the newest block advances no faster than a chain can. A
node that claims other blocks is outvoted and named. Source: docs/design.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from oepnode.adapters.chain.agreement import Agreement, Answer
from oepnode.adapters.chain.head_ages import HeadAges
from oepnode.adapters.chain.node import Node
from oepnode.adapters.chain.profiles import profile_of
from oepnode.config import ChainSettings
from oepnode.domain.rounds.onchain import Head
from oepnode.errors import TransportError
from oepnode.ports import Clock

_GRACE_S: Final = 0.5
_BLOCKS_A_SECOND: Final = 10
_BURST: Final = 1_000
"""Blocks by which a chain may be ahead of `_BLOCKS_A_SECOND`."""
_NEAR: Final = 3
"""Blocks by which the nodes may differ without the others being waited for."""
_FAR: Final = 64
"""Blocks by which a node's newest may differ from the others' without being named."""


class Heads:
    """The newest block, and the newest settled one.

    Args:
        agreement: The nodes.
        settings: Finality, age and lead.
        clock: Clock that a block's time is compared with.
        ages: Ages of the blocks that the nodes name; without it they are not kept.
    """

    def __init__(
        self,
        agreement: Agreement,
        settings: ChainSettings,
        clock: Clock,
        ages: HeadAges | None = None,
    ) -> None:
        profile = profile_of(settings.chain_id)
        self._agreement = agreement
        self._clock = clock
        self._ages = ages or HeadAges()
        self._max_age_s = settings.max_head_age_s or profile.max_head_age_s
        self._max_lead_s = (
            profile.max_head_lead_s
            if settings.max_head_lead_s is None
            else settings.max_head_lead_s
        )
        self._is_tagged = settings.finality == "finalized" and profile.has_finality
        self._depth = (
            profile.confirmations if settings.confirmations is None else settings.confirmations
        )
        self._last: Head | None = None
        self._final = 0

    async def newest(self) -> Head:
        """The newest block that enough nodes have.

        Raises:
            TransportError: If no plausible block has enough nodes.
        """
        claims = await self._agreement.ask_each(
            lambda node: node.block("latest"), _GRACE_S, self._is_clear
        )
        now = self._clock.now()
        usable = [claim for claim in claims if not claim.failure]
        self._ages.replace({one.node.name: now - _head(one).time for one in usable})
        plausible = [claim for claim in usable if not self._problem(_head(claim))]
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
        else:
            # What was final once stays final; a node that says otherwise lags or lies.
            number = self._final = max(number, min(self._final, newest.number))
        return newest if number == newest.number else await self._agreed(number, [])

    async def age_s(self) -> float:
        """Age of the newest block by the clock, in seconds; 0 where the chain's time is ahead."""
        return max(0.0, self._clock.now() - await self.newest_time())

    async def newest_time(self) -> int:
        """Time of the newest block when it was read last, UTC seconds."""
        return (self._last or await self.newest()).time

    async def _finalized(self, newest: Head) -> int | None:
        """The newest number that enough nodes call final, None where they have no such tag."""
        agree = self._agreement.agree
        claims = await self._agreement.ask_each(
            lambda node: node.finalized(), _GRACE_S, lambda usable: _are_near(usable, agree)
        )
        usable = [claim.value for claim in claims if not claim.failure]
        numbers = sorted((block.number for block in usable if block is not None), reverse=True)
        if len(usable) - len(numbers) >= agree:
            return None
        if len(numbers) < agree:
            said = "; ".join(f"{c.node.name}: {c.failure or _tag(c)}" for c in claims)
            raise TransportError(f"finalized block: {said}")
        return min(newest.number, int(numbers[agree - 1]))

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

    def _is_clear(self, claims: Sequence[Answer]) -> bool:
        """Whether enough nodes name neighbouring blocks that can be true."""
        plausible = [claim for claim in claims if not self._problem(_head(claim))]
        return _are_near(plausible, self._agreement.agree)

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

    def _said(self, claims: list[Answer]) -> str:
        return "; ".join(f"{c.node.name}: {self._wrong(c) or 'usable'}" for c in claims)


def _are_near(claims: Sequence[Answer], agree: int) -> bool:
    """Whether the ``agree`` newest blocks are neighbours, or as many nodes name none.

    By their numbers: a block's time is the node's word until its hash is agreed on.
    """
    blocks = [claim.value.number for claim in claims if claim.value is not None]
    if len(claims) - len(blocks) >= agree:
        return True
    blocks.sort(reverse=True)
    return len(blocks) >= agree and blocks[0] - blocks[agree - 1] <= _NEAR


def _tag(claim: Answer) -> str:
    return "has no such tag" if claim.value is None else f"block {claim.value.number}"


def _head(claim: Answer) -> Head:
    head: Head = claim.value
    return head
