"""RFC 9162 section 2.1, line by line.

Slow, recursive and without any check that the RFC does not require. It is the yardstick for the
trees of ``oepnode.domain.rounds.merkle``; it is itself compared with pymerkle in the tests. Hash is
SHA-256. Names follow the RFC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def sha256(data: bytes) -> bytes:
    """The HASH of the RFC."""
    return hashlib.sha256(data).digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry (2.1.1)."""
    return sha256(b"\x00" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (2.1.1)."""
    return sha256(b"\x01" + left + right)


def split(n: int) -> int:
    """The largest power of two smaller than ``n`` (2.1.1)."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def tree_head(leaves: Sequence[bytes]) -> bytes:
    """MTH over leaf hashes (2.1.1)."""
    if len(leaves) == 0:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(tree_head(leaves[:k]), tree_head(leaves[k:]))


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]) over leaf hashes (2.1.3.1)."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), tree_head(leaves[k:])]
    return [*path(m - k, leaves[k:]), tree_head(leaves[:k])]


def proves(
    leaf: bytes, leaf_index: int, tree_size: int, inclusion_path: Sequence[bytes], root: bytes
) -> bool:
    """Whether the path proves the leaf, by the steps of 2.1.3.2."""
    # 1. Compare leaf_index against tree_size.
    if leaf_index >= tree_size:
        return False
    # 2., 3. Set fn, sn and r.
    fn, sn, r = leaf_index, tree_size - 1, leaf
    # 4. For each value p in the inclusion path:
    for p in inclusion_path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    # 5. Compare sn to 0, and r to the root.
    return sn == 0 and r == root


def shape(leaf_index: int, tree_size: int) -> str:
    """The side on which each sibling of the path is, from the leaf up: ``L`` or ``R``.

    A verifier uses index and size for nothing else than this (see ``proves``). So two pairs of
    index and size with the same shape are proven by the same path; every other pair is rejected.
    """
    if tree_size == 1:
        return ""
    k = split(tree_size)
    if leaf_index < k:
        return shape(leaf_index, k) + "R"
    return shape(leaf_index - k, tree_size - k) + "L"
