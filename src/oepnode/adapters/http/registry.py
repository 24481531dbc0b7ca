"""The NMI registry over HTTP, as a worker sees it (`ports.Registry`).

Guarantees: snapshot and salt are asked for with a fresh key, nonce, time and signature, and the
snapshot that leaves here has the digest that was asked for. Leaves out holding the salt against the
snapshot's commitment, which takes the parsed snapshot: `keys.check_salt` does it where both are.
Source: ``domain.member_request``.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from oepnode.adapters.crypto import hpke as sealing
from oepnode.adapters.http.client import HttpClient, read_digest
from oepnode.adapters.http.signed_client import RequestSigner, SignedClient, verify_digest
from oepnode.domain.rounds.pseudonyms import KEY_SIZE
from oepnode.domain.rounds.signed_requests import RegistryRequest, What, encode_request, seal_info
from oepnode.errors import EvidenceError, TransportError

_SEAL_BYTES: Final = 48
"""What sealing adds: an encapsulated key and a tag."""


class _Latest(Struct):
    digest: str


class HttpRegistry:
    """An NMI registry.

    Args:
        url: Of the registry.
        asker: The worker.
        client: Carries the requests; by default a new one for ``url``.
    """

    def __init__(
        self, url: str, request_signer: RequestSigner, client: HttpClient | None = None
    ) -> None:
        self._request_signer = request_signer
        self._service = SignedClient(url, request_signer, client)

    async def latest_digest(self) -> bytes | None:
        """SHA-256 of the newest snapshot, or None where there is none yet.

        Raises:
            TransportError: If the registry does not answer as agreed.
        """
        what = "newest registry snapshot"
        found = await self._service.latest(
            "/v1/snapshots/latest", what, _Latest, none_yet="snapshot.none"
        )
        return None if found is None else read_digest(found.digest, what)

    async def snapshot(self, round_number: int, digest: bytes) -> bytes:
        """The snapshot with that SHA-256, checked, for a round that uses it.

        Raises:
            DigestMismatch: If other bytes were served.
            ConflictError: If the registry rejects this worker.
            TransportError: If it could not be had.
        """
        data = await self._ask("snapshot", round_number, digest, self._request_signer.max_bytes)
        verify_digest("registry snapshot", data, digest)
        return data

    async def salt(self, round_number: int, digest: bytes) -> bytes:
        """The salt of the snapshot with that SHA-256, for a round that uses it.

        Raises:
            ConflictError: If the registry rejects this worker.
            TransportError: If it could not be had.
        """
        return await self._ask("salt", round_number, digest, KEY_SIZE)

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self._service.close()

    async def _ask(self, what: What, round_number: int, digest: bytes, limit: int) -> bytes:
        key = sealing.generate_private_key()
        recipient = sealing.public_key_of(key)
        info = seal_info(what, self._request_signer.context(round_number), digest)
        sealed = await self._service.ask(
            "POST",
            "/v1/requests",
            f"{what} of the registry",
            limit=limit + _SEAL_BYTES,
            body=lambda: self._signed(what, round_number, digest, recipient),
            headers=lambda: {"Content-Type": "application/json"},
        )
        try:
            return sealing.open_sealed(key, sealed, info)
        except EvidenceError as exc:
            raise TransportError(f"{what} of the registry: {exc}") from exc

    def _signed(self, what: What, round_number: int, digest: bytes, recipient: bytes) -> bytes:
        """A request with a nonce of its own, so that it can be sent after a failed attempt."""
        nonce_and_time = self._request_signer.nonce_and_time()
        request = RegistryRequest(what, round_number, digest, recipient, *nonce_and_time)
        return encode_request(request, self._request_signer.sign(request))
