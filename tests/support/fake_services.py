"""Sender, registry and relay without a network, and a shelf and an archive without a disk."""

from collections.abc import Iterable
from hashlib import sha256

from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import DigestMismatch, TransportError
from oepnode.ports import Chain, LatestEnvelope


class FakeSender:
    """Serves documents by digest.

    Attributes:
        is_down: Nothing is served.
        swapped: Served instead of the requested document, unless it is empty.
        newest: The answer of `latest`.
        requests: Number of requests for a document.
    """

    def __init__(self, *documents: bytes) -> None:
        self.documents = {sha256(document).digest(): document for document in documents}
        self.is_down = False
        self.swapped = b""
        self.newest: LatestEnvelope | None = None
        self.requests = 0

    async def latest(self) -> LatestEnvelope | None:
        if self.is_down:
            raise TransportError("the sender does not answer")
        return self.newest

    async def document(self, round_number: int, digest: bytes) -> bytes:
        self.requests += 1
        if self.is_down or (digest not in self.documents and not self.swapped):
            raise TransportError("the sender does not answer")
        if self.swapped:
            raise DigestMismatch("envelope document", digest, sha256(self.swapped).digest())
        return self.documents[digest]


class FakeRegistry:
    """Serves a snapshot and its salt to every caller."""

    def __init__(self, snapshot: bytes, salt: bytes) -> None:
        self._snapshot = snapshot
        self._salt = salt
        self.is_down = False

    async def latest_digest(self) -> bytes | None:
        return sha256(self._snapshot).digest()

    async def snapshot(self, round_number: int, digest: bytes) -> bytes:
        if self.is_down or digest != sha256(self._snapshot).digest():
            raise TransportError("the registry does not answer")
        return self._snapshot

    async def salt(self, round_number: int, digest: bytes) -> bytes:
        if self.is_down:
            raise TransportError("the registry does not answer")
        return self._salt


class FakeShelf:
    """Keeps sealed bundles in memory."""

    def __init__(self) -> None:
        self.bundles: dict[tuple[int, str], bytes] = {}

    def put(self, round_number: int, name: str, sealed: Iterable[bytes]) -> None:
        self.bundles[round_number, name] = b"".join(sealed)

    def prune(self, keep_from: int) -> None:
        self.bundles = {key: value for key, value in self.bundles.items() if key[0] >= keep_from}


class FakeArchive:
    """Keeps sealed inputs in memory."""

    def __init__(self) -> None:
        self.inputs: dict[int, bytes] = {}

    def put(self, round_number: int, sealed: Iterable[bytes]) -> None:
        self.inputs[round_number] = b"".join(sealed)


class FakeRelay:
    """Receives a worker's votes, and casts them on chain unless it is silent.

    Attributes:
        is_silent: Votes are kept and not cast.
        fault: Raised by every `hand_in`, unless it is None.
        handed_in: Every vote that was handed in, with its round.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.is_silent = False
        self.fault: Exception | None = None
        self.handed_in: list[tuple[RoundContext, Vote]] = []

    async def hand_in(self, context: RoundContext, vote: Vote) -> None:
        self.handed_in.append((context, vote))
        if self.fault is not None:
            raise self.fault
        if self.is_silent or self.handed_in.count((context, vote)) > 1:
            return
        if vote.reason is None:
            await self._chain.cast_ballot(context.number, vote)
        else:
            await self._chain.abstain(context.number, vote.reason)
