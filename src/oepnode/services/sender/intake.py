"""The gateway's side for publishers: endpoints, and the parts that receive and check documents.

Guarantees: every endpoint needs the publisher's token. Endpoints: docs/services.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from oepnode.adapters.computing.checker import CheckerSettings, DocumentChecker
from oepnode.adapters.crypto.blinding_key import read_blinding_key
from oepnode.config import SenderSettings
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.plausibility.policy import Policy
from oepnode.ports import Clock
from oepnode.services.common.turns import Turns
from oepnode.services.sender.ingest import BlindIngest
from oepnode.services.sender.inspector import Inspector
from oepnode.services.sender.metrics import SenderMetrics
from oepnode.services.sender.reception import Reception
from oepnode.services.sender.round_opener import RoundOpener
from oepnode.services.sender.signatures import DocumentSignatures
from oepnode.services.sender.store import EnvelopeStore
from oepnode.services.sender.summaries import Summaries
from oepnode.services.sender.uploads import Uploads
from oepnode.services.sender.waiting_room import Space, WaitingRoom

_SWEEP_EVERY_S: Final = 60.0
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Intake:
    """Receives and checks the documents of a gateway.

    Args:
        settings: The gateway's settings.
        clock: Time of day.
        store: The gateway's documents and messages.
        signatures: Signatures of the documents.
        opener: Opens rounds.
        metrics: The gateway's metrics.
        check_token: Rejects a request without the publisher's token.

    Raises:
        ConfigError: If the blinding key or a folder is not usable.
    """

    def __init__(
        self,
        settings: SenderSettings,
        clock: Clock,
        store: EnvelopeStore,
        signatures: DocumentSignatures,
        opener: RoundOpener,
        metrics: SenderMetrics,
        check_token: Callable[[web.Request], None],
    ) -> None:
        feed = Feed(settings.feed.profile, settings.feed.import_sign)
        folder, limits = settings.data_dir, settings.uploads
        space = Space(folder, limits.max_waiting_bytes)
        room = WaitingRoom(folder / "waiting", space)
        self._check_token = check_token
        self._sweeping: asyncio.Task[None] | None = None
        self._inspector = Inspector(
            store,
            room,
            Summaries(folder / "summaries"),
            _checker(settings),
            signatures,
            opener,
            clock,
            metrics,
            feed,
            Policy(**settings.plausibility.model_dump()),
            settings.registry_file,
        )
        ingest = _blind_ingest(settings, feed)
        self._reception = Reception(
            store,
            room,
            space,
            self._inspector,
            signatures,
            clock,
            settings.max_document_bytes,
            limits.at_once,
            ingest,
        )
        self._uploads = Uploads(
            folder / "uploads",
            store.uploads,
            space,
            self._reception,
            signatures,
            clock,
            limits.expiry_s,
            is_blind=ingest is not None,
        )

    @property
    def turns(self) -> Turns:
        """Documents that are being received."""
        return self._reception.turns

    def routes(self) -> list[web.RouteDef]:
        """The endpoints."""
        uploads, upload = self._uploads, "/v1/uploads/{upload}"
        return [
            web.post("/v1/envelopes", self._with_token(self._reception.publish)),
            web.get("/v1/messages/{message}", self._with_token(self._reception.message)),
            web.options("/v1/uploads", self._with_token(uploads.options)),
            web.post("/v1/uploads", self._with_token(uploads.create)),
            web.head(upload, self._with_token(uploads.head)),
            web.patch(upload, self._with_token(uploads.patch)),
            web.delete(upload, self._with_token(uploads.delete)),
        ]

    async def start(self) -> None:
        """Take up what an earlier run of the gateway left."""
        await asyncio.to_thread(self._uploads.restore)
        await self._inspector.resume()
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """End all checks."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await self._inspector.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            await asyncio.to_thread(self._uploads.sweep)

    def _with_token(self, handler: _Handler) -> _Handler:
        async def checked(request: web.Request) -> web.StreamResponse:
            self._check_token(request)
            return await handler(request)

        return checked


def _checker(settings: SenderSettings) -> DocumentChecker:
    check = settings.check
    limits = CheckerSettings(check.memory_limit_mb, check.timeout_s, check.at_once)
    return DocumentChecker(limits)


def _blind_ingest(settings: SenderSettings, feed: Feed) -> BlindIngest | None:
    if settings.blinding_key_file is None:
        return None
    return BlindIngest(read_blinding_key(settings.blinding_key_file), feed)
