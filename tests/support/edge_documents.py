"""Small EDGE documents to damage, and checks that every finding passes."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from oepnode.domain.edge.validation.acknowledgement import ValidationResult
from oepnode.errors import Finding

NMI = "6305888444"
OTHER_NMI = "2001985732"
DAY = "2026-11-20"
DAY_START_S = 1795111200  # 2026-11-20T04:00:00+10:00
PRICES = [
    -1000,
    0,
    1,
    78,
    79,
    80,
    81,
    82,
    1500,
    15100,
    -1000,
    0,
    1.1,
    78,
    79,
    80,
    81,
    82,
    1500,
    15100,
]
BANDS = [0, 0, -60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 70, 0]


class Exact(str):
    """A number as JSON text, so that a test can fix its digits."""

    __slots__ = ()


def text(value: Any) -> str:
    if isinstance(value, Exact):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(text, value)) + "]"
    return json.dumps(value)


def document(*records: Any) -> bytes:
    return text(list(records)).encode()


def lines(*records: Any) -> bytes:
    return "".join(text(record) + "\n" for record in records).encode()


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in names}


def renamed(value: dict[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(name, name): item for name, item in value.items()}


def period(number: int = 72, **changes: Any) -> dict[str, Any]:
    return {"periodId": number, "bandAvail": list(BANDS)} | changes


def bid(*periods: Any, **changes: Any) -> dict[str, Any]:
    return {
        "tradingDate": DAY,
        "prices": list(PRICES),
        "energyPeriods": list(periods) or [period()],
    } | changes


def nmi_boffer(*bids: Any, **changes: Any) -> dict[str, Any]:
    return {
        "nmi": NMI,
        "bofferSummationLevel": "NMI",
        "bofferTiming": "PRE",
        "accumulateBands": False,
        "energyBids": list(bids) or [bid()],
        "submissionDateTime": f"{DAY}T09:50:00+10:00",
    } | changes


def whole_horizon(
    *, dates: tuple[str, str] = (DAY, "2026-11-21"), **changes: Any
) -> list[dict[str, Any]]:
    """The 48 hours from 04:00 on."""
    return [
        bid(*(period(number) for number in range(1, 289)), tradingDate=date, **changes)
        for date in dates
    ]


def duid_boffer(*bids: Any, **changes: Any) -> dict[str, Any]:
    return {
        "duid": "UNIT1",
        "bofferSummationLevel": "Flex",
        "accumulateBands": False,
        "energyBids": list(bids) or whole_horizon(),
        "submissionDateTime": f"{DAY}T03:57:00+10:00",
    } | changes


def nem(seconds: int) -> str:
    from oepnode.domain.nem.nem_time import format_nem

    return format_nem(seconds)


def measurement(minute: int = 1, **changes: Any) -> dict[str, Any]:
    """The measurement of a minute of the day, 1 ends 04:01."""
    return {
        "measurementDateTime": nem(DAY_START_S + 60 * minute),
        "activePower": -1.5,
        "controlledGeneration": 0,
        "controlledLoad": -2,
        "energyStored": 7.25,
    } | changes


def nmi_telemetry(*measurements: Any, **changes: Any) -> dict[str, Any]:
    return {
        "nmi": NMI,
        "nmiTelemetryIntervals": list(measurements) or [measurement(m) for m in range(1, 6)],
        "nmiOeSubmissionTimestamp": f"{DAY}T03:50:00+10:00",
        "activePowerExportLimit": 5,
        "activePowerImportLimit": -5.25,
        "reactivePowerExportLimit": None,
        "reactivePowerImportLimit": None,
        "submissionDateTime": "2026-11-21T06:00:00+10:00",
    } | changes


def duid_telemetry(*measurements: Any, **changes: Any) -> dict[str, Any]:
    return {
        "duid": "UNIT1",
        "duidTelemetryIntervals": list(measurements) or [measurement(m) for m in range(1, 6)],
        "submissionDateTime": "2026-11-21T06:00:00+10:00",
    } | changes


def forecast(interval: int = 1, **changes: Any) -> dict[str, Any]:
    end = DAY_START_S + 300 * interval
    return {
        "nmi": NMI,
        "measurementDateTime": nem(end),
        "uncontrolFcst": -0.75,
        "submissionDateTime": nem(end - 310),
    } | changes


def instruction(interval: int = 1, **changes: Any) -> dict[str, Any]:
    end = DAY_START_S + 300 * interval
    return {
        "duid": "UNIT1",
        "diEndTime": nem(end),
        "dispatchTarget": -42.5,
        "clearingPrice": 78.01,
        "submissionDateTime": nem(end - 300),
    } | changes


def system(received: ValidationResult[Any]) -> dict[str, int]:
    """Codes of the system acknowledgement, after the checks that every answer passes."""
    check_answer(received)
    return dict(received.system.counts)


def transaction(received: ValidationResult[Any]) -> dict[str, int]:
    """Codes of the transaction acknowledgement of a document whose form is accepted."""
    check_answer(received)
    assert received.system.accepted, received.system.message
    return dict(received.transaction.counts)


def cautions(received: ValidationResult[Any]) -> dict[str, int]:
    """Codes of all warnings of an accepted document."""
    check_answer(received)
    assert received.accepted, received.report()
    return dict(received.system.warning_counts) | dict(received.transaction.warning_counts)


def finding(received: ValidationResult[Any], code: str) -> Finding:
    """The first finding or warning of a code."""
    answers = (received.system, received.transaction)
    return next(f for a in answers for f in (*a.findings, *a.warnings) if f.code == code)


def check_answer(received: ValidationResult[Any]) -> None:
    """Check what every answer guarantees: counts that agree, paths, rules, and no NMI."""
    assert received.system.accepted == (not received.system.counts)
    assert (received.value is None) == (not received.system.accepted) or received.value is None
    text = msgspec.json.encode(received.report()).decode()
    for secret in (NMI, NMI[1:], OTHER_NMI):
        assert secret not in text
    for answer in (received.system, received.transaction):
        kept = [finding.code for finding in answer.findings]
        assert set(kept) == set(answer.counts)
        assert all(kept.count(code) <= min(100, answer.counts[code]) for code in kept)
        for finding in (*answer.findings, *answer.warnings):
            assert finding.path.startswith("$")
            assert finding.section
            assert finding.message
