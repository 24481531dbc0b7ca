"""Site proofs and token lists, and what a reader must reject, by the name of the check."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.reference import delivery
from tests.reference.model import Round
from tests.reference.pseudonyms import site_key
from tests.reference.tokens import token
from tests.reference.vectors.common import AEMO_NMIS, Json
from tests.reference.vectors.delivery import (
    READER,
    array_result,
    blind_result,
    flipped,
    position,
)
from tests.reference.vectors.documents import CHURN, public_key
from tests.reference.vectors.rounds import blind_round
from tests.reference.vectors.tokens import BLINDING_KEY

BOTH_LEVELS, ONE_LEVEL = "6305888444", "QAAAVZZZZZ"


def site_proof_vectors() -> Json:
    """Proofs of sites of two rounds, and proofs that fail a check."""
    plain, blind = array_result(), blind_result()
    name = token(BLINDING_KEY, BOTH_LEVELS)
    rejected = _malformed(plain) + _untrue(plain)
    return {
        "section": "bundle.md 4",
        "proofs": [
            _proof("round-array.json", plain, BOTH_LEVELS, False),
            _proof("round-array.json", plain, BOTH_LEVELS, True),
            _proof("round-array.json", plain, ONE_LEVEL, True),
            _proof("round-blind.json", blind, name, True),
        ],
        "acceptedToo": {
            "round": "round-array.json",
            "cases": [{"what": what, "text": text} for what, text in _other_spellings(plain)],
        },
        "rejected": {
            "round": "round-array.json",
            "cases": [
                {"check": check, "what": what, "text": text} for check, what, text in rejected
            ],
        },
    }


def _of(result: Round, nmi: str, disclose: bool) -> dict[str, Any]:
    partition = result.partitions[position(result, READER)]
    return delivery.site_proof(result, partition, nmi, disclose)


def _proof(file: str, result: Round, nmi: str, disclose: bool) -> Json:
    text = delivery.compact(_of(result, nmi, disclose))
    return {
        "round": file,
        "aggregator": READER,
        "nmi": nmi,
        "isNmiProven": disclose,
        "text": text,
    }


def _other_spellings(result: Round) -> list[tuple[str, str]]:
    good = _of(result, BOTH_LEVELS, True)
    return [
        ("white space", "\r\n\t " + json.dumps(good, indent="\t") + "\r\n"),
        (
            "the two levels in the other order",
            delivery.compact({**good, "sites": good["sites"][::-1]}),
        ),
    ]


def _malformed(result: Round) -> list[tuple[str, str, str]]:
    good = _of(result, BOTH_LEVELS, True)
    text = delivery.compact(good)
    site = good["sites"][0]

    def field(**changes: Any) -> str:
        return delivery.compact({**good, **changes})

    first, *others = good.items()
    return [
        ("format", "another format", field(format="oepnode bundle")),
        ("format", "version 2", field(version=2)),
        ("format", "a field more", field(note="")),
        ("format", "a field missing", delivery.compact(dict(others))),
        ("format", "fields in another order", delivery.compact(dict([*others, first]))),
        ("format", "a key twice", text.replace('"round":1', '"round":2,"round":1')),
        ("format", "an escape", text.replace('"nmi"', '"nm\\u0069"')),
        ("format", "bytes after it", text + "{}"),
        ("format", "an NMI with its checksum", field(nmi=BOTH_LEVELS + "6")),
        ("format", "a token in upper case", field(nmi="AB" * 16)),
        ("format", "chain id as a number", field(chainId=31337)),
        ("format", "chain id with a leading zero", field(chainId="031337")),
        ("format", "round 0", field(round=0)),
        ("format", "round as a text", field(round="1")),
        ("format", "contract in upper case", field(contract="0x" + good["contract"][2:].upper())),
        ("format", "bytes in upper case", field(partitionEntry=good["partitionEntry"].upper())),
        ("format", "a sibling of 31 bytes", field(path=[good["path"][0][2:], *good["path"][1:]])),
        ("format", "a key of 31 bytes", field(disclosure={"siteKey": "00" * 31})),
        ("format", "no site", field(sites=[])),
        ("format", "three sites", field(sites=[site] * 3)),
        ("format", "a negative index", field(index=-1)),
        ("context", "another chain", field(chainId="1")),
        ("context", "another contract", field(contract="0x" + "11" * 20)),
        ("context", "another round", field(round=2)),
    ]


def _untrue(result: Round) -> list[tuple[str, str, str]]:
    good = _of(result, BOTH_LEVELS, True)
    first, second = good["sites"]
    stranger = _of(result, ONE_LEVEL, True)
    key = site_key(result.partitions[position(result, READER)].key, ONE_LEVEL).hex()

    def field(**changes: Any) -> str:
        return delivery.compact({**good, **changes})

    def sites(**changes: Any) -> str:
        return field(sites=[{**first, **changes}, second])

    entry = bytes.fromhex(first["entry"])
    horizon = 40 + entry[39]
    later = entry[: horizon + 7] + bytes([entry[horizon + 7] ^ 1]) + entry[horizon + 8 :]
    limit = entry[:-1] + bytes([entry[-1] ^ 1])
    counted = good["partitionEntry"][:-2] + "7f"
    return [
        ("sites", "another version of an entry",
         sites(entry=(entry[:4] + b"\2" + entry[5:]).hex())),
        ("sites", "an entry cut short", sites(entry=entry[:-1].hex())),
        ("sites", "one level twice", field(sites=[first, first])),
        ("sites", "entries of two sites", field(sites=[first, stranger["sites"][0]])),
        ("sites", "two horizons", sites(entry=later.hex())),
        ("pseudonyms", "another site's key", field(disclosure={"siteKey": key})),
        ("pseudonyms", "another NMI", field(nmi="2001985732")),
        ("pseudonyms", "another NMI with its key",
         field(nmi=ONE_LEVEL, disclosure=stranger["disclosure"])),
        ("site-inclusion", "one bit of a limit", sites(entry=limit.hex())),
        ("site-inclusion", "another position", sites(index=first["index"] ^ 1)),
        ("site-inclusion", "one bit of a path", sites(path=_flipped(first["path"]))),
        ("site-inclusion", "a path too short", sites(path=first["path"][:-1])),
        ("site-inclusion", "a partition entry cut short",
         field(partitionEntry=good["partitionEntry"][:-2])),
        ("partition-count", "one partition more", field(partitions=good["partitions"] + 1)),
        ("inclusion", "another position of the partition", field(index=good["index"] ^ 1)),
        ("inclusion", "one bit of the partition's path", field(path=_flipped(good["path"]))),
        ("inclusion", "a step too many", field(path=[*good["path"], good["path"][0]])),
        ("site-inclusion", "another count of sites", field(partitionEntry=counted)),
    ]  # fmt: skip


def _flipped(path: list[str]) -> list[str]:
    return [flipped(bytes.fromhex(path[0])).hex(), *path[1:]]


# --- token lists ---------------------------------------------------------------------------------


def token_list_vectors() -> Json:
    """The lists of all aggregators of ``round-blind.json``, and lists that fail a check."""
    snapshot = hashlib.sha256(blind_round()[1].encode()).digest()
    lists = []
    for name in ("north", "south", "idle"):
        nmis = sorted({nmi for nmi, holder, _, _ in CHURN if holder == name})
        text = delivery.token_list(snapshot, name, [(n, token(BLINDING_KEY, n)) for n in nmis])
        framed = delivery.framed_list(text.encode())
        size = delivery.padded_size(len(framed))
        key = bytes.fromhex(public_key(name))
        lists.append(
            {
                "aggregator": name,
                "publicKey": key.hex(),
                "text": text,
                "framed": framed.hex(),
                "paddedSize": size,
                "paddedSha256": hashlib.sha256(framed.ljust(size, b"\0")).hexdigest(),
                "info": (b"oep1 tokens" + snapshot).hex(),
                "name": delivery.name_of(b"oep1 tokens name", snapshot, key),
            }
        )
    empty = delivery.token_list(snapshot, "nobody", [])
    return {
        "section": "bundle.md 6",
        "snapshot": snapshot.hex(),
        "lists": lists,
        "emptyList": empty,
        "rejected": _rejected_lists(snapshot),
        "rejectedPadding": _rejected_padding(lists[0]["text"].encode()),
    }


def _rejected_lists(snapshot: bytes) -> Json:
    pairs = [(nmi, token(BLINDING_KEY, nmi)) for nmi in sorted(AEMO_NMIS[:4])]
    good = delivery.token_list(snapshot, READER, pairs)

    def listed(pairs: list[tuple[str, str]]) -> str:
        return delivery.token_list(snapshot, READER, pairs)

    (first, mine), (second, other) = pairs[:2]
    cases = (
        ("format", "no line feed at its end", good[:-1]),
        ("format", "two line feeds at its end", good + "\n"),
        ("format", "a carriage return before the line feed", good[:-1] + "\r\n"),
        ("format", "white space inside", good.replace(",", ", ", 1)),
        ("format", "an escape", good.replace("north", "nort\\u0068")),
        ("format", "version 2", good.replace('"version":1', '"version":2')),
        ("format", "a field more", good.replace('"tokens"', '"note":0,"tokens"')),
        ("format", "a key twice", good.replace('"version":1', '"version":1,"version":1')),
        ("format", "an NMI with its checksum", listed([("20019857327", mine)])),
        ("format", "a token in upper case", listed([(first, mine.upper())])),
        ("format", "an NMI alone", good.replace(f',"{mine}"', "")),
        ("format", "an id with a blank", good.replace('"north"', '"nor th"')),
        ("order", "two NMIs exchanged", listed([(second, other), (first, mine)])),
        ("order", "an NMI twice", listed([(first, mine), (first, other)])),
        ("order", "a token twice", listed([(first, mine), (second, mine)])),
        ("aggregator", "another aggregator's", good.replace('"north"', '"south"')),
        ("snapshot", "another snapshot's", good.replace(snapshot.hex(), "11" * 32)),
        ("tokens", "no token of the bundle", listed([(AEMO_NMIS[8], "ab" * 16)])),
    )
    return [{"check": check, "what": what, "text": text} for check, what, text in cases]


def _rejected_padding(data: bytes) -> Json:
    framed, size = delivery.framed_list(data), delivery.SMALLEST
    cases = (
        ("another magic", b"OEPB" + framed[4:], size),
        ("version 2", framed[:4] + b"\2" + framed[5:], size),
        ("a length too large", framed[:12] + bytes([framed[12] + 1]) + framed[13:], size * 2),
        ("a byte of the padding is not zero", framed + b"\0\1", size),
        ("twice as long as it must be", framed, size * 2),
        ("without padding", framed, len(framed)),
        ("nothing", b"", 0),
    )
    return [
        {"what": what, "framed": text.rstrip(b"\0").hex(), "size": length}
        for what, text, length in cases
    ]
