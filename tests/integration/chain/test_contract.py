"""The chain adapter against the real contract on a real EVM."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from oepnode.adapters.chain import contract, deploy
from oepnode.adapters.chain.contract import EvmChain
from oepnode.config import ChainSettings
from oepnode.demo.devnet import CHAIN_ID, Devnet, account
from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.ballot import Reason, Result, Vote, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Phase, Policy
from oepnode.errors import ConfigError, ConflictError, TransportError

ENVELOPE, REGISTRY = b"\x11" * 32, b"\x22" * 32
CUSTODY = b"\xcc" * 32
RESULT = Result(b"\x33" * 32, 4)
HORIZON = 1_790_000_100 // 300 * 300


@dataclass
class World:
    """A deployed contract with an administrator and three workers."""

    settings: ChainSettings
    admin: EvmChain
    workers: list[EvmChain]

    def context(self, number: int) -> RoundContext:
        return RoundContext(self.admin.chain_id, self.admin.contract, number)

    def operator(self, seat: int) -> bytes:
        return bytes.fromhex(account(10 + seat).address[2:])

    def ballot(self, number: int, seat: int, result: Result = RESULT) -> bytes:
        return ballot_for(self.context(number), seat, result)

    def vote(self, number: int, seat: int) -> Vote:
        return Vote(self.ballot(number, seat), CUSTODY)


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[World]:
    admin = account(0)
    policy = Policy(vote_window_s=120, reveal_window_s=120)
    nodes = ChainSettings(rpc_urls=(devnet.url,), chain_id=CHAIN_ID, contract="0x" + "00" * 20)
    deployed = await deploy.deploy(nodes, admin, bytes.fromhex(admin.address[2:]), policy)
    settings = nodes.model_copy(
        update={"contract": "0x" + deployed.address.hex(), "start_block": deployed.block}
    )
    chain = await contract.connect(settings, admin)
    workers = [await contract.connect(settings, account(20 + seat)) for seat in range(3)]
    await chain.transact(
        "addWorkers",
        [
            (account(10 + seat).address, account(20 + seat).address, f"http://worker-{seat}")
            for seat in range(3)
        ],
    )
    role = await chain.role_code("REQUESTER_ROLE")
    await chain.transact("grantRole", role, admin.address)
    yield World(settings, chain, workers)
    for connection in (chain, *workers):
        await connection.close()


async def until(chain: EvmChain, time: int) -> None:
    """Wait until the chain's time has come to ``time``."""
    while (await chain.head()).time < time:
        await asyncio.sleep(0.2)


async def test_a_round_from_opening_to_finality(world: World) -> None:
    chain = world.admin
    electorate = await chain.current_electorate()
    assert [m.index for m in electorate.members] == [0, 1, 2]
    assert electorate.quorum == 2
    number = (await chain.open_round(HORIZON, 6, ENVELOPE, REGISTRY)).round
    for seat in (0, 2):
        await world.workers[seat].cast_ballot(number, world.vote(number, seat))
    await world.workers[1].abstain(number, Reason.INPUTS_UNAVAILABLE)
    members = electorate.members
    ballots = [(members[seat], world.ballot(number, seat)) for seat in (0, 2)]
    await chain.reveal_root(number, RESULT.root, RESULT.partitions, ballots)

    state = await chain.round(number)
    assert state is not None
    assert (state.phase, state.root, state.partitions) == (Phase.FINAL, RESULT.root, 4)
    assert (state.voted, state.matched) == (0b111, 0b101)
    assert (state.horizon_start, state.interval_count) == (HORIZON, 6)
    assert await chain.latest_final(HORIZON, 6) == number
    events = await chain.round_events(number)
    assert [type(event).__name__ for event in events] == [
        "RoundOpened",
        "BallotCast",
        "BallotCast",
        "Abstained",
        "RootRevealed",
        "RoundFinalised",
    ]
    opened, abstained, final = events[0], events[3], events[5]
    assert isinstance(opened, onchain.RoundOpened)
    assert (opened.envelope_digest, opened.registry_digest) == (ENVELOPE, REGISTRY)
    assert isinstance(abstained, onchain.Abstained)
    assert (abstained.operator, abstained.reason) == (world.operator(1), 1)
    assert isinstance(final, onchain.RoundFinalised)
    assert final.matched == 0b101


async def test_ballots_equal_those_of_the_contract(world: World) -> None:
    number = (await world.admin.open_round(HORIZON, 6, ENVELOPE, REGISTRY)).round
    expected = await world.admin._call("ballotFor", number, 0, RESULT.root, RESULT.partitions)
    assert world.ballot(number, 0) == expected


async def test_a_rejection_names_the_contracts_error(world: World) -> None:
    number = (await world.admin.open_round(HORIZON, 6, ENVELOPE, REGISTRY)).round
    worker = world.workers[0]
    await worker.cast_ballot(number, world.vote(number, 0))
    with pytest.raises(ConflictError, match="AlreadyVoted"):
        await worker.cast_ballot(number, world.vote(number, 0))
    with pytest.raises(ConflictError, match="VotingStillOpen"):
        await worker.reveal_root(number, RESULT.root, 4, [])
    with pytest.raises(ConflictError, match="AccessControlUnauthorizedAccount"):
        await worker.open_round(HORIZON, 6, ENVELOPE, REGISTRY)


async def test_a_round_without_a_quorum_fails_after_its_windows(
    world: World, devnet: Devnet
) -> None:
    await world.admin.transact("setPolicy", (2, 3, 60, 60, 1))  # windows of a minute each
    number = (await world.admin.open_round(HORIZON, 6, ENVELOPE, REGISTRY)).round
    state = await world.admin.round(number)
    assert state is not None
    with pytest.raises(ConflictError, match="RevealStillOpen"):
        await world.admin.fail_round(number)
    devnet.rpc("evm_increaseTime", state.reveal_deadline - state.opened_at)
    await until(world.admin, state.reveal_deadline)
    await world.admin.fail_round(number)
    state = await world.admin.round(number)
    assert state is not None
    assert state.phase == Phase.FAILED


async def test_an_unknown_round_is_none(world: World) -> None:
    assert await world.admin.round(99) is None


async def test_the_live_member_of_a_signer(world: World) -> None:
    signer = world.workers[1].signer
    member = await world.admin.member_of_signer(signer)
    assert member is not None
    assert (member.index, member.operator) == (1, world.operator(1))
    await world.admin.transact("removeWorker", account(11).address)
    assert await world.admin.member_of_signer(signer) is None
    assert await world.admin.endpoint(world.operator(0)) == "http://worker-0"


async def test_a_node_of_another_chain_is_rejected(world: World) -> None:
    wrong = world.settings.model_copy(update={"chain_id": 1})
    with pytest.raises(ConfigError, match="expected chain id 1, received 31337"):
        await contract.connect_reader(wrong)


async def test_an_address_without_contract_is_rejected(world: World) -> None:
    wrong = world.settings.model_copy(update={"contract": "0x" + "77" * 20})
    with pytest.raises(ConfigError, match="no contract"):
        await contract.connect_reader(wrong)


async def test_no_node_is_a_transport_error(world: World) -> None:
    gone = world.settings.model_copy(update={"rpc_urls": ("http://127.0.0.1:9",)})
    with pytest.raises(TransportError, match="no connection"):
        await contract.connect_reader(gone)
