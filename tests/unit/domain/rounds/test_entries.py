"""Site and partition entries (rules-v1 section 9): both ways, and every rejection."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.entries import (
    PARTITION_ENTRY_SIZE,
    PartitionEntry,
    SiteEntry,
    SiteHeader,
    decode_partition,
    decode_site,
)
from oepnode.errors import EvidenceError
from tests.reference import encoding as reference
from tests.support.site_entries import encode_site, encode_sites

PSEUDONYM = bytes(range(32))
HEADER = SiteHeader(0, 1, "größe", 1795132800, 3)
LIMITS = np.array(
    [[1, 2, 3], [-1, NO_LIMIT, -3], [NO_LIMIT] * 3, [0, NO_LIMIT, NO_LIMIT]], dtype=np.int32
)
(ENTRY,) = encode_sites([PSEUDONYM], [HEADER], LIMITS[np.newaxis])
ZERO = np.zeros((1, 1), dtype=np.int32)
TAIL = 40 + len("größe".encode())  # offset of the horizon start


def rejected(entry: bytes) -> str:
    with pytest.raises(EvidenceError) as error:
        decode_site(entry)
    return str(error.value)


def patched(at: int, *values: int) -> bytes:
    return ENTRY[:at] + bytes(values) + ENTRY[at + len(values) :]


def test_an_entry_byte_by_byte() -> None:
    assert (
        b"OEP1\x01"
        + PSEUDONYM
        + b"\x00\x01\x07"
        + "größe".encode()
        + (1795132800).to_bytes(8)
        + b"\x01\x2c\x00\x03\x0b"
        + struct.pack(">9i", 1, 2, 3, -1, NO_LIMIT, -3, 0, NO_LIMIT, NO_LIMIT)
    ) == ENTRY


def test_it_is_read_back() -> None:
    entry = decode_site(ENTRY)
    assert (entry.pseudonym, entry.header) == (PSEUDONYM, HEADER)
    assert entry.limits.dtype == np.int32
    assert np.array_equal(entry.limits, LIMITS)


INT32 = st.one_of(st.just(NO_LIMIT), st.integers(-(2**31) + 1, 2**31 - 1))


@st.composite
def sites(draw: st.DrawFn) -> tuple[list[bytes], list[SiteHeader], Any]:
    number, count = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    names = [draw(st.binary(min_size=32, max_size=32)) for _ in range(number)]
    headers = [
        SiteHeader(
            draw(st.integers(0, 1)),
            draw(st.integers(0, 1)),
            draw(
                st.text(min_size=1, max_size=60, alphabet=st.characters(exclude_categories=["Cs"]))
            ),
            draw(st.integers(0, 2**33)),
            count,
        )
        for _ in range(number)
    ]
    row = st.lists(INT32, min_size=count, max_size=count)
    limits = [
        [draw(st.one_of(st.just([NO_LIMIT] * count), row)) for _ in range(4)] for _ in range(number)
    ]
    for site in limits:
        site[draw(st.integers(0, 3))][0] = draw(st.integers(-5, 5))
    return names, headers, np.array(limits, dtype=np.int32)


@given(result=sites())
def test_an_encoded_entry_is_decoded_and_encodes_the_same(
    result: tuple[list[bytes], list[SiteHeader], Any],
) -> None:
    names, headers, limits = result
    entries = encode_sites(names, headers, limits)
    for name, header, table, entry in zip(names, headers, limits, entries, strict=True):
        read = decode_site(entry)
        assert (read.pseudonym, read.header) == (name, header)
        assert np.array_equal(read.limits, table)
        assert encode_sites([read.pseudonym], [read.header], read.limits[np.newaxis]) == [entry]
        cells = {
            header.horizon_start + index * 300: tuple(None if v == NO_LIMIT else v for v in column)
            for index, column in enumerate(table.T.tolist())
        }
        assert entry == reference.site_entry(
            name,
            level=header.level,
            timing=header.timing,
            objective=header.objective,
            start=header.horizon_start,
            count=header.interval_count,
            limits=cells,  # type: ignore[arg-type]
        )


@given(data=st.data())
def test_any_damaged_entry_is_rejected_or_written_again_byte_for_byte(data: st.DataObject) -> None:
    entry = bytearray(ENTRY)
    for _ in range(data.draw(st.integers(1, 3))):
        entry[data.draw(st.integers(0, len(entry) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(entry[: data.draw(st.integers(0, len(entry)))]) + data.draw(
        st.binary(max_size=3)
    )
    for candidate in (bytes(entry), damaged):
        try:
            read = decode_site(candidate)
        except EvidenceError:
            continue
        again = encode_sites([read.pseudonym], [read.header], read.limits[np.newaxis])
        assert again == [candidate]


@given(data=st.binary(max_size=120))
def test_any_bytes_are_an_entry_or_rejected(data: bytes) -> None:
    for candidate in (data, b"OEP1\x01" + data, b"OEP1\x02" + data):
        for decode in (decode_site, decode_partition):
            try:
                entry = decode(candidate)
            except EvidenceError:
                continue
            assert isinstance(entry, SiteEntry | PartitionEntry)


@pytest.mark.parametrize("size", range(len(ENTRY)))
def test_every_shorter_entry_is_rejected(size: int) -> None:
    rejected(ENTRY[:size])


def test_a_longer_entry_is_rejected() -> None:
    for tail in (b"\x00", bytes(4), bytes(12), ENTRY):
        assert "length" in rejected(ENTRY + tail)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (b"", "truncated"),
        (ENTRY[:40], "truncated"),
        (patched(40, 0xFF), "not UTF-8"),
        (patched(40, 0xC3, 0x28), "not UTF-8"),
        (patched(0, ord("o")), "not a site entry"),
        (patched(3, ord("2")), "not a site entry"),
        (patched(4, 0), "not a site entry"),
        (patched(4, 2), "not a site entry"),
        (patched(37, 2), "out of its range"),
        (patched(38, 2), "out of its range"),
        (patched(TAIL + 8, 0, 0), "not a site entry"),
        (patched(TAIL + 8, 1, 0x2D), "not a site entry"),
        (patched(TAIL + 10, 0, 0), "out of its range"),
        (patched(TAIL + 10, 0, 2), "length does not match"),
        (patched(TAIL + 10, 0, 4), "length does not match"),
        (patched(TAIL + 12, 0), "out of its range"),
        (patched(TAIL + 12, 0x1B), "out of its range"),
        (patched(TAIL + 12, 0x80), "out of its range"),
        (patched(TAIL + 12, 0x03), "length does not match"),
        (patched(TAIL + 12, 0x0F), "length does not match"),
        (encode_site(PSEUDONYM, SiteHeader(0, 0, "", 0, 1), 1, ZERO), "out of its range"),
        (
            encode_site(PSEUDONYM, HEADER, 1, LIMITS[2:3]),
            "kind without a limit",
        ),
        (
            encode_site(PSEUDONYM, HEADER, 3, LIMITS[[0, 2]]),
            "kind without a limit",
        ),
    ],
)
def test_decode_site_rejects(entry: bytes, why: str) -> None:
    assert why in rejected(entry)


def test_another_length_of_the_objective_moves_what_follows() -> None:
    for length in (0, 6, 8, 255):
        rejected(patched(39, length))


def test_an_objective_of_255_bytes_fits_and_one_of_256_does_not() -> None:
    header = SiteHeader(0, 0, "ü" * 127 + "x", 0, 1)
    assert decode_site(encode_site(PSEUDONYM, header, 1, ZERO)).header == header
    with pytest.raises(struct.error):
        encode_site(PSEUDONYM, SiteHeader(0, 0, "ü" * 128, 0, 1), 1, ZERO)


# --- Partition entries ----------------------------------------------------------------------------

ROOT = bytes(range(32, 64))
PARTITION = PartitionEntry(PSEUDONYM, ROOT, 0x01020304)


def test_a_partition_entry_byte_by_byte_and_back() -> None:
    entry = PARTITION.encode()
    assert entry == b"OEP1\x02" + PSEUDONYM + ROOT + b"\x01\x02\x03\x04"
    assert len(entry) == PARTITION_ENTRY_SIZE
    assert decode_partition(entry) == PARTITION


@given(
    pseudonym=st.binary(min_size=32, max_size=32),
    root=st.binary(min_size=32, max_size=32),
    count=st.integers(0, 2**32 - 1),
)
def test_partition_entries_match_the_reference_model(
    pseudonym: bytes, root: bytes, count: int
) -> None:
    entry = PartitionEntry(pseudonym, root, count)
    assert entry.encode() == reference.partition_entry(pseudonym, root, count)
    assert decode_partition(entry.encode()) == entry


@pytest.mark.parametrize("size", [*range(PARTITION_ENTRY_SIZE), 74, 146])
def test_a_partition_entry_of_another_length_is_rejected(size: int) -> None:
    with pytest.raises(EvidenceError, match=f"received {size}$"):
        decode_partition((PARTITION.encode() * 2)[:size])


@pytest.mark.parametrize("index", range(5))
def test_another_magic_or_tag_is_rejected(index: int) -> None:
    entry = bytearray(PARTITION.encode())
    entry[index] ^= 1
    with pytest.raises(EvidenceError, match="not a partition entry"):
        decode_partition(bytes(entry))
    with pytest.raises(EvidenceError):
        decode_site(PARTITION.encode())
    with pytest.raises(EvidenceError):
        decode_partition(ENTRY)
