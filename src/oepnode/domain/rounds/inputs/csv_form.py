"""The CSV form of the envelope document: its header, which is that of Parquet's shape of intervals.

Source: rules-v1 section 5 (CSV).
"""

from __future__ import annotations

from typing import Final

from oepnode.domain.rounds.inputs import parquet_form as form

BOM: Final = b"\xef\xbb\xbf"
REQUIRED: Final = (*form.TEXTS, form.INTERVAL_START)
"""Columns that must be there, and one of limits."""
COLUMNS: Final = (*form.TEXTS, form.SUBMITTED, form.INTERVAL_START, *form.LIMITS)
"""All columns, in the order in which they are written."""
MAX_LINE: Final = 1 << 16
"""Bytes of the longest line."""


def is_csv(first: bytes) -> bool:
    """Whether a document's first bytes begin a header, with the name of a column."""
    head = first.removeprefix(BOM).removeprefix(b'"')
    return any(head.startswith(name.encode()) for name in COLUMNS)
