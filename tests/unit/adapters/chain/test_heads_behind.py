"""The newest block of several nodes, of which one lies and another is slow or a block behind."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest

from oepnode.adapters.chain import heads
from oepnode.adapters.chain.agreement import Agreement
from oepnode.adapters.chain.disagreements import Disagreements
from oepnode.adapters.chain.heads import Heads
from oepnode.adapters.chain.node import Node
from oepnode.adapters.chain.rpc import RpcClient
from oepnode.config import ChainSettings
from oepnode.domain.rounds.onchain import Head
from oepnode.errors import TransportError
from tests.support.fake_chain import FakeClock

BLOCK_S = 5
NOW = 1_800_000_000


def block_at(number: int, branch: bytes = b"\x00") -> Head:
    """A block of the chain, whose block 1000 is of now."""
    return Head(number, (branch + number.to_bytes(31)), NOW - (1000 - number) * BLOCK_S)


class Speaker(Node):
    """A node with a chain up to a block.

    Args:
        newest: Its newest block.
        delay_s: Time that it takes for an answer.
        finalized: The block that it calls final, None for one that has no such tag, or an error.
        branch: Makes its blocks others than those of the chain.
    """

    def __init__(
        self,
        newest: int = 1000,
        delay_s: float = 0.0,
        finalized: int | Exception | None = None,
        branch: bytes = b"\x00",
    ) -> None:
        super().__init__(RpcClient(f"http://node-{id(self)}:8545", 1, 1, 1_000))
        self._newest, self._delay_s, self._finalized = newest, delay_s, finalized
        self._branch = branch

    async def block(self, which: int | str) -> Head:
        await asyncio.sleep(self._delay_s)
        number = self._newest if isinstance(which, str) else which
        if number > self._newest:
            raise TransportError("no such block")
        return block_at(number, self._branch)

    async def finalized(self) -> Head | None:
        if isinstance(self._finalized, Exception):
            raise self._finalized
        return None if self._finalized is None else block_at(self._finalized)


def heads_of(
    *nodes: Speaker,
    finality: Literal["depth", "finalized"] = "depth",
    chain_id: int = 1,
    confirmations: int | None = None,
) -> Heads:
    urls = tuple(f"http://127.0.0.1:{port}" for port in range(1, len(nodes) + 1))
    settings = ChainSettings(
        rpc_urls=urls,
        chain_id=chain_id,
        contract="0x" + "c0" * 20,
        finality=finality,
        confirmations=confirmations,
    )
    clock = FakeClock()
    clock.time = NOW
    agreement = Agreement(nodes, settings.quorum, 2, Disagreements(None))
    return Heads(agreement, settings, clock)


@pytest.fixture(autouse=True)
def shorter_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_GRACE_S", 0.02)


@pytest.mark.parametrize("claimed", [900, 990, 1400], ids=["far behind", "behind", "ahead"])
async def test_a_liar_beside_a_slow_node_changes_nothing(claimed: int) -> None:
    slow = Speaker(delay_s=0.2)
    head = await heads_of(Speaker(), Speaker(claimed), slow).newest()
    assert head == block_at(1000)


async def test_a_slow_node_is_not_waited_for_where_the_others_agree() -> None:
    started = asyncio.get_running_loop().time()
    assert await heads_of(Speaker(), Speaker(999), Speaker(delay_s=1.5)).newest() == block_at(999)
    assert asyncio.get_running_loop().time() - started < 1


async def test_the_block_that_the_honest_ones_share_is_found() -> None:
    """The liar is ahead on blocks of its own, and one of the others is a block behind."""
    liar = Speaker(1010, branch=b"\x66")
    assert await heads_of(Speaker(), liar, Speaker(999)).newest() == block_at(999)


async def test_two_that_differ_are_an_error() -> None:
    with pytest.raises(TransportError, match="2 nodes must agree"):
        await heads_of(Speaker(), Speaker(branch=b"\x66")).newest()


async def test_where_no_node_has_the_tag_a_depth_counts() -> None:
    nodes = Speaker(finalized=None), Speaker(finalized=None), Speaker(finalized=970)
    assert await heads_of(*nodes, finality="finalized").settled() == block_at(988)


@pytest.mark.parametrize(
    ("chain_id", "confirmations", "settled"),
    [(1, None, 988), (246, None, 988), (31337, None, 1000), (1, 0, 1000), (31337, 3, 997)],
)
async def test_without_a_setting_the_depth_is_that_of_the_chains_profile(
    chain_id: int, confirmations: int | None, settled: int
) -> None:
    heads = heads_of(Speaker(), chain_id=chain_id, confirmations=confirmations)
    assert await heads.settled() == block_at(settled)
