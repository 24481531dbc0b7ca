"""Any one-bit change to a bundle, sealed or open, to root, index or size is rejected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.adapters.crypto import sealing
from oepnode.domain.rounds import bundle, bundle_reading, merkle, site_proof
from oepnode.domain.rounds.bundle import BundleError
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.site_proof import SiteProofError
from oepnode.errors import EvidenceError
from tests.support.plain_bundle import pack_file
from tests.support.round_world import (
    CHAIN_ID,
    CONTEXT,
    CONTRACT,
    IDS,
    PRIVATE,
    RESULT,
    plaintext,
    sealed,
    verified,
)

ROOT, SIZE = RESULT.root, RESULT.partition_count
PLAIN = {name: plaintext(name) for name in IDS}
SEALED = {name: sealed(name) for name in IDS}
NAMES = st.sampled_from(IDS)


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def used(data: bytes) -> int:
    """Bytes of header and body."""
    return bundle.HEAD_SIZE + int.from_bytes(data[5 : bundle.HEAD_SIZE])


def reject(data: bytes, name: str) -> None:
    with pytest.raises(BundleError):
        bundle_reading.verify(data, name, CONTEXT, ROOT, SIZE)


def test_every_bit_of_header_and_body() -> None:
    data = PLAIN["A3"]
    bundle_reading.verify(data, "A3", CONTEXT, ROOT, SIZE)
    for bit in range(used(data) * 8):
        reject(flipped(data, bit), "A3")


@given(NAMES, st.data())
def test_any_bit_of_a_plaintext(name: str, data: st.DataObject) -> None:
    bits = len(PLAIN[name]) * 8
    bit = data.draw(st.integers(0, bits - 1) | st.integers(0, used(PLAIN[name]) * 8 - 1))
    reject(flipped(PLAIN[name], bit), name)


@given(st.integers(used(PLAIN["A1"]), len(PLAIN["A1"]) - 1), st.integers(0, 7))
def test_any_bit_of_the_padding(offset: int, bit: int) -> None:
    reject(flipped(PLAIN["A1"], offset * 8 + bit), "A1")


@given(NAMES, st.data())
def test_any_bit_of_a_sealed_bundle(name: str, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(SEALED[name]) * 8 - 1))
    changed = flipped(SEALED[name], bit)
    info = bundle.sealing_info(CONTEXT)
    with pytest.raises(EvidenceError):
        sealing.open_whole(PRIVATE[name], changed, info)


@given(NAMES, st.integers(0, 60 * 8 - 1))
def test_any_bit_of_the_round_context_of_a_file(name: str, bit: int) -> None:
    packed = pack_file(CONTEXT, SEALED[name])
    start = len(bundle.FILE_MAGIC) * 8
    unpacked = bundle.unpack_file(flipped(packed, start + bit))
    assert unpacked is not None
    context, message = unpacked
    with pytest.raises(EvidenceError):
        sealing.open_whole(PRIVATE[name], message, bundle.sealing_info(context))


@given(NAMES, st.integers(0, 255))
def test_any_bit_of_the_root(name: str, bit: int) -> None:
    with pytest.raises(BundleError) as caught:
        bundle_reading.verify(PLAIN[name], name, CONTEXT, flipped(ROOT, bit), SIZE)
    assert caught.value.check == "inclusion"


@given(NAMES, st.integers(0, 31))
def test_any_bit_of_the_partition_count(name: str, bit: int) -> None:
    with pytest.raises(BundleError) as caught:
        bundle_reading.verify(PLAIN[name], name, CONTEXT, ROOT, SIZE ^ 1 << bit)
    assert caught.value.check == "partition-count"


@given(NAMES, st.integers(0, 63))
def test_any_bit_of_the_round_number(name: str, bit: int) -> None:
    other = RoundContext(CHAIN_ID, CONTRACT, CONTEXT.number ^ 1 << bit)
    with pytest.raises(BundleError) as caught:
        bundle_reading.verify(PLAIN[name], name, other, ROOT, SIZE)
    assert caught.value.check == "context"


@given(NAMES, st.data())
def test_any_bit_of_an_entry_of_a_path_of_index_or_size(name: str, data: st.DataObject) -> None:
    got = verified(name)
    leaf = merkle.leaf_hash(got.partition_entry)
    path = list(got.path)
    kind = data.draw(st.sampled_from(["entry", "path", "index", "size"]))
    index, size = got.index, got.partitions
    if kind == "entry":
        bit = data.draw(st.integers(0, len(got.partition_entry) * 8 - 1))
        leaf = merkle.leaf_hash(flipped(got.partition_entry, bit))
    elif kind == "path":
        level = data.draw(st.integers(0, len(path) - 1))
        path[level] = flipped(path[level], data.draw(st.integers(0, 255)))
    elif kind == "index":
        index ^= 1 << data.draw(st.integers(0, 31))
    else:
        size ^= 1 << data.draw(st.integers(0, 31))
    if kind == "size" and _same_shape(index, size, got.partitions):
        return  # the path does not depend on it; `verify` compares the count itself
    with pytest.raises(merkle.InclusionError):
        merkle.verify_inclusion(leaf, index, size, path, ROOT)


def _same_shape(index: int, size: int, other: int) -> bool:
    """Whether a path at ``index`` has the same sides and length in trees of both sizes."""

    def sides_of(last: int) -> list[int]:
        position, sides = index, []
        while last:
            if position & 1 or position < last:
                sides.append(position & 1)
            position >>= 1
            last >>= 1
        return sides

    return index < size and sides_of(size - 1) == sides_of(other - 1)


SITE = site_proof.write(site_proof.cut(verified("A1"), "6305000001", disclose_key=True))


def test_every_bit_of_a_site_proof_with_its_key() -> None:
    site_proof.verify_site(site_proof.read(SITE), CONTEXT, ROOT, SIZE)
    for bit in range(len(SITE) * 8):
        with pytest.raises(SiteProofError):
            site_proof.verify_site(site_proof.read(flipped(SITE, bit)), CONTEXT, ROOT, SIZE)
