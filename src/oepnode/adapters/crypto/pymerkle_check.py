"""Verifies inclusion paths with pymerkle, an independent library.

Guarantees nothing beyond `oepnode.domain.rounds.merkle.verify_inclusion`: it is a second opinion on
the same statement, by other authors. Index and size are the caller's, never taken from the proof.
Source: ``docs/design.md`` §6.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymerkle import InclusionProof, InvalidProof

from oepnode.domain.rounds.merkle import InclusionError


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Verify with pymerkle that ``leaf`` is the leaf at ``index`` of the tree with ``root``.

    Args:
        leaf: Leaf hash, 32 bytes.
        index: Position of the leaf, from 0.
        size: Number of leaves.
        path: Sibling hashes from the leaf up, 32 bytes each.
        root: Root hash, 32 bytes.

    Raises:
        InclusionError: If pymerkle does not accept the proof.
    """
    if not 0 <= index < size < 1 << 32:
        raise InclusionError(f"index {index} is outside a tree of {size} leaves")
    # pymerkle counts leaves from 1, and its path begins with the leaf itself.
    proof = InclusionProof("sha256", True, size, index + 1, _rule(index, size), [leaf, *path])
    try:
        proof.verify(leaf, root, index=index + 1, size=size, algorithm="sha256")
    except InvalidProof as exc:
        raise InclusionError(f"pymerkle rejects the path: {exc}") from exc


def _rule(index: int, size: int) -> list[int]:
    """For each hash of the path 1 if it goes to the left, 0 if to the right; then a 0.

    pymerkle also derives the rule, and rejects any other.
    """
    rule: list[int] = []
    position, last = index, size - 1
    while last:
        if position & 1 or position < last:
            rule.append(position & 1)
        position >>= 1
        last >>= 1
    return [*rule, 0]
