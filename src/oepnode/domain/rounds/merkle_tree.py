"""A Merkle tree with all its levels: every inclusion path in one pass, and many paths verified.

Guarantees: paths are those of `merkle.inclusion_path`; `InclusionVerifier` accepts exactly what
`merkle.verify_inclusion` accepts, and computes a node that two paths in a row share only once.
Source: RFC 9162 §2.1.3.

Example:
    >>> tree = MerkleTree(b"".join(merkle.leaf_hash(bytes([i])) for i in range(5)))
    >>> verifier = InclusionVerifier(tree.size, tree.root)
    >>> for index, path in enumerate(tree.paths()):
    ...     verifier.verify(tree.leaf(index), index, path)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.merkle import HASH_SIZE, node_hash

Path: TypeAlias = tuple[bytes, ...]

_PART_LEVELS: Final = 10
"""Paths of 2^10 leaves are made together: those of a subtree share all that is above it."""


class MerkleTree:
    """A tree over leaf hashes.

    Args:
        leaves: At least one leaf hash, 32 bytes each, one after the other.

    Attributes:
        size: Number of leaves.
        root: Root hash.
    """

    def __init__(self, leaves: bytes) -> None:
        self._levels = [leaves]
        while len(self._levels[-1]) > HASH_SIZE:
            self._levels.append(merkle.packed_level(self._levels[-1]))
        self.size = len(leaves) // HASH_SIZE
        self.root = self._levels[-1]

    def leaf(self, index: int) -> bytes:
        """Leaf hash at an index."""
        return self._node(0, index)

    def path(self, index: int) -> Path:
        """Inclusion path of one leaf, as `merkle.inclusion_path`.

        Raises:
            IndexError: If there is no such leaf.
        """
        if not 0 <= index < self.size:
            raise IndexError(f"leaf index {index} outside of a tree of {self.size} leaves")
        return self._above(0, index)

    def paths(self) -> Iterator[Path]:
        """Inclusion paths of all leaves in their order."""
        top = min(_PART_LEVELS, len(self._levels) - 1)
        for part in range(len(self._levels[top]) // HASH_SIZE):
            paths = [self._above(top, part)]
            for level in range(top - 1, -1, -1):
                paths = self._below(level, part << (top - level), paths)
            yield from paths

    def _below(self, level: int, first: int, above: list[Path]) -> list[Path]:
        """Paths of nodes from ``first`` on, from those of their parents."""
        start = first * HASH_SIZE
        nodes = self._levels[level][start : start + 2 * len(above) * HASH_SIZE]
        paths: list[Path] = []
        at = 0
        for tail in above:
            left, right = nodes[at : at + HASH_SIZE], nodes[at + HASH_SIZE : at + 2 * HASH_SIZE]
            at += 2 * HASH_SIZE
            if right:
                paths += ((right, *tail), (left, *tail))
            else:  # the odd node at the end is its own parent
                paths.append(tail)
        return paths

    def _above(self, level: int, index: int) -> Path:
        """The path from a node of a level to the root."""
        path = []
        for above in range(level, len(self._levels) - 1):
            sibling = self._node(above, index ^ 1)
            if sibling:
                path.append(sibling)
            index >>= 1
        return tuple(path)

    def _node(self, level: int, index: int) -> bytes:
        return self._levels[level][index * HASH_SIZE : (index + 1) * HASH_SIZE]


class InclusionVerifier:
    """Verifies paths of one tree, best in the order of their leaves.

    A path that was verified proves all nodes on its way. Where the next path comes to such a node,
    it is proven if its node is the same and if the rest of both paths is the same.

    Args:
        size: Number of leaves.
        root: Root hash.
    """

    def __init__(self, size: int, root: bytes) -> None:
        self._size = size
        self._root = root
        self._proven: dict[int, tuple[int, bytes, Path]] = {}

    def verify(self, leaf: bytes, index: int, path: Sequence[bytes]) -> None:
        """Check a path as `merkle.verify_inclusion` does, whose words its errors have.

        Raises:
            InclusionError: For anything that does not prove it, malformed input included.
        """
        steps = self._steps(leaf, index, path)
        if steps is None:
            # Rejected, or of an unusual type: the judge decides, and says why.
            merkle.verify_inclusion(leaf, index, self._size, path, self._root)
            return
        self._proven.update(steps)

    def _steps(
        self, leaf: bytes, index: int, path: Sequence[bytes]
    ) -> dict[int, tuple[int, bytes, Path]] | None:
        """The nodes up to a proven one or the root, by level; None where it proves nothing."""
        if type(path) is list:
            path = tuple(path)
        if type(path) is not tuple or type(leaf) is not bytes or len(leaf) != HASH_SIZE:
            return None
        if type(index) is not int or not 0 <= index < self._size:
            return None
        proven = self._proven
        node, position, last, level = leaf, index, self._size - 1, 0
        steps: dict[int, tuple[int, bytes, Path]] = {}
        for number, sibling in enumerate(path):
            known = proven.get(level)
            if known is not None and known[0] == position:
                return steps if known[1] == node and known[2] == path[number:] else None
            if last == 0 or type(sibling) is not bytes or len(sibling) != HASH_SIZE:
                return None
            steps[level] = (position, node, path[number:])
            if position & 1 or position == last:
                node = node_hash(sibling, node)
                while not position & 1 and position:
                    position >>= 1
                    last >>= 1
                    level += 1
            else:
                node = node_hash(node, sibling)
            position >>= 1
            last >>= 1
            level += 1
        return steps if last == 0 and node == self._root else None
