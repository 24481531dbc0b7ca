"""Computes a round's result from its inputs, as a worker votes on it and an auditor replays it.

Guarantees: every result follows from inputs whose digests are those on chain; the steps and their
order are those that rules-v1 requires of a worker, each failing with its own error.
Source: rules-v1 sections 1, 5 (horizon) and 12; ``docs/design.md §2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from oepnode.domain.documents.progress import Progress
from oepnode.domain.documents.sources import DocumentBytes, digest_of, read_all, source_of
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator, parse_snapshot
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.domain.rounds.partition import RULES_VERSION, RoundResult
from oepnode.domain.rounds.pipeline import Pipeline
from oepnode.domain.rounds.workshop import InProcess, Workshop
from oepnode.errors import DigestMismatch, EvidenceError

KNOWN_RULES: Final = frozenset({RULES_VERSION})


class RulesUnknown(EvidenceError):  # noqa: N818 - the name is the reason code on chain
    """The round follows rules that this release does not implement."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a round besides its context. All of them are secret.

    Attributes:
        envelope: The envelope document: its exact bytes, or where to read them.
        registry: The registry snapshot, likewise.
        salt: The snapshot's salt, 32 bytes.
        feed: Settings for reading the document.
    """

    envelope: DocumentBytes = field(repr=False)
    registry: DocumentBytes = field(repr=False)
    salt: bytes = field(repr=False)
    feed: Feed


@dataclass(frozen=True)
class Computation:
    """The outcome of computing a round.

    Attributes:
        result: Partitions, entries and root.
        aggregators: Those of the snapshot by id, for sealing.
        warnings: Oddities in the inputs that are allowed.
        custody: Custody root for the operator that was asked for, or None.
    """

    result: RoundResult
    aggregators: Mapping[str, Aggregator]
    warnings: tuple[str, ...]
    custody: bytes | None = None


def compute(
    inputs: Inputs,
    context: RoundContext,
    opened: RoundOpened,
    progress: Progress | None = None,
    *,
    workshop: Workshop | None = None,
    operator: bytes | None = None,
) -> Computation:
    """Compute the result of a round from its inputs.

    Args:
        inputs: Documents, salt and feed settings.
        context: The round.
        opened: The event with which the round was opened.
        progress: Progress callback.
        workshop: Does the work and keeps the entries; by default this process, in memory.
        operator: Make the custody root for this address, too.

    Raises:
        RulesUnknown: If the round follows other rules.
        DigestMismatch: If an input is not the one that the round was opened with.
        DocumentFault: If the document or the snapshot breaks the rules, one has NMIs and the other
            tokens, or the document covers another horizon than the round.
    """
    if opened.rules_version not in KNOWN_RULES:
        raise RulesUnknown(
            f"expected rules version {RULES_VERSION}, received {opened.rules_version}"
        )
    workshop = workshop or InProcess()
    digest = workshop.beside(lambda: digest_of(inputs.envelope))
    registry = read_all(inputs.registry)
    registry_digest = sha256(registry).digest()
    try:
        snapshot = parse_snapshot(registry)
    finally:  # a wrong digest is the reason, whatever else is wrong
        _check_digest("envelope document", opened.envelope_digest, digest())
        _check_digest("registry snapshot", opened.registry_digest, registry_digest)
    horizon = Horizon(opened.horizon_start, opened.interval_count)
    pipeline = Pipeline(snapshot, inputs.salt, context, horizon, workshop, operator)
    reader = open_document(source_of(inputs.envelope), inputs.feed)
    partitioned = pipeline.partition(reader, progress)
    return Computation(
        partitioned.result,
        {aggregator.id: aggregator for aggregator in snapshot.aggregators},
        (*partitioned.warnings, *snapshot.warnings),
        partitioned.custody,
    )


def _check_digest(what: str, expected: bytes, received: bytes) -> None:
    if received != expected:
        raise DigestMismatch(what, expected, received)
