"""Grant lists and signed documents: signed, and each fault by name."""

from __future__ import annotations

import hashlib
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_keys import keys

from tests.reference.grants import document_message, list_hash
from tests.reference.vectors.common import CONTRACT, Json, digest

_KEY = keys.PrivateKey(digest("oepnode test vectors: grants key"))
_ED25519 = Ed25519PrivateKey.from_private_bytes(digest("oepnode test vectors: document key"))
_OTHER = Ed25519PrivateKey.from_private_bytes(digest("oepnode test vectors: another key"))
_OPERATORS = (bytes([0xA0]) * 20, bytes([0xA1]) * 20)
_DIGESTS = digest("an envelope document"), digest("a registry snapshot")
_DOCUMENT = b"[]"


def grant_vectors() -> Json:
    """Lists of both services, and lists that are rejected."""
    document = [(operator, "document", 1_795_000_010 + i) for i, operator in enumerate(_OPERATORS)]
    inputs = [
        (_OPERATORS[0], "salt", 1_795_000_012),
        (_OPERATORS[0], "snapshot", 1_795_000_011),
        (_OPERATORS[1], "snapshot", 1_795_000_020),
    ]
    good = [
        _list("sender", document),
        _list("registry", inputs),
        _list("sender", [], is_final=False),
        _list("registry", inputs, number=2**53 - 1, issued_at=0),
    ]
    whole = good[1]["list"]
    first = whole["grants"][0]
    changes: tuple[tuple[str, dict[str, Any]], ...] = (
        ("grants.malformed", {"round": 0}),
        ("grants.malformed", {"round": "3"}),
        ("grants.malformed", {"contract": whole["contract"].upper()}),
        ("grants.malformed", {"extra": 1}),
        ("grants.malformed", {"final": 1}),
        ("grants.malformed", {"signature": whole["signature"][:-2]}),
        ("grants.duplicate", {"grants": [first, {**first, "grantedAt": 1}]}),
        ("grants.order", {"grants": whole["grants"][::-1]}),
        ("grants.other_input", {"grants": [{**first, "input": "document"}]}),
        ("grants.other_service", {"service": "sender", "grants": []}),
        ("grants.other_chain", {"chainId": 1}),
        ("grants.other_contract", {"contract": "0x" + "11" * 20}),
        ("grants.other_round", {"round": 4}),
        ("grants.other_inputs", {"registryDigest": "00" * 32}),
        ("grants.signer", {"issuedAt": whole["issuedAt"] + 1}),
        ("grants.signer", {"grants": whole["grants"][1:]}),
        ("grants.signature", {"signature": _twin(whole["signature"])}),
    )
    return {
        "page": "grants.md",
        "signer": "0x" + _KEY.public_key.to_canonical_address().hex(),
        "accepted": good,
        "rejected": [{"code": code, "list": {**whole, **change}} for code, change in changes],
    }


def signature_vectors() -> Json:
    """Statements about documents, and statements that are rejected."""
    good = [
        _statement("envelope", 1),
        _statement("snapshot", 1),
        _statement("envelope", 2**53 - 1),
    ]
    whole = good[0]["statement"]
    changes: tuple[dict[str, Any], ...] = (
        {"kind": "snapshot"},
        {"kind": "salt"},
        {"sha256": hashlib.sha256(b"{}").hexdigest()},
        {"size": 3},
        {"size": 0},
        {"sequence": 2},
        {"sequence": 0},
        {"sequence": 2**53},
        {"publicKey": _public(_OTHER)},
        {"signature": _statement("envelope", 1, _OTHER)["statement"]["signature"]},
        {"signature": whole["signature"][:-2]},
        {"more": 1},
    )
    return {
        "page": "signatures.md",
        "document": _DOCUMENT.decode(),
        "publicKey": _public(_ED25519),
        "accepted": good,
        "rejected": [
            {"code": "signature.invalid", "statement": {**whole, **change}} for change in changes
        ],
    }


def _list(
    service: str,
    grants: list[tuple[bytes, str, int]],
    number: int = 3,
    issued_at: int = 1_795_000_700,
    is_final: bool = True,
) -> Json:
    hashed = list_hash(service, 246, CONTRACT, number, _DIGESTS, issued_at, is_final, grants)
    r, s, parity = _sign(hashed)
    return {
        "hash": hashed.hex(),
        "list": {
            "service": service,
            "chainId": 246,
            "contract": "0x" + CONTRACT.hex(),
            "round": number,
            "envelopeDigest": _DIGESTS[0].hex(),
            "registryDigest": _DIGESTS[1].hex(),
            "issuedAt": issued_at,
            "final": is_final,
            "grants": [
                {"operator": "0x" + operator.hex(), "input": what, "grantedAt": at}
                for operator, what, at in grants
            ],
            "signature": f"{r:064x}{s:064x}{27 + parity:02x}",
        },
    }


def _sign(hashed: bytes) -> tuple[int, int, int]:
    signature = _KEY.sign_msg_hash(hashed)
    return signature.r, signature.s, signature.v


def _twin(signature: str) -> str:
    """The other form of a signature, with the high s."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s, v = int(signature[64:128], 16), int(signature[128:], 16)
    return f"{signature[:64]}{order - s:064x}{55 - v:02x}"


def _statement(kind: str, sequence: int, key: Ed25519PrivateKey = _ED25519) -> Json:
    hashed = hashlib.sha256(_DOCUMENT).digest()
    message = document_message(kind, hashed, len(_DOCUMENT), sequence)
    return {
        "message": message.hex(),
        "statement": {
            "kind": kind,
            "sha256": hashed.hex(),
            "size": len(_DOCUMENT),
            "sequence": sequence,
            "publicKey": _public(key),
            "signature": key.sign(message).hex(),
        },
    }


def _public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()
