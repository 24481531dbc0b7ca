"""Sender, registry and relay without a network, a shelf and an archive without a disk."""

import asyncio
from collections.abc import Callable, Iterable
from hashlib import sha256

from oepnode.adapters.computing.job import Compute, run_job
from oepnode.adapters.computing.messages import Done, Message
from oepnode.adapters.storage.input_archive import seal_inputs
from oepnode.domain.rounds.ballot import Result, Vote
from oepnode.domain.rounds.computation import Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import BallotCast
from oepnode.domain.rounds.workshop import InProcess
from oepnode.errors import DigestMismatch, TransportError
from oepnode.ports import Chain, LatestEnvelope, Outcome, RoundTask, ShelvedRound


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
    """Keeps sealed bundles in memory.

    Attributes:
        bundles: Published bundles by round and name.
        waiting: Sealed bundles that are not published, by round and inputs.
        published_at: Time that `rounds` states for a round.
    """

    def __init__(self) -> None:
        self.bundles: dict[tuple[int, str], bytes] = {}
        self.waiting: dict[tuple[int, bytes], dict[str, bytes]] = {}
        self.published_at: dict[int, float] = {}

    def publish(self, round_number: int, inputs: bytes) -> int | None:
        sealed = self.waiting.pop((round_number, inputs), None)
        if sealed is None:
            return None
        self.bundles |= {(round_number, name): data for name, data in sealed.items()}
        return len(sealed)

    def discard(self, round_number: int) -> None:
        self.waiting = {key: data for key, data in self.waiting.items() if key[0] != round_number}

    def rounds(self) -> list[ShelvedRound]:
        numbers = sorted({number for number, _ in self.bundles})
        return [ShelvedRound(number, self.published_at.get(number, 0.0)) for number in numbers]

    def delete(self, round_number: int) -> None:
        self.bundles = {key: data for key, data in self.bundles.items() if key[0] != round_number}


class FakeArchive:
    """Keeps sealed inputs in memory."""

    def __init__(self) -> None:
        self.inputs: dict[int, bytes] = {}

    def put(self, round_number: int, sealed: Iterable[bytes]) -> None:
        self.inputs[round_number] = b"".join(sealed)


class ThreadEngine:
    """Does the job of a computing process in a thread, with a shelf and an archive in memory."""

    def __init__(
        self, shelf: FakeShelf, archive: FakeArchive, archive_key: bytes, compute: Compute
    ) -> None:
        self._shelf = shelf
        self._archive = archive
        self._archive_key = archive_key
        self._compute = compute
        self._free = asyncio.Lock()

    async def compute(
        self, task: RoundTask, inputs: Inputs, on_stage: Callable[[str], None]
    ) -> Outcome:
        outcomes: list[Outcome] = []
        sealed: dict[str, bytes] = {}

        def put(name: str, pieces: Iterable[bytes]) -> None:
            sealed[name] = b"".join(pieces)

        def send(message: Message) -> None:
            if isinstance(message, Done):
                outcomes.append(message.outcome)

        async with self._free:
            await asyncio.to_thread(
                run_job, task, inputs, self._compute, InProcess(), send, put, self._put_inputs
            )
        self._shelf.waiting[task.number, task.opened.inputs] = sealed
        return outcomes[0]

    async def sealed(self, round_number: int) -> None:
        pass

    def _put_inputs(self, context: RoundContext, inputs: Inputs) -> None:
        self._archive.put(context.number, seal_inputs(self._archive_key, context, inputs))


class FakeRelay:
    """Receives a worker's votes, and casts them on chain unless it is silent.

    Attributes:
        is_silent: Votes are kept and not cast.
        fault: Raised by every `hand_in`, unless it is None.
        ignores_steps: Reveals and closings are kept and not sent.
        step_fault: Raised by every reveal and closing, unless it is None.
        handed_in: Every vote that was handed in, with its round.
        steps: Every result that was handed in to reveal, and None for each round to close.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.is_silent = False
        self.fault: Exception | None = None
        self.ignores_steps = False
        self.step_fault: Exception | None = None
        self.handed_in: list[tuple[RoundContext, Vote]] = []
        self.steps: list[tuple[RoundContext, Result | None]] = []

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

    async def reveal(self, context: RoundContext, result: Result) -> None:
        if not self._takes(context, result):
            return
        number = context.number
        state = await self._chain.round(number)
        assert state is not None
        electorate = await self._chain.electorate(state.epoch)
        members = {member.operator: member for member in electorate.members}
        events = await self._chain.round_events(number)
        cast = [(members[e.operator], e.ballot) for e in events if isinstance(e, BallotCast)]
        await self._chain.reveal_root(number, result.root, result.partitions, cast)

    async def close_failed(self, context: RoundContext) -> None:
        if self._takes(context, None):
            await self._chain.fail_round(context.number)

    def _takes(self, context: RoundContext, result: Result | None) -> bool:
        self.steps.append((context, result))
        fault = self.fault or self.step_fault
        if fault is not None:
            raise fault
        is_kept = self.is_silent or self.ignores_steps
        return not is_kept and self.steps.count((context, result)) == 1
