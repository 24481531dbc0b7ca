"""A service's health: its own look at the chain, and what delays its work."""

import asyncio

import pytest
from structlog.testing import capture_logs

from oepnode.domain.rounds.onchain import Head
from oepnode.errors import ConflictError, TransportError
from oepnode.services.common.chain_health import ChainHealth
from oepnode.services.common.http import CHAIN_UNAVAILABLE, INTERNAL_ERROR
from tests.support.fake_chain import FakeChain, InMemoryChain

NODE_SAYS = "node rpc.example:443#2: https://rpc.example/v3/0123456789abcdef"


class Chain(FakeChain):
    """A chain whose head raises what a test sets."""

    error: Exception | None = None
    looks = 0

    async def head(self) -> Head:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return await super().head()


@pytest.fixture
def chain(blockchain: InMemoryChain) -> Chain:
    return Chain(blockchain)


async def test_it_is_unknown_until_the_chain_was_read(chain: Chain) -> None:
    health = ChainHealth(chain)
    assert health.problem() == "the chain has not been read yet"
    await health.look()
    assert health.problem() == ""


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (TransportError(NODE_SAYS), CHAIN_UNAVAILABLE),
        (TransportError(NODE_SAYS, code="fee.unpaid"), f"{CHAIN_UNAVAILABLE} (fee.unpaid)"),
        (ZeroDivisionError(NODE_SAYS), INTERNAL_ERROR),
        (ConflictError(NODE_SAYS), INTERNAL_ERROR),
    ],
)
async def test_a_problem_is_shown_without_a_nodes_words(
    chain: Chain, error: Exception, shown: str
) -> None:
    health = ChainHealth(chain)
    chain.error = error
    await health.look()
    assert health.problem() == shown
    chain.error = None
    await health.look()
    assert health.problem() == ""


async def test_the_log_has_the_reason_once_for_each_time_that_it_begins(chain: Chain) -> None:
    health = ChainHealth(chain)
    with capture_logs() as log:
        for error in (TransportError("a"), TransportError("b"), None, TransportError("c")):
            chain.error = error
            await health.look()
    assert [entry["reason"] for entry in log] == ["a", "c"]


async def test_what_delays_the_service_is_a_problem_too(chain: Chain) -> None:
    health = ChainHealth(chain)
    troubles = ["", ""]
    health.also(lambda: troubles[0])
    health.also(lambda: troubles[1])
    await health.look()
    assert health.problem() == ""
    troubles[1] = "the account is empty"
    assert health.problem() == "the account is empty"


async def test_it_looks_again_and_again_whatever_happens(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oepnode.services.common.chain_health.LOOK_INTERVAL_S", 0.001)
    health = ChainHealth(chain)
    chain.error = ZeroDivisionError()
    looking = asyncio.create_task(health.watch())
    async with asyncio.timeout(10):
        while chain.looks < 3:
            await asyncio.sleep(0.001)
        chain.error = None
        while health.problem():
            await asyncio.sleep(0.001)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
