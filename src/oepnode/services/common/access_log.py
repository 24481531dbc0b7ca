"""Used nonces and granted requests, in a service's own index.

Guarantees: a nonce is used once; its use and the grant are recorded in one transaction, durable
when `AccessLog.note` returns. A recorded grant is never changed or deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import Final

from oepnode.adapters.storage.sqlite_index import Index
from oepnode.domain.rounds.grants import Grant, Input
from oepnode.domain.rounds.onchain import Member
from oepnode.domain.rounds.signed_requests import MemberRequest

ACCESS_LOG_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS nonces (
    nonce BLOB PRIMARY KEY,
    issued_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS nonces_by_time ON nonces (issued_at);
CREATE TABLE IF NOT EXISTS access_log (
    granted_at REAL NOT NULL,
    operator BLOB NOT NULL,
    signer BLOB NOT NULL,
    round INTEGER NOT NULL,
    what TEXT NOT NULL,
    digest BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS grants_by_round ON access_log (round);
CREATE TRIGGER IF NOT EXISTS access_log_keeps BEFORE DELETE ON access_log
BEGIN SELECT RAISE(ABORT, 'the access log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS access_log_stays BEFORE UPDATE ON access_log
BEGIN SELECT RAISE(ABORT, 'the access log is append-only'); END;
"""


class AccessLog:
    """Granted requests with the member, round and input of each.

    Args:
        index: An index with the tables of `ACCESS_LOG_SCHEMA`.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def note(self, request: MemberRequest, member: Member, now: float, keep_s: int) -> bool:
        """Use up a request's nonce and record the grant, in one transaction.

        Args:
            request: The request, otherwise authorized.
            member: The member that signed it.
            now: UTC seconds.
            keep_s: Nonces issued longer ago are deleted; their requests are rejected by time.

        Returns:
            False, with nothing changed, if the nonce was used before.
        """
        with self._index.transaction() as db:
            db.execute("DELETE FROM nonces WHERE issued_at < ?", (int(now) - keep_s,))
            try:
                db.execute("INSERT INTO nonces VALUES (?, ?)", (request.nonce, request.issued_at))
            except sqlite3.IntegrityError:
                return False
            db.execute(
                "INSERT INTO access_log VALUES (?, ?, ?, ?, ?, ?)",
                (now, member.operator, member.signer, request.round, request.what, request.digest),
            )
        return True

    def grants_of(
        self, round_number: int, digests: Collection[bytes], inputs: Collection[Input]
    ) -> tuple[Grant, ...]:
        """The first grant of each operator and input of a round, in order of both.

        Args:
            round_number: The round.
            digests: Digests of the round's inputs; grants of others are left out. After a
                reorganisation another round may have the same number.
            inputs: Kinds of inputs.
        """
        with self._index.transaction() as db:
            rows = db.execute(
                "SELECT operator, what, digest, granted_at FROM access_log WHERE round = ?"
                " ORDER BY granted_at DESC",
                (round_number,),
            ).fetchall()
        first = {
            (operator, what): int(granted_at)
            for operator, what, digest, granted_at in rows
            if what in inputs and digest in digests
        }
        return tuple(Grant(*pair, granted_at) for pair, granted_at in sorted(first.items()))

    def operators_given(self, what: str, digest: bytes) -> frozenset[bytes]:
        """Operators to whom an input was granted, for any round."""
        with self._index.transaction() as db:
            rows = db.execute(
                "SELECT DISTINCT operator FROM access_log WHERE what = ? AND digest = ?",
                (what, digest),
            ).fetchall()
        return frozenset(operator for (operator,) in rows)
