"""Rejections as JSON with a reason, and bounded reading of requests, for every service.

Guarantees: every unsuccessful response is ``{"error": {"code", "message", …}}``; requests are read
up to a limit and a deadline; an internal error responds 500 without details, and is logged by type
and location only, because its message might quote a client's data.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog
from aiohttp import web
from msgspec import json as msgspec_json

from oepnode.adapters.http.server.token_bucket import TokenBuckets
from oepnode.errors import (
    ConflictError,
    DocumentFault,
    EvidenceError,
    OepError,
    TransportError,
    location_of,
)

_log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CHUNK_BYTES: Final = 2**18
READ_DEADLINE_S: Final = 10.0
"""Time for a body, besides the time that its size needs."""
SLOWEST_BYTES_PER_S: Final = 2**18
CHAIN_UNAVAILABLE: Final = (
    "the chain cannot be read or written to at present; retry later, the log has the reason"
)
UNKNOWN_ENDPOINT: Final = "unknown"
INTERNAL_ERROR: Final = "internal error of this service; its log names the location"
_MAX_MESSAGE: Final = 500
LOGGED_PER_S: Final = 1 / 3
LOGGED_AT_ONCE: Final = 20
REJECTION_CODE: Final = web.ResponseKey("rejection_code", str)
"""Of a response to a rejected request: its code."""
_log_budgets: Final[WeakKeyDictionary[web.Application, TokenBuckets]] = WeakKeyDictionary()


class Rejection(OepError):  # noqa: N818 - reads as what it is
    """A rejected request, with the HTTP status and a stable code for programs.

    Attributes:
        status: HTTP status, 4xx or 5xx.
        code: Short stable name of the reason, such as ``token.wrong``.
        challenge: With 401: the required kind of credentials.
        retry_after_s: With 503: when to retry, in seconds; 0 to say nothing.
    """

    def __init__(
        self, status: int, code: str, message: str, challenge: str = "", retry_after_s: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.challenge = challenge
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the response."""
        headers: dict[str, str] = {}
        if self.challenge:
            headers["WWW-Authenticate"] = self.challenge
        if self.retry_after_s:
            headers["Retry-After"] = str(self.retry_after_s)
        return headers


def shown_reason(error: OepError) -> str:
    """An error as anyone may see it: names of the service's nodes are for its log."""
    if not isinstance(error, TransportError):
        return str(error)
    return f"{CHAIN_UNAVAILABLE} ({error.code})" if error.code else CHAIN_UNAVAILABLE


def json_response(
    body: object, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """A response with a JSON value."""
    return web.Response(
        body=msgspec_json.encode(body),
        status=status,
        content_type="application/json",
        headers=headers,
    )


def endpoint_of(request: web.Request) -> str:
    """The endpoint's declared path; the requested path could contain anything."""
    resource = request.match_info.route.resource
    return UNKNOWN_ENDPOINT if resource is None else resource.canonical


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error of a handler into a response with a reason."""
    try:
        return await handler(request)
    except Rejection as exc:
        _log_rejection(request, exc)
        return _rejected(exc.status, exc.code, str(exc), headers=exc.headers)
    except DocumentFault as exc:
        return _rejected(422, "document.faults", str(exc), **_faults(exc))
    except EvidenceError as exc:
        return _rejected(422, "request.malformed", str(exc))
    except ConflictError as exc:
        return _rejected(409, "chain.rejected", str(exc))
    except TransportError as exc:
        _log.warning("chain_unavailable", endpoint=endpoint_of(request), reason=str(exc))
        return _rejected(503, "chain.unavailable", shown_reason(exc), headers={"Retry-After": "5"})
    except web.HTTPException as exc:
        return _http_error(exc)
    except Exception as exc:  # the last line of defence: the service stays up
        _log.error("request_failed", error=type(exc).__name__, location=location_of(exc))
        return _rejected(500, "internal", INTERNAL_ERROR)


async def read_chunks(request: web.Request, limit: int) -> AsyncIterator[bytes]:
    """Yield a request's body in pieces.

    Raises:
        Rejection: 413 past ``limit`` bytes, 415 for an encoded body, 408 for a slow client, 400
            for a body that breaks off.
    """
    if set(request.headers.getall("Content-Encoding", ())) - {"identity"}:
        raise Rejection(
            415, "body.encoding", "the body has a Content-Encoding; send it without one"
        )
    if request.content_length is not None and request.content_length > limit:
        raise _too_large(limit)
    start = asyncio.get_running_loop().time()
    total = 0
    while True:
        # A client must keep up at every moment: a silent one holds its place for seconds only.
        allowed_s = READ_DEADLINE_S + total / SLOWEST_BYTES_PER_S
        try:
            async with asyncio.timeout_at(start + allowed_s):
                chunk = await request.content.read(CHUNK_BYTES)
        except TimeoutError as exc:
            raise Rejection(
                408,
                "body.timeout",
                f"only {total} bytes of the body arrived within {allowed_s:.0f} s; send the "
                "request again",
            ) from exc
        except (web.RequestPayloadError, ConnectionError) as exc:
            raise Rejection(
                400, "body.incomplete", "the body is incomplete or malformed; send it again"
            ) from exc
        if not chunk:
            return
        total += len(chunk)
        if total > limit:
            raise _too_large(limit)
        yield chunk


async def read_body(request: web.Request, limit: int) -> bytes:
    """Read a small body; raises as `read_chunks` does."""
    return b"".join([chunk async for chunk in read_chunks(request, limit)])


def read_digest(text: str, what: str) -> bytes:
    """Decode 64 lower-case hex digits.

    Raises:
        Rejection: 400 for any other text.
    """
    if len(text) != 64 or not set(text) <= set("0123456789abcdef"):
        raise Rejection(
            400, "digest.malformed", f"{what} must be 64 lower-case hex digits (SHA-256)"
        )
    return bytes.fromhex(text)


def _log_rejection(request: web.Request, exc: Rejection) -> None:
    """Log a rejection; of each code a few a minute, so that a flood does not fill the disk."""
    budget = _log_budgets.get(request.app)
    if budget is None:
        now = asyncio.get_running_loop().time
        budget = _log_budgets[request.app] = TokenBuckets(LOGGED_PER_S, LOGGED_AT_ONCE, now)
    # Missing inputs are requested at every poll; other rejections are worth a line.
    if exc.status != 404 and budget.take(exc.code):
        _log.info(
            "request_rejected", endpoint=endpoint_of(request), status=exc.status, code=exc.code
        )


def _rejected(
    status: int,
    code: str,
    message: str,
    headers: dict[str, str] | None = None,
    **more: object,
) -> web.Response:
    error = {"code": code, "message": message[:_MAX_MESSAGE], **more}
    response = json_response({"error": error}, status, headers)
    response[REJECTION_CODE] = code
    return response


def _faults(exc: DocumentFault) -> dict[str, Any]:
    faults = [
        {"path": f.path, "rule": f.code, "message": f.message, "value": f.value} for f in exc.faults
    ]
    return {"faults": faults, "more": exc.more}


def _http_error(exc: web.HTTPException) -> web.Response:
    code = "http." + exc.reason.lower().replace(" ", "_")
    headers = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else None
    return _rejected(exc.status, code, exc.reason, headers=headers)


def _too_large(limit: int) -> Rejection:
    return Rejection(413, "body.too_large", f"the body is larger than {limit} bytes")
