"""Former workers that know the salt of a snapshot in use.

Guarantees: whoever was granted the salt of the newest snapshot or of the newest round's, and is not
in the current electorate, is named in the log and counted in the registry's health. Whoever knows a
snapshot's salt can compute the pseudonyms of every later round that uses the snapshot, so after a
worker has left a new snapshot with a new salt is due. Nothing is rejected: a round must not fail
because a worker left. Source: docs/services.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from oepnode.domain.rounds.onchain import Electorate
from oepnode.errors import TransportError
from oepnode.ports import ChainReader
from oepnode.services.registry.store import RegistryStore, StoredSnapshot

_log = structlog.get_logger(__name__)

CHECK_EVERY_S: Final = 60.0
FIX: Final = (
    "publish a new snapshot with a new salt (registry publish --new-salt), and use it in new rounds"
)


class DepartedReaders:
    """Compares the readers of the salts in use with the current electorate.

    Args:
        chain: Source of the electorate.
        store: Snapshots and granted requests.

    Attributes:
        current: Operators of former workers that know a salt in use, as of the last check; None
            before the first.
    """

    def __init__(self, chain: ChainReader, store: RegistryStore) -> None:
        self._chain = chain
        self._store = store
        self.current: tuple[bytes, ...] | None = None

    async def watch(self) -> None:
        """Check now and then, and log changes, until cancelled."""
        while True:
            known = self.current
            try:
                departed = await self.check()
            except TransportError as exc:
                _log.warning("departed_readers_not_checked", reason=str(exc))
            else:
                if departed and departed != known:
                    _log.warning(
                        "salt_known_to_former_workers",
                        operators=[operator.hex() for operator in departed],
                        fix=FIX,
                    )
            await asyncio.sleep(CHECK_EVERY_S)

    async def check(self) -> tuple[bytes, ...]:
        """Former workers that know a salt in use.

        Raises:
            TransportError: If the chain does not respond.
        """
        electorate = await self._chain.current_electorate()
        self.current = departed_readers(await self.of_salts_in_use(), electorate)
        return self.current

    async def of_salts_in_use(self) -> frozenset[bytes]:
        """Operators that were granted a salt in use, whether they are workers or not.

        Raises:
            TransportError: If the chain does not respond.
        """
        readers = frozenset[bytes]()
        for snapshot in await self._in_use():
            readers |= await asyncio.to_thread(self._store.readers_of_salt, snapshot)
        return readers

    async def _in_use(self) -> list[StoredSnapshot]:
        """The newest snapshot, and that of the newest round."""
        newest = await asyncio.to_thread(self._store.latest)
        chain = await self._chain.settled()  # inputs are granted for settled rounds alone
        number = await chain.round_count()
        opened = await chain.opening(number) if number else None
        found = [newest]
        if opened is not None:
            found.append(await asyncio.to_thread(self._store.snapshot, opened.registry_digest))
        return [snapshot for snapshot in found if snapshot is not None]


def departed_readers(readers: Iterable[bytes], electorate: Electorate) -> tuple[bytes, ...]:
    """The readers that are not in the electorate, in ascending order."""
    return tuple(sorted(r for r in readers if electorate.by_operator(r) is None))
