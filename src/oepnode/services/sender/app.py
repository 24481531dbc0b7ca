"""The sender's gateway: accepts envelope documents, serves them by digest, opens rounds on chain.

Guarantees: a document is stored exactly as received, or blinded (setting ``blinding_key_file``),
only if it follows the rules, and never changes; publishing and opening need the bearer token. A
document contains NMIs or tokens, and is served to the workers of a round that was opened with it,
for one signed request each time (setting ``document_access``). Leaves out confidentiality in
transit: a document is streamed, not sealed, so put TLS before the gateway. Endpoints and settings:
docs/services.md.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from typing import Annotated, Final, Literal

import structlog
from aiohttp import web
from eth_account.signers.local import LocalAccount
from msgspec import DecodeError, Meta, Raw, Struct, ValidationError

from oepnode.adapters.crypto.keyfile import read_secret
from oepnode.config import SenderSettings
from oepnode.domain.documents.json_struct import read_struct
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.domain.rounds.signed_requests import SCHEME, DocumentRequest, decode_authorization
from oepnode.errors import ConfigError
from oepnode.ports import Chain, Clock
from oepnode.services.common.allow_list import allow_list_of
from oepnode.services.common.authorization import Authorizer
from oepnode.services.common.grants import GrantPublisher
from oepnode.services.common.http import (
    Rejection,
    errors_as_json,
    json_response,
    read_body,
    read_digest,
)
from oepnode.services.common.turns import Turns
from oepnode.services.sender.intake import Intake
from oepnode.services.sender.metrics import SenderMetrics
from oepnode.services.sender.round_opener import RoundOpener
from oepnode.services.sender.signatures import DocumentSignatures, unknown_document
from oepnode.services.sender.store import EnvelopeStore, StoredDocument

_log = structlog.get_logger(__name__)

MIN_TOKEN_BYTES: Final = 16
_MAX_JSON_BYTES: Final = 4096
_FOREVER: Final = "max-age=31536000, immutable"
_CACHES: Final = {"members": f"private, {_FOREVER}", "anyone": f"public, {_FOREVER}"}
"""A shared cache would serve a member's document to others."""

_Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _RoundOrder(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    envelope_digest: _Hex32
    registry_digest: _Hex32


def application(
    settings: SenderSettings,
    chain: Chain,
    clock: Clock,
    account: LocalAccount | None = None,
    metrics: SenderMetrics | None = None,
) -> web.Application:
    """The gateway's application; it does not close ``chain``.

    Args:
        settings: The gateway's settings.
        chain: The contract, with an account that holds ``REQUESTER_ROLE``.
        clock: Time of day.
        account: That account, to sign grant lists; without it there are none.
        metrics: The gateway's metrics; by default they are not kept.

    Raises:
        ConfigError: If the token file, the blinding key or the data folder is not usable.
    """
    token = _read_token(settings)
    store = EnvelopeStore(settings.data_dir)
    metrics = metrics or SenderMetrics()
    gateway = _Gateway(settings, token, chain, clock, store, metrics)
    check = gateway.check_token
    signatures, opener = gateway.signatures, gateway.opener
    intake = Intake(settings, clock, store, signatures, opener, metrics, check)
    grants = _grant_publisher(settings, chain, clock, store, account)
    app = web.Application(middlewares=[errors_as_json])
    app.add_routes(
        [
            *intake.routes(),
            web.get("/v1/envelopes/latest", gateway.latest),
            web.post("/v1/rounds", gateway.open_round),
            web.get("/v1/documents/{digest}", gateway.document),
            web.get("/v1/documents/{document}/signature", gateway.signatures.handle),
            web.get("/v1/rounds/{round}/grants", grants.handle),
            web.get("/healthz", gateway.health),
        ]
    )
    app.on_response_prepare.extend([gateway.name_by_digest, gateway.count_served])
    metrics.observe(app)
    metrics.watch("grants", grants.turns)

    metrics.watch("uploads", intake.turns)

    async def run(_: web.Application) -> AsyncIterator[None]:
        watching = asyncio.create_task(gateway.opener.watch())
        await intake.start()
        yield
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await intake.close()
        store.close()

    app.cleanup_ctx.append(run)
    return app


def _grant_publisher(
    settings: SenderSettings,
    chain: Chain,
    clock: Clock,
    store: EnvelopeStore,
    account: LocalAccount | None,
) -> GrantPublisher:
    """Publishes who was granted documents; where anyone reads them, nobody is recorded."""

    def has_input(opened: RoundOpened) -> bool:
        return store.document(opened.envelope_digest) is not None

    signer = account if settings.document_access == "members" else None
    return GrantPublisher("sender", chain, clock, store.access_log, signer, has_input)


class _Gateway:
    def __init__(
        self,
        settings: SenderSettings,
        token: bytes,
        chain: Chain,
        clock: Clock,
        store: EnvelopeStore,
        metrics: SenderMetrics,
    ) -> None:
        self._token = token
        self._store = store
        self._metrics = metrics
        self.opener = RoundOpener(chain, store.openings)
        key = settings.document_key
        self.signatures = DocumentSignatures(store, None if key is None else bytes.fromhex(key))
        self._access: Literal["members", "anyone"] = settings.document_access
        self._authorizer = Authorizer(
            chain,
            clock,
            store.access_log,
            settings.request_window_s,
            allow_list_of(settings),
            metrics,
        )
        self._turns = Turns()
        metrics.watch("documents", self._turns)

    async def open_round(self, request: web.Request) -> web.Response:
        """Open the round of a stored document."""
        self.check_token(request)
        order = _read_order(await read_body(request, _MAX_JSON_BYTES))
        document = await self._stored(bytes.fromhex(order.envelope_digest))
        await self.signatures.check_opening(document)
        round_ = await self.opener.open(document, bytes.fromhex(order.registry_digest))
        self._metrics.rounds_opened.inc(round_.is_new)
        body = {"round": round_.number, "opened": round_.is_new, "settled": round_.is_settled}
        return json_response(body, 201 if round_.is_new else 200)

    async def latest(self, _: web.Request) -> web.Response:
        """The newest document."""
        newest = await asyncio.to_thread(self._store.latest)
        if newest is None:
            raise Rejection(404, "envelope.none", "no envelope document has been published yet")
        registry = newest.registry_digest
        signed = await self.signatures.of(newest.digest)
        return json_response(
            {
                "digest": newest.digest.hex(),
                "registryDigest": None if registry is None else registry.hex(),
                "horizonStart": newest.horizon_start,
                "intervalCount": newest.interval_count,
                "size": newest.size,
                "round": newest.round,
                "signature": None if signed is None else Raw(signed),
            },
            headers={"Cache-Control": "no-cache"},
        )

    async def document(self, request: web.Request) -> web.StreamResponse:
        """The exact bytes of a document, or a range of them."""
        digest = read_digest(request.match_info["digest"], "a document's name")
        if self._access == "anyone":
            await self._stored(digest)
        else:
            signed, signature = _read_signed(request, digest)
            await self._authorizer.verify(signed, signature)
            async with self._turns.turn(signed.signer, lambda: request.transport is None):
                await self._authorize(signed)
        known = request.if_none_match or ()
        if any(tag.value in {digest.hex(), "*"} for tag in known):
            return web.Response(status=304)
        return web.FileResponse(
            self._store.path(digest), headers={"Content-Type": "application/octet-stream"}
        )

    async def health(self, _: web.Request) -> web.Response:
        """Health of the gateway, which reads its index."""
        return json_response(
            {"status": "ok", "documents": await asyncio.to_thread(self._store.count)}
        )

    async def name_by_digest(self, request: web.Request, response: web.StreamResponse) -> None:
        """Set a document's digest as its ETag, and let caches keep the document."""
        digest = request.match_info.get("digest")
        if digest is not None and response.status in {200, 206, 304}:
            response.headers["ETag"] = f'"{digest}"'
            response.headers["Cache-Control"] = _CACHES[self._access]

    async def count_served(self, request: web.Request, response: web.StreamResponse) -> None:
        """Count the responses that have a document, or a range of it."""
        has_body = request.method == "GET" and response.status in {200, 206}
        if has_body and "digest" in request.match_info:
            self._metrics.count_served("document")

    async def _authorize(self, signed: DocumentRequest) -> None:
        member = await self._authorizer.member_of(signed)
        await self._stored(signed.digest)
        await self._authorizer.authorize(member, signed)

    def check_token(self, request: web.Request) -> None:
        """Reject a request without the publisher's token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Rejection(
                401,
                "token.missing",
                "the bearer token is missing; send Authorization: Bearer with the publisher's",
                "Bearer",
            )
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._token):
            raise Rejection(
                401,
                "token.wrong",
                "the bearer token is not the publisher's; check its token file",
                "Bearer",
            )

    async def _stored(self, digest: bytes) -> StoredDocument:
        document = await asyncio.to_thread(self._store.document, digest)
        if document is None:
            raise unknown_document()
        return document


def _read_token(settings: SenderSettings) -> bytes:
    token = read_secret(settings.token_file, "bearer token")
    if len(token) < MIN_TOKEN_BYTES:
        raise ConfigError(
            f"token_file: a bearer token needs at least {MIN_TOKEN_BYTES} bytes, it has "
            f"{len(token)}; write a longer random one"
        )
    return token


def _read_signed(request: web.Request, digest: bytes) -> tuple[DocumentRequest, bytes]:
    """The signed request in the header, for the document in the path."""
    signed = decode_authorization(request.headers.get("Authorization", ""))
    if signed is None:
        raise Rejection(
            401,
            "request.missing",
            f"documents are for enrolled workers; send Authorization: {SCHEME} with a signed "
            "request (docs/services.md)",
            challenge=SCHEME,
        )
    if signed[0].digest != digest:
        raise Rejection(
            401,
            "request.other_document",
            "the signed request is for another document; sign one for this digest",
            challenge=SCHEME,
        )
    return signed


def _read_order(body: bytes) -> _RoundOrder:
    try:
        return read_struct(body, _RoundOrder)
    except ValidationError as exc:
        raise Rejection(422, "request.malformed", str(exc)) from exc
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise Rejection(422, "request.malformed", "the body is not valid JSON") from exc
