"""A worker's client of the sender's gateway: `ports.EnvelopeSource`.

Guarantees: every request for a document has a fresh nonce, time and signature, and the returned
bytes have the requested digest. Source: `signed_requests`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from oepnode.adapters.http.client import (
    read_digest,
)
from oepnode.adapters.http.signed_client import SignedClient, verify_digest
from oepnode.domain.rounds.inputs.document_signatures import (
    MAX_STATEMENT_BYTES,
)
from oepnode.domain.rounds.signed_requests import DocumentRequest, encode_authorization
from oepnode.ports import LatestEnvelope


class _Latest(Struct, rename="camel"):
    digest: str
    horizon_start: int
    interval_count: int
    size: int
    registry_digest: str | None = None
    round: int | None = None


class HttpSender(SignedClient):
    """A worker's client of a sender's gateway; arguments as of `SignedClient`."""

    async def latest(self) -> LatestEnvelope | None:
        """The newest document, or None before the first.

        Raises:
            TransportError: If the gateway does not respond, or with a malformed response.
        """
        what = "newest envelope document"
        latest = await self._fetch_latest(
            "/v1/envelopes/latest", what, _Latest, none_yet="envelope.none"
        )
        if latest is None:
            return None
        registry = latest.registry_digest
        return LatestEnvelope(
            digest=read_digest(latest.digest, what),
            registry_digest=None if registry is None else read_digest(registry, what),
            horizon_start=latest.horizon_start,
            interval_count=latest.interval_count,
            size=latest.size,
            round=latest.round,
        )

    async def document(self, round_number: int, digest: bytes) -> bytes:
        """The document with that SHA-256, verified, for a round that was opened with it.

        Raises:
            DigestMismatch: If the served bytes have another digest.
            ConflictError: If the gateway rejects this worker.
            TransportError: If it could not be fetched.
        """
        what = "envelope document"
        data = await self._fetch(
            "GET",
            f"/v1/documents/{digest.hex()}",
            what,
            limit=self._request_signer.max_bytes,
            headers=lambda: self._signed(round_number, digest),
        )
        verify_digest(what, data, digest)
        return data

    async def statement(self, digest: bytes) -> bytes:
        """The signed statement about a document, as JSON.

        Raises:
            SignatureFault: If the gateway has none.
            ConflictError: If the gateway rejects the request.
            TransportError: If the gateway does not respond.
        """
        what = "signature of the envelope document"
        path = f"/v1/documents/{digest.hex()}/signature"
        return await self._fetch_statement("GET", path, what, limit=MAX_STATEMENT_BYTES)

    def _signed(self, round_number: int, digest: bytes) -> Mapping[str, str]:
        """Headers with their own nonce, so that they can follow a failed attempt."""
        request = DocumentRequest(round_number, digest, *self._request_signer.last_fields())
        return {"Authorization": encode_authorization(request, self._request_signer.sign(request))}
