from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from oepnode.adapters.crypto import pymerkle_check, sealing
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds import bundle, bundle_reading, bundle_writing, merkle
from oepnode.domain.rounds.bundle import BundleError, VerifiedBundle
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import PartitionEntry, decode_site
from oepnode.domain.rounds.partition import Partition, RoundResult
from oepnode.domain.rounds.pseudonyms import aggregator_pseudonym, site_key, site_pseudonym
from oepnode.errors import EvidenceError
from tests.support.plain_bundle import body_of, frame, framed, pack_file
from tests.support.round_world import (
    CHAIN_ID,
    CONTEXT,
    CONTRACT,
    COUNT,
    FLEX,
    IDS,
    KINDS,
    MOVING,
    PRIVATE,
    PUBLIC,
    RESULT,
    START,
    index_of,
    plaintext,
    sealed,
    verified,
)

ROOT, SIZE = RESULT.root, RESULT.partition_count


def check(data: bytes, name: str = "A1", context: RoundContext = CONTEXT) -> VerifiedBundle:
    return bundle_reading.verify(data, name, context, ROOT, SIZE)


def failing(data: bytes, **more: Any) -> str:
    with pytest.raises(BundleError) as caught:
        check(data, **more)
    assert caught.value.check in bundle.CHECKS
    assert f"check {caught.value.check} failed" in str(caught.value)
    assert "630500" not in str(caught.value)
    return caught.value.check


# --- valid bundles --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IDS)
def test_a_built_bundle_verifies_and_gives_its_sites(name: str) -> None:
    got = verified(name)
    partition = RESULT.partitions[index_of(name)]
    assert (got.aggregator_id, got.context, got.key) == (name, CONTEXT, partition.key)
    assert (got.nmis, got.entries) == (tuple(partition.nmis), tuple(partition.entries))
    assert (got.horizon_start, got.interval_count) == (START, COUNT)
    assert got.limits.shape == (got.site_count, 4, COUNT)
    assert got.limits.dtype == np.int32
    assert got.partition.site_count == got.site_count
    for position, entry in enumerate(got.entries):
        site = decode_site(entry)
        assert site.pseudonym == site_pseudonym(
            site_key(got.key, got.nmis[position]), got.nmis[position]
        )
        assert (got.levels[position], got.timings[position]) == (
            site.header.level,
            site.header.timing,
        )
        assert got.objectives[position] == "Maximise service"
        assert (got.limits[position] == site.limits).all()


def test_a_site_with_both_levels_has_two_entries_and_one_nmi() -> None:
    got = verified("A1")
    assert got.nmis.count(FLEX) == 2
    assert (got.site_count, got.nmi_count) == (6, 5)


def test_a_site_that_changes_aggregator_is_empty_where_the_other_holds_it() -> None:
    first, second = verified("A1"), verified("A2")
    ours = first.limits[first.nmis.index(MOVING)][0] != NO_LIMIT
    theirs = second.limits[second.nmis.index(MOVING)][0] != NO_LIMIT
    assert ours.tolist() == [True] * 3 + [False] * 3
    assert (ours ^ theirs).all()


def test_a_verified_bundle_shows_neither_key_nor_nmi() -> None:
    assert "630500" not in repr(verified())
    assert repr(verified().key)[2:-1] not in repr(verified())


def test_foreign_nmis_are_those_outside_the_portfolio() -> None:
    got = verified("A2")
    assert bundle.foreign_nmis(got.nmis, got.nmis) == []
    assert bundle.foreign_nmis(got.nmis, [MOVING]) == ["6305000005", "6305000006"]


def test_pymerkle_accepts_the_same_path() -> None:
    got = verified("A2")
    leaf = merkle.leaf_hash(got.partition_entry)
    pymerkle_check.verify_inclusion(leaf, got.index, got.partitions, got.path, ROOT)
    for index, size, path in [
        (got.index ^ 1, SIZE, got.path),
        (got.index, SIZE + 1, got.path),
        (got.index, SIZE, got.path[:-1]),
        (got.index, SIZE, (*got.path, ROOT)),
        (-1, SIZE, got.path),
        (SIZE, SIZE, got.path),
    ]:
        with pytest.raises(merkle.InclusionError):
            pymerkle_check.verify_inclusion(leaf, index, size, path, ROOT)


@pytest.mark.parametrize("size", range(1, 40))
def test_pymerkle_accepts_every_position(size: int) -> None:
    leaves = [merkle.leaf_hash(bytes([i])) for i in range(size)]
    root = merkle.root_hash(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle.inclusion_path(leaves, index)
        pymerkle_check.verify_inclusion(leaf, index, size, path, root)
        with pytest.raises(merkle.InclusionError):
            pymerkle_check.verify_inclusion(leaf, index, size, path, leaf[::-1])


def packed(value: bytes | str | int) -> bytes:
    """The shortest MessagePack form, written from its specification."""
    if isinstance(value, int):
        return bytes([value]) if value < 128 else b"\xcc" + bytes([value])
    if isinstance(value, str):
        return bytes([0xA0 + len(value)]) + value.encode()
    head = b"\xc4" if len(value) < 1 << 8 else b"\xc5"
    return head + len(value).to_bytes(1 if head == b"\xc4" else 2) + value


def test_the_bytes_are_those_of_the_page() -> None:
    # docs/spec/bundle.md section 1, by hand.
    index = index_of("A1")
    part = RESULT.partitions[index]
    body = b"\x9a" + b"".join(
        packed(element)
        for element in (
            CHAIN_ID.to_bytes(32) + CONTRACT + (3).to_bytes(8),
            "A1",
            part.key,
            "".join(part.nmis).encode(),
            b"".join(len(entry).to_bytes(4) for entry in part.entries),
            b"".join(part.entries),
            part.entry,
            index,
            SIZE,
            b"".join(RESULT.path(index)),
        )
    )
    expected = b"OEPB\x01" + len(body).to_bytes(8) + body
    assert plaintext("A1") == expected.ljust(65536, b"\x00")


# --- length, name, file ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "size"),
    [(0, 1 << 16), (65523, 1 << 16), (65524, 1 << 17), (131059, 1 << 17), (131060, 1 << 18)],
)
def test_the_length_is_the_next_power_of_two(body: int, size: int) -> None:
    assert bundle.padded_size(body) == size


def test_small_bundles_have_one_length() -> None:
    sizes = {len(sealed(name)) - sealing.sealed_size(KINDS[name], 1 << 16) for name in IDS}
    assert sizes == {0}


def test_a_partition_with_too_many_bytes_of_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_writing, "MAX_ENTRIES", 100)
    with pytest.raises(BundleError, match="at most 100 bytes of site entries"):
        bundle_writing.build(RESULT, 0)


def test_the_name_depends_on_round_and_key() -> None:
    key = PUBLIC["A1"]
    expected = sha256(b"oep1 bundle name" + CONTEXT.encode() + key).hexdigest()
    assert bundle.bundle_name(CONTEXT, key) == expected
    later = RoundContext(CHAIN_ID, CONTRACT, 4)
    names = {bundle.bundle_name(c, k) for c in (CONTEXT, later) for k in PUBLIC.values()}
    assert len(names) == 6


def test_a_file_names_its_round() -> None:
    data = pack_file(CONTEXT, b"sealed")
    assert bundle.unpack_file(data) == (CONTEXT, b"sealed")
    assert bundle.unpack_file(data[1:]) is None
    assert bundle.unpack_file(data[:64]) is None
    assert bundle.unpack_file(b"") is None


# --- opening --------------------------------------------------------------------------------------


def test_only_the_right_key_and_round_open_a_bundle() -> None:
    info = bundle.sealing_info(CONTEXT)
    message = sealed("A1")
    assert sealing.open_whole(PRIVATE["A1"], message, info) == plaintext("A1")
    later = bundle.sealing_info(RoundContext(CHAIN_ID, CONTRACT, 4))
    for key, purpose in [
        (PRIVATE["A2"], info),
        (PRIVATE["A3"], info),
        (PRIVATE["A1"], later),
        (PRIVATE["A1"], b""),
    ]:
        with pytest.raises(EvidenceError):
            sealing.open_whole(key, message, purpose)


# --- one failing bundle per check -----------------------------------------------------------------


def test_context() -> None:
    assert failing(plaintext(), context=RoundContext(CHAIN_ID, CONTRACT, 4)) == "context"
    assert failing(plaintext(), context=RoundContext(1, CONTRACT, 3)) == "context"
    assert failing(plaintext(), context=RoundContext(CHAIN_ID, b"\x12" * 20, 3)) == "context"


def test_aggregator() -> None:
    assert failing(plaintext("A2"), name="A1") == "aggregator"


NOT_FORMAT: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("empty", lambda d: b""),
    ("magic", lambda d: b"OEPX" + d[4:]),
    ("version", lambda d: d[:4] + b"\x02" + d[5:]),
    ("cut", lambda d: d[:-1]),
    ("half", lambda d: d[: len(d) // 2]),
    ("longer", lambda d: d + b"\x00"),
    ("twice as long", lambda d: d.ljust(2 * len(d), b"\x00")),
    ("padding", lambda d: d[:-1] + b"\x01"),
    ("huge length", lambda d: d[:5] + b"\xff" * 8 + d[13:]),
    ("length zero", lambda d: d[:5] + bytes(8) + d[13:]),
    ("length one less", lambda d: d[:5] + (int.from_bytes(d[5:13]) - 1).to_bytes(8) + d[13:]),
    ("length one more", lambda d: d[:5] + (int.from_bytes(d[5:13]) + 1).to_bytes(8) + d[13:]),
    ("no array", lambda d: framed({})),
    ("nesting", lambda d: frame(b"\x91" * 60_000)),
    ("endless array", lambda d: frame(b"\xdd\xff\xff\xff\xff")),
    ("endless bytes", lambda d: frame(b"\x9a\xc6\xff\xff\xff\xff")),
    ("text", lambda d: d.replace(b"\xa2A1", b"\xa2A\xff")),
    ("long path", lambda d: framed(replace(body_of(d), path=bytes(33 * 32)))),
    ("long id", lambda d: framed(replace(body_of(d), aggregator="A" * 256))),
    ("long form", lambda d: frame(msgspec.msgpack.encode(body_of(d)) + b"\xc0")),
]


@pytest.mark.parametrize(("name", "damage"), NOT_FORMAT)
def test_format(name: str, damage: Callable[[bytes], bytes]) -> None:
    assert failing(damage(plaintext())) == "format"


def test_format_other_encoding_of_the_same_body() -> None:
    data = plaintext()
    body = msgspec.msgpack.encode(body_of(data))
    long_text = body.replace(b"\xa2A1", b"\xd9\x02A1", 1)
    assert long_text != body
    with pytest.raises(BundleError, match="only encoding"):
        check(frame(long_text))


def without_a_site(body: Any) -> Any:
    size = int.from_bytes(body.lengths[:4])
    return replace(body, nmis=body.nmis[10:], lengths=body.lengths[4:], entries=body.entries[size:])


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("site-count", lambda b: replace(b, lengths=b.lengths[:-1])),
        ("site-count", lambda b: replace(b, lengths=b.lengths + bytes(4))),
        ("site-count", lambda b: replace(b, lengths=b.lengths[:-4])),
        ("site-count", lambda b: replace(b, lengths=b"", entries=b"", nmis=b"")),
        ("site-count", lambda b: replace(b, lengths=b"\xff" * len(b.lengths))),
        ("site-count", lambda b: replace(b, nmis=b.nmis[:-10])),
        ("sites", lambda b: replace(b, nmis=b"\xe9" + b.nmis[1:])),
    ],
)
def test_counts_that_do_not_fit_each_other_cut_nothing(
    check: str, change: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_reading, "SiteBlock", lambda *_: pytest.fail("it was cut"))
    assert failing(framed(change(body_of(plaintext())))) == check


def test_a_count_that_the_quorum_did_not_count() -> None:
    assert failing(framed(without_a_site(body_of(plaintext())))) == "site-count"


def test_sites() -> None:
    body = body_of(plaintext())
    assert failing(framed(replace(body, entries=b"X" + body.entries[1:]))) == "sites"
    lengths = b"\x00\x00\x00\x00" + body.lengths[4:]
    moved = int.from_bytes(body.lengths[:4]) + int.from_bytes(body.lengths[4:8])
    lengths = bytes(4) + moved.to_bytes(4) + body.lengths[8:]
    assert failing(framed(replace(body, lengths=lengths))) == "sites"


def test_sites_with_two_horizons() -> None:
    body = body_of(plaintext())
    start = START.to_bytes(8)
    entries = body.entries.replace(start, (START + 300).to_bytes(8), 1)
    assert failing(framed(replace(body, entries=entries))) == "sites"


def test_pseudonyms() -> None:
    body = body_of(plaintext())
    assert failing(framed(replace(body, key=b"\x00" * 32))) == "aggregator-pseudonym"
    swapped = body.nmis[10:20] + body.nmis[:10] + body.nmis[20:]
    assert failing(framed(replace(body, nmis=swapped))) == "pseudonyms"


def rebuilt(order: Callable[[list[tuple[bytes, str]]], list[tuple[bytes, str]]]) -> bytes:
    """A bundle whose entries were put in another order, with the root that they then have."""
    old = RESULT.partitions[index_of("A1")]
    pairs = order(list(zip(old.entries, old.nmis, strict=True)))
    entries = tuple(entry for entry, _ in pairs)
    root = merkle.root_hash([merkle.leaf_hash(entry) for entry in entries])
    pseudonym = old.entry[5:37]
    new = Partition(
        "A1",
        old.key,
        tuple(nmi for _, nmi in pairs),
        entries,
        root,
        PartitionEntry(pseudonym, root, len(entries)).encode(),
    )
    parts = [new if p.aggregator_id == "A1" else p for p in RESULT.partitions]
    return b"".join(bundle_writing.build(RoundResult(CONTEXT, tuple(parts), ROOT), index_of("A1")))


def test_order() -> None:
    assert failing(reordered(lambda pairs: pairs[::-1])) == "order"
    assert failing(reordered(lambda pairs: [*pairs[:-1], pairs[-2]])) == "order"


def reordered(order: Callable[[list[tuple[bytes, str]]], list[tuple[bytes, str]]]) -> bytes:
    """A bundle whose entries were put in another order, under the partition entry of the round."""
    old = RESULT.partitions[index_of("A1")]
    pairs = order(list(zip(old.entries, old.nmis, strict=True)))
    return framed(
        replace(
            body_of(plaintext()),
            nmis="".join(nmi for _, nmi in pairs).encode(),
            lengths=b"".join(len(entry).to_bytes(4) for entry, _ in pairs),
            entries=b"".join(entry for entry, _ in pairs),
        )
    )


def test_inclusion_of_another_partition_entry() -> None:
    body = body_of(plaintext())
    entry = body.partition_entry
    for other in (
        entry[:40] + b"\x00" * 8 + entry[48:],
        b"OEP1\x01" + entry[5:],
        entry[:-1] + b"\x07",
    ):
        assert failing(framed(replace(body, partition_entry=other))) == "inclusion"


def test_partition_root_when_a_limit_is_changed() -> None:
    body = body_of(plaintext())
    last = body.entries[-1] ^ 1
    assert failing(framed(replace(body, entries=body.entries[:-1] + bytes([last])))) == (
        "partition-root"
    )


def relabelled(owner: str, reader: str, key: bytes | None = None) -> bytes:
    """The owner's partition with the reader's id written into it, all hashes correct."""
    body = body_of(plaintext(owner))
    return framed(replace(body, aggregator=reader, key=body.key if key is None else key))


@pytest.mark.parametrize(("owner", "reader"), [("A2", "A1"), ("A1", "A2"), ("A3", "A1")])
def test_aggregator_pseudonym_of_another_aggregators_partition(owner: str, reader: str) -> None:
    assert failing(relabelled(owner, reader), name=reader) == "aggregator-pseudonym"


def test_aggregator_pseudonym_of_another_aggregator_under_the_readers_key() -> None:
    # The reader's K_agg gives the pseudonym of the reader's own partition.
    key = body_of(plaintext("A1")).key
    assert failing(relabelled("A2", "A1", key), name="A1") == "aggregator-pseudonym"


def test_aggregator_pseudonym_of_the_unassigned_partition() -> None:
    unassigned = b"".join(bundle_writing.build(RESULT, index_of("")))
    body = body_of(unassigned)
    assert failing(framed(replace(body, aggregator="A1")), name="A1") == "aggregator-pseudonym"


def test_an_entry_forged_to_fit_the_readers_name_is_in_no_tree() -> None:
    # A partition entry that the reader's own key fits to is not in the tree of the quorum.
    body = body_of(plaintext("A2"))
    entry = body.partition_entry
    forged = entry[:5] + aggregator_pseudonym(body.key, "A1") + entry[37:]
    forged_body = replace(body, aggregator="A1", partition_entry=forged)
    assert failing(framed(forged_body), name="A1") == "inclusion"


def test_partition_count() -> None:
    body = body_of(plaintext())
    assert failing(framed(replace(body, partitions=SIZE + 1))) == "partition-count"
    with pytest.raises(BundleError) as caught:
        bundle_reading.verify(plaintext(), "A1", CONTEXT, ROOT, SIZE + 1)
    assert caught.value.check == "partition-count"


@pytest.mark.parametrize(
    "change",
    [
        lambda b: replace(b, path=b.path[32:]),
        lambda b: replace(b, path=b.path + bytes(32)),
        lambda b: replace(b, path=b.path[:-1]),
        lambda b: replace(b, path=b.path[32:64] + b.path[:32]),
        lambda b: replace(b, index=b.index ^ 1),
        lambda b: replace(b, index=SIZE),
    ],
)
def test_inclusion(change: Callable[[Any], Any]) -> None:
    assert failing(framed(change(body_of(plaintext())))) == "inclusion"


def test_inclusion_when_nothing_else_is_wrong() -> None:
    # Another limit, with entry, roots and path all made to fit: only the chain's root is left.
    assert failing(rebuilt(lambda pairs: pairs[1:])) == "inclusion"


@pytest.mark.parametrize("root", [b"", b"\x00" * 32, b"\x00" * 31, "00" * 32])
def test_inclusion_under_another_root(root: Any) -> None:
    with pytest.raises(BundleError) as caught:
        bundle_reading.verify(plaintext(), "A1", CONTEXT, root, SIZE)
    assert caught.value.check == "inclusion"
