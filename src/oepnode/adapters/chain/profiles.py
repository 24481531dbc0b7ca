"""Chains by their id: how final a block is there, and how its time relates to the clock."""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

DEVELOPMENT: Final = 31337
"""The id of Anvil and Hardhat, whose time is set by hand."""


class ChainProfile(Struct, frozen=True):
    """Defaults of a chain for readers.

    Attributes:
        has_finality: Whether nodes are asked for the tag ``finalized``.
        confirmations: Blocks on top of one that is read, unless it is read by that tag.
        max_head_age_s: Maximum age of the newest block, in seconds.
        max_head_lead_s: Maximum lead of its time over the clock, in seconds.
    """

    has_finality: bool = True
    confirmations: int = 12
    max_head_age_s: float = 600
    max_head_lead_s: float = 60


_PROFILES: Final = {
    DEVELOPMENT: ChainProfile(
        has_finality=False, confirmations=0, max_head_age_s=math.inf, max_head_lead_s=math.inf
    ),
}


def profile_of(chain_id: int) -> ChainProfile:
    """The profile of a chain."""
    return _PROFILES.get(chain_id, ChainProfile())
