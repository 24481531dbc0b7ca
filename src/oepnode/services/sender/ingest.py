"""Blinds envelope documents on their way into the gateway.

Guarantees: a document of NMIs stays in memory until it is blinded, so that no file ever holds it;
one of tokens passes as it is, one of both is rejected; one document is held at a time. Source:
``docs/design.md §4``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.blinding import DOCUMENT, Blinder
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.errors import DocumentFault


class BlindIngest:
    """Blinds the documents of a gateway.

    Args:
        blinding_key: 32 bytes, shared with the NMI registry.
        feed: How documents are written.
    """

    def __init__(self, blinding_key: bytes, feed: Feed) -> None:
        self._key = blinding_key
        self._feed = feed
        self._turn = asyncio.Lock()

    async def blinded(self, chunks: AsyncIterator[bytes]) -> bytes:
        """The document with tokens.

        Raises:
            DocumentFault: With every fault, where the document cannot be blinded.
        """
        async with self._turn:
            received = b"".join([chunk async for chunk in chunks])
            return await asyncio.to_thread(self._blind, received)

    def _blind(self, data: bytes) -> bytes:
        blinder = Blinder(self._key, DOCUMENT)
        try:
            return blinder.feed(data) + blinder.finish()
        except DocumentFault:
            parse_document(data, self._feed)  # its list of faults has paths, and is complete
            raise
