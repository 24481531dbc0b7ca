"""The NMI registry: serves snapshots and salts to enrolled workers only.

Guarantees: a snapshot or salt is served only sealed to the key in a request that an enrolled worker
signed for a round that uses the snapshot; each request works once. The digest of the newest
snapshot is public, and so are token lists, which are sealed. Leaves out the making of snapshots,
and the checks of a request (`oepnode.services.common.authorization`). Source: ``docs/design.md``
§1, §3 and §4; endpoints and settings: docs/services.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from eth_account.signers.local import LocalAccount

from oepnode.adapters.crypto import sealing
from oepnode.adapters.storage.registry_db.database import RegistryDatabase
from oepnode.config import RegistrySettings
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.document_signatures import SignatureFault
from oepnode.domain.rounds.signed_requests import RegistryRequest, decode_request, seal_info
from oepnode.ports import ChainReader, Clock
from oepnode.services.common.allow_list import AllowList, allow_list_of
from oepnode.services.common.authorization import Authorizer
from oepnode.services.common.document_signatures import rejection_of, verify
from oepnode.services.common.grants import GrantPublisher
from oepnode.services.common.http import Rejection, errors_as_json, json_response, read_body
from oepnode.services.common.metrics import InputMetrics
from oepnode.services.common.turns import Turns
from oepnode.services.registry.departed import DepartedReaders
from oepnode.services.registry.publisher import SnapshotPublisher
from oepnode.services.registry.store import RegistryStore, StoredSnapshot
from oepnode.services.registry.token_shelf import TokenShelf


def application(
    settings: RegistrySettings,
    chain: ChainReader,
    clock: Clock,
    account: LocalAccount | None = None,
    metrics: InputMetrics | None = None,
    database: RegistryDatabase | None = None,
) -> web.Application:
    """The registry's application; it does not close ``chain``, but the database.

    Args:
        settings: The registry's settings.
        chain: Source of members and rounds.
        clock: Time of day.
        account: Account that signs grant lists; without it there are none.
        metrics: The registry's metrics; by default they are not kept.
        database: Database that snapshots are published from.

    Raises:
        ConfigError: If the data folder is not usable.
    """
    metrics = metrics or InputMetrics()
    store = RegistryStore(settings.data_dir)
    allowed = allow_list_of(settings)
    key = None if settings.snapshot_key is None else bytes.fromhex(settings.snapshot_key)
    handler = RequestHandler(chain, clock, store, settings.request_window_s, allowed, metrics, key)
    departed = DepartedReaders(chain, store)
    tokens = TokenShelf(settings.data_dir)
    endpoints = _Endpoints(handler, store, tokens, settings.max_request_bytes, departed)
    grants = GrantPublisher(
        "registry",
        chain,
        clock,
        store.access_log,
        account,
        lambda opened: store.snapshot(opened.registry_digest) is not None,
    )
    app = web.Application(middlewares=[errors_as_json])
    app.add_routes(
        [
            web.get("/v1/rounds/{round}/grants", grants.handle),
            web.get("/v1/snapshots/latest", endpoints.latest),
            web.get("/v1/snapshots/{digest}/tokens/{name}", endpoints.token_list),
            web.post("/v1/requests", endpoints.request),
            web.get("/healthz", endpoints.health),
        ]
    )

    metrics.observe(app)
    metrics.watch("grants", grants.turns)

    async def run(_: web.Application) -> AsyncIterator[None]:
        watching = [asyncio.create_task(departed.watch())]
        if database is not None and settings.publish != "by_hand":
            interval_s = settings.publish_interval_s
            publisher = SnapshotPublisher(store, database, clock, settings.publish, interval_s)
            watching.append(asyncio.create_task(publisher.watch()))
        yield
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        store.close()
        if database is not None:
            database.close()

    app.cleanup_ctx.append(run)
    return app


class RequestHandler:
    """Authorizes signed requests, and seals the requested input.

    Args:
        chain: Source of members, and of rounds with their snapshots.
        clock: Clock that a request's time is compared with.
        store: Snapshots, salts and used nonces.
        window_s: Maximum difference between a request's time and the clock, in seconds.
        allowed: The operators whose workers are admitted.
        metrics: Counts grants and responses.
        key: The publisher's public key, 32 bytes; None demands no signatures.
    """

    def __init__(
        self,
        chain: ChainReader,
        clock: Clock,
        store: RegistryStore,
        window_s: int,
        allowed: AllowList,
        metrics: InputMetrics,
        key: bytes | None = None,
    ) -> None:
        self._key = key
        self._chain = chain
        self._store = store
        self._metrics = metrics
        self._authorizer = Authorizer(chain, clock, store.access_log, window_s, allowed, metrics)
        self._turns = Turns()
        metrics.watch("inputs", self._turns)

    async def answer(
        self,
        request: RegistryRequest,
        signature: bytes,
        is_gone: Callable[[], bool] = lambda: False,
    ) -> bytes:
        """The snapshot or the salt, sealed to the request's recipient.

        Args:
            request: The request.
            signature: Its signature, 65 bytes.
            is_gone: Whether the client has closed its connection.

        Raises:
            Rejection: If the request is not authorized, the snapshot is unknown, or too many wait.
            TransportError: If the chain does not respond.
        """
        await self._authorizer.verify(request, signature)
        async with self._turns.turn(request.signer, is_gone):
            member = await self._authorizer.member_of(request)
            snapshot = await self._snapshot(request)
            await self._authorizer.authorize(member, request)
            sealed = await asyncio.to_thread(self._sealed, request, snapshot)
        self._metrics.count_served(request.what)
        return sealed

    async def _snapshot(self, request: RegistryRequest) -> StoredSnapshot:
        snapshot = await asyncio.to_thread(self._store.snapshot, request.snapshot_digest)
        if snapshot is None:
            raise Rejection(404, "snapshot.unknown", "no snapshot with this digest is published")
        await self.check_signed(snapshot, required=request.what == "signature")
        return snapshot

    async def check_signed(self, snapshot: StoredSnapshot, *, required: bool = False) -> None:
        """Reject a snapshot that the publisher's key did not sign.

        Args:
            snapshot: The snapshot.
            required: Whether it must be signed even where no key is set.

        Raises:
            Rejection: With the reason.
        """
        if self._key is None and not required:
            return
        signed = await asyncio.to_thread(self._store.signatures.of, snapshot.digest, self._key)
        try:
            verify(signed, "snapshot", snapshot.digest, snapshot.size, self._key)
        except SignatureFault as exc:
            raise rejection_of(exc) from exc

    def _sealed(self, request: RegistryRequest, snapshot: StoredSnapshot) -> bytes:
        plain = self._store.read(request.what, snapshot)
        context = RoundContext(self._chain.chain_id, self._chain.contract, request.round)
        info = seal_info(request.what, context, snapshot.digest)
        return sealing.seal_whole(request.recipient, plain, info)


class _Endpoints:
    def __init__(
        self,
        handler: RequestHandler,
        store: RegistryStore,
        tokens: TokenShelf,
        max_request_bytes: int,
        departed: DepartedReaders,
    ) -> None:
        self._departed = departed
        self._handler = handler
        self._store = store
        self._tokens = tokens
        self._limit = max_request_bytes

    async def latest(self, _: web.Request) -> web.Response:
        """Digest of the newest snapshot, and nothing from which its content could be guessed."""
        newest = await asyncio.to_thread(self._store.latest)
        if newest is None:
            raise Rejection(404, "snapshot.none", "no snapshot has been published yet")
        await self._handler.check_signed(newest)
        return json_response({"digest": newest.digest.hex()}, headers={"Cache-Control": "no-cache"})

    async def token_list(self, request: web.Request) -> web.StreamResponse:
        """An aggregator's sealed token list of a blinded snapshot; anyone may have it."""
        names = request.match_info["digest"], request.match_info["name"]
        path = await asyncio.to_thread(self._tokens.path, *names)
        if path is None:
            raise Rejection(404, "tokens.unknown", "no token list with this name is published")
        return web.FileResponse(path, headers={"Content-Type": "application/octet-stream"})

    async def request(self, request: web.Request) -> web.Response:
        """Respond to a signed request."""
        signed, signature = decode_request(await read_body(request, self._limit))
        sealed = await self._handler.answer(signed, signature, lambda: request.transport is None)
        return web.Response(
            body=sealed,
            content_type="application/octet-stream",
            headers={"Cache-Control": "no-store"},
        )

    async def health(self, _: web.Request) -> web.Response:
        """Health of the registry, which reads its index."""
        departed = self._departed.current
        return json_response(
            {
                "status": "ok",
                "snapshots": await asyncio.to_thread(self._store.count),
                "formerWorkersWithSalt": None if departed is None else len(departed),
            }
        )
