"""Documents put into a gateway's store without a check, which other tests cover."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from oepnode.services.sender.store import EnvelopeStore, StoredDocument


def put_file(store: EnvelopeStore, folder: Path, data: bytes) -> bytes:
    """Store the bytes of a document; returns their SHA-256."""
    digest = sha256(data).digest()
    file = folder / digest.hex()
    file.write_bytes(data)
    file.chmod(0o600)
    store.adopt(file, digest)
    return digest


def put_document(folder: Path, data: bytes) -> None:
    """Store a document in a gateway's data folder."""
    store = EnvelopeStore(folder)
    digest = put_file(store, folder, data)
    store.add(StoredDocument(digest, len(data), 0, 1, 0.0, ()))
    store.close()
