"""Redacts URLs and network errors for messages, which reach logs and the public status page."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import aiohttp

_MAX_TEXT: Final = 200
_URL: Final = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


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


def redacted_text(text: str, url: str) -> str:
    """Another party's text for the log: one short line without the secrets that a URL may hold.

    Args:
        text: Text of the party at that URL, which may repeat parts of it.
        url: The URL.
    """
    parts = urlsplit(url)
    secrets = [parts.username, parts.password, *parts.path.split("/"), *parts.query.split("&")]
    secrets += [value for _, value in parse_qsl(parts.query)]
    for secret in sorted({s for s in secrets if s and len(s) > 2}, key=len, reverse=True):
        text = text.replace(secret, "…")
    text = _URL.sub("…", text)
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= _MAX_TEXT else line[:_MAX_TEXT] + "…"
