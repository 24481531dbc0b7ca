"""Fetches sealed bundles from workers over HTTP.

Guarantees: a deadline, a size limit, no redirects, and foreign exceptions translated, all by
`oepnode.adapters.http.client`. Leaves out opening and verifying the bundle: a worker may serve any
bytes. Source: ``docs/spec/bundle.md``.
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
        endpoint: The worker's base URL from the chain.
        round_number: The round.
        name: The result of `bundle.bundle_name`.
        timeout_s: Deadline of one attempt, in seconds.

    Raises:
        RequestRejected: If the worker has no such bundle.
        TransportError: If it does not respond, or its URL is malformed.
    """
    path = f"/v1/rounds/{round_number}/bundles/{name}"
    try:
        client = HttpClient(endpoint, timeout_s)
        try:
            return await client.get(path, "sealed bundle", MAX_SIZE + _SEAL_SIZE)
        finally:
            await client.close()
    except ConfigError as exc:
        raise TransportError(f"the worker's endpoint on chain is not a usable URL: {exc}") from exc
