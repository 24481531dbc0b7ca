"""HTTP requests with deadlines, size limits and retries, for all clients of this package.

Guarantees: every request has a deadline and every response a size limit, and no content encoding is
decoded; temporary failures are
retried a few times with growing, random waits, only here; foreign exceptions stop here. A 4xx
response becomes `RequestRejected`, any other failure `TransportError`. Leaves out the meaning of
responses and their digests: that is for the clients.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
from msgspec import DecodeError, Struct
from msgspec import json as msgspec_json

from oepnode.adapters.http.redact import network_reason, shown_url
from oepnode.domain.rounds.onchain import parse_bytes32
from oepnode.errors import ConfigError, ConflictError, Finding, TransportError

ATTEMPTS: Final = 3
FIRST_WAIT_S: Final = 0.25
MAX_JSON_BYTES: Final = 2**20
_CHUNK_BYTES: Final = 2**18
_MAX_REASON: Final = 300
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of temporary failures."""


class FilePart(Struct, frozen=True):
    """A part of a file, from an offset on, at most a number of bytes."""

    path: Path
    offset: int
    size: int


Body = bytes | Path | FilePart | None
"""Body of a request: bytes, a file or a part of one that is streamed, or nothing."""

T = TypeVar("T")


class RequestRejected(ConflictError):  # noqa: N818 - reads as what it is
    """The service rejected a request with a 4xx status.

    Attributes:
        status: The HTTP status.
        code: The service's name for the reason, or an empty text.
        faults: Faults of the document that was sent, where the service reports them.
        more: Number of further faults.
    """

    def __init__(
        self,
        what: str,
        status: int,
        code: str,
        reason: str,
        faults: Sequence[Finding] = (),
        more: int = 0,
    ) -> None:
        super().__init__(f"{what}: rejected with {status}: {reason}")
        self.status = status
        self.code = code
        self.faults = tuple(faults)
        self.more = more


class Response(Struct, frozen=True):
    """A complete HTTP response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


Exchange = Callable[[str, str, Body, Mapping[str, str], int], Awaitable[Response]]
"""Carries out one request: method, URL, body, headers, size limit of a success."""


class HttpClient:
    """Requests to one service.

    Args:
        base_url: ``http://`` or ``https://`` URL of the service.
        timeout_s: Deadline of one attempt, in seconds.
        exchange: Carries out one attempt; by default over the network.
        wait: Sleeps between attempts.

    Raises:
        ConfigError: If the URL is not http or https.
    """

    def __init__(
        self,
        base_url: str,
        timeout_s: float,
        exchange: Exchange | None = None,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise ConfigError(
                f"a service's URL must start with http:// or https://, received {base_url!r}"
            )
        self._base = base_url.rstrip("/")
        self._network = _Network(timeout_s)
        self._exchange = exchange or self._network.exchange
        self._wait = wait
        self._random = secrets.SystemRandom()

    async def send(
        self,
        method: str,
        path: str,
        what: str,
        *,
        limit: int,
        body: Callable[[], Body] = lambda: None,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> bytes:
        """Send a request, retry temporary failures, and return the body of a success.

        Args:
            method: The HTTP method.
            path: Path below the service's URL.
            what: The requested thing, for messages.
            limit: Maximum bytes of a success.
            body: Returns the body for an attempt.
            headers: Returns the headers for an attempt.

        Raises:
            RequestRejected: If the service rejects the request.
            TransportError: If no attempt got a usable response.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = await self._exchange(method, self._base + path, body(), headers(), limit)
                return _success(what, response)
            except TransportError:
                if attempt == ATTEMPTS:
                    raise
            await self.pause(attempt)
        raise AssertionError("the loop returns or raises")

    async def attempt(
        self,
        method: str,
        path: str,
        what: str,
        *,
        headers: Mapping[str, str],
        body: Body = None,
        limit: int = MAX_JSON_BYTES,
    ) -> Response:
        """Send a request once, and return the whole response of a success; raises as `send`."""
        response = await self._exchange(method, self._base + path, body, headers, limit)
        _success(what, response)
        return response

    async def pause(self, attempt: int) -> None:
        """Wait after a failed attempt, the longer the more have failed; the first is 1."""
        await self._wait(self._random.uniform(0.5, 1) * FIRST_WAIT_S * 4 ** (attempt - 1))

    async def get(self, path: str, what: str, limit: int) -> bytes:
        """Fetch bytes; raises as `send` does."""
        return await self.send("GET", path, what, limit=limit)

    async def get_json(self, path: str, what: str, kind: type[T]) -> T:
        """Fetch a small JSON value of a known shape.

        Raises:
            TransportError: If the response has another shape; also raises as `send` does.
        """
        return decode_json(await self.get(path, what, MAX_JSON_BYTES), what, kind)

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self._network.close()


class _Network:
    """Requests over aiohttp; the session is created on first use, inside the running loop."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def exchange(
        self, method: str, url: str, body: Body, headers: Mapping[str, str], limit: int
    ) -> Response:
        """Carry out one attempt.

        Raises:
            TransportError: If there is no response, or one larger than ``limit`` (for an error,
                larger than `MAX_JSON_BYTES`).
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            )
        data = _sendable(body)
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as response:
                require_identity(response, shown_url(url))
                most = limit if response.ok else MAX_JSON_BYTES
                return Response(response.status, await _read(response, url, most), response.headers)
        except TimeoutError as exc:
            raise TransportError(
                f"{shown_url(url)}: no response within {self._timeout.total} s"
            ) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise TransportError(f"{shown_url(url)}: {network_reason(exc)}") from exc
        except ValueError as exc:
            raise ConfigError(f"{shown_url(url)}: not a usable URL") from exc

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def require_identity(response: aiohttp.ClientResponse, url: str) -> None:
    """Reject a response with a content encoding: none is accepted, and none is ever decoded.

    Raises:
        TransportError: If it has one.
    """
    encodings = {value.lower() for value in response.headers.getall("Content-Encoding", [])}
    if encodings - {"identity"}:
        raise TransportError(f"{url}: the response is encoded, and no encoding was accepted")


def decode_json(data: bytes, what: str, kind: type[T]) -> T:
    """Decode JSON of a known shape; other fields are ignored.

    Raises:
        TransportError: If it has another shape.
    """
    try:
        return msgspec_json.decode(data, type=kind)
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise TransportError(f"{what}: the response has an unexpected shape: {exc}") from exc


def read_digest(text: str, what: str) -> bytes:
    """Decode a SHA-256 from a service.

    Raises:
        TransportError: If it is not 64 hex digits.
    """
    try:
        return parse_bytes32(text, "a digest")
    except ValueError as exc:
        message = f"{what}: the digest in the response is not 64 hex digits (SHA-256)"
        raise TransportError(message) from exc


class _FaultText(Struct):
    path: str = ""
    rule: str = ""
    message: str = ""
    value: str = ""


class _Reason(Struct):
    code: str = ""
    message: str = ""
    faults: list[_FaultText] = []
    more: int = 0


class _Error(Struct):
    error: _Reason


def _success(what: str, response: Response) -> bytes:
    if 200 <= response.status < 300:
        return response.body
    reason = _reason(response)
    if response.status in _PASSING or not 400 <= response.status < 500:
        raise TransportError(f"{what}: status {response.status}: {_safe(reason.message)}")
    faults = [
        Finding(_safe(f.path), _safe(f.rule), _safe(f.message), _safe(f.value))
        for f in reason.faults
    ]
    message = _safe(reason.message)
    raise RequestRejected(what, response.status, reason.code, message, faults, reason.more)


def _reason(response: Response) -> _Reason:
    try:
        return msgspec_json.decode(response.body, type=_Error).error
    except (DecodeError, RecursionError, UnicodeDecodeError):
        return _Reason(message="no reason was given")


def _safe(text: str) -> str:
    """A text from the service, without control characters and shortened."""
    return "".join(c if c.isprintable() else "?" for c in text[:_MAX_REASON])


async def _read(response: aiohttp.ClientResponse, url: str, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        size += len(chunk)
        if size > limit:
            raise TransportError(f"{shown_url(url)}: the response is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _sendable(body: Body) -> bytes | AsyncIterator[bytes] | None:
    match body:
        case Path():
            return _chunks_of(body)
        case FilePart():
            return _chunks_of(body.path, body.offset, body.size)
        case _:
            return body


async def _chunks_of(path: Path, offset: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
    """Pieces of a file, or of a part of it."""
    with path.open("rb") as file:
        file.seek(offset)
        left = size
        while left is None or left > 0:
            most = _CHUNK_BYTES if left is None else min(_CHUNK_BYTES, left)
            chunk = await asyncio.to_thread(file.read, most)
            if not chunk:
                return
            left = None if left is None else left - len(chunk)
            yield chunk
