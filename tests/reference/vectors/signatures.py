"""Statements about documents: signed, rejected, and sequences of them in which some are replays."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.reference.signatures import Service, Worker, document_message
from tests.reference.vectors.common import Json, digest

_ED25519 = Ed25519PrivateKey.from_private_bytes(digest("oepnode test vectors: document key"))
_OTHER = Ed25519PrivateKey.from_private_bytes(digest("oepnode test vectors: another key"))
_DOCUMENT = b"[]"


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
        "rejectedTexts": [{"code": "signature.invalid", "text": text} for text in _texts(whole)],
        "headers": _headers(good[0]["statement"]),
        "service": _published(),
        "worker": _computed(),
    }


def _texts(whole: Json) -> tuple[str, ...]:
    text = json.dumps(whole)
    return (
        "",
        text[:-1],
        text + " {}",
        text.replace('"size": 2', '"size": 2, "size": 2'),
        text.replace('"size": 2', '"size": 3, "size": 2'),
        text.replace('"size": 2', '"size": 2.0'),
        text.replace('"size": 2', '"size": "2"'),
    )


def _headers(whole: Json) -> Json:
    """Values of the header ``OEP1-Signature``."""
    text = json.dumps(whole, separators=(",", ":"))
    texts = [text + " " * (-len(text) % 3 + more) for more in range(3)]
    values = [base64.urlsafe_b64encode(each.encode()).decode() for each in texts]
    longest = base64.urlsafe_b64encode((text + " " * (768 - len(text))).encode()).decode()
    too_long = base64.urlsafe_b64encode((text + " " * (769 - len(text))).encode()).decode()
    return {
        "accepted": [value.rstrip("=") for value in [*values, longest]],
        "rejected": [
            "",
            values[1],
            values[2],
            values[0] + "A",
            values[0] + "\n",
            values[0][:8] + "+" + values[0][9:],
            too_long.rstrip("="),
            text,
        ],
    }


def _published() -> Json:
    """What a gateway or a registry accepts, one statement after another."""
    service = Service()
    steps = (
        ("first", "A", 10),
        ("first", "A", 10),
        ("first", "B", 10),
        ("first", "B", 9),
        ("first", "B", 11),
        ("first", "A", 10),
        ("first", "A", 11),
        ("first", "A", 12),
        ("first", "B", 12),
        ("second", "C", 1),
        ("second", "A", 2),
    )
    return [
        {
            "key": key,
            "document": document,
            "sequence": number,
            "isAccepted": service.publish(key, document, number),
        }
        for key, document, number in steps
    ]


def _computed() -> Json:
    """What a worker accepts for its rounds, in the order in which it computes them."""
    worker = Worker()
    steps = (
        (1, "envelope", "first", "A", 10),
        (2, "envelope", "first", "B", 20),
        (3, "envelope", "first", "A", 10),
        (3, "envelope", "first", "C", 20),
        (3, "envelope", "first", "B", 20),
        (3, "snapshot", "first", "S", 5),
        (3, "envelope", "second", "D", 1),
        (1, "envelope", "first", "A", 10),
        (2, "envelope", "first", "A", 10),
        (4, "envelope", "first", "A", 19),
        (4, "envelope", "first", "A", 21),
        (3, "envelope", "first", "E", 11),
        (5, "snapshot", "first", "T", 4),
        (5, "snapshot", "first", "T", 6),
        (5, "envelope", "first", "F", 20),
    )
    return [
        {
            "round": number,
            "kind": kind,
            "key": key,
            "document": document,
            "sequence": sequence,
            "isAccepted": worker.compute(kind, key, document, sequence, number),
        }
        for number, kind, key, document, sequence in steps
    ]


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
