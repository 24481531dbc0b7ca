"""Resumable uploads: the tus protocol 1.0.0, core with creation, expiration and termination.

Guarantees: every byte that was acknowledged is kept until the upload expires, over broken
connections and restarts; an upload becomes a message only when all its bytes are there and have
the digest that its sender announced. Source: https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from email.utils import formatdate
from pathlib import Path
from typing import BinaryIO, Final

import structlog
from aiohttp import web
from msgspec.structs import replace

from oepnode.adapters.storage.digest_files import OWNER_FILE, make_folder
from oepnode.domain.rounds.inputs.document_signatures import decode_statement, encode_statement
from oepnode.ports import Clock
from oepnode.services.common.http import Rejection, read_chunks
from oepnode.services.sender.reception import Reception, registry_of
from oepnode.services.sender.signatures import DocumentSignatures
from oepnode.services.sender.tus import (
    CONTENT_TYPE,
    EXTENSIONS,
    VERSION,
    announced_digest,
    check_version,
    read_number,
)
from oepnode.services.sender.upload_store import Upload, UploadStore
from oepnode.services.sender.waiting_room import Space

_log = structlog.get_logger(__name__)

_MOST: Final = 256
"""Unfinished uploads that are kept."""


class Uploads:
    """The resumable uploads of a gateway.

    Args:
        folder: Folder for their bytes; created if missing.
        store: What their senders announced.
        space: The bytes that documents on their way in may take.
        reception: Takes complete documents.
        signatures: Signatures of the documents.
        clock: Time of day.
        expiry_s: Time after which an upload that is not continued is deleted.
        is_blind: Whether the gateway blinds documents: it then takes them in one request only,
            because their bytes must not reach a disk.
    """

    def __init__(
        self,
        folder: Path,
        store: UploadStore,
        space: Space,
        reception: Reception,
        signatures: DocumentSignatures,
        clock: Clock,
        expiry_s: int,
        *,
        is_blind: bool,
    ) -> None:
        make_folder(folder)
        self._folder = folder
        self._store = store
        self._space = space
        self._reception = reception
        self._signatures = signatures
        self._clock = clock
        self._expiry_s = expiry_s
        self._is_blind = is_blind
        self._busy: set[str] = set()

    def restore(self) -> None:
        """Count what partial uploads take, and remove files that none names; once, at start."""
        known = {upload.id for upload in self._store.all()}
        for file in self._folder.iterdir():
            if file.name not in known:
                file.unlink()
        for upload in self._store.all():
            if upload.message_id is None:
                self._space.count(upload.id, upload.length)

    def sweep(self) -> None:
        """Delete the uploads that have expired."""
        for upload in self._store.all():
            self._is_dropped(upload)

    # --- endpoints -------------------------------------------------------------------------------

    async def options(self, _: web.Request) -> web.Response:
        """The protocol's versions and extensions."""
        return web.Response(
            status=204,
            headers={
                "Tus-Version": VERSION,
                "Tus-Extension": EXTENSIONS,
                "Tus-Max-Size": str(self._reception.limit),
            },
        )

    async def create(self, request: web.Request) -> web.Response:
        """Begin an upload, or find the unfinished one of the same document."""
        check_version(request)
        if self._is_blind:
            raise Rejection(
                409,
                "upload.blind",
                "this gateway blinds documents, and keeps no part of one that is not blinded; send "
                "it in one request, or blind it first ('sender blind')",
            )
        length = read_number(request, "Upload-Length")
        if length > self._reception.limit:
            raise Rejection(
                413, "body.too_large", f"a document may have {self._reception.limit} bytes"
            )
        registry = registry_of(request)
        signed = self._signatures.read(request)
        upload = Upload(
            id=secrets.token_hex(16),
            length=length,
            digest=announced_digest(request),
            registry_digest=registry,
            statement=None if signed is None else encode_statement(signed),
            touched_at=self._clock.now(),
        )
        found = await asyncio.to_thread(self._find_or_add, upload)
        offset = await asyncio.to_thread(self._offset, found)
        headers = {"Location": f"/v1/uploads/{found.id}", "Upload-Offset": str(offset)}
        return self._response(201, found, headers)

    async def head(self, request: web.Request) -> web.Response:
        """How much of an upload has arrived."""
        check_version(request)
        upload = await self._known(request)
        offset = await asyncio.to_thread(self._offset, upload)
        headers = {
            "Upload-Offset": str(offset),
            "Upload-Length": str(upload.length),
            "Cache-Control": "no-store",
        }
        return self._response(200, upload, headers)

    async def patch(self, request: web.Request) -> web.Response:
        """Take the next bytes of an upload; with the last ones it becomes a message."""
        check_version(request)
        if request.content_type != CONTENT_TYPE:
            raise Rejection(415, "upload.content_type", f"the content type must be {CONTENT_TYPE}")
        offset = read_number(request, "Upload-Offset")
        upload = await self._known(request)
        if upload.id in self._busy:
            raise Rejection(423, "upload.busy", "another request continues this upload now")
        self._busy.add(upload.id)
        try:
            async with self._reception.turns.turn("publisher"):
                upload, offset = await self._continue(request, upload, offset)
        finally:
            self._busy.discard(upload.id)
        return self._response(204, upload, {"Upload-Offset": str(offset)})

    async def delete(self, request: web.Request) -> web.Response:
        """Give up an upload."""
        check_version(request)
        upload = await self._known(request)
        if upload.id in self._busy:
            raise Rejection(423, "upload.busy", "another request continues this upload now")
        await asyncio.to_thread(self._drop, upload)
        return self._response(204, upload, {})

    # --- steps -----------------------------------------------------------------------------------

    def _find_or_add(self, upload: Upload) -> Upload:
        """The unfinished upload of the same announced document, or this one, stored."""
        uploads = [
            one for one in self._store.all() if one.message_id is None and not self._is_dropped(one)
        ]
        for one in uploads:
            is_same = upload.digest is not None and one.digest == upload.digest
            if is_same and one.length == upload.length:
                renewed = replace(
                    one, registry_digest=upload.registry_digest, statement=upload.statement
                )
                self._store.put(renewed)
                return renewed
        if len(uploads) >= _MOST:
            raise Rejection(503, "uploads.full", "too many uploads; retry later", retry_after_s=60)
        self._space.take(upload.id, upload.length)
        os.close(os.open(self._path(upload), os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_FILE))
        self._store.put(upload)
        return upload

    def _is_dropped(self, upload: Upload) -> bool:
        """Whether an upload has expired; it is then deleted."""
        is_over = self._clock.now() - upload.touched_at > self._expiry_s
        if is_over and upload.id not in self._busy:
            self._drop(upload)
            return True
        return False

    def _drop(self, upload: Upload) -> None:
        self._store.drop(upload.id)
        self._path(upload).unlink(missing_ok=True)
        self._space.release(upload.id)

    async def _known(self, request: web.Request) -> Upload:
        upload = await asyncio.to_thread(self._store.of, request.match_info["upload"])
        if upload is None or await asyncio.to_thread(self._is_dropped, upload):
            raise Rejection(404, "upload.unknown", "no such upload, or it has expired; begin again")
        return upload

    async def _continue(
        self, request: web.Request, upload: Upload, offset: int
    ) -> tuple[Upload, int]:
        present = await asyncio.to_thread(self._offset, upload)
        if offset != present:
            raise Rejection(
                409, "upload.offset", f"the next bytes are those from {present} on, not {offset}"
            )
        if upload.message_id is not None:
            return upload, present
        await self._append(request, upload, upload.length - present)
        upload = replace(upload, touched_at=self._clock.now())
        await asyncio.to_thread(self._store.put, upload)
        present = await asyncio.to_thread(self._offset, upload)
        if present == upload.length:
            upload = await self._complete(upload)
        return upload, present

    async def _append(self, request: web.Request, upload: Upload, most: int) -> None:
        """Write the request's bytes; what arrived is durable, however the request ends."""
        file: BinaryIO = await asyncio.to_thread(self._path(upload).open, "ab")
        try:
            async for chunk in read_chunks(request, most):
                await asyncio.to_thread(file.write, chunk)
        finally:
            await asyncio.to_thread(_close_durably, file)

    async def _complete(self, upload: Upload) -> Upload:
        path = self._path(upload)
        digest = await asyncio.to_thread(_digest_of, path)
        try:
            _check_digest(upload, digest)
            statement = upload.statement
            signed = None if statement is None else decode_statement(statement)
            message_id = await self._reception.accept(
                path, upload.id, digest, upload.length, upload.registry_digest, signed
            )
        except Rejection:
            await asyncio.to_thread(self._drop, upload)
            raise
        done = replace(upload, message_id=message_id)
        # A crash before this line leaves an upload without bytes; its sender sends them again.
        await asyncio.to_thread(self._store.put, done)
        return done

    def _offset(self, upload: Upload) -> int:
        """Bytes that have arrived."""
        if upload.message_id is not None:
            return upload.length
        try:
            return self._path(upload).stat().st_size
        except FileNotFoundError:
            return 0

    def _path(self, upload: Upload) -> Path:
        return self._folder / upload.id

    def _response(self, status: int, upload: Upload, headers: dict[str, str]) -> web.Response:
        shown = {"Tus-Resumable": VERSION, **headers}
        if upload.message_id is not None:
            shown["Message-Id"] = upload.message_id
        elif status != 204 or "Upload-Offset" in headers:
            expiry = upload.touched_at + self._expiry_s
            shown["Upload-Expires"] = formatdate(expiry, usegmt=True)
        return web.Response(status=status, headers=shown)


def _digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _check_digest(upload: Upload, digest: bytes) -> None:
    if upload.digest not in (None, digest):
        raise Rejection(
            422,
            "upload.other_digest",
            f"the bytes have the SHA-256 {digest.hex()}, another one was announced; the upload was "
            "deleted: begin again",
        )


def _close_durably(file: BinaryIO) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
    finally:
        file.close()
