"""Documents in Parquet (section 5): rows as plain values, and from there as JSON.

What a row means is then what the JSON means. Only what JSON does not have is judged here: the
schema of the file, and lists of unequal length.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.reference.json_reader import Rejected

MAGIC = b"PAR1"
TEXTS = ("nmi", "oeTiming", "oeObjectiveFunction", "oeApplicationLevel")
LIMITS = {
    "activePowerExportLimitW": "activePowerExportLimit",
    "activePowerImportLimitW": "activePowerImportLimit",
    "reactivePowerExportLimitVar": "reactivePowerExportLimit",
    "reactivePowerImportLimitVar": "reactivePowerImportLimit",
}
STEP = 300
END = 4_291_747_200
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def json_of(data: bytes) -> bytes:
    """The document as JSON; raises ``Rejected``."""
    try:
        table = pq.ParquetFile(io.BytesIO(data)).read()
    except (pa.ArrowException, OSError) as exc:
        raise Rejected([("$", "parquet.format")]) from exc
    start = _check_schema(table.schema)
    rows = []
    columns = {name: _values(table.column(at)) for at, name in enumerate(table.column_names)}
    for number in range(table.num_rows):
        rows.append({name: values[number] for name, values in columns.items()})
    if not rows:
        raise Rejected([("$", "document.empty")])
    records = [_record(row, number, start) for number, row in enumerate(rows)]
    return ("[" + ",\n".join(records) + "]").encode()


def _check_schema(schema: Any) -> str:
    names = list(schema.names)
    faults = []
    known = (*TEXTS, *LIMITS, "submissionTimestamp", "startTime", "diStartTime")
    faults += [("$", "field.unknown") for name in names if name not in known]
    faults += [("$", "json.duplicate_key") for name in set(names) if names.count(name) > 1]
    faults += [("$", "field.missing") for name in TEXTS if name not in names]
    if ("startTime" in names) == ("diStartTime" in names):
        faults.append(("$", "field.unknown" if "startTime" in names else "field.missing"))
    if faults:
        raise Rejected(faults)
    start = "startTime" if "startTime" in names else "diStartTime"
    for field in schema:
        if not _has_type(field.name, field.type, is_list=start == "startTime"):
            faults.append((f"$.columns.{field.name}", "field.type"))
    if not any(name in LIMITS for name in names):
        faults.append(("$", "interval.no_limit"))
    if faults:
        raise Rejected(faults)
    return start


def _has_type(name: str, kind: Any, *, is_list: bool) -> bool:
    if name in LIMITS:
        if not is_list:
            return bool(kind == pa.int32())
        is_a_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        return bool(is_a_list and kind.value_type == pa.int32())
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if name in TEXTS:
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    return bool(pa.types.is_timestamp(kind) and kind.tz is not None)


def _values(column: Any) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        per_second = PER_SECOND[column.type.unit]
        ticks = column.cast(pa.int64()).to_pylist()
        return [None if tick is None else _text(tick, per_second) for tick in ticks]
    return list(column.to_pylist())


def _text(tick: int, per_second: int) -> str:
    seconds, rest = divmod(tick, per_second)
    if not 0 <= seconds < END or rest * 10**6 % per_second:
        return "out of range"
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{rest * 10**6 // per_second:06d}Z"


def _after(text: str | None, steps: int) -> str | None:
    if text is None or not steps or text == "out of range":
        return text
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    ticks = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) + steps * STEP
    return _text(ticks * 10**6 + moment.microsecond, 10**6)


def _record(row: dict[str, Any], number: int, start: str) -> str:
    """A row as the JSON of a record."""
    given = [name for name in LIMITS if name in row]
    if start == "diStartTime":
        intervals = [_interval({name: row[name] for name in given}, row[start], 0)]
    else:
        lengths = {len(row[name]) for name in given if row[name] is not None}
        if len(lengths) > 1 or max(lengths, default=0) > 2016:
            raise Rejected([(f"$.rows[{number}]", "array.length")])
        intervals = [
            _interval(
                {name: None if row[name] is None else row[name][i] for name in given}, row[start], i
            )
            for i in range(max(lengths, default=0))
        ]
    parts = [intervals[at : at + 576] for at in range(0, len(intervals), 576)] or [[]]
    elements = ",".join('{"intervals":[' + ",".join(part) + "]}" for part in parts)
    members = [f"{json.dumps(name)}:{json.dumps(row[name])}" for name in TEXTS]
    if row.get("submissionTimestamp") is not None:
        members.append(f'"submissionTimestamp":{json.dumps(row["submissionTimestamp"])}')
    members.append(f'"operatingEnvelopes":[{elements}]')
    return "{" + ",".join(members) + "}"


def _interval(limits: dict[str, int | None], start: str | None, steps: int) -> str:
    members = [f'"{LIMITS[name]}":{kilowatts(value)}' for name, value in limits.items()]
    text = _after(start, steps)
    if text is not None:
        members.append(f'"diStartTime":{json.dumps(text)}')
    return "{" + ",".join(members) + "}"


def kilowatts(watts: int | None) -> str:
    if watts is None:
        return "null"
    whole, rest = divmod(abs(watts), 1000)
    return f"{'-' if watts < 0 else ''}{whole}.{rest:03d}"
