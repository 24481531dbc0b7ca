"""The NMI registry: gives snapshots and salts to enrolled workers, and to nobody else.

Guarantees: a snapshot or salt leaves only sealed to the key in a request that an enrolled worker
signed for a round that uses the snapshot; each request works once. The digest of the newest
snapshot is public. Leaves out how the snapshot comes about, and the checks themselves, which are
``services.enrolment``. Source: design sections 1, 3 and 4; endpoints and settings:
docs/services.md.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from oepnode.adapters.crypto import hpke as sealing
from oepnode.config import RegistrySettings
from oepnode.domain.rounds.pseudonyms import RoundContext
from oepnode.domain.rounds.signed_requests import RegistryRequest, decode_request, seal_info
from oepnode.ports import ChainReader, Clock
from oepnode.services.common.authorization import AT_A_TIME, Authorizer
from oepnode.services.common.http import Rejection, errors_as_json, json_response, read_body
from oepnode.services.registry.store import RegistryStore, StoredSnapshot


def application(settings: RegistrySettings, chain: ChainReader, clock: Clock) -> web.Application:
    """The registry as an application; it does not close ``chain``.

    Raises:
        ConfigError: If the data folder is not usable.
    """
    store = RegistryStore(settings.data_dir)
    handler = RequestHandler(chain, clock, store, settings.request_window_s)
    handlers = _Handlers(handler, store, settings.max_request_bytes)
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


class RequestHandler:
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
        self._store = store
        self._authorizer = Authorizer(chain, clock, store.access_log, window_s)

    async def answer(self, request: RegistryRequest, signature: bytes) -> bytes:
        """The snapshot or the salt, sealed to the request's recipient.

        Raises:
            Rejection: With the reason.
            TransportError: If the chain does not answer.
        """
        member = await self._authorizer.member_of(request, signature)
        snapshot = await self._snapshot(request)
        await self._authorizer.authorize(member, request)
        return await asyncio.to_thread(self._sealed, request, snapshot)

    async def _snapshot(self, request: RegistryRequest) -> StoredSnapshot:
        snapshot = await asyncio.to_thread(self._store.snapshot, request.snapshot_digest)
        if snapshot is None:
            raise Rejection(404, "snapshot.unknown", "no snapshot with this digest was published")
        return snapshot

    def _sealed(self, request: RegistryRequest, snapshot: StoredSnapshot) -> bytes:
        plain = self._store.read(request.what, snapshot)
        context = RoundContext(self._chain.chain_id, self._chain.contract, request.round)
        info = seal_info(request.what, context, snapshot.digest)
        return sealing.seal(request.recipient, plain, info)


class _Handlers:
    def __init__(
        self, handler: RequestHandler, store: RegistryStore, max_request_bytes: int
    ) -> None:
        self._handler = handler
        self._store = store
        self._limit = max_request_bytes
        self._turns = asyncio.Semaphore(AT_A_TIME)

    async def latest(self, _: web.Request) -> web.Response:
        """Digests of the newest snapshot and of its salt."""
        newest = await asyncio.to_thread(self._store.latest)
        if newest is None:
            raise Rejection(404, "snapshot.none", "no snapshot has been published yet")
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
            sealed = await self._handler.answer(asked, signature)
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
