"""The form of the envelope document: its objects, their fields and bounds.

Source: Part C §6.3, rules-v1 sections 3 to 5.
"""

from __future__ import annotations

from typing import Final

from oepnode.domain.documents.json_fields import Field, ObjectShape
from oepnode.domain.nem.quantities import KINDS

LEVELS: Final = {"NMI": 0, "Flex": 1}
TIMINGS: Final = {"PRE": 0, "POST": 1}
MAX_INTERVALS: Final = 576
MAX_HORIZON: Final = 2016
"""Longest horizon in dispatch intervals (7 days)."""

RECORD = ObjectShape(
    Field("nmi"),
    Field("oeTiming"),
    Field("oeObjectiveFunction"),
    Field("oeApplicationLevel"),
    Field("operatingEnvelopes"),
    Field("submissionTimestamp", ("submissionDatetime", "submissionDateTime"), required=False),
    Field("tradingDate", required=False),
)
ELEMENT = ObjectShape(
    Field("nmi", required=False),
    Field("oeApplicationLevel", required=False),
    Field("intervals", ("Intervals",)),
)
INTERVAL = ObjectShape(
    Field(KINDS[0]),
    Field(KINDS[1]),
    Field(KINDS[2], required=False),
    Field(KINDS[3], required=False),
    Field("diStartTime", ("diStarttime",), required=False),
    Field("diEndTime", ("diEndtime",), required=False),
)
