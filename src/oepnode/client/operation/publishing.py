"""Documents published: to the sender's gateway, and to the NMI registry's store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.files import read_file
from oepnode.client.keys import read_salt
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    from oepnode.adapters.http.sender import Published

_MAX_SNAPSHOT_BYTES: Final = 4 * 2**30


class PublishedSnapshot(Struct, frozen=True):
    """A registry snapshot that a registry now serves."""

    digest: str
    as_of: int
    salt_digest: str
    size: int


def publish_document(
    document: Path, url: str, token_file: Path, registry: str = "", timeout_s: float = 600
) -> Published:
    """Publish an envelope document to a gateway. Publishing it again is safe.

    Args:
        document: JSON or NDJSON.
        url: The gateway.
        token_file: File with the bearer token.
        registry: SHA-256 of a registry snapshot, to open the document's round as well.
        timeout_s: Deadline of one attempt.
    """
    from oepnode.adapters.crypto.keyfile import read_secret
    from oepnode.adapters.http.sender import HttpPublisher

    digest = _digest(registry) if registry else None
    token = read_secret(token_file, "bearer token").decode("utf-8", errors="replace")

    async def go() -> Published:
        publisher = HttpPublisher(url, timeout_s=timeout_s)
        try:
            return await publisher.publish(document, token, digest)
        finally:
            await publisher.close()

    return chains.run(go())


def publish_snapshot(snapshot: Path, salt_file: Path, data_dir: Path) -> PublishedSnapshot:
    """Store a registry snapshot and its salt in a registry's data folder; it may be running.

    Args:
        snapshot: JSON.
        salt_file: The salt as 64 hex digits.
        data_dir: The registry's data folder.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.services.registry.store import RegistryStore

    data = read_file(snapshot, "registry snapshot", _MAX_SNAPSHOT_BYTES)
    salt = read_salt(salt_file)
    store = RegistryStore(data_dir)
    try:
        stored = store.publish(data, salt, SystemClock().now())
    finally:
        store.close()
    return PublishedSnapshot(
        stored.digest.hex(), stored.as_of, stored.salt_digest.hex(), stored.size
    )


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise ConfigError(f"{text!r}: a snapshot's SHA-256 is 64 hex digits")
    return digest
