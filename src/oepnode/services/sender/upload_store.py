"""Partial uploads: what their senders announced. The bytes are in files of their own."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from oepnode.adapters.storage.sqlite_index import Index

UPLOADS_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS uploads (
    upload TEXT PRIMARY KEY,
    length INTEGER NOT NULL,
    digest BLOB,
    registry_digest BLOB,
    statement BLOB,
    touched_at REAL NOT NULL,
    message_id TEXT
);
"""


class Upload(Struct, frozen=True):
    """An upload, complete or not.

    Attributes:
        id: Its name, which nobody can guess.
        length: Bytes of the document.
        digest: SHA-256 of the document as its sender announced it, or None.
        registry_digest: SHA-256 of the snapshot, if its round is to be opened.
        statement: The signed statement about the document as JSON, or None.
        touched_at: When its last bytes arrived, UTC seconds.
        message_id: Name of the submission, once it is complete.
    """

    id: str
    length: int
    digest: bytes | None
    registry_digest: bytes | None
    statement: bytes | None
    touched_at: float
    message_id: str | None = None


class UploadStore:
    """The uploads of a gateway.

    Args:
        index: An index with the table of `UPLOADS_SCHEMA`.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def put(self, upload: Upload) -> None:
        """Store an upload, in place of an earlier state of it."""
        with self._index.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    upload.id,
                    upload.length,
                    upload.digest,
                    upload.registry_digest,
                    upload.statement,
                    upload.touched_at,
                    upload.message_id,
                ),
            )

    def of(self, upload_id: str) -> Upload | None:
        """An upload by its name, or None."""
        with self._index.transaction() as db:
            row = db.execute("SELECT * FROM uploads WHERE upload = ?", (upload_id,)).fetchone()
        return None if row is None else _upload(row)

    def all(self) -> list[Upload]:
        """All uploads."""
        with self._index.transaction() as db:
            rows = db.execute("SELECT * FROM uploads").fetchall()
        return [_upload(row) for row in rows]

    def drop(self, upload_id: str) -> None:
        """Forget an upload."""
        with self._index.transaction() as db:
            db.execute("DELETE FROM uploads WHERE upload = ?", (upload_id,))


def _upload(row: tuple[Any, ...]) -> Upload:
    return Upload(*row)
