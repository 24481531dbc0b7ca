"""Revised envelope documents for a demo of several rounds.

A network publishes a new document for the same horizon every half hour. Each revision here is
submitted half an hour later, and lowers every export limit a little.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from oepnode.domain.nem.nem_time import format_nem, parse_timestamp

_HALF_HOUR_S: Final = 1800
_STEP: Final = 0.03


def revise(original: Path, revision: int) -> Path:
    """Write the revision of a JSON document to the same folder, and return its path.

    Args:
        original: The first document, a JSON array.
        revision: From 1; 0 is the original itself.
    """
    if revision == 0:
        return original
    records = json.loads(original.read_bytes())
    for record in records:
        _revise(record, revision)
    revised = original.with_name(f"envelope-{revision + 1}.json")
    revised.write_text(json.dumps(records, separators=(",", ":")), "utf-8")
    return revised


def _revise(record: dict[str, Any], revision: int) -> None:
    submitted = parse_timestamp(record["submissionTimestamp"]).seconds
    record["submissionTimestamp"] = format_nem(submitted + revision * _HALF_HOUR_S)
    share = 1 - _STEP * revision / (1 + _STEP * revision)
    for element in record["operatingEnvelopes"]:
        for interval in element["intervals"]:
            limit = interval["activePowerExportLimit"]
            interval["activePowerExportLimit"] = round(limit * share, 2)
