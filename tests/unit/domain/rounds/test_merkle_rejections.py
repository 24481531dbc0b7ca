"""Inputs that a verifier must reject, by kind, and exactly the wrong sizes that it cannot reject.

RFC 9162 section 2.1.3.2 uses index and size for one thing only: to know on which side of each
sibling the running hash stands, and how many siblings there are (the *shape* of the path). So a
path proves a claim (index, size) exactly where that claim has the shape of the true position, and
a wrong size of the same shape is not rejected by the tree alone. That is no hole: the size is part
of what the verifier already trusts (rules-v1: the site count stands in the partition entry, the
partition count in the result hash), and the tests at the end pin that down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymerkle import InclusionProof, InvalidProof

from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.ballot import result_hash
from oepnode.domain.rounds.entries import PartitionEntry
from oepnode.errors import EvidenceError
from tests.reference import rfc9162

SIZES = (*range(1, 34), 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 299, 300)
LEAVES = [rfc9162.leaf_hash(b"entry %d" % i) for i in range(300)]
STRANGER = rfc9162.leaf_hash(b"a stranger")
ROOTS = {size: rfc9162.tree_head(LEAVES[:size]) for size in SIZES}


def name_of(value: object) -> str:
    """A value's test id, without the address in memory, which differs from process to process."""
    return repr(value).partition(" at 0x")[0]


def is_proven(leaf: Any, index: Any, size: Any, path: Any, root: Any) -> bool:
    try:
        merkle.verify_inclusion(leaf, index, size, path, root)
    except merkle.InclusionError:
        return False
    return True


def is_proven_by_pymerkle(
    leaf: bytes, index: int, size: int, path: list[bytes], root: bytes
) -> bool:
    if not 0 <= index < size:
        return False
    rule = [0 if side == "R" else 1 for side in rfc9162.shape(index, size)] + [0]
    proof = InclusionProof("sha256", True, size, index + 1, rule, [leaf, *path])
    try:
        proof.verify(leaf, root, index=index + 1, size=size, algorithm="sha256")
    except InvalidProof:
        return False
    return True


def verdicts(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> set[bool]:
    """Verdicts of the product, of the RFC's own steps and of pymerkle."""
    return {
        is_proven(leaf, index, size, path, root),
        index >= 0 and rfc9162.proves(leaf, index, size, path, root),
        is_proven_by_pymerkle(leaf, index, size, path, root),
    }


def positions() -> Iterator[tuple[int, int, list[bytes], bytes]]:
    for size in SIZES:
        for index in range(size):
            if size <= 33 or index < 3 or size - index < 4 or index % 16 in (0, 15):
                path = merkle.inclusion_path(LEAVES[:size], index)
                yield index, size, path, ROOTS[size]


def test_wrong_leaf() -> None:
    for index, size, path, root in positions():
        assert verdicts(STRANGER, index, size, path, root) == {False}


def test_leaf_of_another_position() -> None:
    for index, size, path, root in positions():
        if size > 1:
            other = LEAVES[(index + 1) % size]
            assert verdicts(other, index, size, path, root) == {False}


def test_entry_in_place_of_its_hash() -> None:
    """An inner node is no leaf: the path of the level above does not prove it as an entry."""
    for index, size, path, root in positions():
        if path:
            sides = rfc9162.shape(index, size)
            pair = (path[0], LEAVES[index]) if sides[0] == "L" else (LEAVES[index], path[0])
            forged = merkle.leaf_hash(b"\x01" + pair[0] + pair[1])
            assert verdicts(forged, index // 2, (size + 1) // 2, path[1:], root) == {False}


def test_wrong_root() -> None:
    for index, size, path, root in positions():
        assert verdicts(LEAVES[index], index, size, path, STRANGER) == {False}
        assert verdicts(LEAVES[index], index, size, path, rfc9162.sha256(root)) == {False}


def test_any_other_index_of_the_same_tree() -> None:
    for index, size, path, root in positions():
        others = range(size) if size <= 33 else {index ^ 1, size - 1 - index, index // 2, size // 2}
        for other in set(others) - {index}:
            assert not is_proven(LEAVES[index], other, size, path, root)
        for other in (index ^ 1, size, size + index, -1, index - size):
            if other != index:
                assert verdicts(LEAVES[index], other, size, path, root) == {False}


def test_path_too_short() -> None:
    for index, size, path, root in positions():
        for cut in {0, len(path) - 1} & set(range(len(path))):
            shorter = path[:cut] + path[cut + 1 :]
            assert verdicts(LEAVES[index], index, size, shorter, root) == {False}
        if path:
            assert verdicts(LEAVES[index], index, size, [], root) == {False}


def test_path_too_long() -> None:
    for index, size, path, root in positions():
        extra = path[-1] if path else root
        for longer in ([*path, extra], [extra, *path], [*path, root], path + path + [extra]):
            assert verdicts(LEAVES[index], index, size, longer, root) == {False}


def test_path_swapped() -> None:
    for index, size, path, root in positions():
        for place in range(len(path) - 1):
            swapped = [*path]
            swapped[place], swapped[place + 1] = path[place + 1], path[place]
            assert verdicts(LEAVES[index], index, size, swapped, root) == {False}
        if path:
            replaced = [LEAVES[index], *path[1:]]
            assert verdicts(path[0], index, size, replaced, root) == {False}


def test_path_of_another_leaf() -> None:
    for index, size, path, root in positions():
        if size > 1:
            other = merkle.inclusion_path(LEAVES[:size], (index + 1) % size)
            assert other != path
            assert verdicts(LEAVES[index], index, size, other, root) == {False}


@pytest.mark.no_cover  # many thousand claims, and measuring takes most of their time
def test_exactly_the_claims_of_the_same_shape_are_proven() -> None:
    """Every claim (index, size) up to 34 leaves, for every true position up to 20 leaves."""
    proven = 0
    for size in range(1, 21):
        for index in range(size):
            path = rfc9162.path(index, LEAVES[:size])
            sides = rfc9162.shape(index, size)
            for claimed_size in range(35):
                for claimed_index in range(claimed_size + 1):
                    expected = claimed_index < claimed_size and sides == rfc9162.shape(
                        claimed_index, claimed_size
                    )
                    claim = (LEAVES[index], claimed_index, claimed_size, path, ROOTS[size])
                    assert verdicts(*claim) == {expected}
                    proven += expected
    assert proven > 210


@pytest.mark.no_cover  # many thousand claims, and measuring takes most of their time
def test_a_wrong_size_is_rejected_unless_its_shape_is_the_same() -> None:
    rejected = accepted = 0
    for index, size, path, root in positions():
        for wrong in (size - 1, size + 1, 2 * size, size // 2, 1, 2**63, 2**64 - 1):
            if wrong == size or wrong < 1:
                continue
            same = index < wrong and rfc9162.shape(index, wrong) == rfc9162.shape(index, size)
            assert verdicts(LEAVES[index], index, wrong, path, root) == {same}
            accepted += same
            rejected += not same
    assert rejected > accepted > 0


def test_examples_of_sizes_that_the_tree_cannot_distinguish() -> None:
    """The first leaf of 5 to 8 leaves has three right-hand siblings; the last of 5 has one."""
    path = rfc9162.path(0, LEAVES[:5])
    for claimed in range(1, 20):
        assert is_proven(LEAVES[0], 0, claimed, path, ROOTS[5]) == (5 <= claimed <= 8)
    path = rfc9162.path(4, LEAVES[:5])
    for claimed in range(1, 20):
        assert is_proven(LEAVES[4], 4, claimed, path, ROOTS[5]) == (claimed == 5)


def test_the_size_is_bound_where_the_tree_does_not_bind_it() -> None:
    pseudonym, root = bytes(32), ROOTS[5]
    entries = {PartitionEntry(pseudonym, root, size).encode() for size in range(5, 9)}
    results = {result_hash(root, size) for size in range(5, 9)}
    assert len(entries) == len(results) == 4


NOT_A_HASH = (
    None,
    "",
    "00" * 32,
    b"",
    bytes(31),
    bytes(33),
    bytes(64),
    bytearray(32),
    memoryview(bytes(32)),
    [0] * 32,
    (),
    0,
    1.0,
    object(),
)
NOT_AN_INTEGER = (None, True, False, 1.0, "1", b"\x01", 1 + 0j, [1], float("nan"), object())


def good() -> dict[str, Any]:
    path = rfc9162.path(1, LEAVES[:3])
    return {"leaf": LEAVES[1], "index": 1, "size": 3, "path": path, "root": ROOTS[3]}


def test_the_proof_that_the_malformed_ones_are_made_of_is_good() -> None:
    merkle.verify_inclusion(**good())
    merkle.verify_inclusion(**good() | {"path": tuple(good()["path"])})


@pytest.mark.parametrize("field", ["leaf", "root"])
@pytest.mark.parametrize("value", NOT_A_HASH, ids=name_of)
def test_malformed_hash(field: str, value: object) -> None:
    with pytest.raises(merkle.InclusionError):
        merkle.verify_inclusion(**good() | {field: value})


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("value", NOT_A_HASH, ids=name_of)
def test_malformed_path_element(place: int, value: object) -> None:
    path: list[Any] = good()["path"]
    path[place] = value
    with pytest.raises(merkle.InclusionError):
        merkle.verify_inclusion(**good() | {"path": path})


@pytest.mark.parametrize("field", ["index", "size"])
@pytest.mark.parametrize("value", NOT_AN_INTEGER, ids=name_of)
def test_malformed_number(field: str, value: object) -> None:
    with pytest.raises(merkle.InclusionError):
        merkle.verify_inclusion(**good() | {field: value})


@pytest.mark.parametrize(
    ("index", "size"),
    [(-1, 3), (3, 3), (4, 3), (0, 0), (0, -1), (-2, -1), (2**64, 3), (0, 2**64 + 1), (1, 2**80)],
)
def test_number_out_of_range(index: int, size: int) -> None:
    with pytest.raises(merkle.InclusionError):
        merkle.verify_inclusion(**good() | {"index": index, "size": size})


@pytest.mark.parametrize(
    "path",
    [
        None,
        0,
        b"",
        bytes(32),
        bytes(64),
        "",
        "00" * 32,
        bytearray(64),
        {0: bytes(32)},
        {bytes(32), bytes([1]) * 32},
        iter([]),
        object(),
        [[bytes(32)], [bytes(32)]],
    ],
    ids=lambda path: type(path).__name__,
)
def test_malformed_path(path: object) -> None:
    with pytest.raises(merkle.InclusionError):
        merkle.verify_inclusion(**good() | {"path": path})


@pytest.mark.parametrize("path", [b"", "", {}, set(), None, 0], ids=repr)
def test_malformed_path_of_a_tree_of_one_leaf(path: object) -> None:
    """Where the right path is empty, an empty thing of another type is still no path."""
    merkle.verify_inclusion(LEAVES[0], 0, 1, [], LEAVES[0])
    with pytest.raises(merkle.InclusionError):
        merkle.verify_inclusion(LEAVES[0], 0, 1, path, LEAVES[0])  # type: ignore[arg-type]


def test_a_rejection_is_evidence_and_does_not_change_its_input() -> None:
    path = good()["path"]
    kept = list(path)
    with pytest.raises(EvidenceError):
        merkle.verify_inclusion(**good() | {"path": path, "root": STRANGER})
    assert path == kept
