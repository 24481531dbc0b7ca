"""Certificates of three members: each kind of ballot, and each fault by name."""

from __future__ import annotations

import json
from typing import Any

from eth_keys.datatypes import PrivateKey

from tests.reference.ballots import ballot_hash, result_hash
from tests.reference.certificate import cast_ballot, relayed_hash, rlp, transaction_hash
from tests.reference.vectors.common import CONTRACT, Json, digest

_CHAIN = 246
_ROUND = 17
_ROOT, _PARTITIONS = digest("a round tree"), 4
_CUSTODY = digest("a custody root")
_KEYS = [PrivateKey(digest(f"oepnode test vectors: signer {i}")) for i in range(4)]
_INDICES = (0, 1, 5)
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_LISTED = [[CONTRACT, [digest("a storage key")]]]


def certificate_vectors() -> Json:
    """Certificates that are accepted, and such as are not."""
    direct = _certificate([_direct(0, 0), _direct(1, 1), _direct(2, 2)])
    relayed = _certificate([_relayed(0), _relayed(1), _relayed(2)])
    mixed = _certificate([_direct(0, 2), _relayed(2)])
    accepted = [direct, relayed, mixed, _certificate([_direct(1, 2), _relayed(2)], epoch=2**32 - 1)]
    return {
        "page": "certificate.md",
        "electorate": {
            "chainId": _CHAIN,
            "contract": _hex20(CONTRACT),
            "round": _ROUND,
            "quorum": 2,
            "members": _members(),
        },
        "accepted": accepted,
        "canonical": json.dumps(mixed, separators=(",", ":")),
        "acceptedTexts": [json.dumps(mixed), json.dumps(dict(reversed(mixed.items())), indent=1)],
        "hashes": _hashes(),
        "changed": mixed,
        "rejected": [
            *_malformed(mixed),
            *_of_electorate(mixed),
            *_of_ballots(mixed),
            *_of_transactions(mixed),
            *_of_signatures(mixed),
        ],
        "rejectedTexts": _texts(mixed),
    }


# --- what is accepted ----------------------------------------------------------------------------


def _certificate(ballots: list[Json], **changes: Any) -> Json:
    return {
        "format": "oepnode certificate 1",
        "chainId": _CHAIN,
        "contract": _hex20(CONTRACT),
        "round": _ROUND,
        "rulesVersion": 1,
        "envelopeDigest": digest("an envelope document").hex(),
        "registryDigest": digest("a registry snapshot").hex(),
        "epoch": 2,
        "quorum": 2,
        "members": _members(),
        "root": _ROOT.hex(),
        "partitions": _PARTITIONS,
        "ballots": ballots,
    } | changes


def _members() -> Json:
    return [
        {
            "index": index,
            "operator": _hex20(bytes([0xA0 + seat]) * 20),
            "signer": _hex20(_KEYS[seat].public_key.to_canonical_address()),
        }
        for seat, index in enumerate(_INDICES)
    ]


def _ballot(seat: int, **of: Any) -> bytes:
    """The member's ballot, or that of another round, root and so on."""
    values: dict[str, Any] = {
        "chain": _CHAIN,
        "contract": CONTRACT,
        "number": _ROUND,
        "root": _ROOT,
    } | of
    result = result_hash(values["root"], _PARTITIONS)
    return ballot_hash(
        values["chain"], values["contract"], values["number"], _INDICES[seat], result
    )


def _relayed(seat: int, by: int | None = None, **of: Any) -> Json:
    ballot, custody = of.pop("ballot", None) or _ballot(seat, **of), of.pop("custody", _CUSTODY)
    hashed = relayed_hash(
        of.get("chain", _CHAIN),
        of.get("contract", CONTRACT),
        of.get("number", _ROUND),
        ballot,
        custody,
    )
    r, s, parity = _sign(seat if by is None else by, hashed)
    tail = r.to_bytes(32, "big") + (parity << 255 | s).to_bytes(32, "big")
    return {"index": _INDICES[seat], "signedBallot": (ballot + custody + tail).hex()}


def _fields(kind: int, data: bytes, chain: int, to: bytes, value: Any) -> list[Any]:
    """The fields before the signature."""
    call = [90_000, to, value, data]
    if kind == 0:
        return [3, 10**9, *call]
    if kind == 1:
        return [chain, 3, 10**9, *call, _LISTED]
    return [chain, 0, 1, 10**9, *call, []]


def _direct(seat: int, kind: int, by: int | None = None, **of: Any) -> Json:
    """A direct ballot; ``data``, ``to`` and ``value`` change the transaction alone."""
    data, to, value = (of.pop(name, None) for name in ("data", "to", "value"))
    chain, number = of.get("chain", _CHAIN), of.get("number", _ROUND)
    custody = of.pop("custody", _CUSTODY)
    if data is None:
        data = cast_ballot(number, _ballot(seat, **of), custody)
    contract = of.get("contract", CONTRACT) if to is None else to
    fields = _fields(kind, data, chain, contract, 0 if value is None else value)
    signature = _sign(seat if by is None else by, transaction_hash(kind, fields, chain))
    return {"index": _INDICES[seat], "transaction": _whole(kind, fields, chain, *signature).hex()}


def _whole(kind: int, fields: list[Any], chain: int, r: int, s: int, parity: int) -> bytes:
    if kind == 0:
        return rlp([*fields, 35 + 2 * chain + parity, r, s])
    return bytes([kind]) + rlp([*fields, parity, r, s])


def _sign(seat: int, hashed: bytes) -> tuple[int, int, int]:
    signature = _KEYS[seat].sign_msg_hash(hashed)
    return signature.r, signature.s, signature.v


def _hashes() -> Json:
    """The hashes that the first member signs in ``accepted``: of types 0, 1 and 2, and relayed."""
    ballot = _ballot(0)
    data = cast_ballot(_ROUND, ballot, _CUSTODY)
    hashes = [
        transaction_hash(kind, _fields(kind, data, _CHAIN, CONTRACT, 0), _CHAIN).hex()
        for kind in range(3)
    ]
    return {
        "transactions": [
            {"transaction": _direct(0, kind)["transaction"], "hash": hashed}
            for kind, hashed in enumerate(hashes)
        ],
        "signedBallot": _relayed(0)["signedBallot"],
        "relayedHash": relayed_hash(_CHAIN, CONTRACT, _ROUND, ballot, _CUSTODY).hex(),
    }


# --- what is rejected ----------------------------------------------------------------------------


def _rejected(code: str, what: str, **changes: Any) -> Json:
    return {"code": code, "what": what, "changes": changes}


def _malformed(whole: Json) -> Json:
    first, second = whole["ballots"]
    member = whole["members"][0]
    changes: tuple[dict[str, Any], ...] = (
        {"format": "oepnode certificate 2"},
        {"format": None},
        {"chainId": 0},
        {"chainId": 2**53},
        {"chainId": "246"},
        {"contract": whole["contract"].upper()},
        {"contract": whole["contract"][2:]},
        {"round": 0},
        {"round": 2**32},
        {"rulesVersion": 2**16},
        {"rulesVersion": -1},
        {"envelopeDigest": whole["envelopeDigest"].upper()},
        {"registryDigest": whole["registryDigest"][:-2]},
        {"epoch": 0},
        {"quorum": 0},
        {"quorum": 129},
        {"root": "0x" + whole["root"]},
        {"partitions": 0},
        {"partitions": 2**32},
        {"extra": 1},
        {"members": []},
        {"members": [{**member, "index": 128}]},
        {"members": [{**member, "signer": None}]},
        {"members": [{**member, "endpoint": ""}]},
        {"ballots": []},
        {"ballots": [{"index": 0}]},
        {"ballots": [first | {"signedBallot": second["signedBallot"]}]},
        {"ballots": [{"index": 0, "transaction": ""}]},
        {"ballots": [{"index": 0, "transaction": first["transaction"] + "0"}]},
        {"ballots": [{"index": 0, "transaction": "0x" + first["transaction"]}]},
        {"ballots": [{"index": 0, "transaction": "02" * 2049}]},
        {"ballots": [first, {**second, "signedBallot": second["signedBallot"][:-2]}]},
        {"ballots": [first, {**second, "signedBallot": second["signedBallot"].upper()}]},
        {"ballots": [{**first, "operator": member["operator"]}]},
    )
    missing = [
        {"code": "certificate.malformed", "what": "a field less", "without": name} for name in whole
    ]
    return [_rejected("certificate.malformed", "a field", **c) for c in changes] + missing


def _of_electorate(whole: Json) -> Json:
    a, b, c = whole["members"]
    other = _hex20(_KEYS[3].public_key.to_canonical_address())
    cases: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("duplicate", "one index twice", {"members": [a, {**b, "index": 0}, c]}),
        ("duplicate", "one operator twice", {"members": [a, {**b, "operator": a["operator"]}, c]}),
        ("duplicate", "one signer twice", {"members": [a, b, {**c, "signer": b["signer"]}]}),
        ("order", "members out of order", {"members": [b, a, c]}),
        ("majority", "one of three", {"quorum": 1}),
        ("majority", "two of four", {"members": [*whole["members"], _fourth()]}),
        ("majority", "four of three", {"quorum": 4}),
        ("other_chain", "another chain", {"chainId": 1}),
        ("other_contract", "another contract", {"contract": "0x" + "11" * 20}),
        ("other_round", "another round", {"round": _ROUND + 1}),
        ("other_members", "another signer", {"members": [a, {**b, "signer": other}, c]}),
        ("other_members", "another index", {"members": [a, b, {**c, "index": 6}], **_first(whole)}),
        ("other_members", "one member less", {"members": [a, c]}),
        ("other_members", "one more", {"members": [*whole["members"], _fourth()], "quorum": 3}),
        ("other_quorum", "a larger quorum", {"quorum": 3}),
    )
    return [_rejected("certificate." + code, what, **c) for code, what, c in cases]


def _first(whole: Json) -> Json:
    return {"ballots": whole["ballots"][:1]}


def _fourth() -> Json:
    signer = _hex20(_KEYS[3].public_key.to_canonical_address())
    return {"index": 6, "operator": _hex20(b"\xa6" * 20), "signer": signer}


def _of_ballots(whole: Json) -> Json:
    first, last = whole["ballots"]
    abstention = _relayed(2, ballot=(2).to_bytes(32, "big"), custody=bytes(32))
    cases: tuple[tuple[str, str, list[Json]], ...] = (
        ("certificate.quorum", "one ballot", [first]),
        ("certificate.duplicate", "one ballot twice", [first, first]),
        ("certificate.duplicate", "both kinds of one member", [_direct(0, 2), _relayed(0)]),
        ("certificate.order", "out of order", [last, first]),
        ("certificate.no_member", "of nobody", [first, {**last, "index": 4}]),
        ("ballot.other_result", "copied to another member", [first, _copied(first, 1)]),
        ("ballot.other_result", "signed ballot copied", [_copied(last, 1), last]),
        ("ballot.other_result", "another root", [first, _relayed(2, root=_CUSTODY)]),
        ("ballot.other_result", "another root, direct", [_direct(0, 2, root=_CUSTODY), last]),
        ("ballot.other_result", "relayed in another round", [first, _relayed(2, number=16)]),
        ("ballot.other_result", "relayed on another chain", [first, _relayed(2, chain=1)]),
        ("ballot.other_result", "an abstention", [first, abstention]),
        ("ballot.other_result", "no custody root", [first, _relayed(2, custody=bytes(32))]),
        ("ballot.other_result", "direct without one", [_direct(0, 2, custody=bytes(32)), last]),
        ("ballot.other_round", "direct in another round", [_direct(0, 2, number=16), last]),
        ("ballot.other_chain", "direct on another chain", [_direct(0, 2, chain=1), last]),
        ("ballot.other_chain", "type 0 on another chain", [_direct(0, 0, chain=1), last]),
        ("ballot.other_contract", "another contract", [_direct(0, 1, contract=b"\x11" * 20), last]),
        ("ballot.signer", "another member's key", [first, _relayed(2, by=1)]),
        ("ballot.signer", "a key rotated away", [_direct(0, 2, by=3), last]),
        ("ballot.signer", "three, one is forged", [first, _relayed(1, by=3), last]),
    )
    cases_of_root = (
        ("ballot.other_result", "another root in the file", {"root": _CUSTODY.hex()}),
        ("ballot.other_result", "another number of partitions", {"partitions": 5}),
    )
    return [
        *(_rejected(code, what, ballots=ballots) for code, what, ballots in cases),
        *(_rejected(code, what, **change) for code, what, change in cases_of_root),
    ]


def _copied(ballot: Json, index: int) -> Json:
    return {**ballot, "index": index}


def _of_transactions(whole: Json) -> Json:
    last = whole["ballots"][1]
    call = cast_ballot(_ROUND, _ballot(0), _CUSTODY)
    selector = bytes.fromhex("12345678")
    cases: tuple[tuple[str, str, Json], ...] = (
        ("other_kind", "type 3", _raw(bytes([3]) + _bytes(_direct(0, 2))[1:])),
        ("other_kind", "not a list", _raw(rlp(b"castBallot"))),
        ("other_kind", "one byte", _raw(b"\x00")),
        ("other_kind", "another function", _direct(0, 2, data=selector + call[4:])),
        ("other_kind", "a byte after the call", _direct(0, 2, data=call + b"\0")),
        ("other_kind", "a byte less", _direct(0, 2, data=call[:-1])),
        ("other_kind", "no call", _direct(0, 1, data=b"")),
        ("other_kind", "with coin", _direct(0, 2, value=1)),
        ("other_kind", "a creation", _direct(0, 2, to=b"")),
        ("other_round", "2^64 too many", _direct(0, 2, data=_high(call, 23))),
        ("other_round", "2^32 too many", _direct(0, 2, data=_high(call, 27))),
        ("malformed", "recipient of 19 bytes", _direct(0, 2, to=CONTRACT[:19])),
        ("malformed", "type alone", _raw(b"\x02")),
        ("malformed", "cut off", _raw(_bytes(_direct(0, 2))[:-1])),
        ("malformed", "a byte too many", _raw(_bytes(_direct(0, 0)) + b"\0")),
        ("malformed", "no signature", _raw(bytes([2]) + rlp(_base(call)))),
        ("malformed", "fields of type 1", _raw(bytes([2]) + _bytes(_direct(0, 1))[1:])),
        ("malformed", "parity 2", _altered(call, parity=2)),
        ("malformed", "value with a zero byte", _direct(0, 2, value=b"\0")),
        ("malformed", "value of 33 bytes", _direct(0, 2, value=b"\1" * 33)),
        ("malformed", "value as a list", _direct(0, 2, value=[])),
        ("malformed", "call as a list", _direct(0, 2, data=[call])),
        ("malformed", "long form of a length", _raw(_long_form())),
        ("malformed", "access list of bytes", _altered(call, listed=b"")),
        ("malformed", "access list without keys", _altered(call, listed=[[CONTRACT]])),
        ("malformed", "key of 31 bytes", _altered(call, listed=[[CONTRACT, [_CUSTODY[1:]]]])),
        ("malformed", "nested without end", _raw(b"\x02" + b"\xc1" * 1000)),
        ("other_chain", "type 0 without a chain", _raw(_without_chain(call))),
    )
    return [
        _rejected("ballot." + code, what, ballots=[ballot, last]) for code, what, ballot in cases
    ]


def _raw(transaction: bytes) -> Json:
    return {"index": 0, "transaction": transaction.hex()}


def _bytes(ballot: Json) -> bytes:
    return bytes.fromhex(ballot["transaction"])


def _base(call: bytes) -> list[Any]:
    return _fields(2, call, _CHAIN, CONTRACT, 0)


def _high(call: bytes, at: int) -> bytes:
    """The call with a bit set above its round."""
    changed = bytearray(call)
    changed[4 + at] = 1
    return bytes(changed)


def _altered(call: bytes, listed: Any = None, parity: int | None = None) -> Json:
    """A transaction with another access list, signed with it, or with another parity."""
    fields = _base(call)
    if listed is not None:
        fields[-1] = listed
    r, s, own = _sign(0, transaction_hash(2, fields, _CHAIN))
    return _raw(_whole(2, fields, _CHAIN, r, s, own if parity is None else parity))


def _long_form() -> bytes:
    """The accepted type 0, with the length of its list in one byte more."""
    raw = _bytes(_direct(0, 0))
    assert raw[0] == 0xF8
    return b"\xf9\0" + raw[1:]


def _without_chain(call: bytes) -> bytes:
    fields = _fields(0, call, _CHAIN, CONTRACT, 0)
    r, s, parity = _sign(0, transaction_hash(1, fields, 0))
    return rlp([*fields, 27 + parity, r, s])


def _of_signatures(whole: Json) -> Json:
    first, last = whole["ballots"]
    call = cast_ballot(_ROUND, _ballot(0), _CUSTODY)
    r, s, parity = _sign(0, transaction_hash(2, _base(call), _CHAIN))
    numbers = (
        ("r 0", 0, s, parity),
        ("s 0", r, 0, parity),
        ("r of the order", _ORDER, s, parity),
        ("the twin with a high s", r, _ORDER - s, 1 - parity),
    )
    direct = [
        _rejected(
            "ballot.signature",
            what,
            ballots=[_raw(_whole(2, _base(call), _CHAIN, *signature)), last],
        )
        for what, *signature in numbers
    ]
    relayed = [
        _rejected("ballot.signature", f"relayed: {what}", ballots=[first, ballot])
        for what, ballot in (
            ("r 0", _with_signature(last, r=0)),
            ("s 0", _with_signature(last, s=0)),
            ("s above half of the order", _with_signature(last, s=2**255 - 1)),
        )
    ]
    flipped = _with_signature(last, flip=True)
    signer = _rejected("ballot.signer", "the other parity", ballots=[first, flipped])
    return [*direct, *relayed, signer]


def _parts(ballot: Json) -> tuple[bytes, int, int, int]:
    data = bytes.fromhex(ballot["signedBallot"])
    tail = int.from_bytes(data[96:], "big")
    return data[:64], int.from_bytes(data[64:96], "big"), tail % 2**255, tail >> 255


def _with_signature(
    ballot: Json, r: int | None = None, s: int | None = None, flip: bool = False
) -> Json:
    vote, own_r, own_s, parity = _parts(ballot)
    new_r, new_s = own_r if r is None else r, own_s if s is None else s
    tail = (parity ^ flip) << 255 | new_s
    data = vote + new_r.to_bytes(32, "big") + tail.to_bytes(32, "big")
    return {**ballot, "signedBallot": data.hex()}


def _texts(whole: Json) -> Json:
    text = json.dumps(whole)
    texts = (
        "",
        "[]",
        text[:-1],
        text + "{}",
        "\ufeff" + text,
        text.replace('"round": 17', '"round": 18, "round": 17'),
        text.replace('"round": 17', '"round": 17, "round": 17'),
        text.replace('"index": 5', '"index": 5, "index": 5'),
        text.replace('"round": 17', '"round": 17.0'),
        text.replace('"round": 17', '"round": 17e0'),
        text.replace('"ballots": [', '"ballots": null, "x": ['),
    )
    return [{"code": "certificate.malformed", "text": text} for text in texts]


def _hex20(address: bytes) -> str:
    return "0x" + address.hex()
