"""The custody root: evidence that somebody held a round's site entries for one operator.

It goes into the event of the operator's ballot, and whoever computes the round again checks it. Each
leaf is bound to the operator, so that a root made for one operator is worth nothing to another, and
making one takes a pass over all entries. It proves that this pass was made for this operator before
the vote closed. It does not prove by whom. Source: rules-v1 section 13.

Example:
    >>> custody_root(operator, result.partitions)                    # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.partition import Partition
from oepnode.errors import ConfigError

OPERATOR_SIZE: Final = 20
_LEAF_PREFIX: Final = b"\x02"


def custody_root(operator: bytes, partitions: Sequence[Partition]) -> bytes:
    """Root over SHA-256(0x02 ‖ operator ‖ entry) of all site entries of a round, 32 bytes.

    Args:
        operator: The operator's address, 20 bytes.
        partitions: All partitions of the round in the order of the round tree, the unassigned one
            included; the entries of each one in the order of its tree.

    Raises:
        ConfigError: If the operator's address does not have 20 bytes.
    """
    if len(operator) != OPERATOR_SIZE:
        raise ConfigError(f"an operator's address is 20 bytes, received {len(operator)}")
    prefix = _LEAF_PREFIX + operator
    leaves = [sha256(prefix + entry).digest() for part in partitions for entry in part.entries]
    return merkle.root_hash(leaves)
