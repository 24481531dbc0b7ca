"""A worker's durable state in SQLite: one writer, short transactions, write-ahead log.

`commit` makes a round's new state and its effects durable together, or not at all; the worker's
guarantees depend on it. A crash before it leaves the old state, and the change is read from the
chain again; a crash after it leaves the effects pending, and they are carried out on the next
start.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from oepnode.adapters.storage.private import private_folder
from oepnode.errors import FatalError
from oepnode.ports import Cursor, StoredEffect, StoredRound

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cursors (block INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS rounds (
    number INTEGER PRIMARY KEY, is_live INTEGER NOT NULL, state BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS rounds_live ON rounds (is_live, number);
CREATE TABLE IF NOT EXISTS effects (
    id TEXT PRIMARY KEY, round INTEGER NOT NULL, payload BLOB NOT NULL,
    is_done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS effects_pending ON effects (is_done, round);
"""


class SqliteStore:
    """The store of one worker.

    Args:
        path: Database file; created with mode 0600 if missing.
    """

    def __init__(self, path: Path) -> None:
        with _translated():
            private_folder(path.parent)
            path.touch(mode=0o600, exist_ok=True)
            self._db: sqlite3.Connection | None = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, _SCHEMA_VERSION):
                raise FatalError(
                    f"{path}: database version {version}, this release reads version "
                    f"{_SCHEMA_VERSION}; use the release that wrote it, or another data_dir"
                )
            self._db.executescript(_SCHEMA)
            self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def cursors(self) -> list[Cursor]:
        """The last processed block and some before it, newest first; empty on the first start."""
        rows = self._all("SELECT block, hash FROM cursors ORDER BY block DESC")
        return [Cursor(*row) for row in rows]

    def set_cursor(self, cursor: Cursor) -> None:
        """Store the last processed block, and forget cursors of this height or above."""
        with self._transaction() as db:
            db.execute("DELETE FROM cursors WHERE block >= ?", (cursor.block,))
            db.execute(
                "INSERT INTO cursors (block, hash) VALUES (?, ?)", (cursor.block, cursor.hash)
            )
            blocks = [row[0] for row in db.execute("SELECT block FROM cursors")]
            db.executemany(
                "DELETE FROM cursors WHERE block = ?", [(block,) for block in _dispensable(blocks)]
            )

    def commit(self, stored: StoredRound, effects: Sequence[StoredEffect]) -> None:
        """Store a round's new state together with its new effects."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO rounds (number, is_live, state) VALUES (?, ?, ?)",
                (stored.number, stored.is_live, stored.state),
            )
            db.executemany(
                "INSERT OR REPLACE INTO effects (id, round, payload, is_done) VALUES (?, ?, ?, 0)",
                [(effect.id, effect.round, effect.payload) for effect in effects],
            )

    def effect_done(self, effect_id: str) -> None:
        """Mark an effect as carried out or pointless."""
        with self._transaction() as db:
            db.execute("UPDATE effects SET is_done = 1 WHERE id = ?", (effect_id,))

    def pending_effects(self) -> list[StoredEffect]:
        """Effects that are not done, oldest round first."""
        rows = self._all("SELECT id, round, payload FROM effects WHERE is_done = 0 ORDER BY round")
        return [StoredEffect(*row) for row in rows]

    def round(self, number: int) -> StoredRound | None:
        """One round's state, or None."""
        row = self._one("SELECT number, is_live, state FROM rounds WHERE number = ?", number)
        return None if row is None else StoredRound(row[0], bool(row[1]), row[2])

    def rounds(self, limit: int, *, live_only: bool = False) -> list[StoredRound]:
        """The newest rounds, newest first."""
        rows = self._all(
            "SELECT number, is_live, state FROM rounds WHERE is_live >= ? "
            "ORDER BY number DESC LIMIT ?",
            int(live_only),
            limit,
        )
        return [StoredRound(row[0], bool(row[1]), row[2]) for row in rows]

    def close(self) -> None:
        """Close the database; may be called again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._open()
        with _translated():
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _one(self, query: str, *arguments: object) -> Any:  # noqa: ANN401 - a row of SQLite
        rows = self._all(query, *arguments)
        return rows[0] if rows else None

    def _all(self, query: str, *arguments: object) -> list[Any]:
        with _translated():
            return self._open().execute(query, arguments).fetchall()

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            raise FatalError("the store is closed")
        return self._db


def _dispensable(blocks: Sequence[int]) -> set[int]:
    """Cursors to forget: of those at about the same distance from the newest, all but two.

    So a few dozen reach back over the whole chain, and a reorganisation of any depth leaves one
    that is at most about twice as deep.
    """
    newest = max(blocks)
    nearest: dict[int, int] = {}
    farthest: dict[int, int] = {}
    for block in sorted(blocks, reverse=True):
        distance = (newest - block).bit_length()
        nearest.setdefault(distance, block)
        farthest[distance] = block
    return set(blocks) - set(nearest.values()) - set(farthest.values())


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        raise FatalError(f"the worker's database failed: {exc}") from exc
