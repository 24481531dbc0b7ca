from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.merkle import InclusionError
from oepnode.domain.rounds.merkle_tree import InclusionVerifier, MerkleTree


def leaves_of(size: int) -> list[bytes]:
    return [merkle.leaf_hash(number.to_bytes(4)) for number in range(size)]


def tree_of(leaves: list[bytes]) -> MerkleTree:
    return MerkleTree(b"".join(leaves))


@pytest.mark.parametrize("size", [*range(1, 40), 1023, 1024, 1025, 2047, 2049, 3000])
def test_root_and_all_paths_are_those_of_the_plain_functions(size: int) -> None:
    leaves = leaves_of(size)
    tree = tree_of(leaves)
    assert (tree.size, tree.root) == (size, merkle.root_hash(leaves))
    paths = list(tree.paths())
    assert len(paths) == size
    for index in range(0, size, 1 if size < 50 else 89):
        expected = merkle.inclusion_path(leaves, index)
        assert list(paths[index]) == list(tree.path(index)) == expected
        assert tree.leaf(index) == leaves[index]
    verifier = InclusionVerifier(size, tree.root)
    for index, path in enumerate(paths):
        verifier.verify(leaves[index], index, path)


@pytest.mark.parametrize("index", [-1, 5, 1 << 70])
def test_there_is_no_path_of_a_leaf_outside_of_the_tree(index: int) -> None:
    with pytest.raises(IndexError):
        tree_of(leaves_of(5)).path(index)


@given(st.integers(1, 70), st.data())
def test_a_verifier_accepts_what_the_plain_function_accepts(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    tree = tree_of(leaves)
    verifier = InclusionVerifier(size, tree.root)
    for _ in range(4):
        index = data.draw(st.integers(0, size - 1))
        leaf, path = leaves[index], list(tree.path(index))
        change = data.draw(st.sampled_from(["none", "bit", "leaf", "short", "long", "index"]))
        if change == "bit" and path:
            step, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
            changed = bytearray(path[step])
            changed[bit // 8] ^= 1 << bit % 8
            path[step] = bytes(changed)
        elif change == "leaf":
            leaf = leaves[data.draw(st.integers(0, size - 1))]
        elif change == "short":
            path = path[:-1]
        elif change == "long":
            path.append(tree.root)
        elif change == "index":
            index = data.draw(st.integers(0, size))
        assert outcome(verifier.verify, leaf, index, path) == outcome(
            lambda *given: merkle.verify_inclusion(given[0], given[1], size, given[2], tree.root),
            leaf,
            index,
            path,
        )


def outcome(verify: Any, *given: Any) -> str:
    try:
        verify(*given)
    except InclusionError as exc:
        return str(exc)
    return "proven"


def test_a_changed_hash_above_a_proven_node_fails() -> None:
    leaves = leaves_of(16)
    tree = tree_of(leaves)
    verifier = InclusionVerifier(16, tree.root)
    verifier.verify(leaves[0], 0, tree.path(0))
    for step in range(1, 4):
        path = list(tree.path(1))
        path[step] = path[step][::-1]
        with pytest.raises(InclusionError):
            verifier.verify(leaves[1], 1, path)
    verifier.verify(leaves[1], 1, tree.path(1))


@pytest.mark.parametrize(
    ("leaf", "index", "path"),
    [(b"", 0, ()), (bytes(32), True, ()), (bytes(32), 0, b""), (bytes(32), 0, ("x",)), (1, 0, ())],
)
def test_malformed_input_is_rejected(leaf: Any, index: Any, path: Any) -> None:
    with pytest.raises(InclusionError):
        InclusionVerifier(2, bytes(32)).verify(leaf, index, path)
