"""Who may have a round's inputs: the checks of a member's signed request, for both services.

Guarantees: a request is admitted only if it is of now, signed by the signer of a worker that is
enrolled now and in the electorate of a round that was opened with the very input it asks for, and
only once. Until then nothing is stored, and the chain is asked only for a request with a right
time and a recoverable signature. Leaves out reading the request (``domain.member_request``),
whether the input is there, and giving it out. Source: docs/services.md, docs/adr/0006.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Final

import structlog

from oepnode.adapters.crypto.request_signature import recover_signer
from oepnode.adapters.storage.sqlite_index import Index
from oepnode.domain.rounds.onchain import Member, RoundOpened
from oepnode.domain.rounds.signed_requests import SCHEME, DocumentRequest, MemberRequest
from oepnode.errors import EvidenceError
from oepnode.ports import ChainReader, Clock
from oepnode.services.common.http import Rejection

_log = structlog.get_logger(__name__)

AT_A_TIME: Final = 4
"""Requests that a service works on at once: bounds its memory and its questions to the chain."""

ACCESS_LOG_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS nonces (
    nonce BLOB PRIMARY KEY,
    issued_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS nonces_by_time ON nonces (issued_at);
CREATE TABLE IF NOT EXISTS grants (
    granted_at REAL NOT NULL,
    operator BLOB NOT NULL,
    signer BLOB NOT NULL,
    round INTEGER NOT NULL,
    what TEXT NOT NULL,
    digest BLOB NOT NULL
);
"""


class AccessLog:
    """Used nonces, and who was given what, in a service's own index.

    Args:
        index: With the tables of `ACCESS_LOG_SCHEMA`.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def note(self, request: MemberRequest, member: Member, now: float, keep_s: int) -> bool:
        """Use up a request's nonce and note who was given what, in one transaction.

        Args:
            request: The request, otherwise allowed.
            member: Who signed it.
            now: UTC seconds.
            keep_s: Nonces issued longer ago are forgotten; their requests are rejected by time.

        Returns:
            False, with nothing changed, if the nonce was used before.
        """
        with self._index.transaction() as db:
            db.execute("DELETE FROM nonces WHERE issued_at < ?", (int(now) - keep_s,))
            try:
                db.execute("INSERT INTO nonces VALUES (?, ?)", (request.nonce, request.issued_at))
            except sqlite3.IntegrityError:
                return False
            db.execute(
                "INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?)",
                (now, member.operator, member.signer, request.round, request.what, request.digest),
            )
        return True


class Authorizer:
    """Decides on members' signed requests.

    Args:
        chain: Says who is enrolled, and which round was opened with which inputs.
        clock: For the time of requests.
        grants: Used nonces.
        window_s: How far a request's time may be from ours, in seconds.
    """

    def __init__(
        self, chain: ChainReader, clock: Clock, access_log: AccessLog, window_s: int
    ) -> None:
        self._chain = chain
        self._clock = clock
        self._access_log = access_log
        self._window_s = window_s

    async def member_of(self, request: MemberRequest, signature: bytes) -> Member:
        """The enrolled worker that signed a request just now.

        Raises:
            Rejection: With the reason.
            TransportError: If the chain does not answer.
        """
        # 1. The request is of now. First, because a replay after the window ends here.
        self._check_time(request)
        # 2. Somebody signed exactly this, for this chain and contract.
        signer = self._signer_of(request, signature)
        # 3. The signer is enrolled now: a removed worker and a rotated key are out at once.
        return await self._enrolled(signer)

    async def authorize(self, member: Member, request: MemberRequest) -> None:
        """Let a worker's request through, once.

        Args:
            member: As `member_of` found it.
            request: The same request; what it asks for is there.

        Raises:
            Rejection: With the reason.
            TransportError: If the chain does not answer.
        """
        # 4. The worker is in the electorate of a round, and that round uses the input.
        await self._check_round(request, member)
        # 5. The nonce is fresh. A crash after this line costs the worker a new request.
        await self._use_nonce(request, member)

    def _check_time(self, request: MemberRequest) -> None:
        off_s = request.issued_at - self._clock.now()
        if abs(off_s) > self._window_s:
            raise Rejection(
                401,
                "request.time",
                f"issuedAt is {off_s:+.0f} s off this service's clock, allowed are "
                f"{self._window_s} s; check the worker's clock",
                challenge=SCHEME,
            )

    def _signer_of(self, request: MemberRequest, signature: bytes) -> bytes:
        try:
            return recover_signer(request, signature, self._chain.chain_id, self._chain.contract)
        except EvidenceError as exc:
            raise Rejection(401, "signature.invalid", str(exc), challenge=SCHEME) from exc

    async def _enrolled(self, signer: bytes) -> Member:
        member = await self._chain.member_of_signer(signer)
        if member is None:
            raise Rejection(
                403,
                "worker.unknown",
                f"the signature is of 0x{signer.hex()}, which is no enrolled worker's signer; "
                "check the worker's key, chain id and contract address",
            )
        return member

    async def _check_round(self, request: MemberRequest, member: Member) -> None:
        unknown = Rejection(404, "round.unknown", "this service's node does not know the round yet")
        if request.round > await self._chain.round_count():
            raise unknown
        state = await self._chain.round(request.round)
        opened = await self._opening(request.round)
        if state is None or opened is None:
            raise unknown
        electorate = await self._chain.electorate(state.epoch)
        if electorate.by_operator(member.operator) is None:
            raise Rejection(
                403, "worker.not_in_electorate", "the worker is not in the round's electorate"
            )
        name, digest = _input_of(opened, request)
        if digest != request.digest:
            raise Rejection(409, f"round.other_{name}", f"the round was opened with another {name}")

    async def _opening(self, number: int) -> RoundOpened | None:
        events = await self._chain.round_events(number)
        return next((event for event in events if isinstance(event, RoundOpened)), None)

    async def _use_nonce(self, request: MemberRequest, member: Member) -> None:
        # Twice the window, so that a clock set back does not bring a used nonce to life.
        fresh = await asyncio.to_thread(
            self._access_log.note, request, member, self._clock.now(), 2 * self._window_s
        )
        if not fresh:
            raise Rejection(409, "nonce.used", "this nonce was used before; sign a new request")
        _log.info(
            "request.granted",
            what=request.what,
            round=request.round,
            operator=member.operator.hex(),
        )


def _input_of(opened: RoundOpened, request: MemberRequest) -> tuple[str, bytes]:
    """Name and digest of the round's input of the kind that is asked for."""
    if isinstance(request, DocumentRequest):
        return "document", opened.envelope_digest
    return "snapshot", opened.registry_digest
