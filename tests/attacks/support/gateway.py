"""Workers with a real gateway over HTTP, of which the test owns the process: a hostile operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from oepnode.adapters.http.publisher import HttpPublisher
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.server.serving import listening
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.adapters.http.signed_documents import SignedSender
from oepnode.adapters.storage.sequence_memory import SequenceMemory
from oepnode.config import HttpSettings, SenderSettings
from oepnode.domain.rounds.inputs.document_signatures import SignedStatement
from oepnode.domain.rounds.onchain import Phase
from oepnode.ports import EnvelopeSource
from oepnode.services.sender import app as sender
from oepnode.services.sender.store import EnvelopeStore
from oepnode.worker.worker import Worker
from tests.attacks.support.round_services import CHAIN, MEMBERS, TOKEN
from tests.support.fake_chain import CHAIN_ID, CONTRACT, REQUESTER, FakeChain
from tests.support.signed_documents import PUBLIC
from tests.support.worker_stage import REGISTRY_DIGEST, Stage, running, until


@dataclass
class Gateway:
    """A gateway that demands no signatures, and three workers.

    Attributes:
        stage: Chain, registry and workers.
        folder: Data folder of the gateway, which its operator may change.
        url: URL of the gateway.
        key: Key that the workers demand documents to be signed with; None demands none.
        memories: The workers' memories of sequence numbers.
    """

    stage: Stage
    folder: Path
    url: str
    key: bytes | None = PUBLIC
    memories: list[SequenceMemory] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def publish(self, document: bytes, signed: SignedStatement | None = None) -> int:
        """Store a document with any statement, and open its round."""
        path = self.stage.folder / "document.json"
        path.write_bytes(document)
        if signed is not None:
            store = EnvelopeStore(self.folder)
            with store._index.transaction() as db:  # the operator's own database
                db.execute("DELETE FROM signatures")
            store.signatures.put(signed)
            store.close()
        publisher = HttpPublisher(self.url, timeout_s=20)
        try:
            published = await publisher.publish(path, TOKEN, REGISTRY_DIGEST)
        finally:
            await publisher.close()
        assert published.round is not None
        return published.round

    def workers(self) -> list[Worker]:
        """Three workers that fetch documents from the gateway."""
        return [self._worker(index) for index in range(3)]

    def forget(self) -> None:
        """The workers have no memory of earlier rounds."""
        self.memories.clear()

    async def play(
        self, document: bytes, signed: SignedStatement | None = None, *, is_late: bool = False
    ) -> Phase:
        """Open a round with a document, and let the workers vote; the round's phase after it.

        With ``is_late`` their time is short: they try once, and do not wait for another answer.
        """
        number = await self.publish(document, signed)
        if is_late:
            self.stage.pass_time(48)  # of 60
        async with running(*self.workers()):
            await until(lambda: self.stage.blockchain.rounds[number].voted == 0b111)
            chain = self.stage.blockchain
            if not self.abstentions(number):
                await until(lambda: chain.rounds[number].phase is Phase.FINAL)
        return self.stage.blockchain.rounds[number].phase

    def abstentions(self, number: int) -> list[int]:
        """The reasons of a round's abstentions."""
        events = (event for index in range(3) for event in self.stage.votes(index))
        return [e.reason for e in events if e.round == number and hasattr(e, "reason")]

    def _worker(self, index: int) -> Worker:
        signer = RequestSigner(
            MEMBERS[index], CHAIN_ID, CONTRACT, self.stage.clock, 2**22, timeout_s=20
        )
        client = HttpSender(self.url, signer)
        self.stack.push_async_callback(client.close)
        self.stage.sender = self._source(client, index)  # type: ignore[assignment]
        return self.stage.worker(index)

    def _source(self, client: HttpSender, index: int) -> EnvelopeSource:
        if self.key is None:
            return client
        while len(self.memories) <= index:
            file = f"memory-{len(self.memories)}-{id(client)}.sqlite"
            memory = SequenceMemory(self.stage.folder / file)
            self.stack.callback(memory.close)
            self.memories.append(memory)
        return SignedSender(client, self.key, self.memories[index])


@asynccontextmanager
async def hostile_gateway(folder: Path, key: bytes | None = PUBLIC) -> AsyncIterator[Gateway]:
    """Run a gateway whose operator does as it likes."""
    stage = Stage(folder)
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    settings = SenderSettings(
        chain=CHAIN,
        data_dir=folder / "sender",
        key_file=folder / "key",
        token_file=token,
        document_access="anyone",
    )
    app = sender.application(settings, FakeChain(stage.blockchain, REQUESTER), stage.clock)
    async with listening(app, HttpSettings()) as url:
        gateway = Gateway(stage, folder / "sender", url, key)
        async with gateway.stack:
            yield gateway
