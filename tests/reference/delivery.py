"""Bundles, site proofs, token lists and archives after docs/spec/bundle.md, before sealing."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import Any

from tests.reference.model import Partition, Round
from tests.reference.pseudonyms import round_context, site_key
from tests.reference.trees import tree_path

Fields = list[bytes]
SMALLEST = 65536


def context_of(result: Round) -> bytes:
    return round_context(result.chain_id, result.contract, result.number)


def name_of(label: bytes, bound_to: bytes, public_key: bytes) -> str:
    """The name under which something sealed to a public key is served."""
    return hashlib.sha256(label + bound_to + public_key).hexdigest()


def padded_size(content: int) -> int:
    """The smallest power of two that holds the content, 65 536 at least."""
    size = SMALLEST
    while size < content:
        size *= 2
    return size


# --- MessagePack, the shortest forms of the types that a bundle has ------------------------------


def packed_bytes(data: bytes) -> bytes:
    if len(data) < 1 << 8:
        return b"\xc4" + len(data).to_bytes(1, "big") + data
    if len(data) < 1 << 16:
        return b"\xc5" + len(data).to_bytes(2, "big") + data
    return b"\xc6" + len(data).to_bytes(4, "big") + data


def packed_text(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 1 << 8
    return (
        bytes([0xA0 | len(data)]) + data if len(data) < 32 else b"\xd9" + bytes([len(data)]) + data
    )


def packed_number(number: int) -> bytes:
    if number < 1 << 7:
        return bytes([number])
    for mark, size in ((b"\xcc", 1), (b"\xcd", 2), (b"\xce", 4)):
        if number < 1 << (8 * size):
            return mark + number.to_bytes(size, "big")
    raise AssertionError(number)


# --- section 1 -----------------------------------------------------------------------------------


def bundle_elements(result: Round, index: int) -> list[Any]:
    """The ten elements of the body, for the partition at that position of the round tree."""
    partition = result.partitions[index]
    leaves = [each.entry for each in result.partitions]
    return [
        context_of(result),
        partition.aggregator_id,
        partition.key,
        "".join(partition.nmis).encode(),
        b"".join(len(entry).to_bytes(4, "big") for entry in partition.entries),
        b"".join(partition.entries),
        partition.entry,
        index,
        len(leaves),
        b"".join(tree_path(leaves, index)),
    ]


def bundle_fields(elements: Sequence[Any]) -> Fields:
    """Each element in MessagePack."""
    pack: dict[type, Any] = {bytes: packed_bytes, str: packed_text, int: packed_number}
    return [pack[type(element)](element) for element in elements]


def bundle_body(fields: Fields) -> bytes:
    return bytes([0x90 | len(fields)]) + b"".join(fields)


def bundle_plaintext(body: bytes) -> bytes:
    """Header and body, without the zeros up to `padded_size`."""
    return b"OEPB\x01" + len(body).to_bytes(8, "big") + body


# --- section 4 -----------------------------------------------------------------------------------


def site_proof(result: Round, partition: Partition, nmi: str, disclose: bool) -> dict[str, Any]:
    """The proof of one site as a JSON object."""
    at = result.partitions.index(partition)
    leaves = [each.entry for each in result.partitions]
    return {
        "format": "oepnode site proof",
        "version": 1,
        "chainId": str(result.chain_id),
        "contract": "0x" + result.contract.hex(),
        "round": result.number,
        "nmi": nmi,
        "disclosure": {"siteKey": site_key(partition.key, nmi).hex()} if disclose else None,
        "sites": [
            {
                "entry": entry.hex(),
                "index": i,
                "path": [sibling.hex() for sibling in tree_path(partition.entries, i)],
            }
            for i, entry in enumerate(partition.entries)
            if partition.nmis[i] == nmi
        ],
        "partitionEntry": partition.entry.hex(),
        "index": at,
        "partitions": len(leaves),
        "path": [sibling.hex() for sibling in tree_path(leaves, at)],
    }


def compact(value: Any) -> str:
    """JSON without white space between the tokens."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# --- section 5 -----------------------------------------------------------------------------------


def archive_head(feed: tuple[str, str], salt: bytes, sizes: tuple[int, int]) -> bytes:
    profile = ("wide", "edge").index(feed[0])
    sign = ("canonical", "magnitude").index(feed[1])
    lengths = b"".join(size.to_bytes(8, "big") for size in sizes)
    return b"OEPI\x01" + bytes([profile, sign]) + salt + lengths


def stored(data: bytes) -> bytes:
    """A zlib stream (RFC 1950) of blocks that are not compressed (RFC 1951 section 3.2.4)."""
    blocks = [data[at : at + 0xFFFF] for at in range(0, len(data), 0xFFFF)]
    stream = b"\x78\x01"
    for number, block in enumerate(blocks, start=1):
        size = len(block)
        stream += bytes([number == len(blocks)])
        stream += size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + block
    return stream + zlib.adler32(data).to_bytes(4, "big")


# --- section 6 -----------------------------------------------------------------------------------


def token_list(snapshot: bytes, aggregator: str, tokens: Sequence[tuple[str, str]]) -> str:
    """The JSON of a list, with its line feed; the tokens in their order."""
    value = {
        "format": "oepnode token list",
        "version": 1,
        "snapshot": snapshot.hex(),
        "aggregator": aggregator,
        "tokens": [list(pair) for pair in tokens],
    }
    return compact(value) + "\n"


def framed_list(data: bytes) -> bytes:
    """Header and JSON, without the zeros up to `padded_size`."""
    return b"OEPT\x01" + len(data).to_bytes(8, "big") + data
