"""A chain in memory with three workers, and the real gateway and registry over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oepnode import wiring
from oepnode.adapters.http.publisher import HttpPublisher
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.server.serving import listening
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.client import ChainTarget, GrantSources, RoundAudit, audit_round
from oepnode.config import ChainSettings, HttpSettings, RegistrySettings, SenderSettings
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.ballot import Result, Vote, ballot_for
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.history import ContractRecord, RoundHistory, ballots_hash
from oepnode.domain.rounds.inputs.document_signatures import SignedStatement
from oepnode.domain.rounds.onchain import BallotCast, Phase, RootRevealed, RoundOpened
from oepnode.domain.rounds.tally import Ballot
from oepnode.services.registry import app as registry
from oepnode.services.registry.store import RegistryStore
from oepnode.services.sender import app as sender
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain, FakeClock, InMemoryChain
from tests.support.round_world import ENVELOPE, REGISTRY, SALT

TOKEN = "a-token-of-the-publisher"
REQUESTER = Account.from_key(b"\x0a" * 32)
REGISTRY_ACCOUNT = Account.from_key(b"\x0b" * 32)
MEMBERS: tuple[LocalAccount, ...] = tuple(Account.from_key(bytes([i]) * 32) for i in (1, 2, 3))
CHAIN = ChainSettings(
    rpc_urls=("http://127.0.0.1:1",), chain_id=CHAIN_ID, contract="0x" + CONTRACT.hex()
)


COPIED_CUSTODY = b"\xcd" * 32
"""A custody root that is not checked here: nothing on chain depends on it."""


def address(account: LocalAccount) -> bytes:
    return bytes.fromhex(account.address[2:])


def operator(index: int) -> bytes:
    return bytes([0xA0 + index]) * 20


OPERATORS = tuple("0x" + operator(index).hex() for index in range(3))


class AuditedChain(FakeChain):
    """The chain as an auditor's commands read it."""

    async def settled(self) -> AuditedChain:
        return self

    async def head_age_s(self) -> float:
        return 0.0

    async def history(self, number: int) -> RoundHistory | None:
        """The record follows from the events and the round's state."""
        events = tuple(await self.round_events(number))
        state = await self.round(number)
        if state is None:
            return None
        members = (await self.electorate(state.epoch)).members
        index_of = {member.operator: member.index for member in members}
        cast = [Ballot(index_of[e.operator], e.ballot) for e in events if isinstance(e, BallotCast)]
        is_final = state.phase is Phase.FINAL
        context = RoundContext(CHAIN_ID, CONTRACT, number)
        record = ContractRecord(
            state=state,
            members=sum(1 << member.index for member in members),
            ballots_hash=bytes(32) if is_final else ballots_hash(context, cast),
            candidates=tuple(
                (e.root, e.partitions, e.matched) for e in events if isinstance(e, RootRevealed)
            ),
            abstentions=(),
            equivocators=0,
        )
        return RoundHistory(record, events)


@dataclass
class RoundServices:
    """The services, and what members do with them.

    Attributes:
        folder: The services' data folders are below it.
        sender_url: URL of the gateway.
        registry_url: URL of the registry.
    """

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    sender_url: str = ""
    registry_url: str = ""

    def __post_init__(self) -> None:
        self.blockchain = InMemoryChain(self.clock)
        self.blockchain.allow_requests(address(REQUESTER))
        for index, account in enumerate(MEMBERS):
            self.blockchain.add_member(operator(index), address(account))

    async def publish(
        self, document: bytes = ENVELOPE, signed: SignedStatement | None = None
    ) -> int:
        """Publish a document, and open its round."""
        path = self.folder / "document.json"
        path.write_bytes(document)
        publisher = HttpPublisher(self.sender_url, timeout_s=20)
        try:
            published = await publisher.publish(path, TOKEN, sha256(REGISTRY).digest(), signed)
        finally:
            await publisher.close()
        assert published.round is not None
        return published.round

    def request_signer(self, index: int) -> RequestSigner:
        """Signs the requests of a member."""
        return RequestSigner(MEMBERS[index], CHAIN_ID, CONTRACT, self.clock, 2**22, timeout_s=20)

    async def compute(self, index: int, number: int) -> Result:
        """A member's own work: fetch the inputs, and compute the result."""
        opened = await self.opened(number)
        documents = HttpSender(self.sender_url, self.request_signer(index))
        snapshots = HttpRegistry(self.registry_url, self.request_signer(index))
        try:
            inputs = Inputs(
                await documents.document(number, opened.envelope_digest),
                await snapshots.snapshot(number, opened.registry_digest),
                await snapshots.salt(number, opened.registry_digest),
                Feed(),
            )
        finally:
            await documents.close()
            await snapshots.close()
        return compute(inputs, RoundContext(CHAIN_ID, CONTRACT, number), opened).result.result

    async def vote(
        self, index: int, number: int, result: Result, custody: bytes = COPIED_CUSTODY
    ) -> None:
        """Cast a member's ballot for a result, whoever computed it."""
        ballot = ballot_for(RoundContext(CHAIN_ID, CONTRACT, number), index, result)
        chain = FakeChain(self.blockchain, address(MEMBERS[index]))
        await chain.cast_ballot(number, Vote(ballot, custody))

    async def reveal(self, number: int, result: Result) -> None:
        """Reveal the result, after which the round is final."""
        ballots = self.blockchain.ballots[number]
        chain = FakeChain(self.blockchain, address(MEMBERS[0]))
        await chain.reveal_root(number, result.root, result.partitions, ballots)

    async def opened(self, number: int) -> RoundOpened:
        """The round's opening."""
        events = await FakeChain(self.blockchain).round_events(number)
        (opened,) = (event for event in events if isinstance(event, RoundOpened))
        return opened

    async def audit(
        self, monkeypatch: pytest.MonkeyPatch, number: int, *urls: str, **named: Any
    ) -> RoundAudit:
        """What ``oepnode audit round N --grants URL …`` finds."""

        @asynccontextmanager
        async def connect(*_: Any, **__: Any) -> AsyncIterator[AuditedChain]:
            yield AuditedChain(self.blockchain)

        monkeypatch.setattr(wiring, "chain_reader", connect)
        target = ChainTarget("https://node.test", "0x" + CONTRACT.hex())
        signer = named.pop("registry_signer", REGISTRY_ACCOUNT.address)
        sources = GrantSources(urls, registry_signer=signer, **named)
        return await asyncio.to_thread(audit_round, target, number, sources)


@asynccontextmanager
async def round_services(
    folder: Path,
    *,
    snapshot_key: str | None = None,
    signed_snapshot: SignedStatement | None = None,
    **sender_changes: Any,
) -> AsyncIterator[RoundServices]:
    """Run both services; ``sender_changes`` are settings of the gateway."""
    world = RoundServices(folder)
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    store = RegistryStore(folder / "registry")
    store.publish(REGISTRY, SALT, world.clock.now(), signed_snapshot)
    store.close()
    settings = SenderSettings(
        chain=CHAIN,
        data_dir=folder / "sender",
        key_file=folder / "key",
        token_file=token,
        operators=OPERATORS,
        **sender_changes,
    )
    requester = FakeChain(world.blockchain, address(REQUESTER))
    gateway = sender.application(settings, requester, world.clock, REQUESTER)
    nmis = registry.application(
        RegistrySettings(
            chain=CHAIN,
            data_dir=folder / "registry",
            snapshot_key=snapshot_key,
            operators=OPERATORS,
        ),
        FakeChain(world.blockchain),
        world.clock,
        REGISTRY_ACCOUNT,
    )
    async with (
        listening(gateway, HttpSettings()) as world.sender_url,
        listening(nmis, HttpSettings()) as world.registry_url,
    ):
        yield world
