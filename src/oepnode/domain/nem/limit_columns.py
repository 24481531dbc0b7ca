"""Limits as columns: the texts of many JSON numbers to integer watts at once.

Guarantees: a text gives the integer that `quantities.parse_limit` and `canonical_limit` give, or
it is reported as bad, for the strict reader to judge. No float is between text and integer.

A *plain* number is one of RFC 8259 without exponent: at most five digits before the point and at
most three after it. Its bytes stand in one 64-bit word, and are read with integer arithmetic on
columns of such words. Each condition of the grammar is tested on all bytes: digits only but for
one point, a digit on both sides of it, no leading zero. Every other text is read by itself, with
`parse_limit`, once per distinct text. Source: rules-v1 sections 2 and 5.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from oepnode.domain.nem.quantities import (
    IMPORT_KINDS,
    NO_LIMIT,
    Feed,
    QuantityError,
    parse_limit,
)

Words = npt.NDArray[np.uint64]
MAX_TEXT: Final = 16
"""Bytes of the longest text that is read here."""

_NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NULL: Final = b"null"
_MAX_KNOWN: Final = 1 << 16
_EDGE_MOST: Final = 99_990
_EDGE_STEP: Final = 10


def _each(byte: int) -> np.uint64:
    """A word with one byte eight times."""
    return np.uint64(byte * 0x0101_0101_0101_0101)


_EACH: Final = tuple(_each(byte) for byte in range(256))
_ONES: Final = _each(0x01)
_TOPS: Final = _each(0x80)
_HIGH: Final = _each(0xF0)
_LOW: Final = _each(0x0F)
_ZEROS: Final = _each(ord("0"))
_SIXES: Final = _each(0x06)
_POINTS: Final = _each(ord("."))
_ALL: Final = np.uint64(2**64 - 1)
_ONE: Final = np.uint64(1)
_BYTE: Final = np.uint64(8)
_POINT_TO_ZERO: Final = np.uint64(ord(".") ^ ord("0"))


def first_byte(words: Words, byte: int) -> Words:
    """Position of the first byte of this value in each word, 0 to 7; 8 where there is none."""
    differs = words ^ _EACH[byte]
    # Bytes above the first zero may be marked too (a borrow runs through); the lowest is exact.
    marks = (differs - _ONES) & ~differs & _TOPS
    below = (marks - _ONE) & ~marks
    return np.bitwise_count(below).astype(np.uint64) >> np.uint64(3)


class Limits(NamedTuple):
    """Limits of many texts.

    Attributes:
        values: int32 W or var, canonical sign; `NO_LIMIT` for ``null`` and where bad.
        bad: Texts that are no such limit, or that cannot be read here.
    """

    values: npt.NDArray[np.int32]
    bad: npt.NDArray[np.bool_]


class LimitReader:
    """Reads columns of limits' texts of one feed.

    Args:
        feed: The feed's settings.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._known: dict[bytes, int | None] = {}

    def read(self, low: Words, high: Words, width: Words, kind: int, *, nullable: bool) -> Limits:
        """Read one kind of limit.

        Args:
            low: First eight bytes of each text, and what follows it.
            high: Next eight bytes.
            width: Bytes of each text, 1 to `MAX_TEXT`.
            kind: Index into `quantities.KINDS`.
            nullable: Whether ``null`` is allowed.
        """
        watts, is_odd = _plain(low, high, width)
        bad = np.zeros(watts.shape, dtype=np.bool_)
        missing = bad
        if is_odd.any():
            missing = np.zeros(watts.shape, dtype=np.bool_)
            self._read_odd(low, high, width, is_odd, watts, bad, missing, nullable=nullable)
        if self._feed.profile == "edge":
            bad |= (watts % _EDGE_STEP != 0) | (np.abs(watts) > _EDGE_MOST)
        is_negated = kind in IMPORT_KINDS and self._feed.import_sign == "magnitude"
        bad |= watts > 0 if kind in IMPORT_KINDS and not is_negated else watts < 0
        values = (-watts if is_negated else watts).astype(np.int32)
        values[missing | bad] = NO_LIMIT
        return Limits(values, bad)

    def _read_odd(
        self,
        low: Words,
        high: Words,
        width: Words,
        is_odd: npt.NDArray[np.bool_],
        watts: npt.NDArray[np.int64],
        bad: npt.NDArray[np.bool_],
        missing: npt.NDArray[np.bool_],
        *,
        nullable: bool,
    ) -> None:
        """Read the texts that are not plain, one by one, into the columns."""
        where = np.nonzero(is_odd)
        both = np.stack((low[where], high[where]), axis=-1).astype("<u8")
        texts, widths = both.tobytes(), width[where].tolist()
        values = np.zeros(len(widths), dtype=np.int64)
        nulls = np.zeros(len(widths), dtype=np.bool_)
        wrong = np.zeros(len(widths), dtype=np.bool_)
        for i, size in enumerate(widths):
            text = texts[MAX_TEXT * i : MAX_TEXT * i + size]
            if text == _NULL and nullable:
                nulls[i] = True
                continue
            value = self._value(text)
            if value is None:
                wrong[i] = True
            else:
                values[i] = value
        watts[where], missing[where], bad[where] = values, nulls, wrong

    def _value(self, text: bytes) -> int | None:
        """Watts of a JSON number, sign as written; None where it is none, or no limit."""
        if text in self._known:
            return self._known[text]
        value = None
        if _NUMBER.fullmatch(text):
            try:
                value = parse_limit(text.decode("ascii"), self._feed)
            except QuantityError:
                value = None
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[text] = value
        return value


def _plain(
    low: Words, high: Words, width: Words
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Watts of plain numbers, sign as written, and where a text is not plain (0 there)."""
    is_negative = (low & np.uint64(0xFF)) == np.uint64(ord("-"))
    signs = is_negative.astype(np.uint64)
    shift = signs << np.uint64(3)
    # Without the sign; a shift by 64 gives 0.
    word = (low >> shift) | (high << (np.uint64(64) - shift))
    size = width - signs
    bits = size * _BYTE
    is_odd = (size - _ONE) >= _BYTE  # 0 wraps around
    inside = _ALL >> (np.uint64(64) - bits)
    word = (word & inside) | (_ZEROS & ~inside)
    point = np.minimum(first_byte(word, ord(".")), size)
    has_point = point < size
    at = point * _BYTE
    word ^= np.where(has_point, _POINT_TO_ZERO, np.uint64(0)) << at
    is_odd |= ((word & _HIGH) != _ZEROS) | (((word + _SIXES) & _HIGH) != _ZEROS)
    decimals = size - point  # the point counts
    is_odd |= (point - _ONE) >= np.uint64(5)
    is_odd |= has_point & ((decimals - np.uint64(2)) >= np.uint64(3))
    is_odd |= (point > _ONE) & ((word & np.uint64(0xFF)) == np.uint64(ord("0")))
    before = (_ONE << at) - _ONE
    word = (word & before) | (((word >> _BYTE) | (np.uint64(ord("0")) << np.uint64(56))) & ~before)
    # Digits before the point and three after it, at the end of the word.
    word <<= np.where(is_odd, np.uint64(0), (np.uint64(5) - point) * _BYTE)
    value = _eight_digits(word).astype(np.int64)
    value = np.where(is_negative, -value, value)
    value[is_odd] = 0
    return value, is_odd


def _eight_digits(word: Words) -> Words:
    """The number of eight decimal digits, the first in the lowest byte."""
    word = word & _LOW
    word = (word * np.uint64(10) + (word >> _BYTE)) & np.uint64(0x00FF_00FF_00FF_00FF)
    word = (word * np.uint64(100) + (word >> np.uint64(16))) & np.uint64(0x0000_FFFF_0000_FFFF)
    return (word * np.uint64(10_000) + (word >> np.uint64(32))) & np.uint64(0xFFFF_FFFF)
