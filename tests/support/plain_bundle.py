"""A bundle read the plain way, whole and site by site: the model of the streamed reader.

Written from docs/spec/bundle.md sections 1 and 3, on msgspec's decoder in place of the stream.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import decode_partition, decode_site
from oepnode.domain.rounds.pseudonyms import aggregator_pseudonym, site_key, site_pseudonym
from oepnode.errors import EvidenceError

HEAD_SIZE = 13


def _bin(least: int, most: int) -> Meta:
    return Meta(min_length=least, max_length=most)


class Body(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The body in the order of its MessagePack array."""

    context: Annotated[bytes, _bin(60, 60)]
    aggregator: str
    key: Annotated[bytes, _bin(32, 32)]
    nmis: bytes
    lengths: bytes
    entries: bytes
    partition_entry: Annotated[bytes, _bin(73, 73)]
    index: Annotated[int, Meta(ge=0, lt=1 << 32)]
    partitions: Annotated[int, Meta(ge=0, lt=1 << 32)]
    path: Annotated[bytes, _bin(0, 1024)]


def body_of(data: bytes) -> Body:
    end = HEAD_SIZE + int.from_bytes(data[5:HEAD_SIZE])
    return msgspec.msgpack.decode(data[HEAD_SIZE:end], type=Body)


def frame(body: bytes) -> bytes:
    size = max(65_536, 1 << (HEAD_SIZE + len(body) - 1).bit_length())
    return (b"OEPB\x01" + len(body).to_bytes(8) + body).ljust(size, b"\0")


def framed(body: object) -> bytes:
    return frame(msgspec.msgpack.encode(body))


def pack_file(context: RoundContext, sealed: bytes) -> bytes:
    """The file of a sealed bundle, as `aggregator fetch` writes it."""
    return b"OEPF\x01" + context.encode() + sealed


def failed_check(
    data: bytes, aggregator: str, context: RoundContext, root: bytes, partitions: int
) -> str | None:
    """Name of the first check that fails, in the order of the page."""
    try:
        body = body_of(data)
    except ValueError:
        return "format"
    if data != framed(body) or len(body.aggregator.encode()) > 255:
        return "format"
    if body.context != context.encode():
        return "context"
    if body.aggregator != aggregator:
        return "aggregator"
    if body.partitions != partitions:
        return "partition-count"
    path = [body.path[at : at + 32] for at in range(0, len(body.path), 32)]
    leaf = merkle.leaf_hash(body.partition_entry)
    try:
        merkle.verify_inclusion(leaf, body.index, partitions, path, root)
        partition = decode_partition(body.partition_entry)
    except EvidenceError:
        return "inclusion"
    if partition.pseudonym != aggregator_pseudonym(body.key, aggregator):
        return "aggregator-pseudonym"
    return _failed_site_check(body, partition.site_count, partition.root)


def _failed_site_check(body: Body, count: int, root: bytes) -> str | None:
    lengths = [int.from_bytes(body.lengths[at : at + 4]) for at in range(0, len(body.lengths), 4)]
    is_count = len(body.lengths) == 4 * count and len(body.nmis) in {10 * count, 32 * count}
    if not count or not is_count or sum(lengths) != len(body.entries):
        return "site-count"
    ends = [sum(lengths[:number]) for number in range(count + 1)]
    entries = [body.entries[start:end] for start, end in pairwise(ends)]
    width = len(body.nmis) // count
    try:
        nmis = [body.nmis[at * width : (at + 1) * width].decode("ascii") for at in range(count)]
        sites = [decode_site(entry) for entry in entries]
    except (EvidenceError, UnicodeDecodeError):
        return "sites"
    if len({(site.header.horizon_start, site.header.interval_count) for site in sites}) > 1:
        return "sites"
    names = [site_pseudonym(site_key(body.key, nmi), nmi) for nmi in nmis]
    if names != [site.pseudonym for site in sites]:
        return "pseudonyms"
    if any(left >= right for left, right in pairwise(entries)):
        return "order"
    if merkle.root_hash([merkle.leaf_hash(entry) for entry in entries]) != root:
        return "partition-root"
    return None
