"""A service that gives a round's inputs to enrolled workers, as one of them asks it over HTTP.

What the sender's gateway (`http_sender`) and the NMI registry (`http_registry`) have in common:
who asks, what is newest, and that something which is not there yet is worth another try. Leaves out
the words and forms of each: those are theirs. Source: ``domain.member_request``.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from eth_account.signers.local import LocalAccount

from oepnode.adapters.crypto.request_signature import sign_request
from oepnode.adapters.http.client import Body, HttpClient, RequestRejected
from oepnode.domain.rounds.pseudonyms import RoundContext
from oepnode.domain.rounds.signed_requests import NONCE_SIZE, MemberRequest
from oepnode.errors import DigestMismatch, TransportError
from oepnode.ports import Clock

T = TypeVar("T")


@dataclass(frozen=True)
class RequestSigner:
    """An enrolled worker, and what it puts up with.

    Attributes:
        account: Its signer.
        chain_id: EIP-155 chain id of the rounds.
        contract: Address of the consensus contract, 20 bytes.
        clock: For the time of requests.
        max_bytes: Largest input of a round that is fetched.
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

    def nonce_and_time(self) -> tuple[bytes, int]:
        """A nonce never used before and the time, UTC seconds: with them a request ends."""
        return secrets.token_bytes(NONCE_SIZE), int(self.clock.now())

    def sign(self, request: MemberRequest) -> bytes:
        """The worker's signature of a request, 65 bytes."""
        return sign_request(self.account, request, self.chain_id, self.contract)


class SignedClient:
    """A service that is asked by an enrolled worker.

    Args:
        url: Of the service.
        asker: The worker.
        client: Carries the requests; by default a new one for ``url``.
    """

    def __init__(
        self, url: str, request_signer: RequestSigner, client: HttpClient | None = None
    ) -> None:
        self._client = client or HttpClient(url, request_signer.timeout_s)

    async def latest(self, path: str, what: str, kind: type[T], none_yet: str) -> T | None:
        """What the service says of its newest input, or None where there is none yet.

        Args:
            path: Below the service's URL.
            what: What is asked for, for messages.
            kind: Shape of the answer.
            none_yet: The service's code for having none.

        Raises:
            TransportError: If the service does not answer as agreed.
        """
        try:
            return await self._client.get_json(path, what, kind)
        except RequestRejected as exc:
            if exc.code == none_yet:
                return None
            raise TransportError(str(exc)) from exc

    async def ask(
        self,
        method: str,
        path: str,
        what: str,
        *,
        limit: int,
        body: Callable[[], Body] = lambda: None,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> bytes:
        """Ask for an input of a round; arguments as those of `HttpClient.send`.

        Raises:
            RequestRejected: If the service rejects this worker.
            TransportError: If it could not be had, or is not there yet.
        """
        try:
            return await self._client.send(
                method, path, what, limit=limit, body=body, headers=headers
            )
        except RequestRejected as exc:
            if exc.status == 404:  # not there yet: the service or its node lags behind
                raise TransportError(str(exc)) from exc
            raise

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self._client.close()


def verify_digest(what: str, data: bytes, digest: bytes) -> None:
    """Hold what was served against the SHA-256 that was asked for.

    Raises:
        DigestMismatch: If it has another one.
    """
    received = sha256(data).digest()
    if not hmac.compare_digest(received, digest):
        raise DigestMismatch(what, digest, received)
