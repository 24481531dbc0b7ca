"""A small round with real inputs, keys and result, and a chain reader over it.

Three aggregators, one site with both application levels, one NMI that changes aggregator inside
the horizon, one without aggregator.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from msgspec.structs import replace

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.adapters.http.bundles import BundleRequest
from oepnode.adapters.http.client import RequestRejected
from oepnode.adapters.storage.input_archive import seal_inputs
from oepnode.client.keys import KeyPair, encode_key_pair
from oepnode.config import ChainSettings
from oepnode.domain.nem import nem_time
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import bundle, bundle_reading, bundle_writing
from oepnode.domain.rounds.ballot import Result, ballot_for
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.custody import custody_root
from oepnode.domain.rounds.history import ContractRecord, RoundHistory, ballots_hash
from oepnode.domain.rounds.onchain import (
    Abstained,
    BallotCast,
    Electorate,
    Equivocated,
    Event,
    Head,
    LogLocation,
    Member,
    Phase,
    RootRevealed,
    Round,
    RoundCancelled,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.domain.rounds.partition import RoundResult
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.domain.rounds.tally import Ballot
from oepnode.errors import ConfigError, TransportError
from tests.support.plain_bundle import pack_file

START = 1_795_000_200
COUNT = 6
SALT = bytes(range(32))
CONTRACT = bytes.fromhex("11" * 20)
CHAIN_ID = 31337
CONTEXT = RoundContext(CHAIN_ID, CONTRACT, 3)
CUSTODY = b"\xcc" * 32
OPENED_AT = 1_794_990_000
IDS = ("A1", "A2", "A3")
KINDS = {"A1": KeyKind.HYBRID, "A2": KeyKind.X25519, "A3": KeyKind.HYBRID}
PRIVATE = {name: PrivateKey(KINDS[name], sha256(name.encode()).digest()) for name in IDS}
PUBLIC = {name: key.public_key for name, key in PRIVATE.items()}
HELD = {
    "A1": ["6305000001", "6305000002", "6305000003", "6305000004"],
    "A2": ["6305000005", "6305000006"],
    "A3": ["6305000007"],
}
MOVING = "6305000008"
NOBODYS = "6305000009"
FLEX = "6305000002"


def _time(seconds: int) -> str:
    return nem_time.format_nem(seconds)


def _record(nmi: str, level: str, index: int) -> dict[str, object]:
    intervals = [
        {
            "activePowerExportLimit": 1.5 + index,
            "activePowerImportLimit": -2 - i,
            "diStartTime": _time(START + 300 * i),
            "diEndTime": _time(START + 300 * (i + 1)),
        }
        for i in range(COUNT)
    ]
    return {
        "nmi": nmi,
        "oeTiming": "PRE",
        "oeObjectiveFunction": "Maximise service",
        "oeApplicationLevel": level,
        "operatingEnvelopes": [{"nmi": nmi, "intervals": intervals}],
        "submissionTimestamp": _time(START - 3600),
    }


def envelope() -> bytes:
    nmis = [nmi for held_nmis in HELD.values() for nmi in held_nmis] + [MOVING, NOBODYS]
    records = [_record(nmi, "NMI", index) for index, nmi in enumerate(nmis)]
    return json.dumps([*records, _record(FLEX, "Flex", 9)]).encode()


def registry() -> bytes:
    far = _time(START - 86_400 * 30 - (START % 300))
    rows = [
        {"nmi": nmi, "aggregator": name, "from": far, "to": None}
        for name, held_nmis in HELD.items()
        for nmi in held_nmis
    ]
    half = _time(START + 900)
    rows.append({"nmi": MOVING, "aggregator": "A1", "from": far, "to": half})
    rows.append({"nmi": MOVING, "aggregator": "A2", "from": half, "to": None})
    aggregators = [{"id": name, "name": name, "publicKey": PUBLIC[name].hex()} for name in IDS]
    return json.dumps(
        {
            "asOf": _time(START),
            "saltDigest": sha256(SALT).hexdigest(),
            "nonce": sha256(b"nonce").hexdigest(),
            "aggregators": aggregators,
            "assignments": rows,
        }
    ).encode()


ENVELOPE = envelope()
REGISTRY = registry()
INPUTS = Inputs(ENVELOPE, REGISTRY, SALT, Feed())
MEMBERS = tuple(
    Member(index=i, operator=bytes([0xA0 + i]) * 20, signer=bytes([0xB0 + i]) * 20)
    for i in range(5)
)
ADDRESSES = ["0x" + member.operator.hex() for member in MEMBERS]
ELECTORATE = Electorate(1, MEMBERS, 3, 60, 60, 1)


def location(block: int) -> LogLocation:
    return LogLocation(block, bytes([block]) * 32, sha256(bytes([block])).digest(), 0)


def opened(number: int = CONTEXT.number) -> RoundOpened:
    return RoundOpened(
        location(1),
        number,
        1,
        b"\x99" * 20,
        START,
        COUNT,
        sha256(ENVELOPE).digest(),
        sha256(REGISTRY).digest(),
        1,
        OPENED_AT + 60,
        OPENED_AT + 120,
    )


def result_of(context: RoundContext = CONTEXT) -> RoundResult:
    return compute(INPUTS, context, opened(context.number)).result


RESULT = result_of()
WRONG = Result(b"\xee" * 32, 3)


def index_of(name: str) -> int:
    return next(i for i, p in enumerate(RESULT.partitions) if p.aggregator_id == name)


def plaintext(name: str = "A1") -> bytes:
    return b"".join(bundle_writing.build(RESULT, index_of(name)))


def verified(name: str = "A1") -> bundle.VerifiedBundle:
    return bundle_reading.verify(
        plaintext(name), name, CONTEXT, RESULT.root, RESULT.partition_count
    )


def sealed(name: str = "A1", data: bytes | None = None) -> bytes:
    """An aggregator's bundle, or other plaintext sealed to it."""
    content = plaintext(name) if data is None else data
    return sealing.seal_whole(PUBLIC[name], content, bundle.sealing_info(CONTEXT))


def _custody(member: Member, result: Result) -> bytes:
    is_right = result == RESULT.result
    return custody_root(member.operator, RESULT.partitions) if is_right else CUSTODY


def events(context: RoundContext = CONTEXT, good: Result = RESULT.result) -> list[Event]:
    """Three match, one votes for another root, one abstains."""
    n = context.number
    bad = WRONG
    ballots = [
        BallotCast(location(2 + i), n, m.operator, ballot_for(context, m.index, r), _custody(m, r))
        for i, (m, r) in enumerate(zip(MEMBERS[:4], (good, bad, good, good), strict=True))
    ]
    return [
        opened(n),
        *ballots,
        Abstained(location(6), n, MEMBERS[4].operator, 2),
        RootRevealed(location(7), n, bad.root, bad.partitions, 0b00010),
        RootRevealed(location(8), n, good.root, good.partitions, 0b01101),
        RoundFinalised(location(8), n, good.root, good.partitions, 0b01101),
    ]


def state(number: int, phase: Phase) -> Round:
    final = phase is Phase.FINAL
    return Round(
        number=number,
        phase=phase,
        epoch=1,
        rules_version=1,
        quorum=3,
        member_count=5,
        horizon_start=START,
        interval_count=COUNT,
        opened_at=OPENED_AT,
        opened_in_block=1,
        vote_deadline=OPENED_AT + 60,
        reveal_deadline=OPENED_AT + 120,
        voted=0b11111 if final else 0,
        root=RESULT.root if final else b"",
        partitions=RESULT.partition_count if final else 0,
        matched=0b01101 if final else 0,
    )


@dataclass
class FakeReader:
    """A chain reader over values. By default round 1 failed, 2 was cancelled, 3 is final."""

    rounds: dict[int, Round] = field(
        default_factory=lambda: {
            1: state(1, Phase.FAILED),
            2: state(2, Phase.CANCELLED),
            3: state(3, Phase.FINAL),
        }
    )
    endpoints: dict[bytes, str] = field(
        default_factory=lambda: {m.operator: f"http://worker-{m.index + 1}.test" for m in MEMBERS}
    )
    chain_id: int = CHAIN_ID
    contract: bytes = CONTRACT
    superseding: int | None = None
    failure: TransportError | ConfigError | None = None
    age_s: float = 0

    async def head(self) -> Head:
        return Head(99, b"\x63" * 32, OPENED_AT + 500)

    async def round_count(self) -> int:
        return max(self.rounds, default=0)

    async def round(self, number: int) -> Round | None:
        return self.rounds.get(number)

    async def electorate(self, epoch: int) -> Electorate:
        return ELECTORATE

    async def current_electorate(self) -> Electorate:
        return ELECTORATE

    async def member_of_signer(self, signer: bytes) -> Member | None:
        return next((m for m in MEMBERS if m.signer == signer), None)

    async def endpoint(self, operator: bytes) -> str:
        return self.endpoints.get(operator, "")

    async def events(self, first_block: int, last_block: int) -> list[Event]:
        return [e for n in self.rounds for e in await self.round_events(n)]

    async def opening(self, number: int) -> RoundOpened | None:
        events = await self.round_events(number)
        return next((event for event in events if isinstance(event, RoundOpened)), None)

    async def round_events(self, number: int) -> list[Event]:
        phase = self.rounds[number].phase
        if phase is Phase.FINAL:
            return events(RoundContext(CHAIN_ID, CONTRACT, number))
        end: Event = RoundCancelled(location(3), number, "sender's feed was down")
        if phase is Phase.FAILED:
            end = RoundFailed(location(3), number)
        return [opened(number), end] if phase.is_over else [opened(number)]

    async def history(self, number: int) -> RoundHistory | None:
        """The record follows from the events, except for the round's state."""
        if number not in self.rounds:
            return None
        found = tuple(await self.round_events(number))
        context = RoundContext(CHAIN_ID, CONTRACT, number)
        index_of = {member.operator: member.index for member in MEMBERS}
        cast = [Ballot(index_of[e.operator], e.ballot) for e in found if isinstance(e, BallotCast)]
        is_final = self.rounds[number].phase is Phase.FINAL
        record = ContractRecord(
            state=self.rounds[number],
            members=0b11111,
            ballots_hash=bytes(32) if is_final else ballots_hash(context, cast),
            candidates=tuple(
                (e.root, e.partitions, e.matched) for e in found if isinstance(e, RootRevealed)
            ),
            abstentions=tuple(
                (index_of[e.operator], e.reason) for e in found if isinstance(e, Abstained)
            ),
            equivocators=sum(
                {1 << index_of[e.operator] for e in found if isinstance(e, Equivocated)}
            ),
        )
        return RoundHistory(record, found)

    async def block_hash(self, number: int) -> bytes:
        return bytes([number]) * 32

    async def latest_final(self, horizon_start: int, interval_count: int) -> int:
        if self.superseding is not None:
            return self.superseding
        finals = [n for n, r in self.rounds.items() if r.phase is Phase.FINAL]
        return max(finals, default=0)

    async def block_time(self, block: int) -> int:
        return OPENED_AT + block

    async def settled(self) -> FakeReader:
        return self

    async def newest(self) -> FakeReader:
        return self

    async def head_age_s(self) -> float:
        return self.age_s

    @asynccontextmanager
    async def connect(
        self, settings: ChainSettings, *, any_chain: bool = False
    ) -> AsyncIterator[FakeReader]:
        """Replaces ``oepnode.wiring.chain_reader``."""
        if self.failure is not None:
            raise self.failure
        yield self


def changed(round_: Round, **values: object) -> Round:
    return replace(round_, **values)


class Workers:
    """Responses of the workers, by URL; an exception is raised."""

    def __init__(self) -> None:
        self.served: dict[str, bytes | Exception] = {}
        self.requested: list[str] = []

    async def fetch(
        self,
        request: BundleRequest,
        keep: Callable[[bytes], None],
        received: Callable[[int], None] = lambda _: None,
    ) -> None:
        endpoint, number, name = request.endpoint, request.round_number, request.name
        self.requested.append(endpoint)
        names = {bundle.bundle_name(CONTEXT, PUBLIC[who]): who for who in IDS}
        served = self.served.get(endpoint, TransportError(f"{endpoint}: no answer"))
        if isinstance(served, Exception):
            raise served
        if number != CONTEXT.number or name not in names:
            raise RequestRejected("sealed bundle", 404, "not_found", "no such bundle")
        keep(served)


def write_key(file: Path, name: str, aggregator: str = "") -> Path:
    """A key file of an aggregator, or, with an auditor's keys, of an auditor."""
    file.write_bytes(encode_key_pair(KeyPair(aggregator, PRIVATE[name])))
    file.chmod(0o600)
    return file


def write_folder(folder: Path) -> None:
    """Key files and fetched bundles of all three aggregators."""
    for name in IDS:
        write_key(folder / f"{name}.json", name, name)
        (folder / f"{name}.oepb").write_bytes(pack_file(CONTEXT, sealed(name)))


def write_inputs(folder: Path) -> None:
    """The round's inputs: sealed to an auditor's key, and as files."""
    write_key(folder / "auditor.json", "A1")
    sealed_inputs = seal_inputs(PUBLIC["A1"], CONTEXT, INPUTS)
    (folder / "round-3.sealed").write_bytes(b"".join(sealed_inputs))
    (folder / "envelope.json").write_bytes(ENVELOPE)
    (folder / "registry.json").write_bytes(REGISTRY)
    (folder / "salt").write_text(SALT.hex() + "\n")
    (folder / "salt").chmod(0o600)
