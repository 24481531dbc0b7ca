"""One blocking HTTP request, for start-up scripts that have no event loop."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from oepnode.errors import TransportError


def post_json(url: str, body: bytes, timeout_s: float) -> bytes:
    """POST a JSON body and return the answer's.

    Raises:
        TransportError: If the other side does not answer, or not with 200.
    """
    return _request("POST", url, body, timeout_s)


def get(url: str, timeout_s: float) -> bytes:
    """GET a resource.

    Raises:
        TransportError: If the other side does not answer, or not with 200.
    """
    return _request("GET", url, None, timeout_s)


def _request(method: str, url: str, body: bytes | None, timeout_s: float) -> bytes:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, parts.path or "/", body, headers)
        answer = connection.getresponse()
        data = answer.read()
    except (OSError, http.client.HTTPException) as exc:
        raise TransportError(f"{url}: no answer: {exc}") from exc
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise TransportError(f"{url}: answered with status {answer.status}")
    return data
