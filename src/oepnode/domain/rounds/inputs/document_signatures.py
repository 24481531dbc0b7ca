"""Detached statements with which a network signs its envelope documents and registry snapshots.

Guarantees: a statement has one accepted form, and what is signed binds kind, bytes, size and
sequence number under a label of its own. Leaves out Ed25519 (``adapters.crypto.document_key``) and
the memory of sequence numbers. Source: docs/spec/signatures.md, RFC 8032, RFC 4648 §5.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Final, Literal

from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec import json as msgspec_json

from oepnode.domain.documents.json_struct import read_struct
from oepnode.errors import EvidenceError

Kind = Literal["envelope", "snapshot"]

HEADER: Final = "OEP1-Signature"
"""Header of a published document that carries its statement."""
MAX_SEQUENCE: Final = 2**53 - 1
MAX_STATEMENT_BYTES: Final = 1024

_LABEL: Final = b"oep1 document"
_KIND_BYTES: Final[dict[Kind, bytes]] = {"envelope": b"\x01", "snapshot": b"\x02"}
_BASE64URL: Final = re.compile(r"[0-9A-Za-z_-]+")

_Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Hex64 = Annotated[str, Meta(pattern=r"^[0-9a-f]{128}\Z")]
_Number = Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)]


class SignatureFault(EvidenceError):  # noqa: N818 - reads as what it is
    """A document is not signed as it must be.

    Attributes:
        code: ``signature.missing``, ``signature.invalid`` or ``signature.replayed``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Statement(Struct, frozen=True):
    """A document as its publisher describes it.

    Attributes:
        kind: ``envelope`` or ``snapshot``.
        digest: SHA-256 of the document, 32 bytes.
        size: Size of the document in bytes.
        sequence: Rises with each document that the publisher signs.
    """

    kind: Kind
    digest: bytes
    size: int
    sequence: int


class SignedStatement(Struct, frozen=True):
    """A statement with the publisher's key (32 bytes) and signature (64 bytes)."""

    statement: Statement
    public_key: bytes
    signature: bytes


class _Wire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    kind: Kind
    sha256: _Hex32
    size: _Number
    sequence: _Number
    public_key: _Hex32
    signature: _Hex64


def signed_bytes(statement: Statement) -> bytes:
    """The bytes that are signed: label ‖ kind u8 ‖ SHA-256 ‖ size u64 ‖ sequence u64."""
    return (
        _LABEL
        + _KIND_BYTES[statement.kind]
        + statement.digest
        + statement.size.to_bytes(8)
        + statement.sequence.to_bytes(8)
    )


def check_statement(signed: SignedStatement, kind: Kind, digest: bytes, key: bytes) -> None:
    """Reject a statement that is not about this document, or names another key.

    Raises:
        SignatureFault: ``signature.invalid``, with what differs.
    """
    statement = signed.statement
    if statement.kind != kind:
        raise SignatureFault(
            "signature.invalid", f"the statement is about a document of kind {statement.kind}"
        )
    if statement.digest != digest:
        raise SignatureFault("signature.invalid", "the statement is about another document")
    if signed.public_key != key:
        raise SignatureFault("signature.invalid", f"signed with another key, expected {key.hex()}")


def check_size(signed: SignedStatement, size: int) -> None:
    """Reject a statement with another size than the document's.

    Raises:
        SignatureFault: ``signature.invalid``.
    """
    if signed.statement.size != size:
        raise SignatureFault(
            "signature.invalid",
            f"the statement says {signed.statement.size} bytes, the document has {size}",
        )


def encode_statement(signed: SignedStatement) -> bytes:
    """The JSON form of a signed statement."""
    statement = signed.statement
    return msgspec_json.encode(
        _Wire(
            kind=statement.kind,
            sha256=statement.digest.hex(),
            size=statement.size,
            sequence=statement.sequence,
            public_key=signed.public_key.hex(),
            signature=signed.signature.hex(),
        )
    )


def decode_statement(data: bytes) -> SignedStatement:
    """Read the JSON form of a signed statement.

    Raises:
        SignatureFault: ``signature.invalid``, if a field is missing, unknown or of the wrong shape.
    """
    try:
        wire = read_struct(data, _Wire)
    except ValidationError as exc:
        raise SignatureFault("signature.invalid", f"the statement is malformed: {exc}") from exc
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise SignatureFault("signature.invalid", "the statement is not JSON") from exc
    statement = Statement(wire.kind, bytes.fromhex(wire.sha256), wire.size, wire.sequence)
    return SignedStatement(statement, bytes.fromhex(wire.public_key), bytes.fromhex(wire.signature))


def encode_header(signed: SignedStatement) -> str:
    """The value of the header: the JSON form in base64url without padding."""
    return base64.urlsafe_b64encode(encode_statement(signed)).rstrip(b"=").decode()


def decode_header(text: str) -> SignedStatement:
    """Read the value of the header.

    Raises:
        SignatureFault: As `decode_statement`, or if it is not base64url without padding.
    """
    if len(text) > MAX_STATEMENT_BYTES or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise SignatureFault(
            "signature.invalid",
            f"the header {HEADER} is not base64url without padding, up to {MAX_STATEMENT_BYTES} "
            "characters",
        )
    return decode_statement(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
