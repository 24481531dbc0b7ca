"""Bundles and archives before they are sealed, and what a reader must reject."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.reference import delivery
from tests.reference.model import Round, compute_round
from tests.reference.vectors.common import CONTRACT, SALT, Json
from tests.reference.vectors.documents import public_key
from tests.reference.vectors.rounds import array_round, blind_round, day_round

READER = "north"


def computed(texts: tuple[str, str], number: int, feed: tuple[str, str]) -> Round:
    """A round of the vectors."""
    envelope, snapshot = texts
    return compute_round(
        envelope.encode(),
        snapshot.encode(),
        SALT,
        chain_id=31337,
        contract=CONTRACT,
        number=number,
        profile=feed[0],
        import_sign=feed[1],
    )


def array_result() -> Round:
    """The round of ``round-array.json``."""
    return computed(array_round(), 1, ("wide", "canonical"))


def blind_result() -> Round:
    """The round of ``round-blind.json``."""
    return computed(blind_round(), 4, ("wide", "canonical"))


def position(result: Round, aggregator: str) -> int:
    """Position of an aggregator's partition in the round tree."""
    return [partition.aggregator_id for partition in result.partitions].index(aggregator)


def bundle_vectors() -> Json:
    """Bundles of whole rounds, lengths, and plaintexts that fail a check."""
    plain = array_result()
    return {
        "section": "bundle.md 1 to 3",
        "bundles": [
            _bundle("round-array.json", plain, READER),
            _bundle("round-array.json", plain, "south"),
            _bundle("round-day.json", computed(day_round(), 3, ("edge", "magnitude")), READER),
            _bundle("round-blind.json", blind_result(), READER),
        ],
        "sizes": [
            {"bodySize": size, "plaintextSize": delivery.padded_size(13 + size)}
            for size in (1, 65523, 65524, 131059, 131060, 10**6)
        ],
        "rejected": {
            "round": "round-array.json",
            "aggregator": READER,
            "cases": [
                {"check": check, "what": what, "plaintext": text.rstrip(b"\0").hex(), "size": size}
                for check, what, text, size in _rejected_bundles(plain)
            ],
        },
    }


def _bundle(file: str, result: Round, aggregator: str) -> Json:
    index = position(result, aggregator)
    body = delivery.bundle_body(delivery.bundle_fields(delivery.bundle_elements(result, index)))
    plaintext = delivery.bundle_plaintext(body)
    size = delivery.padded_size(len(plaintext))
    context, key = delivery.context_of(result), bytes.fromhex(public_key(aggregator))
    return {
        "round": file,
        "aggregator": aggregator,
        "publicKey": key.hex(),
        "info": (b"oep1 bundle" + context).hex(),
        "name": delivery.name_of(b"oep1 bundle name", context, key),
        "fileHead": (b"OEPF\x01" + context).hex(),
        "body": body.hex(),
        "plaintextSize": size,
        "plaintextSha256": hashlib.sha256(plaintext.ljust(size, b"\0")).hexdigest(),
    }


Rejected = list[tuple[str, str, bytes, int]]


def _rejected_bundles(result: Round) -> Rejected:
    index = position(result, READER)
    good = delivery.bundle_elements(result, index)
    size = delivery.SMALLEST

    def changed(changes: dict[int, Any]) -> bytes:
        elements = [changes.get(i, element) for i, element in enumerate(good)]
        return delivery.bundle_plaintext(delivery.bundle_body(delivery.bundle_fields(elements)))

    def spelled(at: int, field: bytes) -> bytes:
        fields = delivery.bundle_fields(good)
        fields[at] = field
        return delivery.bundle_plaintext(delivery.bundle_body(fields))

    whole, fields = changed({}), delivery.bundle_fields(good)
    body = whole[13:]
    cases: Rejected = [
        ("format", "another magic", b"OEPX" + whole[4:], size),
        ("format", "version 2", b"OEPB\x02" + whole[5:], size),
        ("format", "the length of the body is one too large",
         whole[:5] + (len(body) + 1).to_bytes(8, "big") + body, size),
        ("format", "the length of the body is one too small",
         whole[:5] + (len(body) - 1).to_bytes(8, "big") + body, size),
        ("format", "the length of the body is that of the plaintext",
         whole[:5] + size.to_bytes(8, "big") + body, size),
        ("format", "a byte of the padding is not zero", whole + b"\0\1", size),
        ("format", "twice as long as it must be", whole, 2 * size),
        ("format", "no power of two", whole, size + 1),
        ("format", "without padding", whole, len(whole)),
        ("format", "header alone", whole[:13], 13),
        ("format", "nothing", b"", 0),
        ("format", "nine elements",
         delivery.bundle_plaintext(delivery.bundle_body(fields[:9])), size),
        ("format", "eleven elements",
         delivery.bundle_plaintext(delivery.bundle_body([*fields, b"\xc0"])), size),
        ("format", "a longer array header",
         delivery.bundle_plaintext(b"\xdc\x00\x0a" + b"".join(fields)), size),
        ("format", "bytes after the array", delivery.bundle_plaintext(body + b"\xc0"), size),
        ("format", "a longer form of a number", spelled(7, b"\xcc" + fields[7]), size),
        ("format", "a longer form of a text", spelled(1, b"\xd9\x05north"), size),
        ("format", "a longer form of bytes",
         spelled(2, b"\xc5\x00\x20" + good[2]), size),
        ("format", "bytes in the place of a text", changed({1: b"north"}), size),
        ("format", "a text in the place of bytes", spelled(3, b"\xd9" + bytes([len(good[3])]) +
         good[3]), size),
        ("format", "a key of 31 bytes", changed({2: good[2][1:]}), size),
        ("format", "a context of 61 bytes", changed({0: good[0] + b"\0"}), size),
        ("format", "a partition entry of 74 bytes", changed({6: good[6] + b"\0"}), size),
        ("format", "a path of 33 steps", changed({9: bytes(33 * 32)}), size),
        ("format", "a negative index", spelled(7, b"\xff"), size),
        ("context", "another round", changed({0: good[0][:-1] + b"\2"}), size),
        ("context", "another chain", changed({0: b"\1" + good[0][1:]}), size),
        ("aggregator", "another aggregator's", changed({1: "south"}), size),
        ("aggregator", "the id in another case", changed({1: "North"}), size),
        ("partition-count", "one partition more", changed({8: good[8] + 1}), size),
        ("inclusion", "another position", changed({7: index ^ 1}), size),
        ("inclusion", "position equal to the count", changed({7: good[8]}), size),
        ("inclusion", "one bit of the path", changed({9: flipped(good[9])}), size),
        ("inclusion", "a step too few", changed({9: good[9][:-32]}), size),
        ("inclusion", "a step too many", changed({9: good[9] + good[9][-32:]}), size),
        ("inclusion", "a path that ends in the middle of a step", changed({9: good[9] + b"\0"}),
         size),
        ("inclusion", "one site more in the partition entry",
         changed({6: good[6][:-1] + bytes([good[6][-1] + 1])}), size),
        ("aggregator-pseudonym", "another key", changed({2: flipped(good[2])}), size),
    ]  # fmt: skip
    other = delivery.bundle_elements(result, position(result, "south"))
    other[1] = READER
    foreign = delivery.bundle_plaintext(delivery.bundle_body(delivery.bundle_fields(other)))
    cases.append(
        ("aggregator-pseudonym", "another's partition with the reader's id", foreign, size)
    )
    return cases + [(*case, size) for case in _rejected_sites(result, changed)]


def _rejected_sites(result: Round, changed: Any) -> list[tuple[str, str, bytes]]:
    partition = result.partitions[position(result, READER)]
    entries, nmis = list(partition.entries), list(partition.nmis)

    def with_sites(entries: list[bytes], nmis: list[str]) -> bytes:
        lengths = b"".join(len(entry).to_bytes(4, "big") for entry in entries)
        made: bytes = changed({3: "".join(nmis).encode(), 4: lengths, 5: b"".join(entries)})
        return made

    first = entries[0]
    kinds = 40 + first[39] + 12
    horizon = 40 + first[39]
    assert first[kinds - 2 : kinds] == result.count.to_bytes(2, "big")
    no_limit = b"\x80\0\0\0" * result.count
    extra = first[:kinds] + bytes([first[kinds] | 8]) + first[kinds + 1 :] + no_limit
    assert not first[kinds] & 8
    later = first[: horizon + 7] + bytes([first[horizon + 7] ^ 1]) + first[horizon + 8 :]
    lengths = b"".join(len(entry).to_bytes(4, "big") for entry in entries)
    longer = lengths[:-1] + bytes([lengths[-1] + 1])
    swapped = [entries[1], entries[0], *entries[2:]]
    limit = entries[-1][:-1] + bytes([entries[-1][-1] ^ 1])
    return [
        ("site-count", "a site too few", with_sites(entries[1:], nmis[1:])),
        ("site-count", "a site too many", with_sites([*entries, entries[-1]], [*nmis, nmis[-1]])),
        ("site-count", "an NMI too few", changed({3: "".join(nmis[1:]).encode()})),
        ("site-count", "NMIs with checksums",
         changed({3: "".join(n + "0" for n in nmis).encode()})),
        ("site-count", "no site", with_sites([], [])),
        ("site-count", "a length too large", changed({4: longer})),
        ("sites", "another version of an entry",
         with_sites([first[:4] + b"\2" + first[5:], *entries[1:]], nmis)),
        ("sites", "a level of 2",
         with_sites([first[:37] + b"\2" + first[38:], *entries[1:]], nmis)),
        ("sites", "a kind without a limit", with_sites([extra, *entries[1:]], nmis)),
        ("sites", "a byte after an entry", with_sites([first + b"\0", *entries[1:]], nmis)),
        ("sites", "two horizons", with_sites([later, *entries[1:]], nmis)),
        ("sites", "an NMI that is not ASCII",
         changed({3: "".join(nmis).encode()[:-1] + b"\xff"})),
        ("pseudonyms", "another NMI", with_sites(entries, ["2001985732", *nmis[1:]])),
        ("pseudonyms", "two NMIs exchanged", with_sites(swapped, nmis)),
        ("order", "two sites exchanged", with_sites(swapped, [nmis[1], nmis[0], *nmis[2:]])),
        ("order", "one site twice",
         with_sites([first, first, *entries[2:]], [nmis[0], nmis[0], *nmis[2:]])),
        ("partition-root", "one bit of a limit", with_sites([*entries[:-1], limit], nmis)),
    ]  # fmt: skip


def flipped(data: bytes) -> bytes:
    """The bytes with their first bit changed."""
    return bytes([data[0] ^ 0x80]) + data[1:]


# --- archives ------------------------------------------------------------------------------------


def archive_vectors() -> Json:
    """The inputs of a round, and plaintexts that hold no inputs."""
    data = b"[]{}"
    head, stream = _sized((2, 2)), delivery.stored(data)
    whole = head + stream
    damaged = (
        ("another magic", b"OEPX" + whole[4:]),
        ("version 2", whole[:4] + b"\2" + whole[5:]),
        ("profile 2", whole[:5] + b"\2" + whole[6:]),
        ("import sign 2", whole[:6] + b"\2" + whole[7:]),
        ("a length too large", _sized((2, 3)) + stream),
        ("a length too small", _sized((1, 2)) + stream),
        ("more than 2^30 bytes", _sized((2**30, 1)) + stream),
        ("lengths whose sum does not fit 64 bits", _sized((2**64 - 1, 5)) + stream),
        ("a byte after the stream", whole + b"\0"),
        ("two streams", head + delivery.stored(data[:2]) + delivery.stored(data[2:])),
        ("a stream that ends early", whole[:-1]),
        ("another checksum", whole[:-1] + bytes([whole[-1] ^ 1])),
        ("no stream", head),
        ("a head cut short", head[:54]),
        ("no compression", head + data),
    )
    return {
        "section": "bundle.md 5",
        "archives": [
            _archive("round-array.json", array_round(), 1, ("wide", "canonical")),
            _archive("round-day.json", day_round(), 3, ("edge", "magnitude")),
        ],
        "shortest": {"envelope": "[]", "registry": "{}", "plaintext": whole.hex()},
        "rejected": [{"what": what, "plaintext": text.hex()} for what, text in damaged],
    }


def _sized(sizes: tuple[int, int]) -> bytes:
    return delivery.archive_head(("wide", "canonical"), SALT, sizes)


def _archive(file: str, texts: tuple[str, str], number: int, feed: tuple[str, str]) -> Json:
    envelope, snapshot = (text.encode() for text in texts)
    head = delivery.archive_head(feed, SALT, (len(envelope), len(snapshot)))
    context = delivery.context_of(computed(texts, number, feed))
    return {
        "round": file,
        "info": (b"oep1 inputs" + context).hex(),
        "head": head.hex(),
    }
