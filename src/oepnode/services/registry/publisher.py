"""Publishes snapshots of the registry's database, after each change or on a schedule.

Guarantees: whatever goes wrong is logged and tried again, and the registry goes on serving what is
published. Source: docs/services.md.
"""

from __future__ import annotations

import asyncio
from typing import Final, Literal

import structlog

from oepnode.adapters.storage.registry_db.database import RegistryDatabase
from oepnode.adapters.storage.registry_db.publication_rows import newest_publication
from oepnode.errors import OepError
from oepnode.ports import Clock
from oepnode.services.registry.database_snapshots import publish_database
from oepnode.services.registry.store import RegistryStore

_log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 5.0

Mode = Literal["on_change", "on_schedule"]


class SnapshotPublisher:
    """Publishes snapshots of a database.

    Args:
        store: Storage of the registry that serves them.
        database: The registry's database; not checked yet.
        clock: Time of day.
        mode: When a snapshot is published.
        interval_s: Interval between snapshots on a schedule.
    """

    def __init__(
        self,
        store: RegistryStore,
        database: RegistryDatabase,
        clock: Clock,
        mode: Mode,
        interval_s: float,
    ) -> None:
        self._store = store
        self._database = database
        self._clock = clock
        self._mode = mode
        self._interval_s = interval_s

    async def watch(self) -> None:
        """Publish whenever it is due, until cancelled."""
        trouble = ""
        while True:
            try:
                await asyncio.to_thread(self.publish_if_due)
            except OepError as exc:
                if str(exc) != trouble:
                    _log.warning("snapshot_not_published", reason=str(exc))
                trouble = str(exc)
            else:
                trouble = ""
            await asyncio.sleep(LOOK_EVERY_S)

    def publish_if_due(self) -> bool:
        """Publish a snapshot if one is due, and return whether it was.

        Raises:
            OepError: If that is not possible now.
        """
        self._database.prepare()
        is_scheduled = self._mode == "on_schedule"
        if is_scheduled and not self._is_time():
            return False
        done = publish_database(
            self._store,
            self._database,
            self._clock.now(),
            "schedule" if is_scheduled else "change",
            new_salt=is_scheduled,
        )
        if done.is_new:
            _log.info("snapshot_published", digest=done.stored.digest.hex(), revision=done.revision)
        return done.is_new

    def _is_time(self) -> bool:
        with self._database.reading() as connection:
            newest = newest_publication(connection)
        return newest is None or self._clock.now() >= newest.published_at + self._interval_s
