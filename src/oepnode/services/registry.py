"""The NMI registry: gives snapshots and salts to enrolled workers, and to nobody else.

Guarantees: a snapshot or salt leaves only sealed to the key in a request that an enrolled worker
signed for a round that uses the snapshot; each request works once. The digest of the newest
snapshot is public. Leaves out how the snapshot comes about. Source: design sections 1, 3 and 4;
endpoints and settings: docs/services.md.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aiohttp import web

from oepnode.adapters import sealing
from oepnode.adapters.request_signature import recover_signer
from oepnode.config import RegistrySettings
from oepnode.domain.facts import Member, RoundOpened
from oepnode.domain.keys import RoundContext
from oepnode.domain.salt_request import RegistryRequest, decode_request, seal_info
from oepnode.errors import EvidenceError
from oepnode.ports import ChainReader, Clock
from oepnode.services.http import Refusal, errors_as_json, json_response, read_body
from oepnode.services.registry_store import RegistryStore, StoredSnapshot

_log = structlog.get_logger(__name__)

_AT_A_TIME: Final = 4
"""Requests that are worked on at once: bounds the memory and the questions to the chain."""


def application(settings: RegistrySettings, chain: ChainReader, clock: Clock) -> web.Application:
    """The registry as an application; it does not close ``chain``.

    Raises:
        ConfigError: If the data folder is not usable.
    """
    store = RegistryStore(settings.data_dir)
    desk = RequestDesk(chain, clock, store, settings.request_window_s)
    handlers = _Handlers(desk, store, settings.max_request_bytes)
    app = web.Application(middlewares=[errors_as_json])
    app.add_routes(
        [
            web.get("/v1/snapshots/latest", handlers.latest),
            web.post("/v1/requests", handlers.request),
            web.get("/healthz", handlers.health),
        ]
    )

    async def close(_: web.Application) -> None:
        store.close()

    app.on_cleanup.append(close)
    return app


class RequestDesk:
    """Decides on signed requests and answers them.

    Args:
        chain: Says who is enrolled and which round uses which snapshot.
        clock: For the time of requests.
        store: Snapshots, salts and used nonces.
        window_s: How far a request's time may be from ours, in seconds.
    """

    def __init__(
        self, chain: ChainReader, clock: Clock, store: RegistryStore, window_s: int
    ) -> None:
        self._chain = chain
        self._clock = clock
        self._store = store
        self._window_s = window_s

    async def answer(self, request: RegistryRequest, signature: bytes) -> bytes:
        """The snapshot or the salt, sealed to the request's recipient.

        Raises:
            Refusal: With the reason.
            TransportError: If the chain does not answer.
        """
        # 1. The request is of now. First, because a replay after the window ends here.
        self._check_time(request)
        # 2. Somebody signed exactly this, for this chain and contract.
        signer = self._signer_of(request, signature)
        # 3. The signer is enrolled now: a removed worker and a rotated key are out at once.
        member = await self._enrolled(signer)
        # 4. The worker is in the electorate of a round, and that round uses the snapshot.
        snapshot = await self._snapshot(request)
        await self._check_round(request, member)
        # 5. The nonce is fresh. A crash after this line costs the worker a new request.
        await self._use_nonce(request, member)
        return await asyncio.to_thread(self._sealed, request, snapshot)

    def _check_time(self, request: RegistryRequest) -> None:
        off_s = request.issued_at - self._clock.now()
        if abs(off_s) > self._window_s:
            raise Refusal(
                401,
                "request.time",
                f"issuedAt is {off_s:+.0f} s off this registry's clock, allowed are "
                f"{self._window_s} s; check the worker's clock",
            )

    def _signer_of(self, request: RegistryRequest, signature: bytes) -> bytes:
        try:
            return recover_signer(request, signature, self._chain.chain_id, self._chain.contract)
        except EvidenceError as exc:
            raise Refusal(401, "signature.invalid", str(exc)) from exc

    async def _enrolled(self, signer: bytes) -> Member:
        member = await self._chain.member_of_signer(signer)
        if member is None:
            raise Refusal(
                403,
                "worker.unknown",
                f"the signature is of 0x{signer.hex()}, which is no enrolled worker's signer; "
                "check the worker's key, chain id and contract address",
            )
        return member

    async def _snapshot(self, request: RegistryRequest) -> StoredSnapshot:
        snapshot = await asyncio.to_thread(self._store.snapshot, request.snapshot_digest)
        if snapshot is None:
            raise Refusal(404, "snapshot.unknown", "no snapshot with this digest was published")
        return snapshot

    async def _check_round(self, request: RegistryRequest, member: Member) -> None:
        unknown = Refusal(404, "round.unknown", "this registry's node does not know the round yet")
        if request.round > await self._chain.round_count():
            raise unknown
        state = await self._chain.round(request.round)
        opened = await self._opening(request.round)
        if state is None or opened is None:
            raise unknown
        electorate = await self._chain.electorate(state.epoch)
        if electorate.by_operator(member.operator) is None:
            raise Refusal(
                403, "worker.not_in_electorate", "the worker is not in the round's electorate"
            )
        if opened.registry_digest != request.snapshot_digest:
            raise Refusal(409, "round.other_snapshot", "the round was opened with another snapshot")

    async def _opening(self, number: int) -> RoundOpened | None:
        events = await self._chain.round_events(number)
        return next((event for event in events if isinstance(event, RoundOpened)), None)

    async def _use_nonce(self, request: RegistryRequest, member: Member) -> None:
        # Twice the window, so that a clock set back does not bring a used nonce to life.
        fresh = await asyncio.to_thread(
            self._store.grant,
            request,
            member.operator,
            member.signer,
            self._clock.now(),
            2 * self._window_s,
        )
        if not fresh:
            raise Refusal(409, "nonce.used", "this nonce was used before; sign a new request")
        _log.info(
            "registry.granted",
            what=request.what,
            round=request.round,
            operator=member.operator.hex(),
        )

    def _sealed(self, request: RegistryRequest, snapshot: StoredSnapshot) -> bytes:
        plain = self._store.read(request.what, snapshot)
        context = RoundContext(self._chain.chain_id, self._chain.contract, request.round)
        info = seal_info(request.what, context, snapshot.digest)
        return sealing.seal(request.recipient, plain, info)


class _Handlers:
    def __init__(self, desk: RequestDesk, store: RegistryStore, max_request_bytes: int) -> None:
        self._desk = desk
        self._store = store
        self._limit = max_request_bytes
        self._turns = asyncio.Semaphore(_AT_A_TIME)

    async def latest(self, _: web.Request) -> web.Response:
        """Digests of the newest snapshot and of its salt."""
        newest = await asyncio.to_thread(self._store.latest)
        if newest is None:
            raise Refusal(404, "snapshot.none", "no snapshot has been published yet")
        return json_response(
            {
                "digest": newest.digest.hex(),
                "asOf": newest.as_of,
                "saltDigest": newest.salt_digest.hex(),
                "size": newest.size,
            },
            headers={"Cache-Control": "no-cache"},
        )

    async def request(self, request: web.Request) -> web.Response:
        """Answer a signed request."""
        asked, signature = decode_request(await read_body(request, self._limit))
        async with self._turns:
            sealed = await self._desk.answer(asked, signature)
        return web.Response(
            body=sealed,
            content_type="application/octet-stream",
            headers={"Cache-Control": "no-store"},
        )

    async def health(self, _: web.Request) -> web.Response:
        """Whether the registry works: it reads its index."""
        return json_response(
            {"status": "ok", "snapshots": await asyncio.to_thread(self._store.count)}
        )
