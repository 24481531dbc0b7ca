"""The small round of `round_world` in blind mode: tokens in both inputs, and token lists."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from msgspec.structs import replace

from oepnode.adapters.crypto import sealing
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.nem.tokens import token_of
from oepnode.domain.rounds import bundle, bundle_writing, token_list
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.domain.rounds.inputs.blinding import DOCUMENT, SNAPSHOT, Blinder, Form
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.onchain import Event, RoundOpened
from oepnode.domain.rounds.token_list import TokenList
from tests.support.plain_bundle import pack_file
from tests.support.round_world import (
    CONTEXT,
    ENVELOPE,
    HELD,
    IDS,
    MOVING,
    PUBLIC,
    REGISTRY,
    SALT,
    FakeReader,
    events,
    opened,
    write_key,
)

KEY = bytes(range(64, 96))
NMIS = sorted([*(nmi for held in HELD.values() for nmi in held), MOVING])


def blinded(data: bytes, form: Form) -> bytes:
    blinder = Blinder(KEY, form)
    return blinder.feed(data) + blinder.finish()


BLIND_ENVELOPE = blinded(ENVELOPE, DOCUMENT)
BLIND_REGISTRY = blinded(REGISTRY, SNAPSHOT)
DIGEST = sha256(BLIND_REGISTRY).digest()
INPUTS = Inputs(BLIND_ENVELOPE, BLIND_REGISTRY, SALT, Feed())


def opened_blind(number: int = CONTEXT.number) -> RoundOpened:
    digest = sha256(BLIND_ENVELOPE).digest()
    return replace(opened(number), envelope_digest=digest, registry_digest=DIGEST)


RESULT = compute(INPUTS, CONTEXT, opened_blind()).result
TOKENS = {nmi: token_of(KEY, nmi) for nmi in NMIS}
LISTS = {
    tokens.aggregator_id: tokens
    for tokens in token_list.lists_of(parse_snapshot(BLIND_REGISTRY), DIGEST, TOKENS)
}


def sealed_list(tokens: TokenList, name: str = "A1", digest: bytes = DIGEST) -> bytes:
    """A token list, sealed to an aggregator for a snapshot."""
    padded = token_list.pad(token_list.write(tokens))
    return sealing.seal_whole(PUBLIC[name], padded, token_list.sealing_info(digest))


@dataclass
class BlindReader(FakeReader):
    """As `FakeReader`, but round 3 is the blind one."""

    def __post_init__(self) -> None:
        final = self.rounds[3]
        self.rounds[3] = replace(final, root=RESULT.root, partitions=RESULT.partition_count)

    async def round_events(self, number: int) -> list[Event]:
        if number != CONTEXT.number:
            return await super().round_events(number)
        return [opened_blind(number), *events(CONTEXT, RESULT.result)[1:]]


def write_blind_folder(folder: Path) -> None:
    """Key files, bundles and opened token lists of all three aggregators."""
    for index, partition in enumerate(RESULT.partitions):
        name = partition.aggregator_id
        if name not in IDS:
            continue
        write_key(folder / f"{name}.json", name, name)
        info = bundle.sealing_info(CONTEXT)
        plaintext = b"".join(bundle_writing.build(RESULT, index))
        sealed = sealing.seal_whole(PUBLIC[name], plaintext, info)
        (folder / f"{name}.oepb").write_bytes(pack_file(CONTEXT, sealed))
        (folder / f"{name}.tokens").write_bytes(token_list.write(LISTS[name]))
