"""The gateway's durable memory of the rounds that it opened, until they are settled and after.

Guarantees: one opening for each pair of inputs, the newest; no two with one round's number. Leaves
out the comparison with the chain (`round_opener`).
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from msgspec import Struct

from oepnode.adapters.storage.sqlite_index import Index

OPENINGS_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS openings (
    digest BLOB NOT NULL,
    registry_digest BLOB NOT NULL,
    after_round INTEGER NOT NULL,
    block INTEGER NOT NULL,
    round INTEGER,
    transaction_hash BLOB NOT NULL,
    is_settled INTEGER NOT NULL,
    PRIMARY KEY (digest, registry_digest)
);
"""


class Opening(Struct, frozen=True, kw_only=True):
    """An opening of a round with a pair of inputs.

    Attributes:
        digest: SHA-256 of the document, 32 bytes.
        registry_digest: SHA-256 of the snapshot, 32 bytes.
        after_round: Newest round on chain when it was begun.
        block: Block of the opening; while there is none, the chain's newest when that was noticed.
        round: Number of the round; None while the chain is not known to have it.
        transaction: Hash of the transaction, 32 bytes; empty while it is not known.
        is_settled: Whether its block was final enough; without a round, that it is absent.
    """

    digest: bytes
    registry_digest: bytes
    after_round: int
    block: int
    round: int | None = None
    transaction: bytes = b""
    is_settled: bool = False


class Openings:
    """The openings of a gateway.

    Args:
        index: An index with the table of `OPENINGS_SCHEMA`, and that of the signed statements.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def of(self, digest: bytes, registry_digest: bytes) -> Opening | None:
        """The opening with these inputs, or None."""
        with self._index.transaction() as db:
            row = db.execute(
                f"{_SELECT} WHERE digest = ? AND registry_digest = ?", (digest, registry_digest)
            ).fetchone()
        return None if row is None else _opening(row)

    def unsettled(self) -> list[Opening]:
        """All openings that are not settled."""
        with self._index.transaction() as db:
            rows = db.execute(f"{_SELECT} WHERE NOT is_settled").fetchall()
        return [_opening(row) for row in rows]

    def put(self, opening: Opening) -> list[Opening]:
        """Store an opening in the place of an earlier one with the same inputs.

        Returns:
            The openings with other inputs that lose that round's number, as they were: the chain
            has one round of each number.
        """
        key = (opening.digest, opening.registry_digest)
        with self._index.transaction() as db:
            rows = db.execute(f"{_SELECT} WHERE round = ?", (opening.round,)).fetchall()
            db.execute(
                "UPDATE openings SET round = NULL, is_settled = 0, block = ? WHERE round = ?",
                (opening.block, opening.round),
            )
            db.execute(
                "INSERT OR REPLACE INTO openings VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    opening.digest,
                    opening.registry_digest,
                    opening.after_round,
                    opening.block,
                    opening.round,
                    opening.transaction,
                    opening.is_settled,
                ),
            )
        found = map(_opening, rows)
        return [lost for lost in found if (lost.digest, lost.registry_digest) != key]

    def drop(self, opening: Opening) -> None:
        """Forget an opening."""
        with self._index.transaction() as db:
            db.execute(
                "DELETE FROM openings WHERE digest = ? AND registry_digest = ?",
                (opening.digest, opening.registry_digest),
            )

    def highest_sequence(self, key: bytes) -> int:
        """The highest sequence number under a key of the documents of opened rounds, or 0."""
        with self._index.transaction() as db:
            row = db.execute(
                "SELECT max(sequence) FROM openings JOIN signatures USING (digest)"
                " WHERE key = ? AND round IS NOT NULL",
                (key,),
            ).fetchone()
        return int(row[0] or 0)


def newest_round(db: sqlite3.Connection, digest: bytes) -> tuple[int, bytes] | None:
    """Number and snapshot of the newest round with a document, within a transaction, or None."""
    row: tuple[int, bytes] | None = db.execute(
        "SELECT round, registry_digest FROM openings WHERE digest = ? AND round IS NOT NULL"
        " ORDER BY round DESC LIMIT 1",
        (digest,),
    ).fetchone()
    return row


_SELECT: Final = (
    "SELECT digest, registry_digest, after_round, block, round, transaction_hash, is_settled"
    " FROM openings"
)


def _opening(row: tuple[Any, ...]) -> Opening:
    digest, registry_digest, after_round, block, number, transaction, is_settled = row
    return Opening(
        digest=digest,
        registry_digest=registry_digest,
        after_round=after_round,
        block=block,
        round=number,
        transaction=transaction,
        is_settled=bool(is_settled),
    )
