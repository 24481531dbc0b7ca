"""The JSON Schemas describe the written documents, and the pages follow from the code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oepnode.domain.edge import json_schema
from oepnode.domain.edge.boffers import validate as boffers
from oepnode.domain.edge.boffers.json_format import write_boffers
from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.edge.dispatch.validate import write_instructions
from oepnode.domain.edge.forecasts import validate as forecasts
from oepnode.domain.edge.forecasts.validate import write_forecasts
from oepnode.domain.edge.telemetry import validate as telemetry
from oepnode.domain.edge.telemetry.json_format import write_telemetry
from tests.support import edge_documents
from tests.support.envelope_documents import record

PAGES = Path(__file__).parents[4] / "docs" / "reference" / "schema"
EXAMPLES: dict[str, dict[str, Any]] = {
    "operating-envelope": record(),
    "boffer-duid": edge_documents.duid_boffer(),
    "boffer-nmi": edge_documents.nmi_boffer(),
    "telemetry-nmi": edge_documents.nmi_telemetry(),
    "telemetry-duid": edge_documents.duid_telemetry(),
    "forecast-nmi": edge_documents.forecast(),
    "dispatch-instruction": edge_documents.instruction(),
}


def fits(value: Any, rule: dict[str, Any]) -> bool:
    """Enough of JSON Schema for these pages; an unknown keyword fails."""
    known = {"$schema", "$id", "$comment", "title", "description", "format"}
    checks: dict[str, Callable[[Any], bool]] = {
        "type": lambda want: any(
            _is(value, kind) for kind in ([want] if isinstance(want, str) else want)
        ),
        "enum": lambda want: value in want,
        "pattern": lambda want: re.search(want, value) is not None,
        "minimum": lambda want: value is None or value >= want,
        "maximum": lambda want: value is None or value <= want,
        "minLength": lambda want: len(value) >= want,
        "maxLength": lambda want: len(value) <= want,
        "minItems": lambda want: len(value) >= want,
        "maxItems": lambda want: len(value) <= want,
        "items": lambda want: all(fits(item, want) for item in value),
        "required": lambda want: set(want) <= set(value),
        "properties": lambda want: all(fits(value[n], want[n]) for n in value if n in want),
        "additionalProperties": lambda _: set(value) <= set(rule["properties"]),
    }
    return all(name in known or checks[name](want) for name, want in rule.items())


def _is(value: Any, kind: str) -> bool:
    types: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "number": (int, float),
        "integer": int,
        "boolean": bool,
        "null": type(None),
    }
    return isinstance(value, types[kind]) and (kind == "boolean" or not isinstance(value, bool))


@pytest.mark.parametrize("name", json_schema.DOCUMENTS)
def test_the_pages_follow_from_the_code(name: str) -> None:
    assert json.loads((PAGES / f"{name}.json").read_text("utf-8")) == json_schema.schema(name)


def test_every_document_has_a_page() -> None:
    assert (
        {path.stem for path in PAGES.glob("*.json")} == set(json_schema.DOCUMENTS) == set(EXAMPLES)
    )


@pytest.mark.parametrize("name", json_schema.DOCUMENTS)
def test_a_good_document_fits_its_schema(name: str) -> None:
    rule = json_schema.schema(name)
    assert fits([EXAMPLES[name]], rule)
    assert not fits([], rule)
    assert not fits([EXAMPLES[name] | {"colour": "red"}], rule)
    for field in rule["items"]["required"]:
        assert not fits([edge_documents.without(EXAMPLES[name], field)], rule)


def test_a_written_document_fits_its_schema() -> None:
    days = boffers.validate(edge_documents.document(edge_documents.duid_boffer())).value
    rows = telemetry.validate(edge_documents.document(edge_documents.nmi_telemetry())).value
    sums = telemetry.validate(edge_documents.document(edge_documents.duid_telemetry())).value
    coming = forecasts.validate(edge_documents.document(edge_documents.forecast())).value
    targets = dispatch.validate(edge_documents.document(edge_documents.instruction())).value
    assert days and rows is not None and sums is not None
    assert coming is not None and targets is not None
    written = {
        "boffer-duid": write_boffers(days.days),
        "telemetry-nmi": write_telemetry(rows),
        "telemetry-duid": write_telemetry(sums),
        "forecast-nmi": write_forecasts(coming),
        "dispatch-instruction": write_instructions(targets),
    }
    for name, data in written.items():
        assert fits(json.loads(data), json_schema.schema(name)), name


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("boffer-nmi", {"nmi": "O305888444"}),
        ("boffer-nmi", {"energyBids": [edge_documents.bid(prices=edge_documents.PRICES[:19])]}),
        ("boffer-nmi", {"energyBids": [edge_documents.bid(edge_documents.period(289))]}),
        ("boffer-nmi", {"bofferTiming": "DURING"}),
        ("telemetry-nmi", {"activePowerExportLimit": -1}),
        ("telemetry-nmi", {"submissionDateTime": 5}),
        ("forecast-nmi", {"uncontrolFcst": None}),
        ("dispatch-instruction", {"duid": ""}),
    ],
)
def test_a_broken_form_does_not_fit(name: str, changes: dict[str, Any]) -> None:
    assert not fits([EXAMPLES[name] | changes], json_schema.schema(name))
