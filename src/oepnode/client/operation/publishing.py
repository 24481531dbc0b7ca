"""Documents published to the sender's gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.files import FileName, name_file
from oepnode.client.operation.signing import load_statement
from oepnode.client.rounds import horizon_fields

if TYPE_CHECKING:
    from oepnode.adapters.http.sender import Published


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
        settled: Whether the round's opening is final enough; one that is not can vanish or change
            its number, so publish again until it is. None without a round.
    """

    digest: str
    size_bytes: int
    horizon_start: str
    horizon_end: str
    intervals: int
    warnings: tuple[str, ...]
    round: int | None
    settled: bool | None


def publish_document(
    document: FileName,
    url: str,
    token_file: FileName,
    registry: str = "",
    timeout_s: float = 600,
    signature: FileName | None = None,
) -> PublishedDocument:
    """Publish an envelope document to a gateway. Publishing it again is safe.

    Args:
        document: JSON or NDJSON.
        url: The gateway.
        token_file: File with the bearer token.
        registry: SHA-256 of a registry snapshot, to open the document's round as well.
        timeout_s: Deadline of one attempt.
        signature: File with the signed statement about the document, where the gateway demands one.
    """
    from oepnode.adapters.crypto.keyfile import read_secret
    from oepnode.adapters.http.sender import HttpPublisher

    digest = chains.parse_bytes32(registry, "a snapshot's SHA-256") if registry else None
    signed = None if signature is None else load_statement(signature)
    token = read_secret(Path(token_file), "bearer token").decode("utf-8", errors="replace")

    async def go() -> Published:
        publisher = HttpPublisher(url, timeout_s=timeout_s)
        try:
            return await publisher.publish(Path(document), token, digest, signed)
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
        settled=published.settled,
    )
