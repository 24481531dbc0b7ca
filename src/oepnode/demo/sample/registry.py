"""The registry snapshot of a sample, its salt and the aggregators' keys.

Nothing here is secret: salt and private keys follow from the seed, so use them for trying out only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import numpy as np

from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.demo.sample.plan import SamplePlan, aggregator_ids
from oepnode.demo.sample.sites import Sites
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.nem_time import format_nem, period_start
from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator, snapshot_json
from oepnode.domain.rounds.recipient_keys import KeyKind

_CHUNK_BYTES: Final = 8 * 2**20
_HELD_SINCE_DAYS: Final = (30, 200, 400)
"""Days from the start of an assignment to the trading day."""


def sample_salt(seed: int) -> bytes:
    """The salt of a sample, 32 bytes. Not secret: it follows from the seed."""
    return sha256(b"oepnode sample salt %d" % seed).digest()


def sample_private_key(plan: SamplePlan, aggregator_id: str) -> PrivateKey:
    """An aggregator's private key. Not secret: it follows from the seed.

    The largest aggregator has an X25519 key, the others a hybrid one, so that a sample has both.
    """
    kind = KeyKind.X25519 if aggregator_id == aggregator_ids(plan)[0] else KeyKind.HYBRID
    secret = sha256(b"oepnode sample key %d " % plan.seed + aggregator_id.encode()).digest()
    return PrivateKey(kind, secret)


def sample_aggregators(plan: SamplePlan) -> list[Aggregator]:
    """The aggregators of a sample, largest first; ids and names are invented."""
    return [
        Aggregator(
            id=identity,
            name=f"Sample Aggregator {number}",
            public_key=sample_private_key(plan, identity).public_key,
        )
        for number, identity in enumerate(aggregator_ids(plan), 1)
    ]


def _nonce(seed: int) -> bytes:
    """The nonce of a sample's snapshot, 32 bytes. A real registry draws a fresh one each time."""
    return sha256(b"oepnode sample nonce %d" % seed).digest()


def registry_chunks(plan: SamplePlan, sites: Sites, progress: Progress) -> Iterator[bytes]:
    """The registry snapshot's bytes, in pieces of a few megabytes."""
    as_of = format_nem(plan.horizon_start - 4 * 3600)
    salt_digest = sha256(sample_salt(plan.seed)).digest()
    head = snapshot_json(as_of, salt_digest, sample_aggregators(plan), [], _nonce(plan.seed))
    yield _without_end(head)
    separator = b""
    for first in range(0, plan.nmis, step := _CHUNK_BYTES // 128):
        part = slice(first, min(first + step, plan.nmis))
        lines = _assignments(plan, sites, part)
        if lines:
            yield separator + ",\n".join(lines).encode()
            separator = b",\n"
        progress("registry", part.stop, plan.nmis)
    yield b"]}\n"


def _without_end(snapshot: dict[str, Any]) -> bytes:
    """The text of a snapshot up to its assignments."""
    text = json.dumps(snapshot, separators=(",", ":"))
    return text.removesuffix("]}").encode() + b"\n"


def _assignments(plan: SamplePlan, sites: Sites, part: slice) -> list[str]:
    held = np.arange(part.start, part.stop)[sites.holder[part] >= 0]
    names = sites.nmi[held].tobytes().decode()
    ids = aggregator_ids(plan)
    starts = [
        format_nem(period_start(plan.day - timedelta(days=days), 1)) for days in _HELD_SINCE_DAYS
    ]
    change = format_nem(plan.change_at)
    lines = []
    for row, (site, holder) in enumerate(
        zip(held.tolist(), sites.holder[held].tolist(), strict=True)
    ):
        nmi, start = names[row * 10 : row * 10 + 10], starts[site % len(starts)]
        if site == sites.changing:
            lines.append(_assignment(nmi, ids[0], start, f'"{change}"'))
            lines.append(_assignment(nmi, ids[1], change, "null"))
        else:
            lines.append(_assignment(nmi, ids[holder], start, "null"))
    return lines


def _assignment(nmi: str, aggregator: str, start: str, end: str) -> str:
    return f'{{"nmi":"{nmi}","aggregator":"{aggregator}","from":"{start}","to":{end}}}'
