"""Clients of the sender's gateway: `ports.EnvelopeSource` for workers, publishing for senders.

Guarantees: every request for a document has a fresh nonce, time and signature, and the returned
bytes have the requested digest. Source: `signed_requests`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from oepnode.adapters.http.client import (
    MAX_JSON_BYTES,
    HttpClient,
    RequestRejected,
    decode_json,
    read_digest,
)
from oepnode.adapters.http.signed_client import SignedClient, verify_digest
from oepnode.domain.rounds.inputs.document_signatures import (
    HEADER,
    MAX_STATEMENT_BYTES,
    SignedStatement,
    encode_header,
)
from oepnode.domain.rounds.signed_requests import DocumentRequest, encode_authorization
from oepnode.errors import ConfigError, DocumentFault
from oepnode.ports import LatestEnvelope


class _Latest(Struct, rename="camel"):
    digest: str
    horizon_start: int
    interval_count: int
    size: int
    registry_digest: str | None = None
    round: int | None = None


class Published(Struct, frozen=True, rename="camel"):
    """The gateway's receipt for a published document.

    Attributes:
        digest: SHA-256, 64 hex digits.
        size: Size of the document in bytes.
        horizon_start: UTC seconds.
        interval_count: Dispatch intervals of the horizon.
        warnings: Warnings about the document.
        round: The round opened with it, if requested.
        settled: Whether its opening is final enough; a reorganisation can take another one away.
    """

    digest: str
    size: int
    horizon_start: int
    interval_count: int
    warnings: list[str]
    round: int | None = None
    settled: bool | None = None


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


class HttpPublisher:
    """A publisher's client of a sender's gateway.

    Args:
        url: The gateway's URL.
        timeout_s: Deadline of one attempt, in seconds.
        client: HTTP client; by default a new one for ``url``.
    """

    def __init__(self, url: str, *, timeout_s: float, client: HttpClient | None = None) -> None:
        self._client = client or HttpClient(url, timeout_s)

    async def publish(
        self,
        document: Path,
        token: str,
        registry_digest: bytes | None = None,
        signed: SignedStatement | None = None,
    ) -> Published:
        """Publish a document, and open its round if a snapshot is given.

        Args:
            document: The file; it is streamed.
            token: The publisher's bearer token.
            registry_digest: SHA-256 of the round's snapshot, or None to open no round.
            signed: The publisher's signed statement about the document, if the gateway demands one.

        Raises:
            ConfigError: If the file cannot be read.
            DocumentFault: If the document violates the rules.
            ConflictError: If the gateway or the contract rejects it.
            TransportError: If the outcome is unknown; publishing again is safe.
        """
        if not await asyncio.to_thread(document.is_file):
            raise ConfigError(f"{document}: no such file")
        query = "" if registry_digest is None else f"?registry={registry_digest.hex()}"
        what = "publishing the envelope document"
        headers = {"Authorization": f"Bearer {token}"}
        if signed is not None:
            headers[HEADER] = encode_header(signed)
        try:
            response = await self._client.send(
                "POST",
                f"/v1/envelopes{query}",
                what,
                limit=MAX_JSON_BYTES,
                body=lambda: document,
                headers=lambda: headers,
            )
        except RequestRejected as exc:
            if exc.faults:
                raise DocumentFault("envelope document", exc.faults, exc.more) from exc
            raise
        return decode_json(response, what, Published)

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self._client.close()
