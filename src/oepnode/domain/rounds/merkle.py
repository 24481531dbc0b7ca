"""SHA-256 Merkle trees and inclusion proofs, exactly as RFC 9162 §2.1 defines them.

Guarantees: a proof is bound to its position and to the tree's size; leaves and nodes are hashed in
separate domains (prefixes 0x00 and 0x01); an unbalanced tree promotes its odd node; whatever does
not prove inclusion, malformed input included, raises `InclusionError`.

Leaves out: consistency proofs, and trees above 2^64 leaves.

Example:
    >>> leaves = [leaf_hash(bytes([i])) for i in range(5)]
    >>> path = inclusion_path(leaves, 4)
    >>> verify_inclusion(leaves[4], 4, 5, path, root_hash(leaves))
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from oepnode.errors import EvidenceError

HASH_SIZE: Final = 32
MAX_TREE_SIZE: Final = 1 << 64
_LEAF_PREFIX: Final = b"\x00"
_NODE_PREFIX: Final = b"\x01"


class InclusionError(EvidenceError):
    """The path does not prove that the leaf is at that index of the tree with that root."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf: SHA-256(0x00 ‖ entry), 32 bytes (RFC 9162 §2.1.1)."""
    return sha256(_LEAF_PREFIX + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256(0x01 ‖ left ‖ right), 32 bytes (RFC 9162 §2.1.1)."""
    return sha256(_NODE_PREFIX + left + right).digest()


def root_hash(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over leaf hashes in their order (RFC 9162 §2.1.1).

    The root of no leaves is SHA-256 of the empty string.
    """
    if not leaves:
        return sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        level = _next_level(level)
    return level[0]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Hashes that prove ``leaves[index]``, from the leaf's sibling up (RFC 9162 §2.1.3.1).

    Raises:
        IndexError: If there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf index {index} outside of a tree of {len(leaves)} leaves")
    path: list[bytes] = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _next_level(level)
        index >>= 1
    return path


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf`` is the leaf at ``index`` (from 0) of the tree of ``size`` with ``root``.

    The caller must know ``size`` and ``root`` from a source that it trusts; both are part of the
    statement that is proven (RFC 9162 §2.1.3.2).

    Args:
        leaf: Leaf hash, 32 bytes.
        index: Position of the leaf, 0 ≤ index < size.
        size: Number of leaves, 1 to 2^64.
        path: Sibling hashes from the leaf up, 32 bytes each.
        root: Root hash, 32 bytes.

    Raises:
        InclusionError: For anything that does not prove it, malformed input included.
    """
    _check_shape(leaf, index, size, path, root)
    computed = leaf
    position, last = index, size - 1
    for sibling in path:
        if last == 0:
            raise InclusionError("the path is longer than the tree is high")
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise InclusionError("the path is shorter than the tree is high")
    if computed != root:
        raise InclusionError(f"expected root {root.hex()}, the path leads to {computed.hex()}")


def packed_root(leaves: bytes) -> bytes:
    """Root of the tree over leaf hashes that follow one another, as `root_hash`.

    An aligned part of 2^k leaves has its node of level k as its root, and so has a shorter part at
    the end: roots of such parts in their order can be packed again.
    """
    if not leaves:
        return sha256().digest()
    level = leaves
    while len(level) > HASH_SIZE:
        level = packed_level(level)
    return level


def packed_level(level: bytes) -> bytes:
    """The level above one, nodes of both one after the other; an odd node is promoted."""
    pair = 2 * HASH_SIZE
    whole = len(level) // pair * pair
    hashed = sha256
    nodes = [hashed(_NODE_PREFIX + level[at : at + pair]).digest() for at in range(0, whole, pair)]
    nodes.append(level[whole:])
    return b"".join(nodes)


def _next_level(level: list[bytes]) -> list[bytes]:
    above = [
        sha256(_NODE_PREFIX + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)
    ]
    if len(level) & 1:
        above.append(level[-1])
    return above


def _check_shape(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    _check_hash("leaf", leaf)
    _check_hash("root", root)
    _check_integer("index", index)
    _check_integer("size", size)
    if not 1 <= size <= MAX_TREE_SIZE:
        raise InclusionError(f"a tree has 1 to 2^64 leaves, received size {size}")
    if not 0 <= index < size:
        raise InclusionError(f"index {index} outside of a tree of {size} leaves")
    if not isinstance(path, Sequence) or isinstance(path, str | bytes | bytearray | memoryview):
        raise InclusionError(f"the path is a sequence of hashes, received {type(path).__name__}")
    for step, sibling in enumerate(path):
        _check_hash(f"path[{step}]", sibling)


def _check_hash(name: str, value: object) -> None:
    if not isinstance(value, bytes) or len(value) != HASH_SIZE:
        received = f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
        raise InclusionError(f"{name} is {HASH_SIZE} bytes, received {received}")


def _check_integer(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InclusionError(f"{name} is an integer, received {type(value).__name__}")
