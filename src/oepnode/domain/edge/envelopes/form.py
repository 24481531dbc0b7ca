"""The form of the operating envelope in the terms of the EDGE documents.

Fields, spellings and sections are those that the reader checks (``rounds.inputs.envelope_form``);
added here is the kind of each value, for the JSON Schema and for findings. Source: Part C §6.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from oepnode.domain.documents.json_fields import Field, ObjectShape
from oepnode.domain.edge.schema.kinds import (
    Choice,
    Day,
    Instant,
    Items,
    Kind,
    NmiText,
    Quantity,
    Text,
)
from oepnode.domain.edge.schema.shape import Attribute, Shape
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import KINDS, KVAR, KW
from oepnode.domain.rounds.inputs import envelope_form as form

_VALUES: Final[Mapping[str, Kind]] = {
    "nmi": NmiText(or_token=True),
    "oeTiming": Choice(tuple(form.TIMINGS)),
    "oeObjectiveFunction": Text(form.MAX_OBJECTIVE_BYTES),
    "oeApplicationLevel": Choice(tuple(form.LEVELS)),
    "submissionTimestamp": Instant(),
    "tradingDate": Day(),
    "diStartTime": Instant(INTERVAL_S),
    "diEndTime": Instant(INTERVAL_S),
    KINDS[0]: Quantity(KW, least=0),
    KINDS[1]: Quantity(KW, most=0),
    KINDS[2]: Quantity(KVAR, least=0),
    KINDS[3]: Quantity(KVAR, most=0),
}


def _shape(described: ObjectShape[Field], objects: Mapping[str, Kind] | None = None) -> Shape:
    kinds = {**_VALUES, **(objects or {})}
    return Shape(
        *(
            Attribute(
                field.name,
                kinds[field.name],
                field.section,
                field.meaning,
                field.also,
                field.required,
                nullable=not field.required,
            )
            for field in described.fields
        )
    )


_INTERVALS: Final = Items(_shape(form.INTERVAL), 1, form.MAX_INTERVALS)
_ELEMENTS: Final = Items(_shape(form.ELEMENT, {"intervals": _INTERVALS}))
SHAPE: Final = _shape(form.RECORD, {"operatingEnvelopes": _ELEMENTS})
"""A record of the document."""
