"""Fetches sealed token lists from an NMI registry over HTTP.

Guarantees: as of `oepnode.adapters.http.client`. Leaves out opening a list. Source:
``docs/spec/bundle.md`` section 6.
"""

from __future__ import annotations

from typing import Final

from oepnode.adapters.http.client import HttpClient
from oepnode.domain.rounds.token_list import MAX_SIZE

_SEAL_SIZE: Final = 1 << 21
"""Most bytes that sealing adds."""
TIMEOUT_S: Final = 60.0


async def fetch_token_list(
    registry: str, snapshot: bytes, name: str, timeout_s: float = TIMEOUT_S
) -> bytes:
    """Fetch a sealed token list.

    Args:
        registry: URL of the NMI registry.
        snapshot: SHA-256 of the snapshot.
        name: The result of `token_list.list_name`.
        timeout_s: Deadline of one attempt, in seconds.

    Raises:
        RequestRejected: If the registry has no such list.
        ConfigError: If the URL is malformed.
        TransportError: If the registry does not respond.
    """
    client = HttpClient(registry, timeout_s)
    try:
        path = f"/v1/snapshots/{snapshot.hex()}/tokens/{name}"
        return await client.get(path, "token list", MAX_SIZE + _SEAL_SIZE)
    finally:
        await client.close()
