"""The Parquet form of the envelope document: its columns and bounds.

The only description of it: the reader checks a file's schema and metadata against it before any
column is read. Source: rules-v1 section 5 (Parquet).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

MAGIC: Final = b"PAR1"

NMI: Final = "nmi"
TIMING: Final = "oeTiming"
OBJECTIVE: Final = "oeObjectiveFunction"
LEVEL: Final = "oeApplicationLevel"
SUBMITTED: Final = "submissionTimestamp"
START: Final = "startTime"
INTERVAL_START: Final = "diStartTime"
LIMITS: Final = (
    "activePowerExportLimitW",
    "activePowerImportLimitW",
    "reactivePowerExportLimitVar",
    "reactivePowerImportLimitVar",
)
"""Columns of limits in bit order."""

TEXTS: Final = (NMI, TIMING, OBJECTIVE, LEVEL)
"""Columns of text, all of them mandatory."""

MAX_LIST: Final = 2016
"""Longest list of limits: a horizon of 7 days."""

MAX_FOOTER: Final = 1 << 24
"""Bytes of the metadata at the end of a file."""

MAX_STRUCTURE: Final = 1 << 16
"""Elements of any list of the metadata: row groups, columns, names."""

MAX_TEXT: Final = 1 << 20
"""Bytes of any text of the metadata."""

VALUES_PER_BYTE: Final = 4096
SPARE_VALUES: Final = 1 << 24
"""A file holds at most ``VALUES_PER_BYTE`` values for each of its bytes, and this many more."""


class ParquetShape(Enum):
    """The two shapes of rows."""

    LISTS = "a row for each record, with lists of limits"
    INTERVALS = "a row for each dispatch interval"

    @property
    def start_column(self) -> str:
        """The column of the first or only interval's start."""
        return START if self is ParquetShape.LISTS else INTERVAL_START
