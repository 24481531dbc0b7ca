"""Failures in a round, with every part real: processes, chain, HTTP, databases."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from oepnode.adapters.chain import contract
from oepnode.demo.devnet import account, free_port
from oepnode.demo.play import play_round
from oepnode.demo.stage import Plan, Stage
from oepnode.domain.rounds.onchain import Abstained, BallotCast, Event, Phase, Round
from oepnode.wiring import chain_reader

GIVE_UP_S = 90.0
RETRIES_S = 3
VOTE_S, REVEAL_S = 120, 60
"""Bounds for a busy machine: where a test needs a window to end, it moves the chain's time."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    plan = Plan(
        tmp_path_factory.mktemp("stage"),
        workers=3,
        nmis=40,
        vote_window_s=VOTE_S,
        reveal_window_s=REVEAL_S,
    )
    with Stage(plan) as running:
        running.start_chain()
        running.deploy_contract()
        running.make_sample()
        running.start_services()
        running.start_workers()
        yield running


def ignore_progress(_: str, __: str) -> None:
    """Ignore the progress of a demo."""


async def watch(stage: Stage, number: int, phase: Phase) -> tuple[Round, list[Event]]:
    """Wait until a round has a phase; returns the round and its events."""
    async with (
        asyncio.timeout(GIVE_UP_S),
        chain_reader(stage.chain_settings) as chain,
    ):
        while True:
            state = await chain.round(number)
            if state is not None and state.phase == phase:
                return state, await chain.round_events(number)
            await asyncio.sleep(0.2)


async def until_events(stage: Stage, number: int, holds: Callable[[Sequence[Event]], bool]) -> None:
    """Wait until the events of a round satisfy a condition."""
    async with (
        asyncio.timeout(GIVE_UP_S),
        chain_reader(stage.chain_settings) as chain,
    ):
        while not holds(await chain.round_events(number)):
            await asyncio.sleep(0.05)


async def open_directly(stage: Stage, envelope: bytes) -> int:
    """Open a round past the gateway, as a sender that lies would."""
    settings = stage.chain_settings
    chain = await contract.connect(settings, account(1))
    try:
        horizon = json.loads((stage.inputs / "sample.json").read_text("utf-8"))
        opened = await chain.open_round(
            int(datetime.fromisoformat(horizon["horizon_start"]).timestamp()),
            horizon["intervals"],
            envelope,
            bytes.fromhex(stage.registry_digest),
        )
        return opened.round
    finally:
        await chain.close()


def first_key(stage: Stage) -> Path:
    return sorted((stage.inputs / "keys").glob("*.key.json"))[0]


def fetched(stage: Stage, number: int, name: str) -> Path:
    """Fetch the first aggregator's bundle of a round, waiting for its delivery."""
    out = stage.plan.folder / name
    words = ("--round", str(number), "--key", str(first_key(stage)), "--out", str(out))
    for _ in range(30):
        code, _, errors = stage.attempt(
            "aggregator", "fetch", "--allow-private", *words, *stage.chain_options, "--json"
        )
        if code == 0:
            return out
        asyncio.run(asyncio.sleep(0.5))
    raise AssertionError(errors)


def test_a_worker_killed_after_voting_delivers_when_it_is_back(stage: Stage) -> None:
    victim = stage.players[0]
    number = stage.publish(stage.inputs / "envelope.json")

    asyncio.run(
        until_events(
            stage,
            number,
            lambda events: any(
                isinstance(event, BallotCast) and event.operator == victim.operator
                for event in events
            ),
        )
    )
    stage.children[victim.name].kill()
    state, events = asyncio.run(watch(stage, number, Phase.FINAL))
    assert state.matched.bit_count() == 3
    stage.start_worker(victim).announcement()
    folder = stage.worker_folder(victim) / "data" / "bundles" / str(number)

    async def until_served() -> None:
        async with asyncio.timeout(GIVE_UP_S):
            while not folder.is_dir() or len(list(folder.iterdir())) < 3:
                await asyncio.sleep(0.1)

    asyncio.run(until_served())
    votes = [e for e in events if isinstance(e, BallotCast) and e.operator == victim.operator]
    assert len(votes) == 1


def has_three_abstentions(events: Sequence[Event]) -> bool:
    return sum(isinstance(event, Abstained) for event in events) == 3


def test_a_document_that_nobody_serves_fails_its_round_and_not_the_next(stage: Stage) -> None:
    number = asyncio.run(open_directly(stage, os.urandom(32)))
    # Workers retry until 30 s are left to abstain; then nothing happens until the round has ended.
    stage.devnet.rpc("evm_increaseTime", VOTE_S - 30 - RETRIES_S)
    asyncio.run(until_events(stage, number, has_three_abstentions))
    stage.devnet.rpc("evm_increaseTime", VOTE_S + REVEAL_S)
    _, events = asyncio.run(watch(stage, number, Phase.FAILED))
    abstentions = [event for event in events if isinstance(event, Abstained)]
    assert {event.reason for event in abstentions} == {1}
    assert len(abstentions) == 3
    code, _, errors = stage.attempt(
        "aggregator", "fetch", "--round", str(number), "--key", str(first_key(stage)),
        "--out", str(stage.plan.folder / "nothing"), *stage.chain_options,
    )  # fmt: skip
    assert code == 1
    assert "default limits" in errors
    report = play_round(stage, stage.inputs / "envelope.json", ignore_progress)
    assert report.status == "finalised"


def test_a_faulty_document_is_rejected_by_the_gateway_with_its_faults(stage: Stage) -> None:
    faulty = stage.plan.folder / "faulty.json"
    record = json.loads((stage.inputs / "envelope.json").read_bytes())[0]
    record["oeTiming"] = "DURING"
    interval = record["operatingEnvelopes"][0]["intervals"][7]
    interval["activePowerExportLimit"] = 1.23456
    faulty.write_text(json.dumps([record]), "utf-8")
    words = ("--url", stage.sender_url, "--token-file", str(stage.plan.folder / "sender" / "token"))
    signature = stage.sign("sender", faulty)
    code, _, errors = stage.attempt(
        "sender", "publish", str(faulty), "--signature", signature, *words
    )
    assert code == 1
    assert "$.records[0].oeTiming" in errors
    assert "intervals[7].activePowerExportLimit" in errors
    assert "Traceback" not in errors


def test_verify_names_the_check_that_failed(stage: Stage) -> None:
    report = play_round(stage, stage.inputs / "envelope.json", ignore_progress)
    bundle = fetched(stage, report.round, "good.bundle")
    own = ("--key", str(first_key(stage)), *stage.chain_options)
    assert stage.attempt("aggregator", "verify", str(bundle), *own, "--json")[0] == 0

    tampered = stage.plan.folder / "tampered.bundle"
    data = bytearray(bundle.read_bytes())
    data[-100] ^= 1
    tampered.write_bytes(data)
    code, _, errors = stage.attempt("aggregator", "verify", str(tampered), *own)
    assert code == 1
    assert "does not open" in errors

    stranger = stage.plan.folder / "stranger.key.json"
    stage.command(
        "aggregator", "keygen", "--aggregator", "sample-01", "--out", str(stranger), "--json"
    )
    code, _, errors = stage.attempt(
        "aggregator", "verify", str(bundle), "--key", str(stranger), *stage.chain_options
    )
    assert code == 1


def test_no_chain_and_the_wrong_chain_give_one_clear_line(stage: Stage) -> None:
    key = ("--key", str(first_key(stage)))
    nowhere = f"http://127.0.0.1:{free_port()}"
    code, _, errors = stage.attempt(
        "audit", "rounds", "--rpc", nowhere, "--contract", stage.contract
    )
    assert (code, len(errors.strip().splitlines())) == (3, 1)
    code, _, errors = stage.attempt(
        "aggregator", "fetch", *key, *stage.chain_options, "--chain-id", "1",
        "--out", str(stage.plan.folder / "x"),
    )  # fmt: skip
    assert (code, len(errors.strip().splitlines())) == (2, 1)
    assert "expected chain id 1, received 31337" in errors
