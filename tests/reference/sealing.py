"""Sealed content after docs/spec/bundle.md section 2, from single primitives.

HPKE's key schedule (RFC 9180) and X-Wing's combiner are written out here; only X25519, ML-KEM-768,
ChaCha20-Poly1305, HMAC and the hashes come from libraries.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

CHUNK = 65536
XWING_LABEL = rb"\.//^" + b"\\"
X25519, HYBRID = 1, 2
KEM_ID = {X25519: 0x0020, HYBRID: 0x647A}


def extract(salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract with SHA-256."""
    return hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()


def expand(prk: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand with SHA-256."""
    out, block, count = b"", b"", 1
    while len(out) < size:
        block = hmac.new(prk, block + info + bytes([count]), hashlib.sha256).digest()
        out, count = out + block, count + 1
    return out[:size]


def labeled_extract(suite: bytes, salt: bytes, label: bytes, ikm: bytes) -> bytes:
    """LabeledExtract of RFC 9180 section 4."""
    return extract(salt, b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite: bytes, prk: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """LabeledExpand of RFC 9180 section 4."""
    return expand(prk, size.to_bytes(2) + b"HPKE-v1" + suite + label + info, size)


def dh(private: bytes, public: bytes) -> bytes:
    """X25519."""
    peer = X25519PublicKey.from_public_bytes(public)
    return X25519PrivateKey.from_private_bytes(private).exchange(peer)


def x25519_public(private: bytes) -> bytes:
    """The public key of an X25519 private key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def xwing_parts(seed: bytes) -> tuple[MLKEM768PrivateKey, bytes]:
    """ML-KEM-768 and X25519 private keys of an X-Wing seed."""
    expanded = hashlib.shake_256(seed).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), expanded[64:]


def public_key(kind: int, private: bytes) -> bytes:
    """The public key of a private key of either kind."""
    if kind == X25519:
        return x25519_public(private)
    mlkem, scalar = xwing_parts(private)
    return mlkem.public_key().public_bytes_raw() + x25519_public(scalar)


def x25519_secret(shared: bytes, enc: bytes, recipient: bytes) -> bytes:
    """ExtractAndExpand of DHKEM(X25519, HKDF-SHA256)."""
    suite = b"KEM" + KEM_ID[X25519].to_bytes(2)
    prk = labeled_extract(suite, b"", b"eae_prk", shared)
    return labeled_expand(suite, prk, b"shared_secret", enc + recipient, 32)


def xwing_secret(mlkem: bytes, x25519: bytes, enc: bytes, recipient: bytes) -> bytes:
    """X-Wing's combiner; ``enc`` and ``recipient`` are the X25519 parts."""
    return hashlib.sha3_256(mlkem + x25519 + enc + recipient + XWING_LABEL).digest()


def schedule(kind: int, secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key and nonce of the first message in base mode (RFC 9180 section 5.1)."""
    suite = b"HPKE" + KEM_ID[kind].to_bytes(2) + b"\x00\x01\x00\x03"
    context = b"\x00" + labeled_extract(suite, b"", b"psk_id_hash", b"")
    context += labeled_extract(suite, b"", b"info_hash", info)
    prk = labeled_extract(suite, secret, b"secret", b"")
    key = labeled_expand(suite, prk, b"key", context, 32)
    return key, labeled_expand(suite, prk, b"base_nonce", context, 12)


def decapsulate(kind: int, private: bytes, enc: bytes) -> bytes:
    """The shared secret."""
    if kind == X25519:
        return x25519_secret(dh(private, enc), enc, x25519_public(private))
    mlkem, scalar = xwing_parts(private)
    part = enc[1088:]
    secret = mlkem.decapsulate(enc[:1088])
    return xwing_secret(secret, dh(scalar, part), part, x25519_public(scalar))


def seal(kind: int, private: bytes, enc: bytes, info: bytes, key: bytes, content: bytes) -> bytes:
    """Seal with a known encapsulation to the owner of ``private``, who alone can do this."""
    wrap, nonce = schedule(kind, decapsulate(kind, private, enc), info)
    message = enc + ChaCha20Poly1305(wrap).encrypt(nonce, key, b"")
    return b"OEPS\x01" + bytes([kind]) + message + b"".join(encrypt(key, content))


def open_sealed(kind: int, private: bytes, sealed: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Content key and content."""
    assert sealed[:6] == b"OEPS\x01" + bytes([kind])
    size = 32 if kind == X25519 else 1120
    enc, wrapped, chunks = sealed[6 : 6 + size], sealed[6 + size : 54 + size], sealed[54 + size :]
    wrap, nonce = schedule(kind, decapsulate(kind, private, enc), info)
    key = ChaCha20Poly1305(wrap).decrypt(nonce, wrapped, b"")
    return key, decrypt(key, chunks)


def encrypt(key: bytes, content: bytes) -> list[bytes]:
    """The encrypted chunks of a content."""
    parts = [content[at : at + CHUNK] for at in range(0, len(content), CHUNK)] or [b""]
    return [
        encrypt_chunk(key, index, index == len(parts) - 1, part) for index, part in enumerate(parts)
    ]


def encrypt_chunk(key: bytes, index: int, is_last: bool, part: bytes) -> bytes:
    """One encrypted chunk."""
    return ChaCha20Poly1305(key).encrypt(_nonce(index, is_last), part, b"")


def decrypt(key: bytes, data: bytes) -> bytes:
    """The content of encrypted chunks."""
    parts = [data[at : at + CHUNK + 16] for at in range(0, len(data), CHUNK + 16)]
    return b"".join(
        ChaCha20Poly1305(key).decrypt(_nonce(index, index == len(parts) - 1), part, b"")
        for index, part in enumerate(parts)
    )


def _nonce(index: int, is_last: bool) -> bytes:
    return index.to_bytes(11) + (b"\x01" if is_last else b"\x00")
