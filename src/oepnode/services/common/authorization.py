"""Authorizes a member's signed request for a round's input.

Guarantees: a request is authorized only if its time is current, its signer belongs to an enrolled
worker of a listed operator, in the electorate of a round that was opened with the requested input,
and its nonce is new. Until then nothing is stored. Cheap checks come before dear ones: a signature
is verified only for a signer that is known to be a member's, and the chain is read for a request
only after that. Leaves out decoding the request (`signed_requests`), finding the input, and
serving it. Source: docs/services.md, docs/adr/0006.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from oepnode.adapters.crypto.request_signature import verify_request
from oepnode.domain.rounds.onchain import Member, RoundOpened
from oepnode.domain.rounds.signed_requests import SCHEME, DocumentRequest, MemberRequest
from oepnode.errors import EvidenceError
from oepnode.ports import ChainReader, Clock
from oepnode.services.common.access_log import AccessLog
from oepnode.services.common.allow_list import AllowList
from oepnode.services.common.http import Rejection
from oepnode.services.common.known_signers import KnownSigners
from oepnode.services.common.metrics import InputMetrics

_log = structlog.get_logger(__name__)


class Authorizer:
    """Authorizes members' signed requests.

    Args:
        chain: Source of members, and of rounds with their inputs.
        clock: Clock that a request's time is compared with.
        access_log: Record of used nonces and granted requests.
        window_s: Maximum difference between a request's time and the clock, in seconds.
        allowed: The operators whose workers are admitted.
        metrics: Counts the grants.
    """

    def __init__(
        self,
        chain: ChainReader,
        clock: Clock,
        access_log: AccessLog,
        window_s: int,
        allowed: AllowList,
        metrics: InputMetrics,
    ) -> None:
        self._chain = chain
        self._clock = clock
        self._access_log = access_log
        self._window_s = window_s
        self._allowed = allowed
        self._metrics = metrics
        self._known = KnownSigners(self._members)

    async def verify(self, request: MemberRequest, signature: bytes) -> None:
        """Check that a worker signed a request just now; costs no turn.

        Raises:
            Rejection: If the time or signature is invalid, or the signer is not a worker's.
            TransportError: If the signer is unknown, and the chain does not respond.
        """
        # 1. The request's time is current. First, because it rejects a replay after the window.
        self._check_time(request)
        # 2. The signer that it names is a member's, of a listed operator.
        member = await self._known.find(request.signer)
        if member is None:
            raise _unknown(request.signer)
        self._allowed.check(member)
        # 3. That account signed exactly this, for this chain and contract.
        self._check_signature(request, signature)

    async def member_of(self, request: MemberRequest) -> Member:
        """The enrolled worker that signed a verified request.

        Raises:
            Rejection: If the signer is not enrolled.
            TransportError: If the chain does not respond.
        """
        # 4. The signer is enrolled now: a removed worker and a rotated key are rejected at once.
        member = await self._chain.member_of_signer(request.signer)
        if member is None:
            raise _unknown(request.signer)
        self._allowed.check(member)
        return member

    async def authorize(self, member: Member, request: MemberRequest) -> None:
        """Authorize a worker's request, once.

        Args:
            member: The result of `member_of`.
            request: The same request, for an input that exists.

        Raises:
            Rejection: If the round or nonce does not allow it.
            TransportError: If the chain does not respond.
        """
        # 5. The worker is in the round's electorate, and the round uses the input.
        await self._check_round(request, member)
        # 6. The nonce is new. After a crash following this line the worker sends a new request.
        await self._use_nonce(request, member)

    def _check_time(self, request: MemberRequest) -> None:
        off_s = request.issued_at - self._clock.now()
        if abs(off_s) > self._window_s:
            raise Rejection(
                401,
                "request.time",
                f"issuedAt differs from this service's clock by {off_s:+.0f} s, maximum "
                f"{self._window_s} s; check the worker's clock",
                challenge=SCHEME,
            )

    def _check_signature(self, request: MemberRequest, signature: bytes) -> None:
        try:
            verify_request(request, signature, self._chain.chain_id, self._chain.contract)
        except EvidenceError as exc:
            raise Rejection(401, "signature.invalid", str(exc), challenge=SCHEME) from exc

    async def _members(self) -> Iterable[Member]:
        return (await self._chain.current_electorate()).members

    async def _check_round(self, request: MemberRequest, member: Member) -> None:
        unknown = Rejection(
            404, "round.unknown", "the round is unknown to this service's node; retry later"
        )
        chain = await self._chain.settled()  # the round as it is at one block
        if request.round > await chain.round_count():
            raise unknown
        state = await chain.round(request.round)
        opened = await chain.opening(request.round)
        if state is None or opened is None:
            raise unknown
        electorate = await chain.electorate(state.epoch)
        if electorate.by_operator(member.operator) is None:
            raise Rejection(
                403, "worker.not_in_electorate", "the worker is not in the round's electorate"
            )
        name, digest = _input_of(opened, request)
        if digest != request.digest:
            raise Rejection(
                409,
                f"round.other_{name}",
                f"round {request.round} was opened with another {name}; request its digest",
            )

    async def _use_nonce(self, request: MemberRequest, member: Member) -> None:
        # Twice the window, so that a used nonce stays used when the clock is set back.
        fresh = await asyncio.to_thread(
            self._access_log.note, request, member, self._clock.now(), 2 * self._window_s
        )
        if not fresh:
            raise Rejection(409, "nonce.used", "this nonce was used before; sign a new request")
        self._metrics.count_grant(request.what)
        _log.info(
            "request_granted",
            input=request.what,
            round=request.round,
            operator=member.operator.hex(),
        )


def _unknown(signer: bytes) -> Rejection:
    return Rejection(
        403,
        "worker.unknown",
        f"the request was signed by 0x{signer.hex()}, which is not an enrolled worker's "
        "signer; check the worker's key, chain id and contract address",
    )


def _input_of(opened: RoundOpened, request: MemberRequest) -> tuple[str, bytes]:
    """Name and digest of the round's input of the requested kind."""
    if isinstance(request, DocumentRequest):
        return "document", opened.envelope_digest
    return "snapshot", opened.registry_digest
