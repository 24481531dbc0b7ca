"""Custody roots (section 13)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tests.reference.rfc9162 import tree_head


def custody_leaf(operator: bytes, entry: bytes) -> bytes:
    assert len(operator) == 20
    return hashlib.sha256(b"\x02" + operator + entry).digest()


def custody_root(operator: bytes, partitions: Iterable[Iterable[bytes]]) -> bytes:
    """Root for one operator over the entries of the partitions, all in the order of the trees."""
    leaves = [custody_leaf(operator, entry) for entries in partitions for entry in entries]
    return tree_head(leaves)
