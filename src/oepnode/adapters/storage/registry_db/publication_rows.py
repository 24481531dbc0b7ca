"""Snapshots that were published from the registry's database."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, func, insert, select

from oepnode.adapters.storage.registry_db.tables import PUBLICATIONS

_MICROS: Final = 1_000_000


class Publication(Struct, frozen=True):
    """A published snapshot.

    Attributes:
        digest: SHA-256 of its bytes.
        revision: Revision of the registry that it holds.
        as_of: When it was taken, UTC seconds.
        nonce: Its nonce, 32 bytes.
        salt_digest: SHA-256 of its salt.
        assignments: Number of its assignments.
        published_at: UTC seconds.
        reason: Why it was published: ``command``, ``change`` or ``schedule``.
    """

    digest: bytes
    revision: int
    as_of: int
    nonce: bytes
    salt_digest: bytes
    assignments: int
    published_at: float
    reason: str


def newest_publication(connection: Connection) -> Publication | None:
    """The snapshot that was published last, or None."""
    columns = PUBLICATIONS.c
    row = connection.execute(
        select(
            columns.digest,
            columns.revision,
            columns.as_of,
            columns.nonce,
            columns.salt_digest,
            columns.assignments,
            columns.published_at_us,
            columns.reason,
        )
        .order_by(columns.number.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    digest, revision, as_of, nonce, salt_digest, assignments, published_at_us, reason = row
    return Publication(
        bytes(digest),
        revision,
        as_of,
        bytes(nonce),
        bytes(salt_digest),
        assignments,
        published_at_us / _MICROS,
        reason,
    )


def record_publication(connection: Connection, published: Publication) -> None:
    """Record a published snapshot."""
    columns = PUBLICATIONS.c
    number = connection.execute(select(func.coalesce(func.max(columns.number), 0))).scalar_one()
    row = {
        "number": int(number) + 1,
        "digest": published.digest,
        "revision": published.revision,
        "as_of": published.as_of,
        "nonce": published.nonce,
        "salt_digest": published.salt_digest,
        "assignments": published.assignments,
        "published_at_us": int(published.published_at * _MICROS),
        "reason": published.reason,
    }
    connection.execute(insert(PUBLICATIONS), row)
