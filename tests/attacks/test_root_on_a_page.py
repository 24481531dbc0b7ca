"""A member that computes nothing reads the root from another worker and votes for it.

Before: every worker's public page and ``/v1/status`` showed root, partition count and site counts
as soon as they were computed, while the vote was open. A member that never asked sender or registry
read the root there, voted 1.5 seconds later and was counted with those who had done the work. The
same page showed a node's error text, and with it an access key.

Now: the public listener (`oepnode.worker.status.public_pages`) has health as one word, and sealed
bundles of final rounds. Everything else is on the operator's listener
(`oepnode.worker.status.pages`), for its machine alone by default, and `LiveView` shows nothing
there that follows from a result before the round is over. Errors appear as kind and code
(`oepnode.worker.shown_errors`).

The same page gave each aggregator the exact number of sites of all others together, by
subtraction of its own. Numbers of sites are on the operator's listener alone.

Remains: a worker can tell a friend the root; ``audit round --grants`` and the custody root are for
that. The time at which a ballot is cast, which the chain shows, says how long computing took.
"""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from msgspec.structs import replace

from oepnode.adapters.chain.contract import connect_reader
from oepnode.config import WorkerSettings, load
from oepnode.demo.revision import revise
from oepnode.demo.stage import Plan, Stage
from oepnode.domain.rounds.bundle import bundle_name
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import TransportError
from oepnode.worker.state import RoundState
from oepnode.worker.status.live_view import LiveView
from oepnode.worker.status.view import RoundLine
from tests.attacks.support.live_world import LiveWorker, live_workers, live_world

HEX = re.compile(r"[0-9a-f]{16,}")
DECIMAL = re.compile(r"\d+\.\d+(e[+-]\d+)?")
GIVE_UP_S = 90.0


@dataclass
class Watched:
    """What was read from all workers while the vote was open.

    Attributes:
        texts: Responses by URL path, header included.
        looks: Number of times that every endpoint was read after all had voted.
        on_chain: All that chain and settings showed then.
    """

    texts: dict[str, set[str]] = field(default_factory=dict)
    looks: int = 0
    on_chain: str = ""

    def strange_hex(self) -> set[str]:
        """Hex strings that neither the chain nor the public settings hold."""
        found = {
            run
            for texts in self.texts.values()
            for text in texts
            for run in HEX.findall(DECIMAL.sub(" ", text.lower()))
        }
        return {run for run in found if run not in self.on_chain}


@dataclass
class Secrets:
    """What must not be read: the result of each worker, and the counts behind it."""

    roots: set[str] = field(default_factory=set)
    sites: int = 0


def paths_of(app: web.Application, number: int, names: list[str]) -> set[str]:
    """Every path that an application serves, for a round and names of bundles."""
    paths = set()
    for resource in app.router.resources():
        path = resource.canonical.replace("{round}", str(number))
        paths |= {path.replace("{name}", name) for name in names}
    return paths


def names_of_bundles(stage: Stage, number: int) -> list[str]:
    """The names of all bundles of a round, which anyone with a public key knows, and one more."""
    settings = load(WorkerSettings, stage.worker_folder(stage.players[0]) / "settings.toml")
    contract = bytes.fromhex(settings.chain.contract[2:])
    context = RoundContext(settings.chain.chain_id, contract, number)
    snapshot = json.loads((stage.inputs / "registry.json").read_bytes())
    keys = [bytes.fromhex(entry["publicKey"]) for entry in snapshot["aggregators"]]
    return [*(bundle_name(context, key) for key in keys), "ab" * 32]


async def read(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as response:
        headers = {k: v for k, v in response.headers.items() if k != "Date"}
        return f"{response.status} {headers} {await response.text()}"


async def watch(stage: Stage, workers: list[LiveWorker], revision: int) -> tuple[Watched, Secrets]:
    """Publish, and read every endpoint of every worker until the vote ends."""
    document = revise(stage.inputs / "envelope.json", revision)
    number = await asyncio.to_thread(stage.publish, document)
    chain = await connect_reader(load(WorkerSettings, workers[0].config).chain)
    watched, secrets = Watched(), Secrets()
    names = names_of_bundles(stage, number)
    deadline = time.monotonic() + GIVE_UP_S
    try:
        async with aiohttp.ClientSession() as http:
            while time.monotonic() < deadline:
                texts = await read_all(http, workers, number, names)
                state = await chain.round(number)
                assert state is not None
                if state.phase is not Phase.VOTING:
                    break
                for path, text in texts:
                    watched.texts.setdefault(path, set()).add(text)
                watched.looks += state.voted.bit_count() == len(workers)
                watched.on_chain = everything_public(stage, workers)
        for worker in workers:
            own = worker.parts.worker.state_of(number)
            assert own is not None and own.result is not None and own.summary is not None
            secrets.roots.add(own.result.root.hex())
            secrets.sites = own.summary.sites
    finally:
        await chain.close()
    return watched, secrets


async def read_all(
    http: aiohttp.ClientSession, workers: list[LiveWorker], number: int, names: list[str]
) -> list[tuple[str, str]]:
    texts = []
    for worker in workers:
        parts = worker.parts
        for url, app in (
            (worker.public_url, parts.public_app),
            (worker.operator_url, parts.operator_app),
        ):
            for path in paths_of(app, number, names):
                texts.append((path, await read(http, url + path)))
    return texts


def everything_public(stage: Stage, workers: list[LiveWorker]) -> str:
    """Every block, transaction, receipt and log so far, and the settings."""
    rpc = stage.devnet.rpc
    last = int(rpc("eth_blockNumber"), 16)
    blocks: list[Any] = [rpc("eth_getBlockByNumber", hex(n), True) for n in range(last + 1)]
    logs = rpc("eth_getLogs", {"fromBlock": "0x0", "toBlock": hex(last)})
    settings = [worker.config.read_text() for worker in workers]
    return (json.dumps([blocks, logs]) + "".join(settings)).lower()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    # Four members, three workers: the fourth is the attacker, so that the vote stays open.
    folder = tmp_path_factory.mktemp("world")
    with live_world(Plan(folder, workers=4, nmis=40, vote_window_s=8)) as stage:
        yield stage


async def test_no_page_says_anything_of_the_root_during_the_vote(stage: Stage) -> None:
    async with live_workers(stage, stage.players[:3]) as workers:
        watched, secrets = await watch(stage, workers, 0)
    assert watched.looks >= 1  # all three had computed and voted, and were read after that
    assert len(watched.texts) >= 6
    assert watched.strange_hex() == set()
    (root,) = secrets.roots
    everything = "".join(text for texts in watched.texts.values() for text in texts).lower()
    assert root not in everything and root[:16] not in everything
    lines = [
        line
        for text in watched.texts["/v1/status"]
        for line in json.loads(text[text.index('{"version') :])["rounds"]
    ]
    assert {(line["sites"], line["partitions"], line["seconds"]) for line in lines} == {(None,) * 3}
    assert all("compute_seconds_sum 0.0" in text for text in watched.texts["/metrics"])
    bundles = [texts for path, texts in watched.texts.items() if "/bundles/" in path]
    assert len(bundles) >= 3
    assert len(set.union(*bundles)) == 1  # a missing bundle has one answer, whatever the reason


async def test_without_the_wait_until_the_round_is_over_the_root_is_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tells_nothing = LiveView._line

    def tells(view: LiveView, state: RoundState) -> RoundLine:
        root = "" if state.result is None else state.result.root.hex()
        return replace(tells_nothing(view, state), root=root)

    monkeypatch.setattr(LiveView, "_line", tells)
    async with live_workers(stage, stage.players[:3]) as workers:
        watched, secrets = await watch(stage, workers, 1)
    assert watched.strange_hex() & secrets.roots


async def test_a_nodes_words_reach_no_page(stage: Stage) -> None:
    async with live_workers(stage, stage.players[:1]) as workers:
        worker = workers[0].parts.worker

        async def settled() -> object:
            raise TransportError("https://node.example/v3/0123456789abcdef0123: denied")

        worker._ports.chain.settled = settled  # type: ignore[method-assign, assignment]
        async with asyncio.timeout(GIVE_UP_S):
            while not worker.health.chain_error:
                await asyncio.sleep(0.05)
        async with aiohttp.ClientSession() as http:
            texts = [text for _, text in await read_all(http, workers, 1, ["ab" * 32])]
    assert not any("node.example" in text or "0123456789abcdef" in text for text in texts)
    assert any("no usable response" in text for text in texts)
    assert any(text.startswith("503") and text.endswith(" failing\n") for text in texts)


async def test_no_public_page_gives_a_competitors_size(stage: Stage) -> None:
    """After the round too: its sites are known to the operator, and not to who can subtract."""
    async with live_workers(stage, stage.players[:3]) as workers:
        document = revise(stage.inputs / "envelope.json", 2)
        number = await asyncio.to_thread(stage.publish, document)
        worker = workers[0].parts.worker
        async with asyncio.timeout(GIVE_UP_S):
            while (state := worker.state_of(number)) is None or state.final is None:
                await asyncio.sleep(0.05)
        assert state.summary is not None
        async with aiohttp.ClientSession() as http:
            (own,) = [
                line["sites"]
                for line in (await json_of(http, f"{workers[0].operator_url}/v1/status"))["rounds"]
                if line["round"] == number
            ]
            assert own == state.summary.sites
            paths = paths_of(workers[0].parts.operator_app, number, ["ab" * 32])
            for path in paths - {"/healthz"}:
                async with http.get(workers[0].public_url + path) as response:
                    assert response.status == 404
            async with http.get(f"{workers[0].public_url}/healthz") as response:
                assert await response.text() == "ok\n"
    public = {resource.canonical for resource in workers[0].parts.public_app.router.resources()}
    assert public == {"/healthz", "/v1/rounds/{round}/bundles/{name}"}


async def json_of(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(url) as response:
        return await response.json()
