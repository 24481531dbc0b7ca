"""The sender's gateway and the registry for a worker that accepts signed documents only.

Guarantees: a document or snapshot is returned only if the network's key signed it, and not before
an older round's: whoever runs a service, or holds a requester's key, can withhold documents, and
replace or replay none. Leaves out the salt, which the snapshot commits to. Source:
docs/spec/signatures.md.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from oepnode.adapters.crypto.document_key import verify_statement
from oepnode.adapters.storage.sequence_memory import SequenceMemory
from oepnode.domain.rounds.inputs.document_signatures import (
    Kind,
    SignatureFault,
    SignedStatement,
    check_size,
    decode_statement,
)
from oepnode.ports import EnvelopeSource, LatestEnvelope, Registry

_log = structlog.get_logger(__name__)


class StatementSource(EnvelopeSource, Protocol):
    """A sender's gateway that serves documents with their statements."""

    async def statement(self, digest: bytes) -> bytes:
        """The signed statement about a document, as JSON."""
        ...


class SnapshotStatementSource(Registry, Protocol):
    """A registry that serves snapshots with their statements."""

    async def statement(self, round_number: int, digest: bytes) -> bytes:
        """The signed statement about a snapshot, as JSON."""
        ...


class SignedSender:
    """Documents that the network signed; implements `ports.EnvelopeSource`.

    Args:
        sender: Client of the gateway.
        key: The network's public key, 32 bytes.
        memory: Sequence numbers of earlier rounds.
    """

    def __init__(self, sender: StatementSource, key: bytes, memory: SequenceMemory) -> None:
        self._sender = sender
        self._check = _Check("envelope", key, memory)

    async def latest(self) -> LatestEnvelope | None:
        """The newest document; None before the first, and if it is not signed.

        A worker that opens rounds so opens none for a document that it would reject.

        Raises:
            TransportError: If the gateway does not respond.
        """
        latest = await self._sender.latest()
        if latest is None:
            return None
        try:
            statement = await self._sender.statement(latest.digest)
            await self._check.would_accept(statement, latest.digest)
        except SignatureFault as exc:
            _log.warning("document_rejected", digest=latest.digest.hex(), reason=str(exc))
            return None
        return latest

    async def document(self, round_number: int, digest: bytes) -> bytes:
        """The document with that SHA-256, signed and verified.

        Raises:
            SignatureFault: If it is unsigned, wrongly signed or replayed.
            DigestMismatch: If the served bytes have another digest.
            ConflictError: If the gateway rejects this worker.
            TransportError: If it could not be fetched.
        """
        signed = await self._check.accept(
            await self._sender.statement(digest), digest, round_number
        )
        data = await self._sender.document(round_number, digest)
        check_size(signed, len(data))
        return data


class SignedRegistry:
    """Snapshots that the network signed; implements `ports.Registry`.

    Args:
        registry: Client of the registry.
        key: The network's public key, 32 bytes.
        memory: Sequence numbers of earlier rounds.
    """

    def __init__(
        self, registry: SnapshotStatementSource, key: bytes, memory: SequenceMemory
    ) -> None:
        self._registry = registry
        self._check = _Check("snapshot", key, memory)

    async def latest_digest(self) -> bytes | None:
        """SHA-256 of the newest snapshot, or None before the first."""
        return await self._registry.latest_digest()

    async def snapshot(self, round_number: int, digest: bytes) -> bytes:
        """The snapshot with that SHA-256, signed and verified.

        Raises:
            SignatureFault: If it is unsigned, wrongly signed or replayed.
            DigestMismatch: If the served bytes have another digest.
            ConflictError: If the registry rejects this worker.
            TransportError: If it could not be fetched.
        """
        statement = await self._registry.statement(round_number, digest)
        signed = await self._check.accept(statement, digest, round_number)
        data = await self._registry.snapshot(round_number, digest)
        check_size(signed, len(data))
        return data

    async def salt(self, round_number: int, digest: bytes) -> bytes:
        """The salt of a snapshot, as the registry serves it."""
        return await self._registry.salt(round_number, digest)


class _Check:
    def __init__(self, kind: Kind, key: bytes, memory: SequenceMemory) -> None:
        self._kind: Kind = kind
        self._key = key
        self._memory = memory

    async def would_accept(self, statement: bytes, digest: bytes) -> None:
        signed = self._verified(statement, digest)
        await asyncio.to_thread(self._memory.check, signed)

    async def accept(self, statement: bytes, digest: bytes, round_number: int) -> SignedStatement:
        signed = self._verified(statement, digest)
        await asyncio.to_thread(self._memory.accept, signed, round_number)
        return signed

    def _verified(self, statement: bytes, digest: bytes) -> SignedStatement:
        signed = decode_statement(statement)
        verify_statement(signed, self._kind, digest, self._key)
        return signed
