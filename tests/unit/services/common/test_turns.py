"""The queue of requests: bounded in total and for each signer, without clients that have gone."""

import asyncio
from contextlib import suppress

import pytest

from oepnode.services.common.http import Rejection
from oepnode.services.common.turns import Turns


class Work:
    """Requests that hold their turn until they are let go."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.go = asyncio.Event()
        self.running = 0
        self.most_running = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def _request(self, key: str) -> None:
        async with self.turns.turn(key):
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            await self.go.wait()
            self.running -= 1

    async def start(self, count: int, key: str = "") -> None:
        self.tasks += [
            asyncio.create_task(self._request(key or str(len(self.tasks) + number)))
            for number in range(count)
        ]
        for _ in range(3):
            await asyncio.sleep(0)

    async def rejections(self) -> list[str]:
        """Codes of the requests that were rejected, once all are over."""
        self.go.set()
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        return [result.code for result in results if isinstance(result, Rejection)]


async def test_a_few_are_processed_at_a_time_and_the_rest_wait() -> None:
    work = Work(Turns(at_a_time=2, most=10))
    await work.start(10)
    assert work.running == 2
    assert await work.rejections() == []
    assert work.most_running == 2


async def test_beyond_the_limit_a_client_retries_later() -> None:
    work = Work(Turns(at_a_time=2, most=5))
    await work.start(5)
    with pytest.raises(Rejection) as rejected:
        async with work.turns.turn("late"):
            raise AssertionError("no turn is free")
    assert (rejected.value.status, rejected.value.code) == (503, "service.busy")
    assert rejected.value.headers == {"Retry-After": "1"}
    assert await work.rejections() == []
    async with work.turns.turn("late"):
        pass


async def test_one_signer_keeps_no_other_waiting() -> None:
    work = Work(Turns(at_a_time=2, most=20, most_of_one=3))
    await work.start(10, "flood")
    await work.start(2)
    assert await work.rejections() == ["service.busy"] * 7


async def test_a_client_that_has_gone_gets_no_turn() -> None:
    turns = Turns()
    with pytest.raises(Rejection) as rejected:
        async with turns.turn("gone", lambda: True):
            raise AssertionError("nobody reads the answer")
    assert (rejected.value.status, rejected.value.code) == (499, "client.gone")


async def test_a_cancelled_request_leaves_the_queue() -> None:
    turns = Turns(at_a_time=1, most=2, most_of_one=2)
    work = Work(turns)
    await work.start(2, "one")
    work.tasks[1].cancel()
    with suppress(asyncio.CancelledError):
        await work.tasks[1]
    await work.start(1, "one")
    work.tasks.pop(1)
    assert await work.rejections() == []
