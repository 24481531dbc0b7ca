"""Envelope documents (section 5): from bytes to the rows that are valid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.reference import forms
from tests.reference.fields import check_one_kind, read_choice, read_grid_time, read_nmi
from tests.reference.json_reader import Constant, Number, Reader, read_records
from tests.reference.limits import KINDS, Limits, watts
from tests.reference.nem_time import STEP, day_start, microseconds, period_start

RECORD_ALSO = {
    "submissionDatetime": "submissionTimestamp",
    "submissionDateTime": "submissionTimestamp",
}
ELEMENT_ALSO = {"Intervals": "intervals"}
INTERVAL_ALSO = {"diStarttime": "diStartTime", "diEndtime": "diEndTime"}
TIMINGS = ("PRE", "POST")
LEVELS = ("NMI", "Flex")


@dataclass(frozen=True)
class Row:
    """One interval of one record."""

    path: str
    nmi: str
    level: int
    start: int
    submitted: int | None
    limits: Limits


@dataclass(frozen=True)
class Header:
    """Values of a record that its intervals need; None where the record has a fault."""

    nmi: str | None
    level: int | None
    submitted: int | None
    day: str | None


@dataclass
class Document:
    """An envelope document after section 5.

    Attributes:
        sites: Timing and objective function of each (nmi, level).
        rows: The valid limits, by (nmi, level) and interval start.
        start: Horizon start, UTC seconds.
        count: Number of intervals of the horizon.
    """

    sites: dict[tuple[str, int], tuple[int, str]]
    rows: dict[tuple[str, int], dict[int, Limits]]
    start: int
    count: int


def _interval_start(
    reader: Reader, item: dict[str, Any], path: str, *, position: int, length: int, day: str | None
) -> int | None:
    """The start of an interval from one, both or neither of its times."""
    start = end = None
    if "diStartTime" in item:
        start = read_grid_time(reader, item["diStartTime"], f"{path}.diStartTime")
        if start is None:
            return None
    if "diEndTime" in item:
        end = read_grid_time(reader, item["diEndTime"], f"{path}.diEndTime")
        if end is None:
            return None
    if start is not None and end is not None and end != start + STEP:
        reader.fault(f"{path}.diEndTime", "time.order" if end <= start else "time.length")
        return None
    if start is None and end is not None:
        start = end - STEP
    if start is None:
        if length != 288 or day is None:
            reader.fault(path, "time.missing")
            return None
        start = period_start(day, position + 1)
    if start < 0:
        reader.fault(path, "time.format")
        return None
    return start


def _limits(
    reader: Reader, item: dict[str, Any], path: str, profile: str, import_sign: str
) -> Limits | None:
    values: list[int | None] = []
    faults = len(reader.faults)
    for kind in KINDS:
        if kind not in item:
            values.append(None)
            continue
        value = item[kind]
        if not isinstance(value, Number):
            is_constant = isinstance(value, Constant)
            reader.fault(f"{path}.{kind}", "number.constant" if is_constant else "field.type")
            continue
        result = watts(value.text, kind, profile, import_sign)
        if "Import" in kind and result not in (0, "limit.decimals", "limit.range"):
            reader.import_signs.setdefault(value.text[0].strip("0123456789"), f"{path}.{kind}")
        if isinstance(result, str):
            reader.fault(f"{path}.{kind}", result)
            continue
        values.append(result)
    if values == [None] * 4:
        reader.fault(path, "interval.no_limit")
    return (values[0], values[1], values[2], values[3]) if len(reader.faults) == faults else None


def _read_record(
    reader: Reader, value: Any, path: str, profile: str, import_sign: str
) -> tuple[str, int, int, str, list[Row]] | None:
    """(nmi, level, timing, objective function, rows) of one record."""
    record = reader.members(
        value,
        path,
        "nmi oeTiming oeObjectiveFunction oeApplicationLevel operatingEnvelopes",
        "submissionTimestamp tradingDate",
        RECORD_ALSO,
    )
    if record is None:
        return None
    nmi = timing = objective = level = elements = submitted = day = None
    if "nmi" in record:
        nmi = read_nmi(reader, record["nmi"], f"{path}.nmi")
    if "oeTiming" in record:
        timing = read_choice(reader, record["oeTiming"], f"{path}.oeTiming", TIMINGS)
    if "oeObjectiveFunction" in record:
        field_path = f"{path}.oeObjectiveFunction"
        objective = reader.text(record["oeObjectiveFunction"], field_path, 255)
    if "oeApplicationLevel" in record:
        field_path = f"{path}.oeApplicationLevel"
        level = read_choice(reader, record["oeApplicationLevel"], field_path, LEVELS)
    if "submissionTimestamp" in record:
        field_path = f"{path}.submissionTimestamp"
        text = reader.string(record["submissionTimestamp"], field_path)
        if text is not None:
            submitted = microseconds(text)
            if submitted is None:
                reader.fault(field_path, "time.format")
    if "tradingDate" in record:
        day = reader.string(record["tradingDate"], f"{path}.tradingDate")
        if day is not None and day_start(day) is None:
            reader.fault(f"{path}.tradingDate", "time.format")
            day = None
    if "operatingEnvelopes" in record:
        elements = reader.array(record["operatingEnvelopes"], f"{path}.operatingEnvelopes")
        if elements == []:
            reader.fault(f"{path}.operatingEnvelopes", "array.length")

    rows: list[Row] = []
    about = Header(nmi, level, submitted, day)
    for e, element in enumerate(elements or []):
        element_path = f"{path}.operatingEnvelopes[{e}]"
        rows += _read_element(reader, element, element_path, about, profile, import_sign)
    if nmi is None or level is None or timing is None or objective is None:
        return None
    return nmi, level, timing, objective, rows


def _read_element(
    reader: Reader, value: Any, path: str, about: Header, profile: str, import_sign: str
) -> list[Row]:
    """The rows of one element of ``operatingEnvelopes``."""
    element = reader.members(value, path, "intervals", "nmi oeApplicationLevel", ELEMENT_ALSO)
    if element is None:
        return []
    if "nmi" in element:
        nmi = read_nmi(reader, element["nmi"], f"{path}.nmi")
        if nmi is not None and about.nmi is not None and nmi != about.nmi:
            reader.fault(f"{path}.nmi", "nmi.mismatch")
    if "oeApplicationLevel" in element:
        level_path = f"{path}.oeApplicationLevel"
        level = read_choice(reader, element["oeApplicationLevel"], level_path, LEVELS)
        if level is not None and about.level is not None and level != about.level:
            reader.fault(level_path, "level.mismatch")
    intervals = None
    if "intervals" in element:
        intervals = reader.array(element["intervals"], f"{path}.intervals")
        if intervals is not None and not 1 <= len(intervals) <= 576:
            reader.fault(f"{path}.intervals", "array.length")
    return _read_intervals(reader, intervals or [], path, about, profile, import_sign)


def _read_intervals(
    reader: Reader, values: list[Any], path: str, about: Header, profile: str, import_sign: str
) -> list[Row]:
    """The rows of the intervals of one element."""
    rows = []
    for i, value in enumerate(values):
        interval_path = f"{path}.intervals[{i}]"
        active = "activePowerExportLimit activePowerImportLimit "
        others = "reactivePowerExportLimit reactivePowerImportLimit diStartTime diEndTime"
        mandatory, optional = (active, others) if profile == "edge" else ("", active + others)
        item = reader.members(value, interval_path, mandatory, optional, INTERVAL_ALSO)
        if item is None:
            continue
        limits = _limits(reader, item, interval_path, profile, import_sign)
        start = _interval_start(
            reader, item, interval_path, position=i, length=len(values), day=about.day
        )
        nmi, level = about.nmi, about.level
        if limits is not None and start is not None and nmi is not None and level is not None:
            rows.append(Row(interval_path, nmi, level, start, about.submitted, limits))
    return rows


def _valid_row(rows: list[Row]) -> Row | tuple[str, str]:
    """The valid row of one (NMI, level, interval start), or path and rule of the fault."""
    if len({row.limits for row in rows}) == 1:
        return rows[0]
    if any(row.submitted is None for row in rows):
        return rows[-1].path, "submission.missing"
    for at, row in enumerate(rows):
        for other in rows[:at]:
            if row.submitted == other.submitted and row.limits != other.limits:
                return row.path, "submission.conflict"
    return max(rows, key=lambda row: row.submitted or 0)


def read_envelope(
    data: bytes,
    profile: str = "wide",
    import_sign: str = "canonical",
    parts: Mapping[bytes, bytes] | None = None,
) -> Document:
    """Read an envelope document (section 5), with the parts of a manifest; raises ``Rejected``."""
    data = forms.json_of(data, parts)
    reader = Reader()
    sites: dict[tuple[str, int], tuple[int, str]] = {}
    by_key: dict[tuple[str, int, int], list[Row]] = {}
    for r, value in enumerate(read_records(data)):
        path = f"$.records[{r}]"
        record = _read_record(reader, value, path, profile, import_sign)
        if record is None:
            continue
        nmi, level, timing, objective, rows = record
        if sites.setdefault((nmi, level), (timing, objective)) != (timing, objective):
            reader.fault(path, "site.meaning")
        for row in rows:
            by_key.setdefault((nmi, level, row.start), []).append(row)
    check_one_kind(reader)
    if len(reader.import_signs) == 2:
        reader.fault(reader.import_signs[""], "import_sign.mixed")
    reader.done()

    valid: dict[tuple[str, int], dict[int, Limits]] = {}
    for (nmi, level, start), rows in by_key.items():
        choice = _valid_row(rows)
        if isinstance(choice, tuple):
            reader.fault(*choice)
        else:
            valid.setdefault((nmi, level), {})[start] = choice.limits
    first = min(start for _, _, start in by_key)
    count = (max(start for _, _, start in by_key) - first) // STEP + 1
    given = sum(len(rows) for rows in by_key.values())
    if count > 2016:
        reader.fault("$", "horizon.length")
    elif len({(nmi, level) for nmi, level, _ in by_key}) * count > 16 * given:
        reader.fault("$", "horizon.sparse")
    reader.done()
    return Document(sites, valid, first, count)
