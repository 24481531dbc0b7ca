"""Files of the EDGE datasets that the tests of the commands start from."""

from __future__ import annotations

import json
from pathlib import Path

from oepnode.domain.edge.telemetry.json_format import write_telemetry
from oepnode.domain.nem.nem_time import format_nem
from tests.support.telemetry_columns import START, frame

FIVE = [(5, -5)] * 2


def write(path: Path, *records: dict[str, object]) -> str:
    path.write_text(json.dumps(records))
    return str(path)


def telemetry_file(path: Path, *rows: dict[str, object]) -> str:
    path.write_bytes(write_telemetry(frame(*rows)))
    return str(path)


def target(interval: int, duid: str = "UNIT1", kilowatts: float = -30) -> dict[str, object]:
    """A dispatch instruction for an interval, counted from ``START``."""
    end = format_nem(START + 300 * interval)
    return {"duid": duid, "diEndTime": end, "dispatchTarget": kilowatts}


def measured(duid: str, load: float = -30) -> dict[str, object]:
    """Telemetry of a unit: one minute, the last of the first interval; -70 kW in all."""
    reading = {
        "measurementDateTime": format_nem(START + 300),
        "activePower": -70,
        "controlledGeneration": 0,
        "controlledLoad": load,
        "energyStored": 35,
    }
    return {"duid": duid, "duidTelemetryIntervals": [reading]}
