"""Receives documents: to the disk as they arrive, with a system acknowledgement at once.

Guarantees: bytes are streamed, never held in memory (but for blinding); the message is durable
before it is acknowledged; the same bytes again are the same message. Endpoints: docs/services.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from oepnode.domain.edge.validation.acknowledgement import ACCEPTED, message_id_for
from oepnode.domain.rounds.inputs.document_signatures import SignedStatement, encode_statement
from oepnode.ports import Clock
from oepnode.services.common.http import Rejection, json_response, read_chunks, read_digest
from oepnode.services.common.turns import Turns
from oepnode.services.sender.ingest import BlindIngest
from oepnode.services.sender.inspector import Inspector
from oepnode.services.sender.messages import Message
from oepnode.services.sender.openings import Opening
from oepnode.services.sender.signatures import DocumentSignatures
from oepnode.services.sender.store import EnvelopeStore
from oepnode.services.sender.waiting_room import Space, WaitingRoom

_log = structlog.get_logger(__name__)

MAX_WAIT_S: Final = 60.0


class Reception:
    """Takes documents, and gives their acknowledgements.

    Args:
        store: The gateway's documents and messages.
        room: Documents that wait.
        space: The bytes that documents on their way in may take.
        inspector: Checks the documents.
        signatures: Signatures of the documents.
        clock: Time of day.
        limit: Maximum size of a document, in bytes.
        at_once: Documents that are received at once.
        ingest: Blinds documents, or None.
    """

    def __init__(
        self,
        store: EnvelopeStore,
        room: WaitingRoom,
        space: Space,
        inspector: Inspector,
        signatures: DocumentSignatures,
        clock: Clock,
        limit: int,
        at_once: int,
        ingest: BlindIngest | None,
    ) -> None:
        self._store = store
        self._room = room
        self._space = space
        self._inspector = inspector
        self._signatures = signatures
        self._clock = clock
        self._ingest = ingest
        self._accepting = asyncio.Lock()
        self.limit = limit
        self.turns = Turns(at_a_time=at_once, most=at_once, most_of_one=at_once)

    async def publish(self, request: web.Request) -> web.Response:
        """Receive a document in one request; with ``?registry=DIGEST`` its round is opened too."""
        query = request.query
        if set(query) - {"registry", "wait"}:
            raise Rejection(
                400, "query.unknown", "unknown query parameter; there are registry and wait"
            )
        registry = registry_of(request)
        wait_s = _wait_of(request)
        signed = self._signatures.read(request)
        async with self.turns.turn("publisher"):
            message_id = await self._receive(request, signed, registry)
        return await self._answer(message_id, wait_s, 202)

    async def message(self, request: web.Request) -> web.Response:
        """The acknowledgements of a document; with ``?wait=S`` not before the verdict."""
        if set(request.query) - {"wait"}:
            raise Rejection(400, "query.unknown", "unknown query parameter; the only one is wait")
        return await self._answer(request.match_info["message"], _wait_of(request), 200)

    async def accept(
        self,
        path: Path,
        name: str,
        digest: bytes,
        size: int,
        registry: bytes | None,
        signed: SignedStatement | None,
    ) -> str:
        """Take over a complete file, and return the message's id.

        Args:
            path: The file.
            name: Name of the bytes that it takes.
            digest: Its SHA-256.
            size: Its size.
            registry: SHA-256 of the snapshot, to open the document's round as well.
            signed: The statement about it, if one is demanded.

        Raises:
            Rejection: If the statement is not about this file, or too old.
        """
        self._signatures.verify(signed, digest, size)
        message_id = message_id_for(digest)
        async with self._accepting:
            known = await asyncio.to_thread(self._store.messages.of, message_id)
            is_accepted = known is not None and known.code == ACCEPTED
            if is_accepted or self._inspector.is_busy(message_id):
                if is_accepted:
                    await self._signatures.keep(signed)
                await asyncio.to_thread(path.unlink, missing_ok=True)
                self._space.release(name)
                if registry is not None:
                    self._inspector.open_round(message_id, registry)
                return message_id
            await self._signatures.check(signed)
            await asyncio.to_thread(self._room.adopt, path, digest, name)
            # A crash before this line leaves a file that no message names; the publisher has no
            # acknowledgement, and sends it again.
            statement = None if signed is None else encode_statement(signed)
            now = self._clock.now()
            message = Message(message_id, digest, size, now, registry, statement)
            await asyncio.to_thread(self._store.messages.put, message)
            self._inspector.submit(message)
        _log.info("document_received", digest=digest.hex(), size=size)
        return message_id

    async def _receive(
        self, request: web.Request, signed: SignedStatement | None, registry: bytes | None
    ) -> str:
        incoming = await asyncio.to_thread(self._room.incoming)
        name = incoming.path.name
        try:
            self._space.take(name, min(request.content_length or 0, self.limit))
            async for chunk in self._chunks(request):
                if incoming.size + len(chunk) > (request.content_length or 0):
                    self._space.take(name, incoming.size + len(chunk))
                await asyncio.to_thread(incoming.write, chunk)
            digest = await asyncio.to_thread(incoming.finish)
            return await self.accept(incoming.path, name, digest, incoming.size, registry, signed)
        finally:
            self._space.release(name)
            await asyncio.to_thread(incoming.discard)

    async def _chunks(self, request: web.Request) -> AsyncIterator[bytes]:
        """The document as it is stored: as received, or blinded."""
        received = read_chunks(request, self.limit)
        if self._ingest is not None:
            yield await self._ingest.blinded(received)
            return
        async for chunk in received:
            yield chunk

    async def _answer(self, message_id: str, wait_s: float, status: int) -> web.Response:
        await self._inspector.wait(message_id, wait_s)
        message = await asyncio.to_thread(self._store.messages.of, message_id)
        if message is None:
            raise Rejection(404, "message.unknown", "no message with this id was received here")
        is_busy = self._inspector.is_busy(message_id)
        opening = await asyncio.to_thread(self._opening_of, message)
        answer = message.answer(opening, is_busy=is_busy)
        return json_response(answer, status, headers={"Cache-Control": "no-store"})

    def _opening_of(self, message: Message) -> Opening | None:
        """The round that the chain has for a message, unless the last attempt failed."""
        verdict, registry_digest = message.verdict, message.registry_digest
        if verdict is None or verdict.opening is not None or registry_digest is None:
            return None
        return self._store.openings.of(message.digest, registry_digest)


def registry_of(request: web.Request) -> bytes | None:
    """The snapshot's digest in a request's query, or None."""
    text = request.query.get("registry")
    return None if text is None else read_digest(text, "registry")


def _wait_of(request: web.Request) -> float:
    text = request.query.get("wait", "0")
    if not text.isdecimal() or not text.isascii() or int(text) > MAX_WAIT_S:
        raise Rejection(400, "query.wait", f"wait must be whole seconds, at most {MAX_WAIT_S:.0f}")
    return float(text)
