"""Envelope documents and registry snapshots as JSON text, for the vectors."""

from __future__ import annotations

import hashlib
import json


def interval(
    end: str, export: str, take: str, out: str | None = None, into: str | None = None
) -> str:
    """One interval as JSON text, numbers as given."""
    fields = [f'"activePowerExportLimit":{export}', f'"activePowerImportLimit":{take}']
    fields += [f'"reactivePowerExportLimit":{out}'] if out is not None else []
    fields += [f'"reactivePowerImportLimit":{into}'] if into is not None else []
    return "{" + ",".join([*fields, f'"diEndTime":"{end}"']) + "}"


def record(nmi: str, level: str, intervals: list[str], more: str = "", timing: str = "PRE") -> str:
    """One record as JSON text."""
    return (
        f'{{"nmi":"{nmi}","oeTiming":"{timing}","oeObjectiveFunction":"Maximise service",'
        f'"oeApplicationLevel":"{level}","operatingEnvelopes":[{{"intervals":['
        + ",".join(intervals)
        + f"]}}]{more}}}"
    )


def public_key(name: str) -> str:
    """Nobody's public key: of kind mlkem768-x25519 for ``south``, otherwise x25519."""
    size = 1216 if name == "south" else 32
    return hashlib.shake_256(name.encode()).digest(size).hex()


def registry(assignments: list[tuple[str, str, str, str | None]], salt: bytes) -> str:
    """A snapshot of three aggregators as JSON text; the third one holds nothing."""
    return json.dumps(
        {
            "asOf": "2026-11-20T04:00:00+10:00",
            "saltDigest": hashlib.sha256(salt).hexdigest(),
            "aggregators": [
                {"id": name, "name": f"Aggregator {name}", "publicKey": public_key(name)}
                for name in ("north", "south", "idle")
            ],
            "assignments": [
                {"nmi": nmi, "aggregator": name, "from": start, "to": end}
                for nmi, name, start, end in assignments
            ],
        },
        indent=1,
    )


def nem(hour: int, minute: int) -> str:
    """A time of 20 November 2026 in NEM time."""
    return f"2026-11-20T{hour:02d}:{minute:02d}:00+10:00"


CHURN = [
    ("6305888444", "north", nem(0, 0), None),
    ("QAAAVZZZZZ", "north", nem(0, 0), nem(10, 10)),
    ("QAAAVZZZZZ", "south", nem(10, 15), None),
    ("VKTS876510", "south", nem(0, 0), nem(23, 0)),
    ("2001985732", "idle", nem(0, 0), nem(1, 0)),
    ("7001888333", "idle", nem(0, 0), None),
]
