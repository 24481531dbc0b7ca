"""Merkle trees (section 10), built by pymerkle."""

from __future__ import annotations

from collections.abc import Sequence

from pymerkle import InmemoryTree


def tree(entries: Sequence[bytes]) -> InmemoryTree:
    """The tree over entries in their order. pymerkle adds the prefixes 0x00 and 0x01."""
    grown = InmemoryTree(algorithm="sha256")
    for entry in entries:
        grown.append_entry(entry)
    return grown


def tree_root(entries: Sequence[bytes]) -> bytes:
    return bytes(tree(entries).get_root())


def tree_path(entries: Sequence[bytes], index: int) -> list[bytes]:
    """Inclusion path of a position, from the leaf up, without the leaf itself."""
    return list(tree(entries).prove_inclusion(index + 1).path[1:])
