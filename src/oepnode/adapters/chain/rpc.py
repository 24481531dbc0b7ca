"""One node's JSON-RPC over HTTP, with every answer bounded and none of its text passed on.

Guarantees: an answer above the limit is dropped while it is read; redirects are not followed; an
error leaves here as a code, and the node's own text goes to the log, redacted. Calls are sent as
they are: a contract's request to look something up elsewhere (CCIP read) is an error like any
other. Leaves out the meaning of methods (``node``).
"""

from __future__ import annotations

import itertools
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from msgspec import Raw, Struct

from oepnode.adapters.chain.throttle import Throttle
from oepnode.adapters.http.redact import network_reason, redacted_text
from oepnode.errors import TransportError

T = TypeVar("T")

_CHUNK: Final = 64 * 2**10
_log = structlog.get_logger("oepnode.chain")


class RpcError(Exception):
    """A node's JSON-RPC error.

    Attributes:
        code: JSON-RPC error code.
        data: Data of a revert, or None.
        text: The node's own text, for classification only: it may hold a secret.
    """

    def __init__(self, code: int, data: bytes | None, text: str) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.data = data
        self.text = text


class _Error(Struct):
    code: int
    message: str = ""
    data: Any = None


class _Response(Struct):
    result: Raw = Raw()
    error: _Error | None = None


class RpcClient:
    """A connection to one node.

    Args:
        url: JSON-RPC URL.
        index: Number of the node among the settings' nodes, from 1.
        timeout_s: Deadline of one request.
        max_bytes: Maximum size of one answer.
    """

    def __init__(self, url: str, index: int, timeout_s: float, max_bytes: int) -> None:
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None
        self._ids = itertools.count(1)
        self._throttle = Throttle()
        self.name = f"{_host(url)}#{index}"

    async def request(self, method: str, params: list[Any], kind: type[T]) -> T:
        """Call a method, and decode its result.

        Args:
            method: JSON-RPC method.
            params: Its parameters.
            kind: Type of the result, as msgspec decodes it.

        Raises:
            RpcError: If the node answers with an error.
            TransportError: If it does not answer in time, or its answer is malformed or too long.
        """
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        try:
            data = await self._post(msgspec.json.encode(body))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            raise TransportError(network_reason(exc)) from exc
        try:
            response = msgspec.json.decode(data, type=_Response)
            if response.error is not None:
                raise self._error(method, response.error)
            if not response.result:
                raise TransportError("malformed answer")
            return msgspec.json.decode(response.result, type=kind)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
            raise TransportError("malformed answer") from exc

    async def close(self) -> None:
        """Close the connection; may be called again."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, body: bytes) -> bytes:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=self._timeout, auto_decompress=False)
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        async with self._session.post(
            self._url, data=body, headers=headers, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise TransportError(f"status {response.status}")
            received = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                received += chunk
                if len(received) > self._max_bytes:
                    raise TransportError(f"more than {self._max_bytes} bytes")
            return bytes(received)

    def _error(self, method: str, error: _Error) -> RpcError:
        data = _revert_data(error.data)
        if data is None and self._throttle.admits(method):
            _log.warning(
                "rpc_error",
                node=self.name,
                method=method,
                code=error.code,
                text=redacted_text(error.message, self._url),
            )
        return RpcError(error.code, data, error.message)


def _revert_data(data: Any) -> bytes | None:  # noqa: ANN401 - any JSON value
    """The data of a revert, which some nodes wrap in an object or in a text."""
    if isinstance(data, dict):
        data = data.get("data")
    if not isinstance(data, str):
        return None
    start = data.find("0x")
    try:
        return bytes.fromhex(data[start + 2 :]) if start >= 0 else None
    except ValueError:
        return None


def _host(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.hostname}:{port}"
