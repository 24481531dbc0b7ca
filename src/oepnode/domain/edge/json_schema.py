"""The JSON Schema of each EDGE document, from the shapes that its reader uses.

A schema describes the documents that this package writes: canonical spellings, imports ≤ 0, NMIs
without checksum. The readers accept more spellings, and check more than JSON Schema can express:
checksums, grids of time, rules between values. A document is an array of records, or NDJSON with
one record per line, to which ``items`` applies.
"""

from __future__ import annotations

from typing import Any, Final

from oepnode.domain.edge.boffers import json_format as boffers
from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.edge.envelopes.form import SHAPE as ENVELOPE_SHAPE
from oepnode.domain.edge.forecasts import validate as forecasts
from oepnode.domain.edge.schema.shape import Shape
from oepnode.domain.edge.telemetry import json_format as telemetry

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

DOCUMENTS: Final[dict[str, tuple[str, str, Shape]]] = {
    "operating-envelope": ("Operating envelope, PRE or POST", "Part C §6.3", ENVELOPE_SHAPE),
    "boffer-duid": ("Boffer of a DUID", "HLD §4, Part C §3.3", boffers.DUID_SHAPE),
    "boffer-nmi": ("Boffer of an NMI", "Part C §3.3", boffers.NMI_SHAPE),
    "telemetry-nmi": ("Telemetry of an NMI", "Part C §4.3", telemetry.NMI_SHAPE),
    "telemetry-duid": ("Telemetry of a DUID", "HLD Appendix H", telemetry.DUID_SHAPE),
    "forecast-nmi": ("Uncontrolled forecast of an NMI", "Part C §5.3", forecasts.SHAPE),
    "dispatch-instruction": ("Dispatch instruction", dispatch.SECTION, dispatch.SHAPE),
}
"""Name → title, section and shape."""


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a document.

    Args:
        name: One of `DOCUMENTS`.
    """
    title, section, shape = DOCUMENTS[name]
    return {
        "$schema": DIALECT,
        "$id": f"{name}.json",
        "title": title,
        "description": f"{section}. In NDJSON each line is one of the items.",
        "type": "array",
        "minItems": 1,
        "items": shape.schema(),
    }
