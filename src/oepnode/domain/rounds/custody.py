"""The custody root: evidence that somebody held a round's site entries for one operator.

It goes into the event of the operator's ballot, and whoever computes the round again checks it.
Each leaf is bound to the operator, so that a root made for one operator is worth nothing to
another, and making one takes a pass over all entries. It proves that this pass was made for this
operator before the vote closed. It does not prove by whom. Source: rules-v1 section 13.

Example:
    >>> custody_root(operator, result.partitions)                    # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Final

from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.onchain import Abstained, BallotCast, Electorate, Event, Member
from oepnode.domain.rounds.partition import Partition
from oepnode.errors import ConfigError

OPERATOR_SIZE: Final = 20
_LEAF_PREFIX: Final = b"\x02"


class CustodyStanding(Enum):
    """A member's custody root compared with the one that the inputs give."""

    MATCHES = "matches"
    DIFFERS = "differs"
    ABSTAINED = "abstained"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class MemberCustody:
    """One member's custody root.

    Attributes:
        member: The member.
        standing: The comparison; ``ABSTAINED`` and ``SILENT`` where there is no ballot.
        stated: The custody root in the event of its ballot, or None without a ballot.
        computed: The one that the inputs give for it, or None without a ballot.
    """

    member: Member
    standing: CustodyStanding
    stated: bytes | None
    computed: bytes | None


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


def check_custody(
    electorate: Electorate, events: Iterable[Event], partitions: Sequence[Partition]
) -> tuple[MemberCustody, ...]:
    """Compare every member's custody root with the one that the partitions give.

    Takes a pass over all entries for each ballot.

    Args:
        electorate: The round's.
        events: All of the round.
        partitions: Computed from the round's inputs, in the order of the round tree.

    Returns:
        One for each member, in order of index.
    """
    stated: dict[bytes, bytes] = {}
    abstained: set[bytes] = set()
    for event in events:
        if isinstance(event, BallotCast):
            stated[event.operator] = event.custody
        elif isinstance(event, Abstained):
            abstained.add(event.operator)
    accounts = []
    for member in electorate.members:
        received = stated.get(member.operator)
        if received is None:
            has_abstained = member.operator in abstained
            standing = CustodyStanding.ABSTAINED if has_abstained else CustodyStanding.SILENT
            accounts.append(MemberCustody(member, standing, None, None))
            continue
        computed = custody_root(member.operator, partitions)
        equal = received == computed
        standing = CustodyStanding.MATCHES if equal else CustodyStanding.DIFFERS
        accounts.append(MemberCustody(member, standing, received, computed))
    return tuple(accounts)
