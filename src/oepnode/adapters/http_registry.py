"""The NMI registry over HTTP, as a worker sees it (`ports.Registry`).

Guarantees: snapshot and salt are asked for with a fresh key, nonce, time and signature, and the
snapshot that leaves here has the digest that was asked for. Leaves out holding the salt against the
snapshot's commitment, which takes the parsed snapshot: `keys.check_salt` does it where both are.
Source: ``domain.member_request``.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final

from eth_account.signers.local import LocalAccount
from msgspec import Struct

from oepnode.adapters import sealing
from oepnode.adapters.http_client import HttpClient, RequestRefused, read_digest
from oepnode.adapters.request_signature import sign_request
from oepnode.domain.keys import KEY_SIZE, RoundContext
from oepnode.domain.member_request import (
    NONCE_SIZE,
    RegistryRequest,
    What,
    encode_request,
    seal_info,
)
from oepnode.errors import DigestMismatch, EvidenceError, TransportError
from oepnode.ports import Clock

_SEAL_BYTES: Final = 48
"""What sealing adds: an encapsulated key and a tag."""


class _Latest(Struct):
    digest: str


class HttpRegistry:
    """An NMI registry.

    Args:
        url: Of the registry.
        account: The worker's signer.
        chain_id: EIP-155 chain id of the rounds.
        contract: Address of the consensus contract, 20 bytes.
        clock: For the time of requests.
        max_bytes: Largest snapshot that is fetched.
        timeout_s: Deadline of one attempt, in seconds.
        client: Carries the requests; by default a new one for ``url``.
    """

    def __init__(
        self,
        url: str,
        account: LocalAccount,
        *,
        chain_id: int,
        contract: bytes,
        clock: Clock,
        max_bytes: int,
        timeout_s: float,
        client: HttpClient | None = None,
    ) -> None:
        self._client = client or HttpClient(url, timeout_s)
        self._account = account
        self._chain_id = chain_id
        self._contract = contract
        self._clock = clock
        self._max_bytes = max_bytes

    async def latest_digest(self) -> bytes | None:
        """SHA-256 of the newest snapshot, or None where there is none yet.

        Raises:
            TransportError: If the registry does not answer as agreed.
        """
        what = "newest registry snapshot"
        try:
            found = await self._client.get_json("/v1/snapshots/latest", what, _Latest)
        except RequestRefused as exc:
            if exc.code == "snapshot.none":
                return None
            raise TransportError(str(exc)) from exc
        return read_digest(found.digest, what)

    async def snapshot(self, round_number: int, digest: bytes) -> bytes:
        """The snapshot with that SHA-256, checked, for a round that uses it.

        Raises:
            DigestMismatch: If other bytes were served.
            ConflictError: If the registry refuses this worker.
            TransportError: If it could not be had.
        """
        data = await self._ask("snapshot", round_number, digest, self._max_bytes)
        received = sha256(data).digest()
        if not hmac.compare_digest(received, digest):
            raise DigestMismatch("registry snapshot", digest, received)
        return data

    async def salt(self, round_number: int, digest: bytes) -> bytes:
        """The salt of the snapshot with that SHA-256, for a round that uses it.

        Raises:
            ConflictError: If the registry refuses this worker.
            TransportError: If it could not be had.
        """
        return await self._ask("salt", round_number, digest, KEY_SIZE)

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self._client.close()

    async def _ask(self, what: What, round_number: int, digest: bytes, limit: int) -> bytes:
        key = sealing.generate_private_key()
        recipient = sealing.public_key_of(key)
        context = RoundContext(self._chain_id, self._contract, round_number)
        try:
            sealed = await self._client.send(
                "POST",
                "/v1/requests",
                f"{what} of the registry",
                limit=limit + _SEAL_BYTES,
                body=lambda: self._signed(what, round_number, digest, recipient),
                headers=lambda: {"Content-Type": "application/json"},
            )
            return sealing.open_sealed(key, sealed, seal_info(what, context, digest))
        except RequestRefused as exc:
            if exc.status == 404:  # not there yet: the registry or its node lags behind
                raise TransportError(str(exc)) from exc
            raise
        except EvidenceError as exc:
            raise TransportError(f"{what} of the registry: {exc}") from exc

    def _signed(self, what: What, round_number: int, digest: bytes, recipient: bytes) -> bytes:
        """A request with a nonce of its own, so that it can be sent after a failed attempt."""
        request = RegistryRequest(
            what=what,
            round=round_number,
            snapshot_digest=digest,
            recipient=recipient,
            nonce=secrets.token_bytes(NONCE_SIZE),
            issued_at=int(self._clock.now()),
        )
        signature = sign_request(self._account, request, self._chain_id, self._contract)
        return encode_request(request, signature)
