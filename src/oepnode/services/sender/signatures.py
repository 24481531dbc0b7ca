"""Signatures of a gateway's documents: demanded when they are published and when rounds are opened.

Guarantees: with ``document_key`` a document is stored, and a round opened with it, only if that key
signed it; no round is opened with an older document than that of an earlier round. Source:
docs/spec/signatures.md.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from oepnode.domain.rounds.inputs.document_signatures import (
    SignatureFault,
    SignedStatement,
    encode_statement,
)
from oepnode.services.common import document_signatures
from oepnode.services.common.document_signatures import rejection_of
from oepnode.services.common.http import Rejection, read_digest
from oepnode.services.sender.store import EnvelopeStore, StoredDocument


class DocumentSignatures:
    """The signatures of a gateway's documents.

    Args:
        store: The gateway's documents.
        key: The publisher's public key, 32 bytes; None demands no signatures.
    """

    def __init__(self, store: EnvelopeStore, key: bytes | None) -> None:
        self._store = store
        self._key = key

    def read(self, request: web.Request) -> SignedStatement | None:
        """The statement in a request's header, or None if none is demanded.

        Raises:
            Rejection: If it is missing, malformed or unexpected.
        """
        try:
            return document_signatures.read_header(request, self._key)
        except SignatureFault as exc:
            raise rejection_of(exc) from exc

    def verify(self, signed: SignedStatement | None, digest: bytes, size: int) -> None:
        """Verify the statement about a document that was received.

        Raises:
            Rejection: If the key did not sign exactly this.
        """
        if self._key is None:
            return
        try:
            document_signatures.verify(signed, "envelope", digest, size, self._key)
        except SignatureFault as exc:
            raise rejection_of(exc) from exc

    async def check(self, signed: SignedStatement | None) -> None:
        """Check that a verified statement's sequence number can be used.

        Raises:
            Rejection: If it cannot.
        """
        if signed is None:
            return
        try:
            await asyncio.to_thread(self._store.signatures.check, signed)
        except SignatureFault as exc:
            raise rejection_of(exc) from exc

    async def keep(self, signed: SignedStatement | None) -> None:
        """Store a verified statement.

        Raises:
            Rejection: If its sequence number has been used.
        """
        if signed is None:
            return
        try:
            await asyncio.to_thread(self._store.signatures.put, signed)
        except SignatureFault as exc:
            raise rejection_of(exc) from exc

    async def check_opening(self, document: StoredDocument) -> None:
        """Reject a round of an unsigned document, or of an older one than an earlier round's.

        Raises:
            Rejection: With the reason.
        """
        if self._key is None:
            return
        signed = await asyncio.to_thread(self._store.signatures.of, document.digest, self._key)
        self.verify(signed, document.digest, document.size)
        highest = await asyncio.to_thread(self._store.openings.highest_sequence, self._key)
        if signed is not None and signed.statement.sequence < highest:
            raise rejection_of(
                SignatureFault(
                    "signature.replayed",
                    f"sequence number {signed.statement.sequence}, but a round was opened with "
                    f"{highest}; sign the document again",
                )
            )

    async def of(self, digest: bytes) -> bytes | None:
        """The statement about a document as JSON, or None."""
        signed = await asyncio.to_thread(self._store.signatures.of, digest, self._key)
        return None if signed is None else encode_statement(signed)

    async def handle(self, request: web.Request) -> web.Response:
        """Respond with the signed statement about a document."""
        digest = read_digest(request.match_info["document"], "a document's name")
        body = await self.of(digest)
        if body is None:
            # Apart, because a worker abstains for one reason or the other.
            if await asyncio.to_thread(self._store.document, digest) is None:
                raise unknown_document()
            raise Rejection(404, "signature.missing", "no signed statement about it is stored")
        return web.Response(
            body=body, content_type="application/json", headers={"Cache-Control": "no-cache"}
        )


def unknown_document() -> Rejection:
    """The rejection of a request for a document that is not stored."""
    return Rejection(404, "document.unknown", "no document with this digest is stored here")
