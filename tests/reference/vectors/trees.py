"""Section 10: roots, paths, and proofs that a verifier must reject."""

from __future__ import annotations

from tests.reference import rfc9162
from tests.reference.trees import tree_path, tree_root
from tests.reference.vectors.common import Json, digest


def tree_vectors() -> Json:
    """Roots, all paths of small trees, and proofs that must be rejected, with the reason."""
    trees = []
    for size in (1, 2, 3, 4, 5, 6, 7, 8, 13):
        entries = [b"entry %d" % i for i in range(size)]
        leaves = [rfc9162.leaf_hash(entry) for entry in entries]
        trees.append(
            {
                "entries": [entry.hex() for entry in entries],
                "leafHashes": [leaf.hex() for leaf in leaves],
                "root": tree_root(entries).hex(),
                "paths": [[p.hex() for p in tree_path(entries, i)] for i in range(size)],
            }
        )
    large = []
    for size in (64, 65, 300):
        entries = [b"entry %d" % i for i in range(size)]
        large.append(
            {
                "size": size,
                "root": tree_root(entries).hex(),
                "proofs": [
                    {"index": i, "path": [p.hex() for p in tree_path(entries, i)]}
                    for i in (0, size // 2, size - 1)
                ],
            }
        )
    return {
        "section": "10",
        "emptyRoot": rfc9162.tree_head([]).hex(),
        "trees": trees,
        "largeTreesOfEntryN": large,
        "rejected": rejected_proofs(),
        "provesAnotherSizeToo": same_shape_proofs(),
    }


def proof(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> dict[str, Json]:
    """A claim as JSON."""
    return {
        "leaf": leaf.hex(),
        "index": index,
        "size": size,
        "path": [sibling.hex() for sibling in path],
        "root": root.hex(),
    }


def rejected_proofs() -> Json:
    """Proofs of leaf 4 of 7 that prove nothing, each with the reason."""
    entries = [b"entry %d" % i for i in range(7)]
    leaves = [rfc9162.leaf_hash(entry) for entry in entries]
    root, path, leaf = tree_root(entries), tree_path(entries, 4), leaves[4]
    inner = rfc9162.leaf_hash(b"\x01" + leaf + path[0])
    flipped = bytes([path[1][0] ^ 1]) + path[1][1:]
    cases = [
        ("another leaf of the tree", (leaves[5], 4, 7, path, root)),
        ("a leaf that is not in the tree", (digest("stranger"), 4, 7, path, root)),
        ("an entry hashed without 0x00", (rfc9162.sha256(entries[4]), 4, 7, path, root)),
        ("the children of an inner node as an entry", (inner, 2, 4, path[1:], root)),
        ("index of the sibling", (leaf, 5, 7, path, root)),
        ("index of another leaf", (leaf, 0, 7, path, root)),
        ("index equal to the size", (leaf, 7, 7, path, root)),
        ("negative index", (leaf, -1, 7, path, root)),
        ("size too small: the path has one sibling too many", (leaf, 4, 5, path, root)),
        ("size too large: the path has one sibling too few", (leaf, 4, 9, path, root)),
        ("size 0", (leaf, 0, 0, path, root)),
        ("path too short at the end", (leaf, 4, 7, path[:-1], root)),
        ("path too short at the start", (leaf, 4, 7, path[1:], root)),
        ("path empty", (leaf, 4, 7, [], root)),
        ("path too long at the end", (leaf, 4, 7, [*path, digest("more")], root)),
        ("path too long: the root once more", (leaf, 4, 7, [*path, root], root)),
        ("path with two siblings swapped", (leaf, 4, 7, [path[1], path[0], path[2]], root)),
        ("path in reverse", (leaf, 4, 7, path[::-1], root)),
        ("path of another leaf", (leaf, 4, 7, tree_path(entries, 5), root)),
        ("one bit of a sibling changed", (leaf, 4, 7, [path[0], flipped, path[2]], root)),
        ("a sibling of 31 bytes", (leaf, 4, 7, [path[0][:-1], *path[1:]], root)),
        ("a sibling of 33 bytes", (leaf, 4, 7, [path[0] + b"\x00", *path[1:]], root)),
        ("a leaf of 31 bytes", (leaf[:-1], 4, 7, path, root)),
        ("root of another tree", (leaf, 4, 7, path, tree_root(entries[:6]))),
        ("root of 31 bytes", (leaf, 4, 7, path, root[:-1])),
    ]  # fmt: skip
    for reason, claim in cases:
        if rfc9162.proves(*claim) and claim[1] >= 0:
            raise AssertionError(reason)
    return [{"reason": reason} | proof(*claim) for reason, claim in cases]


def same_shape_proofs() -> Json:
    """Sizes that a path does not distinguish; RFC 9162 2.1.3.2 accepts them all."""
    entries = [b"entry %d" % i for i in range(5)]
    leaf, path = rfc9162.leaf_hash(entries[0]), tree_path(entries, 0)
    root = tree_root(entries)
    sizes = [size for size in range(1, 20) if rfc9162.proves(leaf, 0, size, path, root)]
    return [{"trueSize": 5} | proof(leaf, 0, size, path, root) for size in sizes]
