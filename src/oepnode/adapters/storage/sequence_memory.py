"""A worker's memory of the sequence numbers of signed documents, by round.

Guarantees: what was accepted for a round is on disk before `SequenceMemory.accept` returns. A
document is a replay if a *lower* round had one with a higher number, or another one with the same
number. The round itself and later ones are not looked at, so that computing a round again, also
after a reorganisation put other inputs under its number, is no replay. Source:
docs/spec/signatures.md.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from oepnode.adapters.storage.digest_files import make_folder
from oepnode.adapters.storage.sqlite_index import Index
from oepnode.domain.rounds.inputs.document_signatures import SignatureFault, SignedStatement
from oepnode.errors import FatalError

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS accepted (
    kind TEXT NOT NULL,
    key BLOB NOT NULL,
    round INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (kind, key, round)
);
"""


class SequenceMemory:
    """The accepted documents of each round, in a file.

    Args:
        path: SQLite file; created with its folder if missing.

    Raises:
        ConfigError: If it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._path = path
        self._index = Index(path, _SCHEMA)

    def check(self, signed: SignedStatement, round_number: int | None = None) -> None:
        """Reject a replay.

        Args:
            signed: A verified statement.
            round_number: The round that the document is an input of; None for one to be opened.

        Raises:
            SignatureFault: ``signature.replayed``.
            FatalError: If the file cannot be read.
        """
        try:
            with self._index.transaction() as db:
                _check(db, signed, round_number)
        except sqlite3.Error as exc:
            raise FatalError(f"{self._path}: not readable: {exc}") from exc

    def accept(self, signed: SignedStatement, round_number: int) -> None:
        """Reject a replay, and remember anything else as the input of the round.

        Raises:
            SignatureFault: ``signature.replayed``; nothing is remembered.
            FatalError: If it cannot be recorded.
        """
        statement = signed.statement
        try:
            with self._index.transaction() as db:
                _check(db, signed, round_number)
                db.execute(
                    "INSERT OR REPLACE INTO accepted VALUES (?, ?, ?, ?, ?)",
                    (
                        statement.kind,
                        signed.public_key,
                        round_number,
                        statement.sequence,
                        statement.digest,
                    ),
                )
        except sqlite3.Error as exc:
            raise FatalError(f"{self._path}: cannot be written: {exc}") from exc

    def close(self) -> None:
        """Close the file; may be called again."""
        self._index.close()


def _check(db: sqlite3.Connection, signed: SignedStatement, round_number: int | None) -> None:
    statement = signed.statement
    row = db.execute(
        "SELECT round, sequence, digest FROM accepted WHERE kind = ? AND key = ?"
        " AND (? IS NULL OR round < ?) ORDER BY sequence DESC, round DESC LIMIT 1",
        (statement.kind, signed.public_key, round_number, round_number),
    ).fetchone()
    if row is None:
        return
    earlier, sequence, digest = row
    if sequence > statement.sequence or (
        sequence == statement.sequence and digest != statement.digest
    ):
        raise SignatureFault(
            "signature.replayed",
            f"sequence number {statement.sequence}, but round {earlier} had {sequence}",
        )
