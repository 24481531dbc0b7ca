"""Grant lists: signed, each fault by name, and whole audits."""

from __future__ import annotations

import json
from typing import Any

from eth_keys.datatypes import PrivateKey

from tests.reference.grants import list_hash
from tests.reference.vectors.common import CONTRACT, Json, digest

_KEY = PrivateKey(digest("oepnode test vectors: grants key"))
_OPERATORS = (bytes([0xA0]) * 20, bytes([0xA1]) * 20)
_DIGESTS = digest("an envelope document"), digest("a registry snapshot")
_FIRST_GRANT = 1_795_000_010
_LAST_VOTE = 1_795_000_650


_DOCUMENTS = [(operator, "document", _FIRST_GRANT + i) for i, operator in enumerate(_OPERATORS)]
_INPUTS = [
    (_OPERATORS[0], "salt", _FIRST_GRANT + 2),
    (_OPERATORS[0], "snapshot", _FIRST_GRANT + 1),
    (_OPERATORS[1], "snapshot", _FIRST_GRANT + 10),
]


def grant_vectors() -> Json:
    """Lists of both services, and lists that are rejected."""
    good = [
        _list("sender", _DOCUMENTS),
        _list("registry", _INPUTS),
        _list("sender", [], is_final=False),
        _list("registry", _INPUTS, number=2**53 - 1, issued_at=0),
    ]
    whole = good[1]["list"]
    first, second, third = whole["grants"]
    r, s, v = (whole["signature"][at : at + 64] for at in (0, 64, 128))
    changes: tuple[tuple[str, dict[str, Any]], ...] = (
        ("grants.malformed", {"round": 0}),
        ("grants.malformed", {"round": "3"}),
        ("grants.malformed", {"contract": whole["contract"].upper()}),
        ("grants.malformed", {"extra": 1}),
        ("grants.malformed", {"final": 1}),
        ("grants.malformed", {"signature": whole["signature"][:-2]}),
        ("grants.malformed", {"round": 2**53}),
        ("grants.malformed", {"issuedAt": -1}),
        ("grants.malformed", {"service": "worker"}),
        ("grants.malformed", {"signature": "0x" + whole["signature"]}),
        ("grants.malformed", {"envelopeDigest": whole["envelopeDigest"].upper()}),
        ("grants.malformed", {"grants": [{**first, "input": "key"}]}),
        ("grants.malformed", {"grants": [{**first, "grantedAt": 2**53}]}),
        ("grants.malformed", {"grants": [{**first, "operator": first["operator"][2:]}]}),
        ("grants.duplicate", {"grants": [first, {**first, "grantedAt": 1}]}),
        ("grants.duplicate", {"grants": [first, first, third, second]}),
        ("grants.order", {"grants": [second, first, first]}),
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
        ("grants.signature", {"signature": r + s + f"{int(v, 16) - 27:02x}"}),
        ("grants.signature", {"signature": r + s + "1d"}),
        ("grants.signature", {"signature": "00" * 32 + s + v}),
        ("grants.signature", {"signature": r + "00" * 32 + v}),
    )
    return {
        "page": "grants.md",
        "signer": "0x" + _KEY.public_key.to_canonical_address().hex(),
        "accepted": good,
        "acceptedTexts": [
            {"hash": good[1]["hash"], "text": text}
            for text in (json.dumps(whole), json.dumps(dict(reversed(whole.items())), indent=1))
        ],
        "readAs": {"service": "registry"}
        | {
            name: whole[name]
            for name in ("chainId", "contract", "round", "envelopeDigest", "registryDigest")
        },
        "rejected": [{"code": code, "list": {**whole, **change}} for code, change in changes],
        "rejectedTexts": _rejected_texts(whole),
        "counted": [_counted(1024), _counted(1025) | {"code": "grants.malformed"}],
        "audits": _audits(),
    }


def _rejected_texts(whole: Json) -> Json:
    text = json.dumps(whole)
    texts = (
        "",
        "[]",
        text[:-1],
        text + "{}",
        "\ufeff" + text,
        text.replace('"round": 3', '"round": 4, "round": 3'),
        text.replace('"round": 3', '"round": 3, "round": 3'),
        text.replace('"input"', '"input": "salt", "input"', 1),
        text.replace('"round": 3', '"round": 3.0'),
        text.replace('"round": 3', '"round": 3e0'),
        text.replace('"final": true', '"final": null'),
    )
    return [{"code": "grants.malformed", "text": text} for text in texts]


def _counted(count: int) -> Json:
    """A sender's list whose grant i, from 1, is the document to operator number i at second i."""
    grants = [(i.to_bytes(20, "big"), "document", i) for i in range(1, count + 1)]
    made = _list("sender", grants)
    return {"grants": count, "hash": made["hash"], "signature": made["list"]["signature"]}


def _audits() -> Json:
    sender, registry = _list("sender", _DOCUMENTS)["list"], _list("registry", _INPUTS)["list"]
    both = [sender, registry]
    early = _list("registry", _INPUTS, is_final=False)["list"]
    at_once = _list("sender", _DOCUMENTS, issued_at=_LAST_VOTE)["list"]
    before = _list("sender", _DOCUMENTS, issued_at=_LAST_VOTE - 1)["list"]
    stranger = bytes([0xA2]) * 20
    return {
        "lastVoteAt": _LAST_VOTE,
        "rejected": [
            {"code": "grants.second_list", "lists": [sender, registry, sender]},
            {"code": "grants.not_final", "lists": [sender, early]},
            {"code": "grants.not_final", "lists": [before]},
        ],
        "members": [
            _member(both, _OPERATORS[0], _LAST_VOTE, ()),
            _member(both, _OPERATORS[1], _LAST_VOTE, ("salt",)),
            _member(both, stranger, _LAST_VOTE, ("document", "salt", "snapshot")),
            _member([registry], _OPERATORS[1], _LAST_VOTE, ("salt",)),
            _member([at_once], _OPERATORS[1], _LAST_VOTE, ()),
            _member(both, _OPERATORS[0], _FIRST_GRANT - 118, ()),
            _member(both, _OPERATORS[0], _FIRST_GRANT - 119, ("salt",), "late"),
            _member(both, _OPERATORS[0], _FIRST_GRANT - 120, ("salt", "snapshot"), "late"),
            _member(
                both, _OPERATORS[0], _FIRST_GRANT - 121, ("document", "salt", "snapshot"), "late"
            ),
            _member(both, _OPERATORS[1], 1, ("document", "salt", "snapshot"), "not granted"),
        ],
    }


def _member(
    lists: list[Json], operator: bytes, voted_at: int, missing: tuple[str, ...], standing: str = ""
) -> Json:
    return {
        "lists": lists,
        "operator": "0x" + operator.hex(),
        "votedAt": voted_at,
        "standing": standing or ("not granted" if missing else "granted"),
        "missing": list(missing),
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
