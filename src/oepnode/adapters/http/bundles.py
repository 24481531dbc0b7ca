"""Fetching sealed bundles from workers over HTTP.

Guarantees: a deadline, a size limit, no redirects, and foreign exceptions translated, all by
``http_client``. Leaves out opening and checking what comes: a worker may serve anything.
Source: ``docs/spec/bundle.md``.
"""

from __future__ import annotations

from typing import Final

from oepnode.adapters.http.client import HttpClient
from oepnode.domain.rounds.bundle import MAX_SIZE
from oepnode.errors import ConfigError, TransportError

_SEAL_SIZE: Final = 48
TIMEOUT_S: Final = 60.0


async def fetch(endpoint: str, round_number: int, name: str, timeout_s: float = TIMEOUT_S) -> bytes:
    """Fetch a sealed bundle from one worker.

    Args:
        endpoint: The worker's base URL, as it stands on chain.
        round_number: The round.
        name: From `domain.bundle.bundle_name`.
        timeout_s: Deadline of one attempt, in seconds.

    Raises:
        RequestRejected: If the worker has no such bundle.
        TransportError: If it does not answer, or the URL is none.
    """
    try:
        client = HttpClient(endpoint, timeout_s)
    except ConfigError as exc:
        raise TransportError(f"the worker's endpoint on chain is no usable URL: {exc}") from exc
    try:
        path = f"/v1/rounds/{round_number}/bundles/{name}"
        return await client.get(path, "sealed bundle", MAX_SIZE + _SEAL_SIZE)
    except ConfigError as exc:
        raise TransportError(f"the worker's endpoint on chain is no usable URL: {exc}") from exc
    finally:
        await client.close()
