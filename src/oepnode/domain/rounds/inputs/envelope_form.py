"""The form of the envelope document: its objects, their fields and bounds.

The only description of them: the reader checks keys against it, and the JSON Schema and the
sections that findings cite are made from it. Source: Part C §6.3, rules-v1 sections 3 to 5.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from oepnode.domain.documents.json_fields import Field, ObjectShape
from oepnode.domain.nem.quantities import KINDS

SECTION: Final = "Part C §6.3"
LEVELS: Final = {"NMI": 0, "Flex": 1}
TIMINGS: Final = {"PRE": 0, "POST": 1}
NO_TIMING: Final = 255
"""Timing of a site for which neither PRE nor POST is known."""

MAX_OBJECTIVE_BYTES: Final = 255
MAX_INTERVALS: Final = 576
MAX_HORIZON: Final = 2016
"""Longest horizon in dispatch intervals (7 days)."""

MAX_CELLS_PER_ROW: Final = 16
"""Most sites × intervals of the horizon for each row of a document (rules-v1 section 5)."""


def _field(name: str, number: str, meaning: str, *also: str, required: bool = True) -> Field:
    section = f"{SECTION} field {number}" if number else SECTION
    return Field(name, also, required, section, meaning)


RECORD: Final = ObjectShape(
    _field("nmi", "1", "The NMI without checksum"),
    _field("oeTiming", "2", "Whether the limits were computed before the interval or after it"),
    _field("oeObjectiveFunction", "3", "Identifier of the objective function, free"),
    _field(
        "oeApplicationLevel",
        "4",
        "Whether limits apply to the net flow or to controllable assets only",
    ),
    _field("operatingEnvelopes", "5", "Limits by interval"),
    _field(
        "submissionTimestamp",
        "6",
        "When the record was made; the latest of a site and interval counts",
        "submissionDatetime",
        "submissionDateTime",
        required=False,
    ),
    _field("tradingDate", "5.2", "Trading day of 288 intervals without times", required=False),
)
ELEMENT: Final = ObjectShape(
    _field("nmi", "5.1", "As the record's", required=False),
    _field("oeApplicationLevel", "4", "As the record's", required=False),
    _field("intervals", "5.2", "Dispatch intervals", "Intervals"),
)
INTERVAL: Final = ObjectShape(
    _field(KINDS[0], "5.2.1", "Export limit in kW, ≥ 0"),
    _field(KINDS[1], "5.2.2", "Import limit in kW, ≤ 0"),
    _field(KINDS[2], "", "Reactive export limit in kVAr, ≥ 0 (named in §6.1)", required=False),
    _field(KINDS[3], "", "Reactive import limit in kVAr, ≤ 0 (named in §6.1)", required=False),
    _field(
        "diStartTime",
        "5.2.3",
        "Start of the dispatch interval; one of both times may be left out",
        "diStarttime",
        required=False,
    ),
    _field("diEndTime", "5.2.4", "End of the dispatch interval", "diEndtime", required=False),
)
"""An interval as Part C has it: both active limits are mandatory."""

WIDE_INTERVAL: Final = ObjectShape(
    *(replace(field, required=False) if field.name in KINDS else field for field in INTERVAL.fields)
)
"""An interval in profile ``wide``: any limit may be absent, but not all."""
