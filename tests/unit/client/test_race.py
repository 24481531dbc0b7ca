"""Which peers are asked when, with peers that are functions."""

from __future__ import annotations

import asyncio
import time

import pytest

from oepnode.client import race
from oepnode.client.race import Outcome, Received
from oepnode.errors import ConfigError, TransportError


class Peers:
    """Peers by name: seconds until each answers, and its answer or error."""

    def __init__(self, **behaviour: tuple[float, str | Exception, int]) -> None:
        self.behaviour = behaviour
        self.asked: list[str] = []
        self.cancelled: list[str] = []

    async def ask(self, peer: str, received: Received) -> str:
        self.asked.append(peer)
        pause, answer, size = self.behaviour[peer]
        received(size)
        try:
            await asyncio.sleep(pause)
        except asyncio.CancelledError:
            self.cancelled.append(peer)
            raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run(self, hedge_s: float = 10, timeout_s: float = 10) -> Outcome[str, str]:
        return await race.run(list(self.behaviour), self.ask, hedge_s=hedge_s, timeout_s=timeout_s)


def reasons(outcome: Outcome[str, str]) -> dict[str, str]:
    return {peer: str(error) for peer, error in outcome.failed}


async def test_the_first_good_answer_ends_it() -> None:
    peers = Peers(a=(0, "good", 0), b=(0, "good", 0))
    outcome = await peers.run()
    assert (outcome.value, outcome.winner, outcome.failed, peers.asked) == ("good", "a", [], ["a"])


@pytest.mark.parametrize(
    "error", [TransportError("silent"), ValueError("odd"), MemoryError(), RecursionError()]
)
async def test_after_any_error_the_next_is_asked_at_once(error: Exception) -> None:
    peers = Peers(a=(0, error, 0), b=(0, "good", 0))
    outcome = await peers.run(hedge_s=100)
    assert outcome.winner == "b"
    (failed,) = outcome.failed
    assert failed[0] == "a"
    assert isinstance(failed[1], TransportError)


async def test_a_slow_one_is_overtaken() -> None:
    peers = Peers(a=(60, "late", 7), b=(0, "good", 0))
    started = time.monotonic()
    outcome = await peers.run(hedge_s=0.05)
    assert time.monotonic() - started < 2
    assert (outcome.winner, peers.cancelled) == ("b", ["a"])
    assert reasons(outcome) == {"a": "slower than another (7 bytes received)"}


async def test_a_slow_one_may_still_win() -> None:
    peers = Peers(a=(0.2, "good", 0), b=(60, "later", 0))
    assert (await peers.run(hedge_s=0.05)).winner == "a"


async def test_of_too_many_the_one_that_sent_least_gives_way() -> None:
    peers = Peers(a=(60, "", 5), b=(60, "", 1), c=(60, "", 9), d=(0, "good", 0))
    outcome = await peers.run(hedge_s=0.05)
    assert outcome.winner == "d"
    assert "gave way to another worker: it sent the least" in reasons(outcome)["b"]
    assert sorted(peers.cancelled) == ["a", "b", "c"]


async def test_the_deadline_covers_all() -> None:
    peers = Peers(**dict.fromkeys("abcd", (60.0, "late", 0)))
    started = time.monotonic()
    outcome = await peers.run(hedge_s=0.15, timeout_s=0.2)
    assert time.monotonic() - started < 2
    assert (outcome.winner, len(outcome.failed), peers.asked) == (None, 4, ["a", "b"])
    assert reasons(outcome)["d"] == "was not asked: the time was up"
    assert "before the deadline" in reasons(outcome)["a"]


async def test_nobody_to_ask() -> None:
    assert (await Peers().run()).winner is None


async def test_all_wrong() -> None:
    peers = Peers(a=(0, TransportError("1"), 0), b=(0, ConfigError("2"), 0))
    outcome = await peers.run()
    assert reasons(outcome) == {"a": "1", "b": "2"}
    assert outcome.value is None


async def test_cancelling_stops_all() -> None:
    peers = Peers(a=(60, "", 0), b=(60, "", 0))
    task = asyncio.create_task(peers.run(hedge_s=0.02))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(peers.cancelled) == ["a", "b"]
