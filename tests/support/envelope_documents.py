"""Small envelope documents and registry snapshots to damage, and checks that every fault passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

import pytest

from oepnode.domain.documents.faults import MAX_FAULTS
from oepnode.errors import DocumentFault, Finding

NMI = "6305888444"
OTHER_NMI = "2001985732"
START = "2026-11-20T10:00:00+10:00"
END = "2026-11-20T10:05:00+10:00"
START_S = 1795132800
SALT = bytes(range(100, 132))
SECRETS = (NMI, NMI.lstrip("6"), OTHER_NMI, SALT.hex(), SALT.hex().upper())


class Raw(str):
    """JSON text that is written unchanged."""

    __slots__ = ()


def dump(value: Any) -> str:
    """JSON text, with `Raw` parts as they are."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{dump(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dump(item) for item in value) + "]"
    return json.dumps(value)


def interval(**changes: Any) -> dict[str, Any]:
    return {
        "activePowerExportLimit": 5,
        "activePowerImportLimit": -2.5,
        "diStartTime": START,
        "diEndTime": END,
    } | changes


def record(*intervals: Any, **changes: Any) -> dict[str, Any]:
    return {
        "nmi": NMI,
        "oeTiming": "PRE",
        "oeObjectiveFunction": "Maximise service",
        "oeApplicationLevel": "NMI",
        "operatingEnvelopes": [{"intervals": list(intervals) or [interval()]}],
    } | changes


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in names}


def array(*records: Any) -> bytes:
    return dump(list(records)).encode()


def ndjson(*records: Any) -> bytes:
    return "".join(dump(item) + "\n" for item in records).encode()


FORMS = pytest.mark.parametrize("write", [array, ndjson], ids=["array", "ndjson"])
Writer = Callable[..., bytes]


def aggregator(identity: str = "north", **changes: Any) -> dict[str, Any]:
    key = sha256(identity.encode()).hexdigest()
    return {"id": identity, "name": f"Aggregator {identity}", "publicKey": key} | changes


def assignment(**changes: Any) -> dict[str, Any]:
    return {"nmi": NMI, "aggregator": "north", "from": START, "to": None} | changes


def snapshot(*assignments: Any, **changes: Any) -> dict[str, Any]:
    return {
        "asOf": "2026-11-20T04:00:00+10:00",
        "saltDigest": sha256(SALT).hexdigest(),
        "aggregators": [aggregator("north"), aggregator("south")],
        "assignments": list(assignments),
    } | changes


def rejection(parse: Callable[..., object], data: bytes, *args: Any) -> DocumentFault:
    """The rejection of bytes, after the checks that every rejection passes."""
    with pytest.raises(DocumentFault) as raised:
        parse(data, *args)
    check_rejection(raised.value)
    return raised.value


def check_rejection(error: DocumentFault, secrets: Iterable[str] = SECRETS) -> None:
    assert error.faults
    assert len(error.faults) <= MAX_FAULTS
    assert error.more == 0 or len(error.faults) == MAX_FAULTS
    messages = [str(error), *(str(fault) for fault in error.faults)]
    for secret in secrets:
        assert not any(secret in text for text in messages)
    for fault in error.faults:
        assert fault.path.startswith("$")
        assert fault.message
        assert len(fault.value) < 100
        assert fault.value.replace("…", "").isascii()
        assert str(fault).isprintable()


def only(error: DocumentFault) -> Finding:
    """The one fault of a rejection."""
    assert error.more == 0
    (fault,) = error.faults
    return fault
