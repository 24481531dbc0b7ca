"""Reports of conformance, and envelopes to check telemetry against."""

from typing import Any

from oepnode.domain.edge.envelopes.table import EnvelopeTable
from oepnode.domain.edge.telemetry.assessment import EnvelopeConformance
from oepnode.domain.edge.telemetry.conformance import ConformanceChecker
from tests.support.telemetry_columns import frame

FIVE = [(5, -5)] * 2


def report(
    published: EnvelopeTable, *rows: dict[str, object], level: int = 0, **settings: Any
) -> EnvelopeConformance:
    check = ConformanceChecker(published, level, **settings)
    check.add(frame(*rows))
    return check.report()
