"""The envelope in force at a time."""

from __future__ import annotations

from oepnode.domain.edge.envelopes.in_force import in_force_us
from tests.support.telemetry_columns import EARLY, START, A, B, envelopes, record

MICROS = 1_000_000


def test_in_force_is_the_latest_submitted_until_the_interval_begins() -> None:
    table = envelopes(
        record(A, [(1, -1)] * 3, submitted=EARLY),
        record(A, [(2, -2)] * 3, submitted=START + 300),
        record(B, [(1, -1)] * 3, submitted=START + 400),
        record(B, [(2, -2)] * 3, submitted=START + 500),
    )
    early, at_300, at_400, at_500 = (
        t * MICROS for t in (EARLY, START + 300, START + 400, START + 500)
    )
    assert in_force_us(table).tolist() == [[early, at_300, at_300], [at_400, at_400, at_500]]
