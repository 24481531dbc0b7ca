"""Signing of what a network publishes: keys, and signed statements about documents.

Guarantees: a private key is in no message and no repr; the document is read and not changed. Leaves
out whether it follows the rules. Source: docs/spec/signatures.md.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from oepnode.client.files import FileName, read_file, reason_of, write_file
from oepnode.domain.rounds.inputs.document_signatures import (
    MAX_SEQUENCE,
    MAX_STATEMENT_BYTES,
    Kind,
    SignedStatement,
    Statement,
    decode_statement,
    encode_statement,
)
from oepnode.errors import ConfigError

_CHUNK_BYTES: Final = 2**20
_SUFFIX: Final = ".signature.json"


class SigningKey(Struct, frozen=True):
    """A new key for signing documents; ``public_key`` goes into the readers' settings."""

    public_key: str
    file: str


class SignedDocument(Struct, frozen=True):
    """A document that was signed.

    Attributes:
        kind: ``envelope`` or ``snapshot``.
        digest: SHA-256 of the document, 64 hex digits.
        size_bytes: Size of the document.
        sequence: Its sequence number.
        public_key: Key that signed it, 64 hex digits.
        file: File with the signed statement.
    """

    kind: str
    digest: str
    size_bytes: int
    sequence: int
    public_key: str
    file: str


def create_signing_key(file: FileName) -> SigningKey:
    """Make a key for signing documents, and write it to a new file of mode 0600.

    Raises:
        ConfigError: If the file exists or cannot be written.
    """
    from oepnode.adapters.crypto.document_key import create_key

    return SigningKey(create_key(Path(file)).hex(), str(file))


def sign_document(
    document: FileName,
    key_file: FileName,
    kind: Kind,
    *,
    sequence: int | None = None,
    out: FileName | None = None,
) -> SignedDocument:
    """Sign a document, and write the signed statement beside it.

    Args:
        document: The document.
        key_file: Key of `create_signing_key`.
        kind: ``envelope`` or ``snapshot``.
        sequence: Must be higher than that of every document signed before; None takes the time in
            milliseconds.
        out: File for the statement; None takes the document's name and ``.signature.json``.

    Raises:
        ConfigError: If a file cannot be read or written, or the number is out of range.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.adapters.crypto.document_key import load_key, sign_statement

    number = int(SystemClock().now() * 1000) if sequence is None else sequence
    if not 1 <= number <= MAX_SEQUENCE:
        raise ConfigError(f"sequence number {number}: it must be 1 to {MAX_SEQUENCE}")
    key = load_key(Path(key_file))
    digest, size = _measured(Path(document))
    signed = sign_statement(key, Statement(kind, digest, size, number))
    path = Path(f"{document}{_SUFFIX}" if out is None else out)
    write_file(path, encode_statement(signed) + b"\n")
    return SignedDocument(kind, digest.hex(), size, number, signed.public_key.hex(), str(path))


def load_statement(file: FileName) -> SignedStatement:
    """Read a signed statement.

    Raises:
        ConfigError: If the file cannot be read.
        SignatureFault: If it holds no signed statement.
    """
    return decode_statement(read_file(Path(file), "signed statement", MAX_STATEMENT_BYTES))


def _measured(document: Path) -> tuple[bytes, int]:
    """SHA-256 and size of a file."""
    digest, size = sha256(), 0
    try:
        with document.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as exc:
        raise ConfigError(f"{document}: not readable: {reason_of(exc)}") from exc
    if not size:
        raise ConfigError(f"{document}: the file is empty")
    return digest.digest(), size
