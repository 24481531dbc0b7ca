"""Snapshots published from the registry's database.

Guarantees: a snapshot holds one state of the database, has a fresh nonce and a fresh salt, and is
published once for each state; memory does not grow with its size. Source: docs/services.md.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct
from sqlalchemy import Connection

from oepnode.adapters.storage.registry_db.aggregator_rows import read_aggregators
from oepnode.adapters.storage.registry_db.assignment_rows import pieces_for_snapshot
from oepnode.adapters.storage.registry_db.database import RegistryDatabase
from oepnode.adapters.storage.registry_db.publication_rows import (
    Publication,
    newest_publication,
    record_publication,
)
from oepnode.adapters.storage.registry_db.trail import revision_of
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.inputs.assignments import OPEN_END
from oepnode.domain.rounds.inputs.registry_snapshot import snapshot_json
from oepnode.domain.rounds.pseudonyms import KEY_SIZE
from oepnode.errors import ConflictError
from oepnode.services.registry.store import RegistryStore, StoredSnapshot

KEEP_ENDED_S: Final = 7 * 86_400
"""Assignments that ended longer ago are left out of new snapshots: no round decides them."""

_NONCE_BYTES: Final = 32

Reason = Literal["command", "change", "schedule"]


class DatabaseSnapshot(Struct, frozen=True):
    """A snapshot of the database that a registry now serves.

    Attributes:
        stored: Its entry in the registry's index.
        is_new: Whether it was published just now; otherwise it had been, and nothing has changed.
        revision: The state that it holds.
    """

    stored: StoredSnapshot
    is_new: bool
    revision: int


class SnapshotText:
    """A snapshot's text, piece by piece.

    Args:
        connection: A transaction for reading.
        as_of: When the snapshot is taken, UTC seconds.
        salt: Its salt, 32 bytes.

    Attributes:
        as_of: As given.
        nonce: 32 random bytes.
        salt_digest: SHA-256 of its salt.
        assignments: Number of assignments so far.

    Raises:
        ConflictError: If the database is empty.
    """

    def __init__(self, connection: Connection, as_of: int, salt: bytes) -> None:
        if revision_of(connection) == 0:
            raise ConflictError(
                "the registry's database is empty; add aggregators ('registry aggregator add') or "
                "import a snapshot ('registry import')"
            )
        self._connection = connection
        self.as_of = as_of
        self.nonce = secrets.token_bytes(_NONCE_BYTES)
        self.salt_digest = sha256(salt).digest()
        self.assignments = 0

    def pieces(self) -> Iterator[bytes]:
        """The text of a snapshot of the database's state."""
        aggregators = [
            one.aggregator for one in read_aggregators(self._connection).values() if one.is_active
        ]
        as_of = format_nem(self.as_of)
        head = snapshot_json(as_of, self.salt_digest, aggregators, [], self.nonce)
        yield json.dumps(head, separators=(",", ":")).removesuffix("]}").encode()
        texts: dict[int, str] = {OPEN_END: "null"}
        separator = ""
        for rows in pieces_for_snapshot(self._connection, self.as_of - KEEP_ENDED_S):
            for instant in {time for row in rows for time in row[2:]} - texts.keys():
                texts[instant] = f'"{format_nem(instant)}"'
            lines = [
                f'{{"nmi":"{nmi}","aggregator":"{holder}","from":{texts[start]},"to":{texts[end]}}}'
                for nmi, holder, start, end in rows
            ]
            self.assignments += len(lines)
            yield (separator + ",\n".join(lines)).encode()
            separator = ",\n"
        yield b"]}\n"


def publish_database(
    store: RegistryStore,
    database: RegistryDatabase,
    now: float,
    reason: Reason,
    *,
    new_salt: bool = False,
) -> DatabaseSnapshot:
    """Publish a snapshot of the database, unless the newest one holds the same state.

    Args:
        store: Storage of the registry that serves it.
        database: The registry's database.
        now: UTC seconds.
        reason: Why it is published.
        new_salt: Publish with a fresh salt even if nothing has changed.

    Raises:
        ConflictError: If the database is empty.
        TransportError: If the database does not respond.
    """
    with database.reading() as connection:
        revision = revision_of(connection)
        newest = newest_publication(connection)
        if newest is not None and newest.revision == revision and not new_salt:
            known = store.snapshot(newest.digest)
            if known is not None:
                return DatabaseSnapshot(known, is_new=False, revision=revision)
        salt = secrets.token_bytes(KEY_SIZE)
        text = SnapshotText(connection, int(now), salt)
        stored = store.publish_pieces(text.pieces(), text.as_of, salt, now)
    published = Publication(
        digest=stored.digest,
        revision=revision,
        as_of=text.as_of,
        nonce=text.nonce,
        salt_digest=text.salt_digest,
        assignments=text.assignments,
        published_at=now,
        reason=reason,
    )
    with database.writing() as connection:
        record_publication(connection, published)
    return DatabaseSnapshot(stored, is_new=True, revision=revision)
