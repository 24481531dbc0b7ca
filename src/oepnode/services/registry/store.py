"""Storage of the NMI registry: snapshots and salts as files, and an index without NMIs.

Guarantees: a snapshot in the index is valid, and its salt matches its commitment. Publishing the
same snapshot again changes nothing.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from oepnode.adapters.storage.digest_files import FileStore, make_folder
from oepnode.adapters.storage.sqlite_index import Index
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.pseudonyms import check_salt
from oepnode.domain.rounds.signed_requests import What
from oepnode.services.common.access_log import ACCESS_LOG_SCHEMA, AccessLog

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS snapshots (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    as_of INTEGER NOT NULL,
    salt_digest BLOB NOT NULL,
    size INTEGER NOT NULL,
    published_at REAL NOT NULL
);
"""
_SELECT: Final = "SELECT digest, as_of, salt_digest, size FROM snapshots"


class StoredSnapshot(Struct, frozen=True):
    """A snapshot's entry in the index.

    Attributes:
        digest: SHA-256 of its bytes, 32 bytes.
        as_of: Time of the snapshot, UTC seconds.
        salt_digest: SHA-256 of its salt, 32 bytes.
        size: Size in bytes.
    """

    digest: bytes
    as_of: int
    salt_digest: bytes
    size: int


class RegistryStore:
    """The snapshots and salts of a registry.

    Args:
        data_dir: Folder for ``snapshots/``, ``salts/`` and ``index.sqlite``. The server and the
            publishing command may use it at the same time.

    Attributes:
        access_log: Granted requests and used nonces.

    Raises:
        ConfigError: If the folder cannot be used.
    """

    def __init__(self, data_dir: Path) -> None:
        make_folder(data_dir)
        self._snapshots = FileStore(data_dir / "snapshots")
        self._salts = FileStore(data_dir / "salts")
        self._index = Index(data_dir / "index.sqlite", _SCHEMA + ACCESS_LOG_SCHEMA)
        self.access_log = AccessLog(self._index)

    def publish(self, snapshot: bytes, salt: bytes, now: float) -> StoredSnapshot:
        """Validate and store a snapshot with its salt; ``now`` is in UTC seconds.

        Raises:
            DocumentFault: If the snapshot violates the rules.
            DigestMismatch: If the salt does not match the snapshot's commitment.
        """
        parsed = parse_snapshot(snapshot)
        check_salt(salt, parsed.salt_digest)
        digest = sha256(snapshot).digest()
        stored = StoredSnapshot(digest, parsed.as_of, parsed.salt_digest, len(snapshot))
        if self.snapshot(digest) is not None:
            return stored
        self._salts.put(salt)
        self._snapshots.put(snapshot)
        # A crash here leaves files that are missing from the index; publishing again adds them.
        with self._index.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO snapshots (digest, as_of, salt_digest, size, published_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (digest, parsed.as_of, parsed.salt_digest, len(snapshot), now),
            )
        return stored

    def snapshot(self, digest: bytes) -> StoredSnapshot | None:
        """A snapshot by its digest, or None."""
        return self._one(f"{_SELECT} WHERE digest = ?", (digest,))

    def latest(self) -> StoredSnapshot | None:
        """The snapshot that was published last, or None before the first."""
        return self._one(f"{_SELECT} ORDER BY sequence DESC LIMIT 1", ())

    def count(self) -> int:
        """Number of snapshots."""
        with self._index.transaction() as db:
            return int(db.execute("SELECT count(*) FROM snapshots").fetchone()[0])

    def read(self, what: What, snapshot: StoredSnapshot) -> bytes:
        """The bytes of a snapshot or of its salt, verified.

        Raises:
            FatalError: If they are missing or were changed in storage.
        """
        if what == "salt":
            return self._salts.read(snapshot.salt_digest, "snapshot salt")
        return self._snapshots.read(snapshot.digest, "registry snapshot")

    def close(self) -> None:
        """Close the index; may be called again."""
        self._index.close()

    def _one(self, query: str, values: tuple[object, ...]) -> StoredSnapshot | None:
        with self._index.transaction() as db:
            row = db.execute(query, values).fetchone()
        return None if row is None else StoredSnapshot(*row)
