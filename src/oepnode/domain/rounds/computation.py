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

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.envelope_document import Document, parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator, parse_snapshot
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.domain.rounds.partition import RULES_VERSION, RoundResult, partition_round
from oepnode.domain.rounds.pseudonyms import check_salt
from oepnode.errors import DigestMismatch, EvidenceError

KNOWN_RULES: Final = frozenset({RULES_VERSION})


class RulesUnknown(EvidenceError):  # noqa: N818 - the name is the reason code on chain
    """The round follows rules that this release does not implement."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a round besides its context. All of them are secret.

    Attributes:
        envelope: Exact bytes of the envelope document.
        registry: Exact bytes of the registry snapshot.
        salt: The snapshot's salt, 32 bytes.
        feed: Settings for reading the document.
    """

    envelope: bytes = field(repr=False)
    registry: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    feed: Feed


@dataclass(frozen=True)
class Computation:
    """The outcome of computing a round.

    Attributes:
        result: Partitions, entries and root.
        aggregators: Those of the snapshot by id, for sealing.
        warnings: Oddities in the inputs that are allowed.
    """

    result: RoundResult
    aggregators: Mapping[str, Aggregator]
    warnings: tuple[str, ...]


def compute(
    inputs: Inputs, context: RoundContext, opened: RoundOpened, progress: Progress | None = None
) -> Computation:
    """Compute the result of a round from its inputs.

    Args:
        inputs: Documents, salt and feed settings.
        context: The round.
        opened: The event with which the round was opened.
        progress: Progress callback.

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
    _check_digest("envelope document", opened.envelope_digest, inputs.envelope)
    _check_digest("registry snapshot", opened.registry_digest, inputs.registry)
    snapshot = parse_snapshot(inputs.registry)
    check_salt(inputs.salt, snapshot.salt_digest)
    document = parse_document(inputs.envelope, inputs.feed, progress)
    _check_horizon(document, opened)
    return Computation(
        partition_round(document, snapshot, inputs.salt, context, progress),
        {aggregator.id: aggregator for aggregator in snapshot.aggregators},
        (*document.warnings, *snapshot.warnings),
    )


def _check_digest(what: str, expected: bytes, data: bytes) -> None:
    received = sha256(data).digest()
    if received != expected:
        raise DigestMismatch(what, expected, received)


def _check_horizon(document: Document, opened: RoundOpened) -> None:
    log = FaultLog("envelope document")
    received = document.horizon_start, document.interval_count
    if received != (opened.horizon_start, opened.interval_count):
        log.add(
            "$",
            "horizon.mismatch",
            f"the round is for {opened.interval_count} intervals from "
            f"{format_nem(opened.horizon_start)}",
            f"{received[1]} intervals from {format_nem(received[0])}",
        )
    log.raise_if_any()
