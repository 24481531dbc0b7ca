"""Used nonces and granted requests, in a service's own index.

Guarantees: a nonce is used once; its use and the grant are recorded in one transaction.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from oepnode.adapters.storage.sqlite_index import Index
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
