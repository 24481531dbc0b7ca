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
