"""Signed requests of an enrolled worker for a round's inputs.

The base of the clients of the sender's gateway (`HttpSender`) and the NMI registry
(`HttpRegistry`): signing, the newest input, and that an input which is missing now may arrive
later. Leaves out the paths and shapes of each service. Source: `signed_requests`.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeVar

from eth_account.signers.local import LocalAccount

from oepnode.adapters.crypto.request_signature import sign_request
from oepnode.adapters.http.client import Body, HttpClient, RequestRejected
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.document_signatures import SignatureFault
from oepnode.domain.rounds.onchain import parse_address
from oepnode.domain.rounds.signed_requests import NONCE_SIZE, MemberRequest
from oepnode.errors import DigestMismatch, TransportError
from oepnode.ports import Clock

_NO_STATEMENT: Final = "signature.missing"

T = TypeVar("T")


@dataclass(frozen=True)
class RequestSigner:
    """Signs an enrolled worker's requests, and limits their responses.

    Attributes:
        account: The worker's signer.
        chain_id: EIP-155 chain id of the rounds.
        contract: Address of the consensus contract, 20 bytes.
        clock: Clock for the time of requests.
        max_bytes: Maximum size of an input.
        timeout_s: Deadline of one attempt, in seconds.
    """

    account: LocalAccount
    chain_id: int
    contract: bytes
    clock: Clock
    max_bytes: int
    timeout_s: float

    def context(self, round_number: int) -> RoundContext:
        """The context of a round."""
        return RoundContext(self.chain_id, self.contract, round_number)

    def last_fields(self) -> tuple[bytes, bytes, int]:
        """The last fields of every request: signer, a fresh nonce, the time in UTC seconds."""
        signer = parse_address(self.account.address)
        return signer, secrets.token_bytes(NONCE_SIZE), int(self.clock.now())

    def sign(self, request: MemberRequest) -> bytes:
        """The worker's signature of a request, 65 bytes."""
        return sign_request(self.account, request, self.chain_id, self.contract)


class SignedClient:
    """Base of an enrolled worker's client of a service.

    Args:
        url: The service's URL.
        request_signer: Signs the worker's requests.
        client: HTTP client; by default a new one for ``url``.
    """

    def __init__(
        self, url: str, request_signer: RequestSigner, client: HttpClient | None = None
    ) -> None:
        self._request_signer = request_signer
        self._client = client or HttpClient(url, request_signer.timeout_s)

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self._client.close()

    async def _fetch_latest(self, path: str, what: str, kind: type[T], none_yet: str) -> T | None:
        """The service's newest input, or None before the first.

        Args:
            path: Path below the service's URL.
            what: The requested thing, for messages.
            kind: Shape of the response.
            none_yet: The service's error code before its first input.

        Raises:
            TransportError: If the service does not respond, or with a malformed response.
        """
        try:
            return await self._client.get_json(path, what, kind)
        except RequestRejected as exc:
            if exc.code == none_yet:
                return None
            raise TransportError(str(exc)) from exc

    async def _fetch(
        self,
        method: str,
        path: str,
        what: str,
        *,
        limit: int,
        body: Callable[[], Body] = lambda: None,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> bytes:
        """Fetch an input of a round; arguments as of `HttpClient.send`.

        Raises:
            RequestRejected: If the service rejects this worker.
            TransportError: If it could not be fetched, or does not exist yet.
        """
        try:
            return await self._client.send(
                method, path, what, limit=limit, body=body, headers=headers
            )
        except RequestRejected as exc:
            if exc.status == 404:  # not yet: the service or its node lags behind
                raise TransportError(str(exc)) from exc
            raise

    async def _fetch_statement(
        self,
        method: str,
        path: str,
        what: str,
        *,
        limit: int,
        body: Callable[[], Body] = lambda: None,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> bytes:
        """Fetch the signed statement about an input; arguments as of `HttpClient.send`.

        Raises:
            SignatureFault: If the service has none.
            RequestRejected: If the service rejects this worker.
            TransportError: If it could not be fetched.
        """
        try:
            return await self._client.send(
                method, path, what, limit=limit, body=body, headers=headers
            )
        except RequestRejected as exc:
            if exc.code == _NO_STATEMENT:
                raise SignatureFault(_NO_STATEMENT, f"{what}: the service has none") from exc
            if exc.status == 404:
                raise TransportError(str(exc)) from exc
            raise


def verify_digest(what: str, data: bytes, digest: bytes) -> None:
    """Check served bytes against the requested SHA-256.

    Raises:
        DigestMismatch: If their digest differs.
    """
    received = sha256(data).digest()
    if not hmac.compare_digest(received, digest):
        raise DigestMismatch(what, digest, received)
