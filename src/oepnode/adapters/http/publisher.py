"""A publisher's client of the sender's gateway: documents sent, resumed, and waited for.

Guarantees: a large document is sent in parts, and what arrived is not sent again, also by a later
run of the program; publishing again is safe. Source: docs/services.md, the tus protocol 1.0.0.
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from oepnode.adapters.http.client import (
    ATTEMPTS,
    FilePart,
    HttpClient,
    RequestRejected,
    Response,
    decode_json,
)
from oepnode.domain.edge.envelopes.publication import DocumentFacts
from oepnode.domain.edge.validation.acknowledgement import (
    ACCEPTED,
    AcknowledgementReport,
    FindingReport,
)
from oepnode.domain.rounds.inputs.document_signatures import (
    HEADER,
    SignedStatement,
    encode_header,
)
from oepnode.errors import ConfigError, ConflictError, DocumentFault, Finding, TransportError

_WHAT: Final = "publishing the envelope document"
_WHOLE_BYTES: Final = 4 * 2**20
"""Documents up to this size are sent in one request."""
_PART_BYTES: Final = 64 * 2**20
"""Bytes of one request of a larger one."""
_MAX_ANSWER: Final = 4 * 2**20
_MOST_WAIT_S: Final = 30
_VERSION: Final = {"Tus-Resumable": "1.0.0"}
_UPLOADS: Final = "/v1/uploads"

Sent = Callable[[int, int], None]
"""Called with the bytes that have arrived, and all."""


class _Failure(Struct):
    code: str
    message: str


class Published(Struct, frozen=True, rename="camel"):
    """The gateway's acknowledgements of a document that it accepted.

    Attributes:
        message_id: Name of the submission.
        digest: SHA-256 of the document as it is stored, 64 hex digits.
        size: Its size in bytes.
        code: ``received``, ``accepted`` or ``rejected``.
        busy: Whether it is still being checked, or its round opened.
        system: The answer to its form.
        transaction: The answer to its content; None before it is checked.
        facts: Facts about it, or None.
        round: The round opened with it, if requested.
        settled: Whether its opening is final enough; a reorganisation can take another one away.
        opening: Why the round could not be opened, or None.
    """

    message_id: str
    digest: str
    size: int
    code: str
    busy: bool
    system: AcknowledgementReport
    transaction: AcknowledgementReport | None
    facts: DocumentFacts | None
    round: int | None = None
    settled: bool | None = None
    opening: _Failure | None = None


class HttpPublisher:
    """A publisher's client of a sender's gateway.

    Args:
        url: The gateway's URL.
        timeout_s: Deadline of one attempt, in seconds.
        verdict_s: Longest wait for the verdict, in seconds.
        client: HTTP client; by default a new one for ``url``.
        whole_bytes: Documents up to this size are sent in one request.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        verdict_s: float = 900,
        client: HttpClient | None = None,
        whole_bytes: int = _WHOLE_BYTES,
    ) -> None:
        self._client = client or HttpClient(url, timeout_s)
        self._verdict_s = verdict_s
        self._whole_bytes = whole_bytes
        self._wait_s = int(min(_MOST_WAIT_S, max(1, timeout_s / 2)))

    async def publish(
        self,
        document: Path,
        token: str,
        registry_digest: bytes | None = None,
        signed: SignedStatement | None = None,
        on_sent: Sent | None = None,
    ) -> Published:
        """Publish a document, open its round if a snapshot is given, and wait for the verdict.

        Args:
            document: The file; it is streamed.
            token: The publisher's bearer token.
            registry_digest: SHA-256 of the round's snapshot, or None to open no round.
            signed: The publisher's signed statement about the document, if the gateway demands one.
            on_sent: Called when a part of a large document has arrived.

        Raises:
            ConfigError: If the file cannot be read.
            DocumentFault: If the document is rejected.
            ConflictError: If the gateway rejects the request, or the contract the round.
            TransportError: If the outcome is unknown; publishing again is safe.
        """
        if not await asyncio.to_thread(document.is_file):
            raise ConfigError(f"{document}: no such file")
        query = "" if registry_digest is None else f"registry={registry_digest.hex()}"
        headers = {"Authorization": f"Bearer {token}"}
        first = dict(headers)
        if signed is not None:
            first[HEADER] = encode_header(signed)
        size = (await asyncio.to_thread(document.stat)).st_size
        message_id = None
        if size > self._whole_bytes:
            message_id = await self._upload(document, size, query, headers, first, on_sent)
        if message_id is None:
            message_id = await self._send_whole(document, query, first)
        return await self._verdict(message_id, headers)

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self._client.close()

    # --- sending ---------------------------------------------------------------------------------

    async def _send_whole(self, document: Path, query: str, headers: Mapping[str, str]) -> str:
        try:
            response = await self._client.send(
                "POST",
                f"/v1/envelopes{f'?{query}' if query else ''}",
                _WHAT,
                limit=_MAX_ANSWER,
                body=lambda: document,
                headers=lambda: headers,
            )
        except RequestRejected as exc:
            if exc.faults:  # a document that a gateway cannot blind
                raise DocumentFault("envelope document", exc.faults, exc.more) from exc
            raise
        return decode_json(response, _WHAT, Published).message_id

    async def _upload(
        self,
        document: Path,
        size: int,
        query: str,
        headers: Mapping[str, str],
        first: Mapping[str, str],
        on_sent: Sent | None,
    ) -> str | None:
        """Send a document in parts; returns the message's id, or None where it must be whole."""
        digest = await asyncio.to_thread(_digest_of, document)
        about = {
            **first,
            **_VERSION,
            "Upload-Length": str(size),
            "Upload-Metadata": f"sha256 {b64encode(digest.encode()).decode()}",
        }
        path = f"{_UPLOADS}{f'?{query}' if query else ''}"
        try:
            response = await self._client.attempt("POST", path, _WHAT, headers=about)
        except RequestRejected as exc:
            if exc.code == "upload.blind":
                return None
            raise
        location = response.headers.get("Location", "")
        if not location.startswith(f"{_UPLOADS}/"):
            raise TransportError(f"{_WHAT}: the gateway named no place for the upload")
        failed = 0
        while True:
            offset, message_id = _progress_of(response)
            if on_sent is not None:
                on_sent(offset, size)
            if message_id is not None:
                return message_id
            part = FilePart(document, offset, _PART_BYTES)
            try:
                response = await self._client.attempt(
                    "PATCH", location, _WHAT, headers=_of_part(headers, offset), body=part
                )
                failed = 0
            except TransportError:
                failed += 1
                if failed > ATTEMPTS:
                    raise
                await self._client.pause(failed)
                response = await self._state(location, headers, response)

    async def _state(self, location: str, headers: Mapping[str, str], before: Response) -> Response:
        """What has arrived of an upload, or what was known before where nobody answers."""
        try:
            return await self._client.attempt(
                "HEAD", location, _WHAT, headers={**headers, **_VERSION}
            )
        except TransportError:
            return before

    # --- verdict ---------------------------------------------------------------------------------

    async def _verdict(self, message_id: str, headers: Mapping[str, str]) -> Published:
        path = f"/v1/messages/{message_id}?wait={self._wait_s}"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._verdict_s
        while True:
            response = await self._client.send(
                "GET", path, _WHAT, limit=_MAX_ANSWER, headers=lambda: headers
            )
            published = decode_json(response, _WHAT, Published)
            if not published.busy:
                break
            if loop.time() > deadline:
                raise TransportError(
                    f"{_WHAT}: received, and not checked within {self._verdict_s:g} s; publish it "
                    "again later to see the verdict"
                )
        return _accepted(published)


def _accepted(published: Published) -> Published:
    """An accepted document's acknowledgements, with its round if one was requested.

    Raises:
        DocumentFault: If it was rejected.
        ConflictError: If the contract or the gateway rejected the round.
        TransportError: If the chain does not respond, or the gateway was stopped meanwhile.
    """
    if published.code != ACCEPTED:
        answers = [one for one in (published.system, published.transaction) if one is not None]
        faults = [fault for answer in answers for fault in answer.faults]
        if not faults:
            raise TransportError(f"{_WHAT}: received, and not checked yet; publish it again")
        total = sum(sum(answer.counts.values()) for answer in answers)
        more = total - sum(fault.count for fault in faults)
        raise DocumentFault("envelope document", tuple(map(_finding, faults)), max(more, 0))
    opening = published.opening
    if opening is not None:
        message = f"the document is published; its round was not opened: {opening.message}"
        family = TransportError if opening.code == "chain.unavailable" else ConflictError
        raise family(message, code=opening.code)
    return published


def _finding(fault: FindingReport) -> Finding:
    return Finding(
        path=fault.path,
        code=fault.code,
        message=fault.message,
        value=fault.value,
        section=fault.rule,
        count=fault.count,
        caused_by=fault.caused_by,
    )


def _progress_of(response: Response) -> tuple[int, str | None]:
    """How many bytes have arrived, and the message's id once all have."""
    offset = response.headers.get("Upload-Offset", "")
    if not (offset.isascii() and offset.isdecimal()):
        raise TransportError(f"{_WHAT}: the gateway did not say how much has arrived")
    return int(offset), response.headers.get("Message-Id")


def _of_part(headers: Mapping[str, str], offset: int) -> dict[str, str]:
    return {
        **headers,
        **_VERSION,
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(offset),
    }


def _digest_of(document: Path) -> str:
    with document.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
