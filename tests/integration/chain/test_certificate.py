"""Certificates of rounds on a real chain: cast directly, by a relay, and both; by several nodes."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from typer.testing import CliRunner
from typer.testing import Result as Done

from oepnode import wiring
from oepnode.adapters.chain import contract
from oepnode.adapters.crypto.ballot_signature import sign_ballot
from oepnode.adapters.crypto.sealing import seal_whole
from oepnode.cli.main import app
from oepnode.client import (
    CertificateFault,
    ChainTarget,
    KnownElectorate,
    WrittenCertificate,
    certify_round,
    verify_certificate,
)
from oepnode.demo.devnet import CHAIN_ID, Devnet, account
from oepnode.domain.rounds.ballot import Reason, Result, Vote, ballot_for
from oepnode.domain.rounds.bundle import sealing_info
from oepnode.domain.rounds.bundle_writing import build
from oepnode.domain.rounds.computation import compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import pack
from oepnode.errors import ConflictError, TransportError
from tests.attacks.support.chain_world import CUSTODY, RESULT, ChainWorld, chain_world
from tests.attacks.support.lying_node import Answer, honest, lying_node
from tests.support.plain_bundle import pack_file
from tests.support.round_world import INPUTS, PUBLIC, opened, write_key

DOCS = Path(__file__).resolve().parents[3] / "docs"
OPERATORS = [f"{account(10 + seat).address}={account(20 + seat).address}" for seat in range(3)]


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


async def cast(world: ChainWorld, number: int, seat: int) -> None:
    await world.workers[seat].cast_ballot(number, await world.vote(number, seat))


async def relay(world: ChainWorld, number: int, *seats: int) -> None:
    context = RoundContext(CHAIN_ID, world.admin.contract, number)
    signed = [
        sign_ballot(account(20 + seat), context, await world.vote(number, seat)) for seat in seats
    ]
    await world.admin.cast_ballots(number, pack(signed))


async def final_round(world: ChainWorld, direct: tuple[int, ...], relayed: tuple[int, ...]) -> int:
    """A final round in which these members vote for the result, and the others abstain."""
    number = await world.open_round()
    if relayed:
        await relay(world, number, *relayed)
    for seat in direct:
        await cast(world, number, seat)
    await end(world, number, *relayed, *direct)
    return number


async def end(world: ChainWorld, number: int, *voters: int) -> None:
    """Let the members that did not vote abstain, and reveal the result."""
    for seat in {0, 1, 2} - set(voters):
        await world.workers[seat].abstain(number, Reason.INPUTS_UNAVAILABLE)
    members = (await world.admin.current_electorate()).members
    ballots = [(members[seat], (await world.vote(number, seat)).ballot) for seat in voters]
    await world.admin.reveal_root(number, RESULT.root, RESULT.partitions, ballots)


def target(world: ChainWorld, *urls: str) -> ChainTarget:
    return ChainTarget(urls or world.devnet.url, world.settings.contract)


def known(world: ChainWorld) -> KnownElectorate:
    return KnownElectorate(CHAIN_ID, world.settings.contract, 2, OPERATORS)


async def certified(
    world: ChainWorld, number: int, out: Path, *urls: str
) -> tuple[WrittenCertificate, dict[str, Any]]:
    written = await asyncio.to_thread(certify_round, target(world, *urls), number, out)
    return written, json.loads(out.read_bytes())


@pytest.mark.parametrize(
    ("direct", "relayed"), [((0, 1, 2), ()), ((), (2, 0, 1)), ((1,), (0, 2)), ((0,), (2,))]
)
async def test_a_certificate_of_a_round_verifies_without_the_chain(
    world: ChainWorld, tmp_path: Path, direct: tuple[int, ...], relayed: tuple[int, ...]
) -> None:
    number = await final_round(world, direct, relayed)
    out = tmp_path / "c.json"
    written, value = await certified(world, number, out)
    assert written.operators == tuple(f"{i}:{pair.lower()}" for i, pair in enumerate(OPERATORS))
    kinds = {
        ballot["index"]: "transaction" if "transaction" in ballot else "signedBallot"
        for ballot in value["ballots"]
    }
    wanted = dict.fromkeys(direct, "transaction") | dict.fromkeys(relayed, "signedBallot")
    assert kinds == wanted
    report = verify_certificate(out, known(world), number)
    assert report.root == "0x" + RESULT.root.hex()
    assert report.partitions == RESULT.partitions
    assert len(report.matched) == len(wanted)
    assert report.direct == len(direct)
    assert out.stat().st_mode & 0o777 == 0o600


async def test_a_node_without_raw_transactions_is_enough(world: ChainWorld, tmp_path: Path) -> None:
    def lacks_the_method(request: Answer, answer: Answer) -> Answer:
        if request["method"] != "eth_getRawTransactionByHash":
            return answer
        return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32601, "message": "no"}}

    number = await final_round(world, (0, 1), (2,))
    async with lying_node(world.devnet.url, lacks_the_method) as node:
        _, rebuilt = await certified(world, number, tmp_path / "a.json", node.url)
        assert "eth_getTransactionByHash" in node.requests
    _, raw = await certified(world, number, tmp_path / "b.json")
    assert rebuilt == raw


@pytest.mark.parametrize("kind", [0, 1, 2])
async def test_transactions_of_every_type_are_rebuilt(
    world: ChainWorld, tmp_path: Path, kind: int
) -> None:
    number = await world.open_round()
    for seat in (0, 1):
        await send_as(world, kind, account(20 + seat), number, seat)
    await end(world, number, 0, 1)
    async with lying_node(world.devnet.url, without_raw) as node:
        written, value = await certified(world, number, tmp_path / "c.json", node.url)
    assert written.report.direct == 2
    first = bytes.fromhex(value["ballots"][0]["transaction"])
    assert first[0] == kind if kind else first[0] >= 0xC0
    verify_certificate(tmp_path / "c.json", known(world), number)


def without_raw(request: Answer, answer: Answer) -> Answer:
    is_asked = request["method"] == "eth_getRawTransactionByHash"
    return answer | {"result": None} if is_asked else answer


async def send_as(
    world: ChainWorld, kind: int, signer: LocalAccount, number: int, seat: int
) -> None:
    """Cast a ballot in a transaction of a given type."""
    vote = await world.vote(number, seat)
    called = world.workers[seat]._contract
    rpc = world.devnet.rpc
    price = 5 * 10**9
    fields: dict[str, Any] = {
        "chainId": CHAIN_ID,
        "nonce": int(rpc("eth_getTransactionCount", signer.address, "latest"), 16),
        "gas": 200_000,
        "to": called.address,
        "value": 0,
        "data": called.encode_abi("castBallot", args=[number, vote.ballot, vote.custody]),
    }
    listed = [{"address": called.address, "storageKeys": ["0x" + "00" * 32]}]
    if kind == 0:
        fields |= {"gasPrice": price}
    elif kind == 1:
        fields |= {"type": 1, "gasPrice": price, "accessList": listed}
    else:
        fields |= {
            "type": 2, "maxFeePerGas": price, "maxPriorityFeePerGas": 1, "accessList": listed
        }  # fmt: skip
    signed = signer.sign_transaction(fields)
    hashed = rpc("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())
    while rpc("eth_getTransactionReceipt", hashed) is None:
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("method", ["eth_getRawTransactionByHash", "eth_getTransactionByHash"])
async def test_one_honest_node_of_two_is_enough_for_the_transactions(
    world: ChainWorld, tmp_path: Path, method: str
) -> None:
    def other(request: Answer, answer: Answer) -> Answer:
        if "TransactionByHash" not in request["method"]:
            return answer
        if request["method"] != method:
            return answer | {"result": None}
        if method == "eth_getRawTransactionByHash":
            return answer | {"result": "0x02" + "00" * 100}
        return answer | {"result": answer["result"] | {"nonce": "0xffff"}}

    number = await final_round(world, (0, 1), ())
    async with (
        lying_node(world.devnet.url, other) as liar,
        lying_node(world.devnet.url, honest) as good,
    ):
        await certified(world, number, tmp_path / "a.json", liar.url, good.url)
        out = tmp_path / "b.json"
        with pytest.raises(TransportError, match=r"another transaction|no such transaction"):
            await certified(world, number, out, liar.url)
        assert not out.exists()


async def test_calldata_that_one_node_makes_up_is_no_answer(
    world: ChainWorld, tmp_path: Path
) -> None:
    """It proves nothing, so one node's word does not stand for the bytes that another node has."""

    def other(request: Answer, answer: Answer) -> Answer:
        if request["method"] == "eth_getTransactionByHash":
            return answer | {"result": answer["result"] | {"type": "0x4", "input": "0x01"}}
        return without_raw(request, answer)

    number = await final_round(world, (0, 1), ())
    async with (
        lying_node(world.devnet.url, other) as liar,
        lying_node(world.devnet.url) as good,
    ):
        good.wait_s = 0.05  # the other one answers first
        written, _ = await certified(world, number, tmp_path / "a.json", liar.url, good.url)
    assert len(written.report.matched) == 2


async def test_a_round_that_is_not_over_has_no_certificate(
    world: ChainWorld, tmp_path: Path
) -> None:
    number = await world.open_round()
    await cast(world, number, 0)
    with pytest.raises(ConflictError, match=f"round {number}: not final yet"):
        await certified(world, number, tmp_path / "c.json")
    assert list(tmp_path.iterdir()) == []


async def test_the_electorate_of_the_rounds_epoch_counts(world: ChainWorld, tmp_path: Path) -> None:
    """A signer that is rotated after the round stays the signer of that round."""
    number = await final_round(world, (0,), (1,))
    for seat in (0, 1):
        operator = await contract.connect(world.settings, account(10 + seat))
        try:
            await operator.transact("rotateSigner", account(33 + seat).address)
        finally:
            await operator.close()
    out = tmp_path / "c.json"
    written, _ = await certified(world, number, out)
    assert written.operators == tuple(f"{i}:{pair.lower()}" for i, pair in enumerate(OPERATORS))
    verify_certificate(out, known(world), number)
    rotated = [f"{account(10 + i).address}={account(33 + i).address}" for i in (0, 1)]
    newer = KnownElectorate(CHAIN_ID, world.settings.contract, 2, [*rotated, OPERATORS[2]])
    with pytest.raises(CertificateFault, match=r"other_members: .*: member 0 is"):
        verify_certificate(out, newer, number)


# --- guides --------------------------------------------------------------------------------------


def commands(page: str, heading: str) -> list[str]:
    """The commands under a heading of a guide, without their line breaks."""
    text = (DOCS / page).read_text("utf-8")
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    joined = "".join(blocks).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("oepnode ")]


async def test_the_commands_of_the_auditors_guide(
    world: ChainWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await final_round(world, (0,), (1, 2))
    monkeypatch.chdir(tmp_path)
    Path("operators.txt").write_text("# of the network\n\n" + "\n".join(OPERATORS) + "\n")
    monkeypatch.setenv("OEPNODE_CONTRACT", world.settings.contract)
    monkeypatch.setenv("OEPNODE_CHAIN_ID", str(CHAIN_ID))
    certify, verify = commands("auditors.md", "A certificate of a root")
    monkeypatch.setenv("OEPNODE_RPC", world.devnet.url)
    certify, verify = (
        command.replace("round-N", f"round-{number}").replace(" N", f" {number}")
        for command in (certify, verify)
    )
    done = await run(certify)
    assert done.exit_code == 0, done.output
    assert f"0:{OPERATORS[0].lower()}" in done.stdout
    monkeypatch.delenv("OEPNODE_RPC")
    done = await run(verify)
    assert done.exit_code == 0, done.output
    assert f"verified: round {number}: 3 of 3 members signed for" in done.stdout
    assert "whether their votes were included" in " ".join(done.stderr.split())


async def run(command: str) -> Done:
    words = shlex.split(command)[1:]
    return await asyncio.to_thread(CliRunner().invoke, app, words)


async def test_an_aggregator_verifies_its_bundle_by_the_commands_of_its_guide(
    world: ChainWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    number = await world.open_round()
    context = RoundContext(CHAIN_ID, world.admin.contract, number)
    result = compute(INPUTS, context, opened(number)).result
    await relay_result(world, context, result.result)
    written = await asyncio.to_thread(certify_round, target(world), number)
    Path("operators.txt").write_text("\n".join(OPERATORS))
    write_key(tmp_path / "aggregator.json", "A1", "A1")
    part = next(i for i, p in enumerate(result.partitions) if p.aggregator_id == "A1")
    sealed = seal_whole(PUBLIC["A1"], b"".join(build(result, part)), sealing_info(context))
    Path("round.oepb").write_bytes(pack_file(context, sealed))
    (command,) = commands("aggregators.md", "Without trusting any node")
    command = command.replace("round-N.certificate.json", written.file)
    command = command.replace("0x…", world.settings.contract).replace(" ID", f" {CHAIN_ID}")
    monkeypatch.setattr(wiring, "chain_reader", None)  # nothing is read from a node
    done = await run(command)
    assert done.exit_code == 0, done.output
    assert f"verified: round {number}, aggregator A1, 6 sites" in done.stdout
    assert "3 of 3 members" in done.stdout


async def relay_result(world: ChainWorld, context: RoundContext, result: Result) -> None:
    """Let all members vote for a result, and reveal it."""
    votes = [Vote(ballot_for(context, seat, result), CUSTODY) for seat in range(3)]
    signed = [sign_ballot(account(20 + seat), context, vote) for seat, vote in enumerate(votes)]
    await world.admin.cast_ballots(context.number, pack(signed))
    members = (await world.admin.current_electorate()).members
    ballots = [(member, votes[member.index].ballot) for member in members]
    await world.admin.reveal_root(context.number, result.root, result.partitions, ballots)
