"""Short ways to make envelopes and telemetry for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from oepnode.domain.edge.envelopes.table import EnvelopeTable, from_document
from oepnode.domain.edge.telemetry.validate import validate
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.inputs.envelope_document import parse_history

START = 1_795_000_200
"""A start of a dispatch interval, UTC seconds."""
A, B, C = "6305000001", "6305000002", "6305000003"
EARLY, LATER = START - 3600, START - 600

_SCHEMA: dict[str, Any] = {
    "nmi": pl.Categorical,
    "minute": pl.Int64,
    "active_power_w": pl.Int32,
    "controlled_generation_w": pl.Int32,
    "controlled_load_w": pl.Int32,
    "energy_stored_wh": pl.Int32,
    "export_limit_w": pl.Int32,
    "import_limit_w": pl.Int32,
    "reactive_export_limit_var": pl.Int32,
    "reactive_import_limit_var": pl.Int32,
    "envelope_submitted_us": pl.Int64,
    "submitted_us": pl.Int64,
}


def record(
    nmi: str,
    limits: Sequence[tuple[float, float]],
    *,
    level: str = "NMI",
    timing: str = "PRE",
    submitted: int | None = EARLY,
    first: int = 0,
) -> dict[str, object]:
    """An envelope record; limits in kW, one pair per interval from ``START`` on."""
    return {
        "nmi": nmi,
        "oeTiming": timing,
        "oeObjectiveFunction": "f",
        "oeApplicationLevel": level,
        "operatingEnvelopes": [
            {
                "intervals": [
                    {
                        "activePowerExportLimit": export,
                        "activePowerImportLimit": import_,
                        "diStartTime": format_nem(START + 300 * (first + index)),
                    }
                    for index, (export, import_) in enumerate(limits)
                ]
            }
        ],
        "submissionTimestamp": None if submitted is None else format_nem(submitted),
    }


def envelopes(*records: dict[str, object]) -> EnvelopeTable:
    """Envelopes of a document with these records."""
    return from_document(*parse_history(json.dumps(records).encode()))


def reading(nmi: str, minute: int, power: int = 0, **columns: object) -> dict[str, object]:
    """A row of telemetry ``minute`` minutes after ``START``; limits 5 kW, envelope of ``EARLY``."""
    row: dict[str, object] = {
        "nmi": nmi,
        "minute": START + 60 * minute,
        "active_power_w": power,
        "controlled_generation_w": 0,
        "controlled_load_w": 0,
        "energy_stored_wh": 0,
        "export_limit_w": 5000,
        "import_limit_w": -5000,
        "envelope_submitted_us": EARLY * 1_000_000,
    }
    return row | columns


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    """Telemetry as a frame."""
    return pl.DataFrame(list(rows), schema=_SCHEMA, orient="row")


def frame_of(data: bytes) -> pl.DataFrame:
    """The columns of a telemetry document that is accepted."""
    received = validate(data)
    assert received.value is not None
    return received.value
