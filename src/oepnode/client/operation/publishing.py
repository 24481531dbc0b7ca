"""Documents published: to the sender's gateway, and to the NMI registry's store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.files import FileName, name_file, read_file
from oepnode.client.keys import read_salt
from oepnode.client.operation.blinding import read_token_lists
from oepnode.client.rounds import horizon_fields
from oepnode.domain.nem.nem_time import format_nem

if TYPE_CHECKING:
    from oepnode.adapters.http.sender import Published

_MAX_SNAPSHOT_BYTES: Final = 4 * 2**30


class PublishedDocument(Struct, frozen=True):
    """An envelope document that a gateway now serves.

    Attributes:
        digest: SHA-256 of the document, 64 hex digits.
        size_bytes: Size of the document.
        horizon_start: NEM time.
        horizon_end: NEM time.
        intervals: Length of the horizon in dispatch intervals.
        warnings: Oddities that are allowed.
        round: The round that the document is an input of, or None.
    """

    digest: str
    size_bytes: int
    horizon_start: str
    horizon_end: str
    intervals: int
    warnings: tuple[str, ...]
    round: int | None


class PublishedSnapshot(Struct, frozen=True):
    """A registry snapshot that a registry now serves; ``as_of`` is NEM time."""

    digest: str
    as_of: str
    salt_digest: str
    size_bytes: int


def publish_document(
    document: FileName, url: str, token_file: FileName, registry: str = "", timeout_s: float = 600
) -> PublishedDocument:
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

    digest = chains.parse_bytes32(registry, "a snapshot's SHA-256") if registry else None
    token = read_secret(Path(token_file), "bearer token").decode("utf-8", errors="replace")

    async def go() -> Published:
        publisher = HttpPublisher(url, timeout_s=timeout_s)
        try:
            return await publisher.publish(Path(document), token, digest)
        finally:
            await publisher.close()

    with name_file(document):
        published = chains.run(go())
    return PublishedDocument(
        digest=published.digest,
        size_bytes=published.size,
        **horizon_fields(published.horizon_start, published.interval_count),
        warnings=tuple(published.warnings),
        round=published.round,
    )


def publish_snapshot(
    snapshot: FileName,
    salt_file: FileName,
    data_dir: FileName,
    token_lists: FileName | None = None,
) -> PublishedSnapshot:
    """Store a registry snapshot and its salt in a registry's data folder; it may be running.

    Args:
        snapshot: JSON.
        salt_file: The salt as 64 hex digits.
        data_dir: The registry's data folder.
        token_lists: Folder of the sealed token lists of a blinded snapshot.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.services.registry.store import RegistryStore
    from oepnode.services.registry.token_shelf import TokenShelf

    data = read_file(Path(snapshot), "registry snapshot", _MAX_SNAPSHOT_BYTES)
    salt = read_salt(salt_file)
    with name_file(snapshot):
        lists = {} if token_lists is None else read_token_lists(token_lists, data)
    store = RegistryStore(Path(data_dir))
    try:
        with name_file(snapshot):
            stored = store.publish(data, salt, SystemClock().now())
        if lists:
            TokenShelf(Path(data_dir)).put(stored.digest, lists)
    finally:
        store.close()
    return PublishedSnapshot(
        stored.digest.hex(), format_nem(stored.as_of), stored.salt_digest.hex(), stored.size
    )
