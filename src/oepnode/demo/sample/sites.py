"""The NMIs of a sample: their numbers, aggregators and application levels.

The NMIs lie in AusNet's blocks but are drawn at random; a real one among them is there by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.demo.sample.plan import SamplePlan, random_stream
from oepnode.domain.documents.arrays import Bools, Bytes, Int16s, Int64s
from oepnode.domain.nem.nmi import ALPHABET

_FIRST_NUMERIC: Final = 6_305_000_000
_NUMERIC_BLOCK: Final = 2_000_000
"""6305…… and 6306……, AusNet's numeric block."""
_LETTER_BLOCK: Final = b"VBBB"
"""AusNet's block of letters, used where the numeric one is full."""


@dataclass(frozen=True)
class Sites:
    """The NMIs of a sample, as columns.

    Attributes:
        nmi: Shape (nmis, 10), ASCII, in order.
        holder: Index of the aggregator at the start of the horizon, or −1.
        is_flex: Whether the envelope is for the Flex level.
        changing: Index of the NMI that changes from aggregator 0 to 1, or −1.
    """

    nmi: Bytes
    holder: Int16s
    is_flex: Bools
    changing: int


def make_sites(plan: SamplePlan) -> Sites:
    """Draw the NMIs, their aggregators and their application levels."""
    random = random_stream(plan, "sites")
    numbers = np.sort(_draw_numbers(plan.nmis, random))
    sizes = zipf_sizes(plan.nmis - plan.unassigned, plan.aggregators)
    holder = np.full(plan.nmis, -1, dtype=np.int16)
    holder[: sum(sizes)] = np.repeat(np.arange(plan.aggregators, dtype=np.int16), sizes)
    random.shuffle(holder)
    is_flex = np.arange(plan.nmis) < round(plan.nmis * plan.flex)
    random.shuffle(is_flex)
    changing = int(np.argmax(holder == 0)) if plan.has_change else -1
    return Sites(_nmi_text(numbers), holder, is_flex, changing)


def zipf_sizes(total: int, parts: int) -> list[int]:
    """Split ``total`` into sizes in proportion to 1, 1/2, 1/3, …, each at least 1."""
    weights = 1 / np.arange(1, parts + 1)
    shares = weights / weights.sum() * (total - parts)
    sizes = np.floor(shares).astype(np.int64) + 1
    largest_rests = np.argsort(-(shares % 1), kind="stable")[: total - int(sizes.sum())]
    sizes[largest_rests] += 1
    return [int(size) for size in sizes]


def _draw_numbers(count: int, random: np.random.Generator) -> Int64s:
    """Distinct positions in the blocks, the numeric one first."""
    if count <= _NUMERIC_BLOCK:
        return random.choice(_NUMERIC_BLOCK, count, replace=False)
    return np.arange(count)


def _nmi_text(numbers: Int64s) -> Bytes:
    """Positions in the blocks as NMIs, shape (n, 10) of ASCII."""
    numeric = numbers[numbers < _NUMERIC_BLOCK] + _FIRST_NUMERIC
    letters = numbers[numbers >= _NUMERIC_BLOCK] - _NUMERIC_BLOCK
    alphabet = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
    digits = alphabet[_digits(numeric, 10, 10)]
    tail = alphabet[_digits(letters, len(ALPHABET), 6)]
    head = np.frombuffer(_LETTER_BLOCK, dtype=np.uint8)
    return np.concatenate((digits, np.hstack((np.tile(head, (len(tail), 1)), tail))))


def _digits(numbers: Int64s, base: int, width: int) -> Int64s:
    """Digits of numbers in a base, most significant first, shape (n, width)."""
    return numbers[:, None] // base ** np.arange(width - 1, -1, -1) % base
