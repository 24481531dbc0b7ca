"""Redacts URLs and network errors for messages, which reach logs and the public status page."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp


def shown_url(url: str) -> str:
    """A URL without the parts that may be secret: user, password, path and query."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a malformed URL"
    return f"{parts.scheme}://{parts.hostname}{port}"


def network_reason(exc: Exception) -> str:
    """The reason of a network failure, without the URL, which may contain a key."""
    if isinstance(exc, aiohttp.ClientResponseError):
        return f"status {exc.status}"
    if isinstance(exc, aiohttp.ClientConnectorError):
        return f"no connection: {exc.os_error.strerror or type(exc.os_error).__name__}"
    if isinstance(exc, TimeoutError):
        return "no response in time"
    return type(exc).__name__
