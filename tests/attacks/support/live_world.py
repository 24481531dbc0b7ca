"""A demo's chain and services as processes, with workers of this process on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from oepnode.adapters.http.server.serving import listening
from oepnode.config import WorkerSettings, load
from oepnode.demo.stage import Plan, Player, Stage
from oepnode.wiring import WorkerParts, worker_parts


@dataclass
class LiveWorker:
    """A running worker, its settings file, and where it listens."""

    player: Player
    config: Path
    parts: WorkerParts
    public_url: str
    operator_url: str


@contextmanager
def live_world(plan: Plan) -> Iterator[Stage]:
    """A chain with its contract and members, a sample, the sender's gateway and the registry."""
    with Stage(plan) as stage:
        for step in (
            stage.start_chain,
            stage.deploy_contract,
            stage.make_sample,
            stage.start_services,
        ):
            step()
        yield stage


@asynccontextmanager
async def live_workers(stage: Stage, players: list[Player]) -> AsyncIterator[list[LiveWorker]]:
    """Some of a world's workers at work."""
    async with AsyncExitStack() as stack:
        workers = []
        for player in players:
            config = stage.configure_worker(player)
            settings = load(WorkerSettings, config)
            parts = await stack.enter_async_context(worker_parts(settings))
            public = await stack.enter_async_context(listening(parts.public_app, settings.http))
            operator = await stack.enter_async_context(
                listening(parts.operator_app, settings.status)
            )
            workers.append(LiveWorker(player, config, parts, public, operator))
        tasks = [asyncio.create_task(worker.parts.worker.run()) for worker in workers]
        try:
            yield workers
            assert [task.exception() for task in tasks if task.done()] == []
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
