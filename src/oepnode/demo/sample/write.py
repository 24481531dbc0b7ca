"""Writes a sample into a folder: envelope document, registry snapshot, salt and private keys.

Guarantees: the same plan gives the same bytes; document and snapshot follow rules-v1 without a
fault or warning; memory stays bounded whatever the number of NMIs.
Source: rules-v1 sections 3 to 6; layout of the files: docs/sample-data.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec import json as msgspec_json

from oepnode.adapters.crypto.keyfile import write_secret
from oepnode.adapters.storage.private import private_folder
from oepnode.client.keys import KeyPair, encode_key_pair
from oepnode.demo.sample.envelope import envelope_chunks
from oepnode.demo.sample.plan import SamplePlan, aggregator_ids
from oepnode.demo.sample.registry import (
    registry_chunks,
    sample_aggregators,
    sample_private_key,
    sample_salt,
)
from oepnode.demo.sample.sites import Sites, make_sites
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.nem_time import format_nem
from oepnode.errors import ConfigError, FatalError


class SampleSummary(Struct, frozen=True):
    """Counts and digests of a sample, without NMIs.

    Attributes:
        nmis: Number of NMIs, and so of records and of sites.
        flex_nmis: NMIs whose envelope is for the Flex level.
        unassigned_nmis: NMIs without an aggregator.
        changing_nmis: NMIs that change aggregator inside the horizon.
        aggregators: Number of aggregators.
        aggregator_nmis: NMIs per aggregator id at the start of the horizon.
        horizon_start: NEM time.
        intervals: Dispatch intervals of the horizon.
        trading_date: ISO date.
        seed: Seed of all random streams.
        envelope_file: Name of the document's file.
        envelope_digest: SHA-256 of the document, hex.
        envelope_bytes: Size of the document.
        registry_digest: SHA-256 of the snapshot, hex.
        registry_bytes: Size of the snapshot.
    """

    nmis: int
    flex_nmis: int
    unassigned_nmis: int
    changing_nmis: int
    aggregators: int
    aggregator_nmis: dict[str, int]
    horizon_start: str
    intervals: int
    trading_date: str
    seed: int
    envelope_file: str
    envelope_digest: str
    envelope_bytes: int
    registry_digest: str
    registry_bytes: int


def write_sample(
    plan: SamplePlan, out: Path, progress: Progress = lambda _stage, _done, _all: None
) -> SampleSummary:
    """Write a sample into a new or empty folder.

    Raises:
        ConfigError: If the folder is not empty or cannot be written.
    """
    _make_empty(out)
    sites = make_sites(plan)
    envelope = f"envelope.{plan.format}"
    try:
        document = _write(out / envelope, envelope_chunks(plan, sites, progress))
        snapshot = _write(out / "registry.json", registry_chunks(plan, sites, progress))
        summary = _summary(plan, sites, envelope, document, snapshot)
        _write_secrets(plan, out)
        (out / "sample.json").write_bytes(msgspec_json.format(msgspec_json.encode(summary)) + b"\n")
    except OSError as exc:
        raise ConfigError(f"{out}: cannot be written: {exc.strerror or exc}") from exc
    return summary


def _write(path: Path, chunks: Iterator[bytes]) -> tuple[str, int]:
    """Write chunks; returns the SHA-256 in hex and the size."""
    digest, size = sha256(), 0
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _write_secrets(plan: SamplePlan, out: Path) -> None:
    write_secret(out / "salt", sample_salt(plan.seed).hex().encode() + b"\n")
    for aggregator in sample_aggregators(plan):
        pair = KeyPair(aggregator.id, sample_private_key(plan, aggregator.id))
        write_secret(out / "keys" / f"{aggregator.id}.key.json", encode_key_pair(pair))


def _summary(
    plan: SamplePlan,
    sites: Sites,
    envelope: str,
    document: tuple[str, int],
    snapshot: tuple[str, int],
) -> SampleSummary:
    sizes = np.bincount(sites.holder[sites.holder >= 0], minlength=plan.aggregators)
    return SampleSummary(
        nmis=plan.nmis,
        flex_nmis=int(sites.is_flex.sum()),
        unassigned_nmis=plan.unassigned,
        changing_nmis=int(sites.changing >= 0),
        aggregators=plan.aggregators,
        aggregator_nmis={name: int(sizes[i]) for i, name in enumerate(aggregator_ids(plan))},
        horizon_start=format_nem(plan.horizon_start),
        intervals=plan.intervals,
        trading_date=plan.day.isoformat(),
        seed=plan.seed,
        envelope_file=envelope,
        envelope_digest=document[0],
        envelope_bytes=document[1],
        registry_digest=snapshot[0],
        registry_bytes=snapshot[1],
    )


def _make_empty(out: Path) -> None:
    try:
        private_folder(out)
        is_empty = next(out.iterdir(), None) is None
    except (FatalError, OSError) as exc:
        raise ConfigError(f"{out}: folder cannot be created: {exc}") from exc
    if not is_empty:
        raise ConfigError(f"{out}: folder is not empty; name a new one, nothing is overwritten")
