"""Any one-bit change to an entry, path, root, index or size is rejected.

The one exception is exact, and is asserted as such: a changed size whose path has the same shape
(``tests/unit/domain/rounds/test_merkle_rejections.py`` has the reason, and where the size is bound
instead).
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oepnode.domain.rounds import merkle
from tests.reference import rfc9162
from tests.support.sizes import sized


@st.composite
def proofs(draw: st.DrawFn) -> tuple[list[bytes], int]:
    """Entries of a tree of 1 to 70 leaves, all different as site entries are, and a position."""
    entry = st.binary(min_size=1, max_size=80)
    entries = draw(st.lists(entry, min_size=1, max_size=70, unique=True))
    return entries, draw(st.integers(0, len(entries) - 1))


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


@settings(deadline=None, max_examples=sized(200))
@given(proof=proofs(), bit=st.integers(0, 80 * 8 - 1))
def test_one_bit(proof: tuple[list[bytes], int], bit: int) -> None:
    entries, index = proof
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    size, leaf = len(leaves), leaves[index]
    root, path = merkle.root_hash(leaves), merkle.inclusion_path(leaves, index)
    merkle.verify_inclusion(leaf, index, size, path, root)

    def rejected(
        leaf: bytes = leaf,
        index: int = index,
        size: int = size,
        path: list[bytes] = path,
        root: bytes = root,
    ) -> None:
        with pytest.raises(merkle.InclusionError):
            merkle.verify_inclusion(leaf, index, size, path, root)

    rejected(leaf=merkle.leaf_hash(flip(entries[index], bit)))
    rejected(leaf=flip(leaf, bit))
    rejected(root=flip(root, bit))
    for level, sibling in enumerate(path):
        rejected(path=[*path[:level], flip(sibling, bit), *path[level + 1 :]])
    for power in range(70):
        # In one tree no two positions have the same shape, so no other index is ever proven.
        rejected(index=index ^ (1 << power))
        changed = size ^ (1 << power)
        is_same = index < changed <= merkle.MAX_TREE_SIZE and rfc9162.shape(
            index, changed
        ) == rfc9162.shape(index, size)
        if is_same:
            merkle.verify_inclusion(leaf, index, changed, path, root)
        else:
            rejected(size=changed)


@settings(deadline=None, max_examples=sized(200))
@given(
    proof=proofs(),
    claim=st.tuples(st.integers(-2, 140), st.integers(-2, 140)),
    path=st.lists(st.binary(min_size=31, max_size=33), max_size=9),
)
def test_any_claim_is_verified_as_the_rfc_defines(
    proof: tuple[list[bytes], int], claim: tuple[int, int], path: list[bytes]
) -> None:
    entries, index = proof
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    root = merkle.root_hash(leaves)
    for candidate in (merkle.inclusion_path(leaves, index), path):
        expected = (
            all(len(sibling) == 32 for sibling in candidate)
            and claim[0] >= 0
            and rfc9162.proves(leaves[index], *claim, candidate, root)
        )
        try:
            merkle.verify_inclusion(leaves[index], *claim, candidate, root)
        except merkle.InclusionError:
            assert not expected
        else:
            assert expected
