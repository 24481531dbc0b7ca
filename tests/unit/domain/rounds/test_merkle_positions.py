"""Every position of every tree of 1 to 300 leaves, against pymerkle and against the RFC's text.

``tests/reference/rfc9162.py`` is RFC 9162 section 2.1 written down line by line; pymerkle is a tree
by other authors. The roots of the eight-leaf tree are those of the Certificate Transparency test
data, which go back to RFC 6962.
"""

from __future__ import annotations

import pytest
from pymerkle import InclusionProof, InmemoryTree

from oepnode.domain.rounds import merkle
from tests.reference import rfc9162

LARGEST = 300
ENTRIES = [b"entry %d" % i for i in range(LARGEST)]
LEAVES = [rfc9162.leaf_hash(entry) for entry in ENTRIES]

CT_ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


@pytest.fixture(scope="module")
def tree() -> InmemoryTree:
    """pymerkle's tree of 300 leaves; it also answers for every smaller size."""
    grown = InmemoryTree(algorithm="sha256", threshold=2)
    grown.append_entries(ENTRIES)
    return grown


def by_pymerkle(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> None:
    """pymerkle's verdict for an index and size; raises ``InvalidProof``."""
    rule = [0 if side == "R" else 1 for side in rfc9162.shape(index, size)] + [0]
    proof = InclusionProof("sha256", True, size, index + 1, rule, [leaf, *path])
    proof.verify(leaf, root, index=index + 1, size=size, algorithm="sha256")


def test_leaf_hash_has_its_prefix() -> None:
    assert [merkle.leaf_hash(entry) for entry in ENTRIES] == LEAVES


def test_root_of_no_leaves_is_the_hash_of_nothing() -> None:
    assert merkle.root_hash([]) == rfc9162.tree_head([]) == rfc9162.sha256(b"")


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_of_the_certificate_transparency_tree(size: int) -> None:
    leaves = [merkle.leaf_hash(entry) for entry in CT_ENTRIES[:size]]
    assert merkle.root_hash(leaves).hex() == CT_ROOTS[size - 1]


def test_roots_of_all_sizes(tree: InmemoryTree) -> None:
    for size in range(1, LARGEST + 1):
        root = merkle.root_hash(LEAVES[:size])
        assert root == tree.get_root(size)
        assert root == rfc9162.tree_head(LEAVES[:size])


@pytest.mark.no_cover  # 45,000 proofs, and measuring takes most of their time
@pytest.mark.parametrize("first", range(1, LARGEST + 1, 50))
def test_every_position_is_proven(tree: InmemoryTree, first: int) -> None:
    proven = 0
    for size in range(first, first + 50):
        leaves = LEAVES[:size]
        root = tree.get_root(size)
        for index in range(size):
            path = merkle.inclusion_path(leaves, index)
            assert path == tree.prove_inclusion(index + 1, size).path[1:]
            merkle.verify_inclusion(leaves[index], index, size, path, root)
            assert rfc9162.proves(leaves[index], index, size, path, root)
            by_pymerkle(leaves[index], index, size, path, root)
            proven += 1
    assert proven == 50 * first + 49 * 25


def test_the_path_is_the_one_of_the_rfc() -> None:
    for size in (*range(1, 40), 63, 64, 65, 127, 128, 129, 255, 256, 257, 300):
        for index in {0, 1, size // 2, size - 2, size - 1} & set(range(size)):
            path = merkle.inclusion_path(LEAVES[:size], index)
            assert path == rfc9162.path(index, LEAVES[:size])


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (6, 5), (0, 0)])
def test_there_is_no_path_for_a_missing_leaf(index: int, size: int) -> None:
    with pytest.raises(IndexError):
        merkle.inclusion_path(LEAVES[:size], index)
