"""Section 2 of bundle.md: encrypted chunks, and sealed content with its private key."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.reference import sealing
from tests.reference.sealing import CHUNK, HYBRID, X25519
from tests.reference.vectors.common import Json, digest

KEY = digest("sealing: content key")
INFO = b"oep1 bundle" + digest("sealing: context")
PRIVATE = hashlib.sha256(b"oepnode vector private key").digest()
_CIPHERTEXT = Path(__file__).with_name("mlkem_ciphertext.hex")
"""An encapsulation to `PRIVATE`, stored because libraries choose ML-KEM's randomness themselves."""

SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK)
DAMAGE: tuple[tuple[str, list[int], str], ...] = (
    ("the last chunk is missing", [0, 1], "truncated"),
    ("nothing is left", [], "truncated"),
    ("the last chunk twice", [0, 1, 2, 2], "extended"),
    ("a chunk follows the last", [0, 1, 2, 0], "extended"),
    ("two chunks exchanged", [1, 0, 2], "reordered"),
    ("a chunk twice, in the place of another", [0, 0, 2], "reordered"),
    ("a chunk is missing from the middle", [0, 2], "reordered"),
)


COMPOSED: tuple[tuple[str, list[tuple[int, int, bool]], str], ...] = (
    ("a full chunk that is not the last, and an empty last one",
     [(CHUNK, 0, False), (0, 1, True)], "extended"),
    ("an empty chunk alone, not marked as the last", [(0, 0, False)], "changed"),
    ("a full chunk alone, not marked as the last", [(CHUNK, 0, False)], "truncated"),
    ("two chunks marked as the last", [(CHUNK, 0, True), (1, 1, True)], "extended"),
    ("a short chunk that is not the last, alone", [(40, 0, False)], "changed"),
    ("the numbers begin at 1", [(CHUNK, 1, False), (1, 2, True)], "reordered"),
    ("the last chunk has the number of the one before", [(CHUNK, 0, False), (1, 0, True)],
     "reordered"),
)  # fmt: skip


def content(size: int) -> bytes:
    """Bytes 0 to 250, again and again."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def sealing_vectors() -> Json:
    """Chunks of contents of several lengths, damaged ones, and a sealed content of each kind."""
    return {
        "section": "bundle.md 2",
        "content": "byte i is i mod 251",
        "contentKey": KEY.hex(),
        "chunks": [_chunks(size) for size in SIZES],
        "damaged": [
            {"what": what, "contentSize": 3 * CHUNK, "chunks": order, "fault": fault}
            for what, order, fault in DAMAGE
        ],
        "composed": [
            {"what": what, "chunks": [_chunk(*chunk) for chunk in chunks], "fault": fault}
            for what, chunks, fault in COMPOSED
        ],
        "altered": [
            {"what": what, "encrypted": data.hex(), "fault": fault}
            for what, data, fault in _altered()
        ],
        "sealed": [_sealed(X25519), _sealed(HYBRID)],
    }


def _chunks(size: int) -> Json:
    chunks = sealing.encrypt(KEY, content(size))
    whole = b"".join(chunks)
    return {
        "contentSize": size,
        "encryptedSize": len(whole),
        "encryptedSha256": hashlib.sha256(whole).hexdigest(),
        "tags": [chunk[-16:].hex() for chunk in chunks],
    }


def _chunk(size: int, number: int, is_last: bool) -> Json:
    """A chunk by its content, number and mark, as its tag shows it."""
    encrypted = sealing.encrypt_chunk(KEY, number, is_last, content(size))
    return {
        "contentSize": size,
        "number": number,
        "isLast": is_last,
        "tag": encrypted[-16:].hex(),
    }


def _altered() -> tuple[tuple[str, bytes, str], ...]:
    whole = sealing.encrypt_chunk(KEY, 0, True, content(40))
    return (
        ("one bit of the content", bytes([whole[0] ^ 1]) + whole[1:], "changed"),
        ("one bit of the tag", whole[:-1] + bytes([whole[-1] ^ 1]), "changed"),
        ("a byte too few", whole[:-1], "changed"),
        ("a byte too many", whole + b"\0", "changed"),
        ("15 bytes", whole[:15], "truncated"),
    )


def _sealed(kind: int) -> Json:
    ephemeral = digest("sealing: ephemeral")
    enc = sealing.x25519_public(ephemeral)
    if kind == HYBRID:
        enc = bytes.fromhex("".join(_CIPHERTEXT.read_text("ascii").split())) + enc
    secret = sealing.decapsulate(kind, PRIVATE, enc)
    wrap, nonce = sealing.schedule(kind, secret, INFO)
    return {
        "kind": {X25519: "x25519", HYBRID: "mlkem768-x25519"}[kind],
        "privateKey": PRIVATE.hex(),
        "publicKey": sealing.public_key(kind, PRIVATE).hex(),
        "info": INFO.hex(),
        "sharedSecret": secret.hex(),
        "messageKey": wrap.hex(),
        "messageNonce": nonce.hex(),
        "contentKey": KEY.hex(),
        "content": content(40).hex(),
        "sealed": sealing.seal(kind, PRIVATE, enc, INFO, KEY, content(40)).hex(),
    }
