from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.entries import decode_site, largest_site, smallest_site
from oepnode.domain.rounds.site_blocks import SiteBlock
from oepnode.errors import EvidenceError

START = 1_795_000_200


def entry(
    name: bytes, objective: str, kinds: int, limits: list[int], level: int = 0, timing: int = 0
) -> bytes:
    text = objective.encode()
    count = len(limits)
    head = b"OEP1\x01" + name + bytes([level, timing, len(text)]) + text
    tail = START.to_bytes(8) + (300).to_bytes(2) + count.to_bytes(2) + bytes([kinds])
    payload = b"".join(value.to_bytes(4, signed=True) for value in limits)
    return head + tail + payload * kinds.bit_count()


ENTRIES = st.builds(
    entry,
    st.binary(min_size=32, max_size=32),
    st.sampled_from(["a", "b", "Maximise service", "é"]),
    st.integers(1, 15),
    st.lists(st.sampled_from([NO_LIMIT, 0, 5000, -7]), min_size=3, max_size=3).filter(
        lambda limits: any(value != NO_LIMIT for value in limits)
    ),
    st.integers(0, 1),
    st.integers(0, 1),
)


def block_of(entries: list[bytes], first: int = 0) -> SiteBlock:
    ends = 1 + np.cumsum([len(each) for each in entries])
    return SiteBlock(bytearray(b"?" + b"".join(entries)), ends.astype(np.int64), first)


@given(st.lists(ENTRIES, min_size=1, max_size=12))
def test_a_block_has_the_entries_of_the_plain_decoder(entries: list[bytes]) -> None:
    block = block_of(entries, 7)
    sites = [decode_site(each) for each in entries]
    assert (len(block), block.first) == (len(entries), 7)
    assert block.names.tobytes() == b"".join(site.pseudonym for site in sites)
    assert block.levels.tolist() == [site.header.level for site in sites]
    assert block.timings.tolist() == [site.header.timing for site in sites]
    assert block.objectives == [site.header.objective for site in sites]
    assert (block.horizon.start, block.horizon.count) == (START, 3)
    assert (block.limits == np.stack([site.limits for site in sites])).all()
    assert block.leaf_hashes() == b"".join(map(merkle.leaf_hash, entries))
    assert list(block.entries) == entries  # as they were before they were hashed
    assert block.limits.dtype == np.int32


@given(st.lists(ENTRIES, min_size=1, max_size=6), st.data())
def test_a_damaged_block_is_rejected_where_the_plain_decoder_rejects(
    entries: list[bytes], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(entries) - 1))
    changed = bytearray(entries[at])
    if data.draw(st.booleans()):
        bit = data.draw(st.integers(0, len(changed) * 8 - 1))
        changed[bit // 8] ^= 1 << bit % 8
    else:
        changed = changed[: data.draw(st.integers(0, len(changed) - 1))]
    entries[at] = bytes(changed)
    try:
        sites = [decode_site(each) for each in entries]
    except EvidenceError:
        with pytest.raises(EvidenceError):
            block_of(entries)
        return
    if len({(site.header.horizon_start, site.header.interval_count) for site in sites}) > 1:
        with pytest.raises(EvidenceError, match="different horizons"):
            block_of(entries)
        return
    assert (block_of(entries).limits == np.stack([site.limits for site in sites])).all()


def test_bounds_of_an_entry() -> None:
    assert len(entry(bytes(32), "a", 1, [0])) == smallest_site()
    assert len(entry(bytes(32), "a" * 255, 15, [0] * 9)) == largest_site(9)


def test_a_kind_without_a_limit_in_one_of_many_entries() -> None:
    good = [entry(bytes([n]) * 32, "a", 1, [NO_LIMIT, 5]) for n in range(9)]
    assert len(block_of(good)) == 9
    with pytest.raises(EvidenceError, match="a kind without a limit"):
        block_of([*good, entry(bytes(32), "a", 1, [NO_LIMIT, NO_LIMIT])])
