"""A valid round and the result of reading it.

A `Shape` is chosen by hypothesis; a seeded generator makes the `Case` of it, so that an example
shrinks to a small shape and costs little.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from tests.generators.json_text import JsonObject, Style
from tests.reference.limits import Limits

DAY = 288
NMI_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"

Site = tuple[str, int]
Profile = Literal["wide", "edge"]
ImportSign = Literal["canonical", "magnitude"]


@dataclass(frozen=True)
class Shape:
    """The choices of hypothesis; everything else follows from it."""

    seed: int = 0
    nmis: int = 1
    intervals: int = 1
    aggregators: int = 1
    profile: Profile = "wide"
    import_sign: ImportSign = "canonical"
    both_levels: bool = False
    gaps: bool = False
    reactive: bool = False
    repeats: bool = False
    supersession: bool = False
    churn: bool = False
    full_day: bool = False
    style: Style = field(default_factory=Style)


@dataclass
class Case:
    """A valid round with the values that must be read from it.

    Attributes:
        shape: The shape that it was made of.
        records: The document as trees.
        registry_tree: The snapshot as a tree.
        rows: The limits that must be valid, by (nmi, level) and interval start.
        sites: Timing and objective function by (nmi, level).
        holders: Aggregator id, or empty, by (nmi, interval start).
    """

    shape: Shape
    records: list[JsonObject]
    registry_tree: JsonObject
    envelope: bytes
    registry: bytes
    salt: bytes
    chain_id: int
    contract: bytes
    number: int
    rows: dict[Site, dict[int, Limits]]
    sites: dict[Site, tuple[int, str]]
    holders: dict[tuple[str, int], str]

    @property
    def profile(self) -> Profile:
        return self.shape.profile

    @property
    def import_sign(self) -> ImportSign:
        return self.shape.import_sign


def random_nmi(rnd: random.Random) -> str:
    if rnd.random() < 0.5:
        return f"6305{rnd.randrange(10**6):06d}"
    return "".join(rnd.choice(NMI_CHARACTERS) for _ in range(10))
