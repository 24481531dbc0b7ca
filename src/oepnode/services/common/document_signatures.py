"""Signed statements about a service's documents: accepted, stored and served.

Guarantees: with a key, a statement is stored only if that key signed it about exactly this
document, and its sequence number is higher than that of every other document; the highest number
is remembered durably. Leaves out the documents themselves. Source: docs/spec/signatures.md.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from aiohttp import web

from oepnode.adapters.crypto.document_key import verify_statement
from oepnode.adapters.storage.sqlite_index import Index
from oepnode.domain.rounds.inputs.document_signatures import (
    HEADER,
    Kind,
    SignatureFault,
    SignedStatement,
    check_size,
    decode_header,
    decode_statement,
    encode_statement,
)
from oepnode.services.common.http import Rejection

SIGNATURES_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS signatures (
    digest BLOB NOT NULL,
    key BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    statement BLOB NOT NULL,
    PRIMARY KEY (digest, key)
);
"""
_STATUS: Final = {"signature.missing": 403, "signature.invalid": 403, "signature.replayed": 409}


class SignatureStore:
    """The statements about a service's documents.

    Args:
        index: An index with the table of `SIGNATURES_SCHEMA`.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def put(self, signed: SignedStatement) -> None:
        """Store a verified statement.

        A document that is known may be signed again with a higher number; repeating a statement
        changes nothing.

        Raises:
            SignatureFault: ``signature.replayed``, with nothing changed.
        """
        statement = signed.statement
        with self._index.transaction() as db:
            if not self._is_new(db, signed):
                return
            db.execute(
                "INSERT OR REPLACE INTO signatures VALUES (?, ?, ?, ?)",
                (
                    statement.digest,
                    signed.public_key,
                    statement.sequence,
                    encode_statement(signed),
                ),
            )

    def check(self, signed: SignedStatement) -> None:
        """Check that a verified statement could be stored; raises as `put`."""
        with self._index.transaction() as db:
            self._is_new(db, signed)

    def of(self, digest: bytes, key: bytes | None = None) -> SignedStatement | None:
        """The statement about a document, under a key or the newest under any, or None."""
        with self._index.transaction() as db:
            row = db.execute(
                "SELECT statement FROM signatures WHERE digest = ? AND (? IS NULL OR key = ?)"
                " ORDER BY rowid DESC LIMIT 1",
                (digest, key, key),
            ).fetchone()
        return None if row is None else decode_statement(row[0])

    def _is_new(self, db: sqlite3.Connection, signed: SignedStatement) -> bool:
        """Whether a statement is not stored yet.

        Raises:
            SignatureFault: ``signature.replayed``.
        """
        sequence = signed.statement.sequence
        row = db.execute(
            "SELECT sequence FROM signatures WHERE key = ? ORDER BY sequence DESC LIMIT 1",
            (signed.public_key,),
        ).fetchone()
        if self._sequence_of(db, signed) == sequence:
            return False
        if row is not None and sequence <= row[0]:
            raise SignatureFault(
                "signature.replayed",
                f"sequence number {sequence}, but one with {row[0]} is stored; sign the document "
                "again",
            )
        return True

    @staticmethod
    def _sequence_of(db: sqlite3.Connection, signed: SignedStatement) -> int | None:
        row = db.execute(
            "SELECT sequence FROM signatures WHERE digest = ? AND key = ?",
            (signed.statement.digest, signed.public_key),
        ).fetchone()
        return None if row is None else int(row[0])


def read_header(request: web.Request, key: bytes | None) -> SignedStatement | None:
    """The statement in a request's header; None where the service demands none.

    Raises:
        SignatureFault: If it is missing or malformed.
        Rejection: If there is one, and the service has no key to verify it with.
    """
    values = request.headers.getall(HEADER, [])
    if key is None:
        if values:
            raise Rejection(
                422,
                "signature.unexpected",
                "the document is signed, and this service has no key to verify it with; set "
                "document_key, or publish without a signature",
            )
        return None
    if not values:
        raise SignatureFault(
            "signature.missing", f"send the signed statement in the header {HEADER}"
        )
    if len(values) > 1:
        raise SignatureFault("signature.invalid", f"the header {HEADER} occurs twice")
    return decode_header(values[0])


def verify(
    signed: SignedStatement | None, kind: Kind, digest: bytes, size: int, key: bytes | None
) -> None:
    """Verify the statement about a document.

    Args:
        signed: The statement, or None.
        kind: Kind of the document.
        digest: SHA-256 of the document.
        size: Size of the document in bytes.
        key: The publisher's public key; None accepts any statement.

    Raises:
        SignatureFault: If it is missing, or not this key's about exactly this document.
    """
    if signed is None:
        raise SignatureFault("signature.missing", f"no statement about this {kind} is stored")
    if key is not None:
        verify_statement(signed, kind, digest, key)
        check_size(signed, size)


def rejection_of(fault: SignatureFault) -> Rejection:
    """The response to a document that is not signed as it must be."""
    return Rejection(_STATUS[fault.code], fault.code, str(fault))
