"""One blocking HTTP request, for start-up scripts that have no event loop."""

from __future__ import annotations

import http.client
from typing import Final
from urllib.parse import urlsplit

from oepnode.adapters.http.redact import network_reason, shown_url
from oepnode.errors import ConfigError, TransportError

_MAX_BYTES: Final = 16 * 2**20


def post_json(url: str, body: bytes, timeout_s: float) -> bytes:
    """POST a JSON body and return the response's body.

    Raises:
        TransportError: If the server does not respond, or not with 200.
    """
    return _request("POST", url, body, timeout_s)


def get(url: str, timeout_s: float) -> bytes:
    """GET a resource.

    Raises:
        ConfigError: If the URL is malformed.
        TransportError: If the server does not respond, or not with 200.
    """
    return _request("GET", url, None, timeout_s)


def _request(method: str, url: str, body: bytes | None, timeout_s: float) -> bytes:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise ConfigError(f"{url}: not a usable URL") from exc
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if parts.scheme not in kinds or not host:
        raise ConfigError(f"{url}: a URL must start with http:// or https:// and name a host")
    connection = kinds[parts.scheme](host, port, timeout=timeout_s)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, parts.path or "/", body, headers)
        response = connection.getresponse()
        data = response.read(_MAX_BYTES + 1)
    except (OSError, http.client.HTTPException) as exc:
        raise TransportError(f"{shown_url(url)}: no response: {network_reason(exc)}") from exc
    finally:
        connection.close()
    if len(data) > _MAX_BYTES:
        raise TransportError(f"{shown_url(url)}: the response is larger than {_MAX_BYTES} bytes")
    if response.status != http.client.OK:
        raise TransportError(f"{shown_url(url)}: responded with status {response.status}")
    return bytes(data)
