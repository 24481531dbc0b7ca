"""Telemetry as JSON: written and read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oepnode.domain.edge.telemetry.json_format import write_telemetry
from tests.support.edge_documents import (
    document,
    duid_telemetry,
    nmi_telemetry,
)
from tests.support.telemetry_columns import frame_of


@pytest.mark.parametrize("record", [nmi_telemetry(), duid_telemetry()])
@pytest.mark.parametrize("ndjson", [False, True])
def test_a_written_document_reads_back(record: dict[str, Any], ndjson: bool) -> None:
    frame = frame_of(document(record))
    text = write_telemetry(frame, ndjson=ndjson)
    assert frame_of(text).equals(frame)
    (written,) = [json.loads(text)] if ndjson else json.loads(text)
    canonical = {k: v for k, v in record.items() if v is not None}
    assert set(written) == set(canonical)
