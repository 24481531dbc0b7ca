"""Headers of the tus protocol 1.0.0, as clients of resumable uploads send them.

Source: https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Final

from aiohttp import web

from oepnode.services.common.http import Rejection, read_digest

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,expiration,termination"
CONTENT_TYPE: Final = "application/offset+octet-stream"


def check_version(request: web.Request) -> None:
    """Reject a request of another version of the protocol.

    Raises:
        Rejection: 412.
    """
    if request.headers.get("Tus-Resumable") != VERSION:
        raise Rejection(
            412, "upload.version", f"send Tus-Resumable: {VERSION}, the version spoken here"
        )


def read_number(request: web.Request, header: str) -> int:
    """A number of bytes in a header.

    Raises:
        Rejection: 400.
    """
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Rejection(400, "upload.header", f"the header {header} must be a number of bytes")
    return int(text)


def announced_digest(request: web.Request) -> bytes | None:
    """The SHA-256 in an upload's metadata, or None; other metadata is ignored.

    Raises:
        Rejection: 400 for one that is malformed.
    """
    for pair in request.headers.get("Upload-Metadata", "").split(","):
        name, _, value = pair.strip().partition(" ")
        if name == "sha256":
            try:
                text = b64decode(value, validate=True).decode("ascii")
            except (binascii.Error, ValueError):
                text = ""
            return read_digest(text, "sha256 in Upload-Metadata")
    return None
