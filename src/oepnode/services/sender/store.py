"""Storage of the sender's gateway: documents as files, and an index without NMIs.

Guarantees: a document in the index has its file, complete and under its digest. Storing the same
bytes again changes nothing: a document's position is that of its first arrival.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec import json as msgspec_json

from oepnode.adapters.storage.digest_files import FileStore, make_folder
from oepnode.adapters.storage.sqlite_index import Index
from oepnode.ports import LatestEnvelope
from oepnode.services.common.access_log import ACCESS_LOG_SCHEMA, AccessLog
from oepnode.services.common.document_signatures import SIGNATURES_SCHEMA, SignatureStore
from oepnode.services.sender.messages import MESSAGES_SCHEMA, MessageStore
from oepnode.services.sender.openings import OPENINGS_SCHEMA, Openings, newest_round
from oepnode.services.sender.upload_store import UPLOADS_SCHEMA, UploadStore

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS documents (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    horizon_start INTEGER NOT NULL,
    interval_count INTEGER NOT NULL,
    received_at REAL NOT NULL,
    warnings TEXT NOT NULL
);
"""


class StoredDocument(Struct, frozen=True):
    """A document's entry in the index.

    Attributes:
        digest: SHA-256 of its bytes, 32 bytes.
        size: Size in bytes.
        horizon_start: UTC seconds.
        interval_count: Dispatch intervals of the horizon.
        received_at: UTC seconds.
        warnings: Warnings about the document; locations and rules only.
    """

    digest: bytes
    size: int
    horizon_start: int
    interval_count: int
    received_at: float
    warnings: tuple[str, ...]


class EnvelopeStore:
    """The documents of a sender.

    Args:
        data_dir: Folder for ``documents/`` and ``index.sqlite``, owned by one server.

    Attributes:
        access_log: Granted requests and used nonces.
        signatures: Signed statements about the documents.
        messages: Received documents with their acknowledgements.
        uploads: Partial uploads.
        openings: Rounds that were opened with the documents.

    Raises:
        ConfigError: If the folder cannot be used.
    """

    def __init__(self, data_dir: Path) -> None:
        make_folder(data_dir)
        self._files = FileStore(data_dir / "documents")
        self._files.remove_leftovers()
        schema = (
            _SCHEMA
            + OPENINGS_SCHEMA
            + ACCESS_LOG_SCHEMA
            + SIGNATURES_SCHEMA
            + MESSAGES_SCHEMA
            + UPLOADS_SCHEMA
        )
        self._index = Index(data_dir / "index.sqlite", schema)
        self.access_log = AccessLog(self._index)
        self.signatures = SignatureStore(self._index)
        self.messages = MessageStore(self._index)
        self.uploads = UploadStore(self._index)
        self.openings = Openings(self._index)

    def adopt(self, path: Path, digest: bytes) -> None:
        """Take over the file of an accepted document."""
        self._files.adopt(path, digest)

    def path(self, digest: bytes) -> Path:
        """The file of a stored document."""
        return self._files.path(digest)

    def add(self, document: StoredDocument) -> None:
        """Add a document whose file exists; a known one stays unchanged."""
        with self._index.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO documents"
                " (digest, size, horizon_start, interval_count, received_at, warnings)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    document.digest,
                    document.size,
                    document.horizon_start,
                    document.interval_count,
                    document.received_at,
                    msgspec_json.encode(document.warnings).decode(),
                ),
            )

    def document(self, digest: bytes) -> StoredDocument | None:
        """A document by its digest, or None."""
        with self._index.transaction() as db:
            row = db.execute(f"{_SELECT} WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else _document(row)

    def newest_but(self, digest: bytes) -> StoredDocument | None:
        """The newest document that is not this one, or None."""
        with self._index.transaction() as db:
            row = db.execute(
                f"{_SELECT} WHERE digest != ? ORDER BY sequence DESC LIMIT 1", (digest,)
            ).fetchone()
        return None if row is None else _document(row)

    def count(self) -> int:
        """Number of documents."""
        with self._index.transaction() as db:
            return int(db.execute("SELECT count(*) FROM documents").fetchone()[0])

    def latest(self) -> LatestEnvelope | None:
        """The newest document with its newest round, or None before the first."""
        with self._index.transaction() as db:
            row = db.execute(f"{_SELECT} ORDER BY sequence DESC LIMIT 1").fetchone()
            if row is None:
                return None
            document = _document(row)
            opened = newest_round(db, document.digest)
        return LatestEnvelope(
            digest=document.digest,
            registry_digest=None if opened is None else opened[1],
            horizon_start=document.horizon_start,
            interval_count=document.interval_count,
            size=document.size,
            round=None if opened is None else opened[0],
        )

    def close(self) -> None:
        """Close the index; may be called again."""
        self._index.close()


_SELECT: Final = (
    "SELECT digest, size, horizon_start, interval_count, received_at, warnings FROM documents"
)


def _document(row: tuple[Any, ...]) -> StoredDocument:
    digest, size, horizon_start, interval_count, received_at, warnings = row
    return StoredDocument(
        digest=digest,
        size=size,
        horizon_start=horizon_start,
        interval_count=interval_count,
        received_at=received_at,
        warnings=msgspec_json.decode(warnings, type=tuple[str, ...]),
    )
