"""The custody root (rules-v1 section 13): bound to operator, entries and places."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.rounds import custody, merkle
from oepnode.domain.rounds.partition import Partition
from oepnode.domain.rounds.pseudonyms import UNASSIGNED
from oepnode.errors import ConfigError
from tests.reference import custody as reference
from tests.support.round_world import MEMBERS, RESULT

OPERATOR = MEMBERS[0].operator
PARTS = RESULT.partitions
ENTRIES = [entry for part in PARTS for entry in part.entries]


def partition(entries: tuple[bytes, ...]) -> Partition:
    return Partition("A1", bytes(32), ("",) * len(entries), entries, bytes(32), b"")


def test_the_bytes_are_those_of_the_rules() -> None:
    leaf = sha256(b"\x02" + OPERATOR + b"entry").digest()
    assert custody.custody_root(OPERATOR, [partition((b"entry",))]) == leaf
    other = sha256(b"\x02" + OPERATOR + b"other").digest()
    two = [partition((b"entry",)), partition((b"other",))]
    assert custody.custody_root(OPERATOR, two) == sha256(b"\x01" + leaf + other).digest()


@given(
    operator=st.binary(min_size=20, max_size=20),
    parts=st.lists(st.lists(st.binary(max_size=40), max_size=9), max_size=5),
)
def test_it_matches_the_reference_model(operator: bytes, parts: list[list[bytes]]) -> None:
    partitions = [partition(tuple(entries)) for entries in parts]
    expected = reference.custody_root(operator, parts)
    assert custody.custody_root(operator, partitions) == expected


def test_it_covers_every_entry_of_every_partition_the_unassigned_one_included() -> None:
    assert any(part.aggregator_id == UNASSIGNED for part in PARTS)
    leaves = [sha256(b"\x02" + OPERATOR + entry).digest() for entry in ENTRIES]
    assert custody.custody_root(OPERATOR, PARTS) == merkle.root_hash(leaves)
    for index, part in enumerate(PARTS):
        for place in range(len(part.entries)):
            entries = (*part.entries[:place], *part.entries[place + 1 :])
            parts = [*PARTS[:index], replace(part, entries=entries), *PARTS[index + 1 :]]
            assert custody.custody_root(OPERATOR, parts) != custody.custody_root(OPERATOR, PARTS)


def test_order_counts() -> None:
    assert custody.custody_root(OPERATOR, PARTS[::-1]) != custody.custody_root(OPERATOR, PARTS)


def test_each_operator_has_its_own_and_it_is_neither_root() -> None:
    roots = {custody.custody_root(member.operator, PARTS) for member in MEMBERS}
    assert len(roots) == len(MEMBERS)
    assert not roots & {RESULT.root, *(part.root for part in PARTS)}


@pytest.mark.parametrize("operator", [b"", bytes(19), bytes(21), bytes(32)])
def test_an_address_of_another_length_is_rejected(operator: bytes) -> None:
    with pytest.raises(ConfigError, match="20 bytes"):
        custody.custody_root(operator, PARTS)
