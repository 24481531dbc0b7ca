"""The rules of ``docs/spec/rules-v1.md``, version 1, as plainly as they can be written.

Independent of ``oepnode``: nothing of it is imported, and nothing here is fast. Only the standard
library, pymerkle (an RFC 9162 tree by other authors) and the keccak of eth_utils. Section numbers
are those of the rules page.

Names of faults are those that the product prints. How many faults are listed is no part of the
rules; that a document is refused is.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from eth_utils import keccak
from pymerkle import InmemoryTree

STEP = 300
NONE = -(2**31)
KINDS = (
    "activePowerExportLimit",
    "activePowerImportLimit",
    "reactivePowerExportLimit",
    "reactivePowerImportLimit",
)
UNASSIGNED = ""

Limits = tuple[int | None, int | None, int | None, int | None]


class Rejected(Exception):  # noqa: N818 - reads as what it is
    """A document is refused.

    Attributes:
        faults: (path, rule) of every fault that was found, in the order of the document.
        rules: The names of the rules alone.
    """

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {rule}" for path, rule in faults))
        self.faults = tuple(faults)
        self.rules = frozenset(rule for _, rule in faults)


# --- 2. JSON -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    """A JSON number as written."""

    text: str


@dataclass(frozen=True)
class Constant:
    """``NaN`` or ``Infinity``, which Python's parser reads and RFC 8259 does not know."""

    text: str


@dataclass(frozen=True)
class Object:
    """A JSON object with its members in order, doubled keys included."""

    members: tuple[tuple[str, Any], ...]


DECODER = json.JSONDecoder(
    object_pairs_hook=lambda pairs: Object(tuple(pairs)),
    parse_int=Number,
    parse_float=Number,
    parse_constant=Constant,
)
SPACE = " \t\r\n"


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def _value(text: str, at: int, path: str) -> tuple[Any, int]:
    """The JSON value that starts at ``at``, and where it ends."""
    try:
        return DECODER.raw_decode(text, at)
    except RecursionError as exc:
        raise Rejected([(path, "json.nesting")]) from exc
    except ValueError as exc:
        raise Rejected([(path, "json.syntax")]) from exc


def _whole(text: str, path: str) -> Any:
    """The one JSON value of a text, with nothing but white space around it."""
    value, end = _value(text, _skip(text, 0), path)
    if _skip(text, end) != len(text):
        raise Rejected([(path, "json.trailing")])
    return value


def _array(text: str) -> list[Any]:
    """The elements of a text that is one JSON array; faults name the element."""
    at = _skip(text, _skip(text, 0) + 1)
    elements: list[Any] = []
    closed = text[at : at + 1] == "]"
    while not closed:
        path = f"$.records[{len(elements)}]"
        value, at = _value(text, at, path)
        elements.append(value)
        at = _skip(text, at)
        closed = text[at : at + 1] == "]"
        if not closed and text[at : at + 1] != ",":
            raise Rejected([(path, "json.syntax")])
        if not closed:
            at = _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise Rejected([("$", "json.trailing")])
    return elements


def _text(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        raise Rejected([("$", "json.bom")])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise Rejected([("$", "json.utf8")]) from exc


def read_records(data: bytes) -> list[Any]:
    """The records of an envelope document: a JSON array, or NDJSON."""
    text = _text(data)
    if text.lstrip(SPACE).startswith("["):
        records = _array(text)
    else:
        lines = [line for line in text.split("\n") if line.strip(SPACE)]
        records = [_whole(line, f"$.records[{i}]") for i, line in enumerate(lines)]
    if not records:
        raise Rejected([("$", "document.empty")])
    return records


class Reader:
    """Collects faults while values are taken out of parsed JSON."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []
        self.import_signs: dict[str, str] = {}

    def fault(self, path: str, rule: str) -> None:
        self.faults.append((path, rule))

    def done(self) -> None:
        if self.faults:
            raise Rejected(self.faults)

    def string(self, value: Any, path: str) -> str | None:
        """A string whose form is checked elsewhere."""
        if not isinstance(value, str):
            self.fault(path, "field.type")
            return None
        return value

    def text(self, value: Any, path: str, most: int) -> str | None:
        """A free text of 1 to ``most`` bytes, without control characters and lone surrogates."""
        text = self.string(value, path)
        if text is None:
            return None
        if any(ord(c) <= 0x1F or ord(c) == 0x7F or 0xD800 <= ord(c) <= 0xDFFF for c in text):
            self.fault(path, "field.value")
            return None
        if not 1 <= len(text.encode()) <= most:
            self.fault(path, "field.value")
            return None
        return text

    def array(self, value: Any, path: str) -> list[Any] | None:
        if not isinstance(value, list):
            self.fault(path, "field.type")
            return None
        return value

    def members(
        self,
        value: Any,
        path: str,
        required: str,
        optional: str = "",
        also: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """The members of an object by their first spelling; null or absent optional ones left out.

        Args:
            value: What should be an object.
            path: Its place.
            required: Names of fields that must be there and not null, separated by blanks.
            optional: Names of fields that may be null or absent.
            also: Other spellings, each with the first spelling.
        """
        if not isinstance(value, Object):
            self.fault(path, "field.type")
            return None
        names = required.split() + optional.split()
        also = also or {}
        found: dict[str, Any] = {}
        spellings: set[str] = set()
        for key, item in value.members:
            name = also.get(key, key)
            if key in spellings:
                self.fault(path, "json.duplicate_key")
            elif name not in names:
                self.fault(path, "field.unknown")
            elif name in found:
                # Two spellings of one field count as a doubled key.
                self.fault(path, "json.duplicate_key")
            spellings.add(key)
            found.setdefault(name, item)
        for name in required.split():
            if name not in found:
                self.fault(f"{path}.{name}", "field.missing")
        return {n: v for n, v in found.items() if v is not None or n in required.split()}


# --- 3. Time -------------------------------------------------------------------------------------

TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,6}))?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - offsets are taken off by hand
NEM_OFFSET = 10 * 3600


def microseconds(text: str) -> int | None:
    """Microseconds since the Unix epoch of a timestamp; None where it is none."""
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(g) for g in match.groups()[:6])
    fraction, zone = match.group(7), match.group(8)
    if not 1970 <= year <= 2105:
        return None
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None
    if zone is None:
        offset = NEM_OFFSET
    elif zone == "Z":
        offset = 0
    else:
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if minutes > 59 or hours * 60 + minutes > 14 * 60:
            return None
        offset = (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
    whole = (local - EPOCH) // timedelta(seconds=1) - offset
    if whole < 0:
        return None
    return whole * 1_000_000 + int((fraction or "0").ljust(6, "0"))


def instant(text: str) -> int | str:
    """UTC seconds of a time on the grid, or the name of the rule that it breaks."""
    micros = microseconds(text)
    if micros is None:
        return "time.format"
    if micros % 1_000_000:
        return "time.grid"
    seconds = micros // 1_000_000
    return seconds if seconds % STEP == 0 else "time.grid"


def day_start(text: str) -> int | None:
    """UTC seconds of 04:00 NEM time of a date ``YYYY-MM-DD``; None where it is none."""
    match = DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(g) for g in match.groups())
    if not 1970 <= year <= 2105:
        return None
    try:
        days = (date(year, month, day) - date(1970, 1, 1)).days
    except ValueError:
        return None
    return days * 86400 + 4 * 3600 - NEM_OFFSET


def period_start(day: str, period: int) -> int:
    """Start of period 1 to 288 of a trading day."""
    start = day_start(day)
    assert start is not None
    return start + (period - 1) * STEP


# --- 4. NMI --------------------------------------------------------------------------------------


def checksum(nmi: str) -> int:
    """The checksum digit of ten characters."""
    total = 0
    for place, character in enumerate(reversed(nmi), start=1):
        value = ord(character)
        if place % 2 == 1:
            value *= 2
        total += sum(int(digit) for digit in str(value))
    return (10 - total % 10) % 10


def nmi_or_rule(text: str) -> tuple[str | None, str | None]:
    """(NMI, None), or (None, the rule that it breaks)."""
    if len(text) not in (10, 11):
        return None, "nmi.length"
    nmi, tail = text[:10], text[10:]
    if re.fullmatch(r"[0-9A-HJ-NP-Z]{10}", nmi) is None:
        return None, "nmi.character"
    if tail and tail != str(checksum(nmi)):
        return None, "nmi.checksum"
    return nmi, None


# --- 5. Envelope document ------------------------------------------------------------------------

RECORD_ALSO = {
    "submissionDatetime": "submissionTimestamp",
    "submissionDateTime": "submissionTimestamp",
}
ELEMENT_ALSO = {"Intervals": "intervals"}
INTERVAL_ALSO = {"diStarttime": "diStartTime", "diEndtime": "diEndTime"}
TIMINGS = ("PRE", "POST")
LEVELS = ("NMI", "Flex")


def _exponent(text: str) -> int:
    """The exponent as an integer; far out of any range where Python refuses so many digits."""
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lstrip("0") or "0"
    return sign * (int(digits) if len(digits) < 1000 else 10**1000)


def watts(text: str, kind: str, profile: str, import_sign: str) -> int | str:
    """Watts (or var) of a number as written, or the rule that it breaks."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, decimals = mantissa.lstrip("-").partition(".")
    digits = (whole + decimals).lstrip("0")
    power = _exponent(exponent) - len(decimals)
    while digits.endswith("0"):
        digits, power = digits[:-1], power + 1
    if digits == "":
        return 0
    negative = text.startswith("-")
    if power < (-2 if profile == "edge" else -3):
        return "limit.decimals"
    if len(digits) + power > 7:
        return "limit.range"
    value = int(Decimal(digits).scaleb(power + 3))
    if value > (99_990 if profile == "edge" else 2**31 - 1):
        return "limit.range"
    value = -value if negative else value
    if "Export" in kind:
        return value if value > 0 else "limit.sign"
    if import_sign == "magnitude":
        return -value if value > 0 else "limit.sign"
    return value if value < 0 else "limit.sign"


@dataclass(frozen=True)
class Row:
    """One interval of one record."""

    path: str
    nmi: str
    level: int
    start: int
    submitted: int | None
    limits: Limits


@dataclass
class Document:
    """What stands after section 5.

    Attributes:
        sites: Timing and objective function of each (nmi, level).
        rows: The limits that stand, by (nmi, level) and interval start.
        start: Horizon start, UTC seconds.
        count: Number of intervals of the horizon.
    """

    sites: dict[tuple[str, int], tuple[int, str]]
    rows: dict[tuple[str, int], dict[int, Limits]]
    start: int
    count: int


def _nmi(reader: Reader, value: Any, path: str) -> str | None:
    text = reader.string(value, path)
    if text is None:
        return None
    nmi, rule = nmi_or_rule(text)
    if rule is not None:
        reader.fault(path, rule)
    return nmi


def _choice(reader: Reader, value: Any, path: str, options: Sequence[str]) -> int | None:
    text = reader.string(value, path)
    if text is None:
        return None
    if text not in options:
        reader.fault(path, "field.value")
        return None
    return options.index(text)


def _grid_time(reader: Reader, value: Any, path: str) -> int | None:
    text = reader.string(value, path)
    if text is None:
        return None
    result = instant(text)
    if isinstance(result, str):
        reader.fault(path, result)
        return None
    return result


def _interval_start(
    reader: Reader, item: dict[str, Any], path: str, *, position: int, length: int, day: str | None
) -> int | None:
    """The start of an interval from one, both or neither of its times."""
    start = end = None
    if "diStartTime" in item:
        start = _grid_time(reader, item["diStartTime"], f"{path}.diStartTime")
        if start is None:
            return None
    if "diEndTime" in item:
        end = _grid_time(reader, item["diEndTime"], f"{path}.diEndTime")
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
    found: list[int | None] = []
    faults = len(reader.faults)
    for kind in KINDS:
        if kind not in item:
            found.append(None)
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
        found.append(result)
    return (found[0], found[1], found[2], found[3]) if len(reader.faults) == faults else None


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
        nmi = _nmi(reader, record["nmi"], f"{path}.nmi")
    if "oeTiming" in record:
        timing = _choice(reader, record["oeTiming"], f"{path}.oeTiming", TIMINGS)
    if "oeObjectiveFunction" in record:
        place = f"{path}.oeObjectiveFunction"
        objective = reader.text(record["oeObjectiveFunction"], place, 255)
    if "oeApplicationLevel" in record:
        place = f"{path}.oeApplicationLevel"
        level = _choice(reader, record["oeApplicationLevel"], place, LEVELS)
    if "submissionTimestamp" in record:
        place = f"{path}.submissionTimestamp"
        text = reader.string(record["submissionTimestamp"], place)
        if text is not None:
            submitted = microseconds(text)
            if submitted is None:
                reader.fault(place, "time.format")
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
    for e, element_value in enumerate(elements or []):
        place = f"{path}.operatingEnvelopes[{e}]"
        element = reader.members(
            element_value, place, "intervals", "nmi oeApplicationLevel", ELEMENT_ALSO
        )
        if element is None:
            continue
        if "nmi" in element:
            inner = _nmi(reader, element["nmi"], f"{place}.nmi")
            if inner is not None and nmi is not None and inner != nmi:
                reader.fault(f"{place}.nmi", "nmi.mismatch")
        if "oeApplicationLevel" in element:
            inside = f"{place}.oeApplicationLevel"
            inner_level = _choice(reader, element["oeApplicationLevel"], inside, LEVELS)
            if inner_level is not None and level is not None and inner_level != level:
                reader.fault(inside, "level.mismatch")
        intervals = None
        if "intervals" in element:
            intervals = reader.array(element["intervals"], f"{place}.intervals")
            if intervals is not None and not 1 <= len(intervals) <= 576:
                reader.fault(f"{place}.intervals", "array.length")
        for i, interval_value in enumerate(intervals or []):
            inside = f"{place}.intervals[{i}]"
            item = reader.members(
                interval_value,
                inside,
                "activePowerExportLimit activePowerImportLimit",
                "reactivePowerExportLimit reactivePowerImportLimit diStartTime diEndTime",
                INTERVAL_ALSO,
            )
            if item is None:
                continue
            limits = _limits(reader, item, inside, profile, import_sign)
            start = _interval_start(
                reader, item, inside, position=i, length=len(intervals or []), day=day
            )
            if limits is not None and start is not None and nmi is not None and level is not None:
                rows.append(Row(inside, nmi, level, start, submitted, limits))
    if nmi is None or level is None or timing is None or objective is None:
        return None
    return nmi, level, timing, objective, rows


def _standing(rows: list[Row]) -> Row | str:
    """Which of the rows of one (NMI, level, interval start) stands, or the rule they break."""
    if len({row.limits for row in rows}) == 1:
        return rows[0]
    if any(row.submitted is None for row in rows):
        return "submission.missing"
    for row in rows:
        for other in rows:
            if row.submitted == other.submitted and row.limits != other.limits:
                return "submission.conflict"
    return max(rows, key=lambda row: row.submitted or 0)


def read_envelope(data: bytes, profile: str = "wide", import_sign: str = "canonical") -> Document:
    """Read an envelope document (section 5); raises ``Rejected``."""
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
    if len(reader.import_signs) == 2:
        reader.fault(reader.import_signs[""], "import_sign.mixed")
    reader.done()

    stands: dict[tuple[str, int], dict[int, Limits]] = {}
    for (nmi, level, start), rows in by_key.items():
        row = _standing(rows)
        if isinstance(row, str):
            reader.fault(rows[-1].path, row)
        else:
            stands.setdefault((nmi, level), {})[start] = row.limits
    first = min(start for _, _, start in by_key)
    count = (max(start for _, _, start in by_key) - first) // STEP + 1
    if count > 2016:
        reader.fault("$", "horizon.length")
    reader.done()
    return Document(sites, stands, first, count)


# --- 6. Registry snapshot ------------------------------------------------------------------------


@dataclass(frozen=True)
class Assignment:
    """An aggregator holds an NMI from ``start`` until before ``end`` (None: open)."""

    nmi: str
    aggregator: str
    start: int
    end: int | None

    def covers(self, instant: int) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)

    def overlaps(self, other: Assignment) -> bool:
        return (other.end is None or self.start < other.end) and (
            self.end is None or other.start < self.end
        )


@dataclass(frozen=True)
class Snapshot:
    """A registry snapshot after its checks."""

    salt_digest: bytes
    aggregators: tuple[str, ...]
    assignments: tuple[Assignment, ...]

    def holder(self, nmi: str, start: int) -> str:
        """Id of the aggregator that holds the NMI in the interval, or the empty id."""
        for assignment in self.assignments:
            if assignment.nmi == nmi and assignment.covers(start):
                return assignment.aggregator
        return UNASSIGNED


def _hex(reader: Reader, value: Any, path: str, pattern: str) -> bytes | None:
    text = reader.string(value, path)
    if text is None:
        return None
    if re.fullmatch(pattern, text) is None:
        reader.fault(path, "field.value")
        return None
    return bytes.fromhex(text.removeprefix("0x"))


def _read_aggregator(reader: Reader, value: Any, path: str) -> tuple[str | None, bytes | None]:
    item = reader.members(value, path, "id name publicKey", "address")
    if item is None:
        return None, None
    identity = key = None
    if "id" in item:
        identity = reader.string(item["id"], f"{path}.id")
        if identity is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", identity):
            reader.fault(f"{path}.id", "field.value")
    if "name" in item:
        reader.text(item["name"], f"{path}.name", 200)
    if "publicKey" in item:
        key = _hex(reader, item["publicKey"], f"{path}.publicKey", "[0-9a-fA-F]{64}")
    if "address" in item:
        _hex(reader, item["address"], f"{path}.address", "0x[0-9a-fA-F]{40}")
    return identity, key


def _read_assignment(reader: Reader, value: Any, path: str) -> Assignment | None:
    item = reader.members(value, path, "nmi aggregator from", "to")
    if item is None:
        return None
    nmi = aggregator = start = end = None
    faults = len(reader.faults)
    if "nmi" in item:
        nmi = _nmi(reader, item["nmi"], f"{path}.nmi")
    if "aggregator" in item:
        aggregator = reader.string(item["aggregator"], f"{path}.aggregator")
    if "from" in item:
        start = _grid_time(reader, item["from"], f"{path}.from")
    if "to" in item:
        end = _grid_time(reader, item["to"], f"{path}.to")
        if start is not None and end is not None and end <= start:
            reader.fault(f"{path}.to", "time.order")
    if len(reader.faults) > faults or nmi is None or aggregator is None or start is None:
        return None
    return Assignment(nmi, aggregator, start, end)


def read_registry(data: bytes) -> Snapshot:
    """Read a registry snapshot (section 6); raises ``Rejected``."""
    reader = Reader()
    top = reader.members(_whole(_text(data), "$"), "$", "asOf saltDigest aggregators assignments")
    if top is None:
        raise Rejected(reader.faults)
    digest = None
    if "asOf" in top:
        as_of = reader.string(top["asOf"], "$.asOf")
        if as_of is not None and microseconds(as_of) is None:
            reader.fault("$.asOf", "time.format")
    if "saltDigest" in top:
        digest = _hex(reader, top["saltDigest"], "$.saltDigest", "[0-9a-fA-F]{64}")

    ids: list[str] = []
    keys: list[bytes] = []
    for a, value in enumerate(reader.array(top.get("aggregators", []), "$.aggregators") or []):
        path = f"$.aggregators[{a}]"
        identity, key = _read_aggregator(reader, value, path)
        if identity is not None:
            if identity in ids:
                reader.fault(f"{path}.id", "aggregator.duplicate")
            ids.append(identity)
        if key is not None:
            if key in keys:
                reader.fault(f"{path}.publicKey", "aggregator.duplicate")
            keys.append(key)

    assignments: list[Assignment] = []
    for a, value in enumerate(reader.array(top.get("assignments", []), "$.assignments") or []):
        path = f"$.assignments[{a}]"
        assignment = _read_assignment(reader, value, path)
        if assignment is None:
            continue
        if assignment.aggregator not in ids:
            reader.fault(f"{path}.aggregator", "assignment.aggregator")
        for other in assignments:
            if other.nmi == assignment.nmi and other.overlaps(assignment):
                reader.fault(path, "assignment.overlap")
                break
        assignments.append(assignment)
    reader.done()
    assert digest is not None
    return Snapshot(digest, tuple(ids), tuple(assignments))


# --- 7. Keys and pseudonyms ----------------------------------------------------------------------


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf_sha256(ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869: extract (2.2), then expand (2.3)."""
    prk = hmac_sha256(salt or bytes(32), ikm)
    block, output, counter = b"", b"", 1
    while len(output) < length:
        block = hmac_sha256(prk, block + info + bytes([counter]))
        output, counter = output + block, counter + 1
    return output[:length]


def round_context(chain_id: int, contract: bytes, number: int) -> bytes:
    assert len(contract) == 20
    return chain_id.to_bytes(32, "big") + contract + number.to_bytes(8, "big")


def round_key(salt: bytes, context: bytes) -> bytes:
    return hkdf_sha256(salt, hashlib.sha256(context).digest(), b"oep1 round", 32)


def aggregator_key(k_round: bytes, identity: str) -> bytes:
    return hkdf_sha256(k_round, b"", b"oep1 aggregator" + identity.encode(), 32)


def site_pseudonym(k_agg: bytes, nmi: str) -> bytes:
    return hmac_sha256(k_agg, b"oep1 nmi" + nmi.encode())


def aggregator_pseudonym(k_round: bytes, identity: str) -> bytes:
    return hmac_sha256(k_round, b"oep1 aggregator" + identity.encode())


# --- 9. Encoding ---------------------------------------------------------------------------------


def site_entry(
    pseudonym: bytes,
    *,
    level: int,
    timing: int,
    objective: str,
    start: int,
    count: int,
    limits: dict[int, Limits],
) -> bytes:
    """A site entry; ``limits`` by interval start, only the intervals of this partition."""
    text = objective.encode()
    kinds = 0
    columns = b""
    for bit in range(4):
        column = [limits[t][bit] if t in limits else None for t in _grid(start, count)]
        if any(value is not None for value in column):
            kinds |= 1 << bit
            for value in column:
                number = NONE if value is None else value
                columns += number.to_bytes(4, "big", signed=True)
    return (
        b"OEP1\x01"
        + pseudonym
        + bytes([level, timing, len(text)])
        + text
        + start.to_bytes(8, "big")
        + STEP.to_bytes(2, "big")
        + count.to_bytes(2, "big")
        + bytes([kinds])
        + columns
    )


def _grid(start: int, count: int) -> range:
    return range(start, start + count * STEP, STEP)


def partition_entry(pseudonym: bytes, root: bytes, sites: int) -> bytes:
    return b"OEP1\x02" + pseudonym + root + sites.to_bytes(4, "big")


# --- 10. Trees -----------------------------------------------------------------------------------


def tree(entries: Sequence[bytes]) -> InmemoryTree:
    """The tree over entries in their order. pymerkle puts 0x00 and 0x01 in front by itself."""
    grown = InmemoryTree(algorithm="sha256")
    for entry in entries:
        grown.append_entry(entry)
    return grown


def tree_root(entries: Sequence[bytes]) -> bytes:
    return bytes(tree(entries).get_root())


def tree_path(entries: Sequence[bytes], index: int) -> list[bytes]:
    """Inclusion path of a position, from the leaf up, without the leaf itself."""
    return list(tree(entries).prove_inclusion(index + 1).path[1:])


# --- 11. Result and ballot -----------------------------------------------------------------------


def result_hash(root: bytes, partitions: int) -> bytes:
    return bytes(keccak(root + partitions.to_bytes(32, "big")))


def ballot_hash(
    chain_id: int, contract: bytes, number: int, operator: bytes, result: bytes
) -> bytes:
    assert len(contract) == len(operator) == 20
    words = (
        chain_id.to_bytes(32, "big"),
        contract.rjust(32, b"\x00"),
        number.to_bytes(32, "big"),
        operator.rjust(32, b"\x00"),
        result,
    )
    return bytes(keccak(b"".join(words)))


# --- The whole round -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Partition:
    """One aggregator's part of a round, or the unassigned part (empty id)."""

    aggregator_id: str
    key: bytes
    pseudonym: bytes
    nmis: tuple[str, ...]  # of each entry, in the order of the entries
    entries: tuple[bytes, ...]
    root: bytes
    entry: bytes


@dataclass(frozen=True)
class Round:
    """The result of a round, with every value on the way to it."""

    chain_id: int
    contract: bytes
    number: int
    key: bytes
    start: int
    count: int
    root: bytes
    result_hash: bytes
    partitions: tuple[Partition, ...] = field(default=())

    @property
    def partition_count(self) -> int:
        return len(self.partitions)

    def ballot(self, operator: bytes) -> bytes:
        """What the operator's worker casts for this result."""
        return ballot_hash(self.chain_id, self.contract, self.number, operator, self.result_hash)


def compute_round(
    envelope: bytes,
    registry: bytes,
    salt: bytes,
    *,
    chain_id: int,
    contract: bytes,
    number: int,
    profile: str = "wide",
    import_sign: str = "canonical",
) -> Round:
    """All of sections 2 to 11 for one round; raises ``Rejected``.

    The partitions are in the order of their entries, as the leaves of the round tree are.
    """
    document = read_envelope(envelope, profile, import_sign)
    snapshot = read_registry(registry)
    if len(salt) != 32 or hashlib.sha256(salt).digest() != snapshot.salt_digest:
        raise Rejected([("$.saltDigest", "salt.digest")])

    # Section 8: who holds which interval of which site.
    held: dict[str, dict[tuple[str, int], dict[int, Limits]]] = {}
    for (nmi, level), rows in document.rows.items():
        for start, limits in rows.items():
            part = held.setdefault(snapshot.holder(nmi, start), {})
            part.setdefault((nmi, level), {})[start] = limits

    k_round = round_key(salt, round_context(chain_id, contract, number))
    partitions = []
    for identity, part in held.items():
        k_agg = aggregator_key(k_round, identity)
        sites = []
        for (nmi, level), rows in part.items():
            timing, objective = document.sites[nmi, level]
            entry = site_entry(
                site_pseudonym(k_agg, nmi),
                level=level,
                timing=timing,
                objective=objective,
                start=document.start,
                count=document.count,
                limits=rows,
            )
            sites.append((entry, nmi))
        sites.sort()
        entries = tuple(entry for entry, _ in sites)
        nmis = tuple(nmi for _, nmi in sites)
        pseudonym, root = aggregator_pseudonym(k_round, identity), tree_root(entries)
        entry = partition_entry(pseudonym, root, len(entries))
        partitions.append(Partition(identity, k_agg, pseudonym, nmis, entries, root, entry))
    partitions.sort(key=lambda partition: partition.entry)

    root = tree_root([partition.entry for partition in partitions])
    return Round(
        chain_id,
        contract,
        number,
        k_round,
        document.start,
        document.count,
        root,
        result_hash(root, len(partitions)),
        tuple(partitions),
    )
