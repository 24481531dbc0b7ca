"""Documents published to the sender's gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.files import FileName, name_file
from oepnode.client.operation.signing import load_statement
from oepnode.domain.edge.envelopes.publication import DocumentFacts
from oepnode.domain.edge.validation.acknowledgement import AcknowledgementReport
from oepnode.errors import TransportError

if TYPE_CHECKING:
    from oepnode.adapters.http.publisher import Published, Sent


class PublishedDocument(Struct, frozen=True):
    """An envelope document that a gateway now serves.

    Attributes:
        message_id: Name of the submission.
        digest: SHA-256 of the document as it is served, 64 hex digits.
        size_bytes: Size of the document.
        facts: Facts about it.
        system: The answer to its form.
        transaction: The answer to its content, with its oddities.
        round: The round that the document is an input of, or None.
        settled: Whether the round's opening is final enough; one that is not can vanish or change
            its number, so publish again until it is. None without a round.
    """

    message_id: str
    digest: str
    size_bytes: int
    facts: DocumentFacts
    system: AcknowledgementReport
    transaction: AcknowledgementReport
    round: int | None
    settled: bool | None


def publish_document(
    document: FileName,
    url: str,
    token_file: FileName,
    registry: str = "",
    timeout_s: float = 600,
    signature: FileName | None = None,
    on_sent: Sent | None = None,
) -> PublishedDocument:
    """Publish an envelope document to a gateway, and wait for its verdict.

    Publishing it again is safe, and goes on where an earlier attempt broke off.

    Args:
        document: JSON or NDJSON.
        url: The gateway.
        token_file: File with the bearer token.
        registry: SHA-256 of a registry snapshot, to open the document's round as well.
        timeout_s: Deadline of one attempt.
        signature: File with the signed statement about the document, where the gateway demands one.
        on_sent: Called with the bytes that have arrived and all, for a large document.

    Raises:
        DocumentFault: If the document is rejected.
        ConfigError: If a file cannot be read.
        ConflictError: If the gateway rejects the request, or the contract the round.
        TransportError: If the outcome is unknown.
    """
    from oepnode.adapters.crypto.keyfile import read_secret
    from oepnode.adapters.http.publisher import HttpPublisher

    digest = chains.parse_bytes32(registry, "a snapshot's SHA-256") if registry else None
    signed = None if signature is None else load_statement(signature)
    token = read_secret(Path(token_file), "bearer token").decode("utf-8", errors="replace")

    async def go() -> Published:
        publisher = HttpPublisher(url, timeout_s=timeout_s)
        try:
            return await publisher.publish(Path(document), token, digest, signed, on_sent)
        finally:
            await publisher.close()

    with name_file(document):
        published = chains.run(go())
    if published.facts is None or published.transaction is None:
        raise TransportError("the gateway accepted the document without a word about it")
    return PublishedDocument(
        message_id=published.message_id,
        digest=published.digest,
        size_bytes=published.size,
        facts=published.facts,
        system=published.system,
        transaction=published.transaction,
        round=published.round,
        settled=published.settled,
    )
