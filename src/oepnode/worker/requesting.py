"""Opens a round for the sender's newest document, where this worker is a requester.

Guarantees: none is opened where the worker knows a round with the document, or the chain's newest
block has one that is not settled yet. Source: ``docs/design.md`` §2, step 1.
"""

from __future__ import annotations

from typing import Final

import structlog

from oepnode.ports import Store
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.state import decode_state

_RECENT_ROUNDS: Final = 8


class Requester:
    """Opens rounds for new documents.

    Args:
        ports: Access to chain, sender and registry.
        store: The rounds that this worker knows.
        is_requester: Whether to open any.
    """

    def __init__(self, ports: WorkerPorts, store: Store, *, is_requester: bool) -> None:
        self._ports = ports
        self._store = store
        self._is_requester = is_requester
        self._log = structlog.get_logger("oepnode.worker")

    async def poll(self) -> None:
        """Fetch the sender's newest envelope, and open a round for it if there is none.

        Raises:
            ConflictError: If sender, registry or contract reject it.
            TransportError: If one of them does not respond.
        """
        latest = await self._ports.sender.latest()
        if latest is None or not self._is_requester or await self._has_round(latest.digest):
            return
        registry = latest.registry_digest or await self._ports.registry.latest_digest()
        if registry is None:
            self._log.warning("round_request_skipped", reason="the registry has no snapshot yet")
            return
        opened = await self._ports.chain.open_round(
            latest.horizon_start, latest.interval_count, latest.digest, registry
        )
        self._log.info("round_requested", round=opened.round)

    async def _has_round(self, digest: bytes) -> bool:
        recent = self._store.rounds(limit=_RECENT_ROUNDS)
        if any(decode_state(s.state).opened.envelope_digest == digest for s in recent):
            return True
        newest = await self._ports.chain.newest()
        count = await newest.round_count()
        known = recent[0].number if recent else 0
        for number in range(max(known, count - _RECENT_ROUNDS) + 1, count + 1):
            opened = await newest.opening(number)
            if opened is not None and opened.envelope_digest == digest:
                return True
        return False
