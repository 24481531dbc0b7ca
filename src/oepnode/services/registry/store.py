"""Storage of the NMI registry: snapshots and salts as files, and an index without NMIs.

Guarantees: a snapshot in the index is valid, its salt matches its commitment, repeats no pattern,
and, unless the publisher says otherwise, belongs to no other snapshot. Publishing the same snapshot
again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from oepnode.adapters.storage.digest_files import FileStore, make_folder
from oepnode.adapters.storage.sqlite_index import Index
from oepnode.domain.rounds.inputs.document_signatures import (
    SignatureFault,
    SignedStatement,
    encode_statement,
)
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.inputs.snapshot_salts import check_strength
from oepnode.domain.rounds.pseudonyms import check_salt
from oepnode.domain.rounds.signed_requests import What
from oepnode.errors import ConflictError
from oepnode.services.common.access_log import ACCESS_LOG_SCHEMA, AccessLog
from oepnode.services.common.document_signatures import SIGNATURES_SCHEMA, SignatureStore

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
        signatures: Signed statements about the snapshots.

    Raises:
        ConfigError: If the folder cannot be used.
    """

    def __init__(self, data_dir: Path) -> None:
        make_folder(data_dir)
        self._snapshots = FileStore(data_dir / "snapshots")
        self._salts = FileStore(data_dir / "salts")
        schema = _SCHEMA + ACCESS_LOG_SCHEMA + SIGNATURES_SCHEMA
        self._index = Index(data_dir / "index.sqlite", schema)
        self.access_log = AccessLog(self._index)
        self.signatures = SignatureStore(self._index)

    def publish(
        self,
        snapshot: bytes,
        salt: bytes,
        now: float,
        signed: SignedStatement | None = None,
        *,
        reuse_salt: bool = False,
    ) -> StoredSnapshot:
        """Validate and store a snapshot with its salt.

        Args:
            snapshot: The snapshot's exact bytes.
            salt: Its salt, 32 bytes.
            now: UTC seconds.
            signed: The verified statement about the snapshot, if it is signed.
            reuse_salt: Accept a salt that another snapshot has.

        Raises:
            DocumentFault: If the snapshot violates the rules.
            DigestMismatch: If the salt does not match the snapshot's commitment.
            WeakSaltError: If the salt is not random.
            ConflictError: If another snapshot has the salt.
            SignatureFault: If the statement's sequence number was used before.
        """
        parsed = parse_snapshot(snapshot)
        check_salt(salt, parsed.salt_digest)
        check_strength(salt)
        digest = sha256(snapshot).digest()
        stored = StoredSnapshot(digest, parsed.as_of, parsed.salt_digest, len(snapshot))
        is_known = self.snapshot(digest) is not None
        if not (is_known or reuse_salt):
            self._check_unused(parsed.salt_digest)
        if signed is not None:
            self.signatures.put(signed)
        if is_known:
            return stored
        self._salts.put(salt)
        self._snapshots.put(snapshot)
        self._add(stored, now)
        return stored

    def publish_pieces(
        self, pieces: Iterable[bytes], as_of: int, salt: bytes, now: float
    ) -> StoredSnapshot:
        """Store a snapshot that is made piece by piece from valid data, with its fresh salt.

        Leaves out validation, which would need the whole snapshot in memory.

        Args:
            pieces: The snapshot's bytes.
            as_of: Its time, UTC seconds.
            salt: The salt that it commits to, which no other snapshot has.
            now: UTC seconds.
        """
        check_strength(salt)
        salt_digest = sha256(salt).digest()
        self._check_unused(salt_digest)
        incoming = self._snapshots.incoming()
        try:
            for piece in pieces:
                incoming.write(piece)
            self._salts.put(salt)
            stored = StoredSnapshot(incoming.commit(), as_of, salt_digest, incoming.size)
        finally:
            incoming.discard()
        self._add(stored, now)
        return stored

    def _add(self, stored: StoredSnapshot, now: float) -> None:
        """Add a snapshot to the index.

        A crash before leaves files that are missing from it; publishing again adds them.
        """
        with self._index.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO snapshots (digest, as_of, salt_digest, size, published_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (stored.digest, stored.as_of, stored.salt_digest, stored.size, now),
            )

    def _check_unused(self, salt_digest: bytes) -> None:
        other = self._one(f"{_SELECT} WHERE salt_digest = ?", (salt_digest,))
        if other is not None:
            raise ConflictError(
                f"snapshot {other.digest.hex()} has the same salt, so whoever knew that one can "
                "link the rounds of this one; use a new salt"
            )

    def readers_of_salt(self, snapshot: StoredSnapshot) -> frozenset[bytes]:
        """Operators that were granted the salt of a snapshot, with this or another snapshot."""
        with self._index.transaction() as db:
            digests = db.execute(
                "SELECT digest FROM snapshots WHERE salt_digest = ?", (snapshot.salt_digest,)
            ).fetchall()
        readers = (self.access_log.operators_given("salt", digest) for (digest,) in digests)
        return frozenset[bytes]().union(*readers)

    def with_salt(self, salt: bytes) -> list[StoredSnapshot]:
        """The snapshots that have a salt."""
        with self._index.transaction() as db:
            rows = db.execute(
                f"{_SELECT} WHERE salt_digest = ?", (sha256(salt).digest(),)
            ).fetchall()
        return [StoredSnapshot(*row) for row in rows]

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
        """The bytes of a snapshot, of its salt, or of the statement about it, verified.

        Raises:
            SignatureFault: If there is no statement.
            FatalError: If they are missing or were changed in storage.
        """
        if what == "signature":
            signed = self.signatures.of(snapshot.digest)
            if signed is None:
                raise SignatureFault("signature.missing", "no statement about the snapshot")
            return encode_statement(signed)
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
