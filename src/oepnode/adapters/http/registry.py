"""A worker's client of the NMI registry (`ports.Registry`).

Guarantees: every request for a snapshot or salt has a fresh key, nonce, time and signature, and the
returned snapshot has the requested digest. Leaves out checking the salt against the snapshot's
commitment, which needs the parsed snapshot (`check_salt`). Source: `signed_requests`.
"""

from __future__ import annotations

from msgspec import Struct

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.adapters.http.client import read_digest
from oepnode.adapters.http.signed_client import SignedClient, verify_digest
from oepnode.domain.rounds.inputs.document_signatures import MAX_STATEMENT_BYTES
from oepnode.domain.rounds.pseudonyms import KEY_SIZE
from oepnode.domain.rounds.signed_requests import RegistryRequest, What, encode_request, seal_info
from oepnode.errors import EvidenceError, TransportError


class _Latest(Struct):
    digest: str


class HttpRegistry(SignedClient):
    """A worker's client of the NMI registry; arguments as of `SignedClient`."""

    async def latest_digest(self) -> bytes | None:
        """SHA-256 of the newest snapshot, or None before the first.

        Raises:
            TransportError: If the registry does not respond, or with a malformed response.
        """
        what = "newest registry snapshot"
        latest = await self._fetch_latest(
            "/v1/snapshots/latest", what, _Latest, none_yet="snapshot.none"
        )
        return None if latest is None else read_digest(latest.digest, what)

    async def snapshot(self, round_number: int, digest: bytes) -> bytes:
        """The snapshot with that SHA-256, verified, for a round that uses it.

        Raises:
            DigestMismatch: If the served bytes have another digest.
            ConflictError: If the registry rejects this worker.
            TransportError: If it could not be fetched.
        """
        data = await self._fetch_sealed(
            "snapshot", round_number, digest, self._request_signer.max_bytes
        )
        verify_digest("registry snapshot", data, digest)
        return data

    async def salt(self, round_number: int, digest: bytes) -> bytes:
        """The salt of the snapshot with that SHA-256, for a round that uses it.

        Raises:
            ConflictError: If the registry rejects this worker.
            TransportError: If it could not be fetched.
        """
        return await self._fetch_sealed("salt", round_number, digest, KEY_SIZE)

    async def statement(self, round_number: int, digest: bytes) -> bytes:
        """The signed statement about a snapshot, as JSON, for a round that uses it.

        Raises:
            SignatureFault: If the registry has none.
            ConflictError: If the registry rejects this worker.
            TransportError: If it could not be fetched.
        """
        return await self._fetch_sealed("signature", round_number, digest, MAX_STATEMENT_BYTES)

    async def _fetch_sealed(
        self, what: What, round_number: int, digest: bytes, limit: int
    ) -> bytes:
        key = PrivateKey.generate()
        recipient = key.public_key
        info = seal_info(what, self._request_signer.context(round_number), digest)
        fetch = self._fetch_statement if what == "signature" else self._fetch
        sealed = await fetch(
            "POST",
            "/v1/requests",
            f"{what} of the registry",
            limit=sealing.sealed_size(key.kind, limit),
            body=lambda: self._signed(what, round_number, digest, recipient),
            headers=lambda: {"Content-Type": "application/json"},
        )
        try:
            return sealing.open_whole(key, sealed, info)
        except EvidenceError as exc:
            raise TransportError(f"{what} of the registry: {exc}") from exc

    def _signed(self, what: What, round_number: int, digest: bytes, recipient: bytes) -> bytes:
        """A request with its own nonce, so that it can follow a failed attempt."""
        last_fields = self._request_signer.last_fields()
        request = RegistryRequest(what, round_number, digest, recipient, *last_fields)
        return encode_request(request, self._request_signer.sign(request))
