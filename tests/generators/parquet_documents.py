"""Documents in Parquet: random ones that mean what a JSON document means, and damaged ones.

A document is a `Rows`: plain columns of values, so that a damage is a change of a value, and a
`Layout` that says how they are written.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.quantities import NO_LIMIT, Feed
from oepnode.domain.rounds.inputs.envelope_reader import read_rows
from oepnode.domain.rounds.inputs.parquet_form import LIMITS
from oepnode.domain.rounds.inputs.row_runs import RowRuns
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

Columns = dict[str, list[Any]]
US = 1_000_000


@dataclass(frozen=True)
class Layout:
    """How columns are written."""

    row_group: int = 1000
    compression: str = "snappy"
    dictionary: bool = True
    is_large: bool = False
    unit: str = "us"
    types: dict[str, Any] = field(default_factory=dict)
    """Types other than those of the form, by column."""


def columns_of(envelope: bytes, feed: Feed, *, lists: bool) -> Columns:
    """The rows of a document of JSON, a run or an interval each."""
    log = FaultLog("envelope document")
    rows = read_rows(envelope, log, feed)
    log.raise_if_any()
    reader = RowRuns(rows, log)
    columns: Columns = {name: [] for name in ("nmi", "oeTiming", "oeObjectiveFunction")}
    columns |= {name: [] for name in ("oeApplicationLevel", "submissionTimestamp")}
    columns |= {name: [] for name in ("startTime" if lists else "diStartTime", *LIMITS)}
    sign = -1 if feed.import_sign == "magnitude" else 1
    for part in range(reader.part_count):
        for block in reader.read(part):
            runs = block.runs
            for run in range(len(runs)):
                first, end = int(runs.bounds[run]), int(runs.bounds[run + 1])
                values = [
                    [
                        None if value == NO_LIMIT else value * (sign if kind % 2 else 1)
                        for value in (
                            [NO_LIMIT] * (end - first)
                            if column is None
                            else column[first:end].tolist()
                        )
                    ]
                    for kind, column in enumerate(runs.limits)
                ]
                head = {
                    "nmi": runs.nmi[run].decode(),
                    "oeTiming": ("PRE", "POST")[int(runs.timing[run])],
                    "oeObjectiveFunction": runs.objectives[int(runs.objective[run])],
                    "oeApplicationLevel": ("NMI", "Flex")[int(runs.level[run])],
                    "submissionTimestamp": None
                    if runs.submitted[run] == NO_SUBMISSION
                    else int(runs.submitted[run]),
                }
                start = int(runs.start[run])
                if lists:
                    _append(columns, head, "startTime", start, values)
                    continue
                for index in range(end - first):
                    cells = [each[index] for each in values]
                    _append(columns, head, "diStartTime", start + 300 * index, cells)
    return columns


def _append(
    columns: Columns, head: dict[str, Any], name: str, start: int, values: list[Any]
) -> None:
    for key, value in head.items():
        columns[key].append(value)
    columns[name].append(start * US)
    for limit, value in zip(LIMITS, values, strict=True):
        is_absent = isinstance(value, list) and all(each is None for each in value)
        columns[limit].append(None if is_absent else value)


def write(columns: Columns, layout: Layout) -> bytes:
    """Columns as a file."""
    has_lists = "startTime" in columns or any(
        isinstance(value, list) for name in LIMITS for value in columns.get(name, ())
    )
    text = pa.large_string() if layout.is_large else pa.string()
    a_list = pa.large_list(pa.int32()) if layout.is_large else pa.list_(pa.int32())
    arrays, fields = [], []
    for name, values in columns.items():
        kind, cells = text, values
        if name in LIMITS:
            kind = a_list if has_lists else pa.int32()
        elif name.endswith(("Time", "Timestamp")) and name not in layout.types:
            kind = pa.timestamp(layout.unit, "UTC")
            scale = {"ms": 1000, "us": 1, "ns": 1}[layout.unit]
            factor = 1000 if layout.unit == "ns" else 1
            cells = [None if v is None else v // scale * factor for v in values]
        kind = layout.types.get(name, kind)
        arrays.append(pa.array(cells, type=kind))
        fields.append(pa.field(name.rstrip("+"), kind))  # a dict has no name twice
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        row_group_size=layout.row_group,
        compression=layout.compression,
        use_dictionary=layout.dictionary,
    )
    return out.getvalue()


def random_layout(rnd: random.Random, columns: Columns) -> Layout:
    """A layout that these columns can be written in without a change of any value."""
    times = [*columns.get("submissionTimestamp", []), *columns.get("startTime", [])]
    units = ["us", "ns"]
    if not any(time is not None and time % 1000 for time in times):
        units.append("ms")
    if any(time is not None and time * 1000 >= 2**63 for time in times):
        units.remove("ns")
    return Layout(
        row_group=rnd.choice([1, 2, 5, 1000]),
        compression=rnd.choice(["snappy", "zstd", "none", "gzip"]),
        dictionary=rnd.random() < 0.5,
        is_large=rnd.random() < 0.5,
        unit=rnd.choice(units),
    )


def shuffled(columns: Columns, rnd: random.Random) -> Columns:
    """The same rows in another order, without columns that have no value."""
    order = list(range(len(columns["nmi"])))
    rnd.shuffle(order)
    mixed = {name: [values[at] for at in order] for name, values in columns.items()}
    optional = ("submissionTimestamp", *LIMITS[2:])
    return {
        name: values
        for name, values in mixed.items()
        if name not in optional or any(v is not None for v in values) or rnd.random() < 0.5
    }


# --- damages -------------------------------------------------------------------------------------

Damage = Callable[[Columns, int, random.Random], Layout | None]
"""Changes columns at a row; returns a layout where another one is part of the damage."""


def _set(name: str, value: Any) -> Damage:
    def change(columns: Columns, row: int, rnd: random.Random) -> None:
        columns[name][row] = value

    return change


def _limit(value: Any, kind: int = 0) -> Damage:
    def change(columns: Columns, row: int, rnd: random.Random) -> None:
        cell = columns[LIMITS[kind]][row]
        if "startTime" in columns:
            length = max(len(columns[n][row] or ()) for n in LIMITS if n in columns)
            cell = list(cell or [1000 * (1 - 2 * (kind % 2))] * length)
            cell[rnd.randrange(length)] = value
            columns[LIMITS[kind]][row] = cell
        else:
            columns[LIMITS[kind]][row] = value

    return change


def _no_limit(columns: Columns, row: int, rnd: random.Random) -> None:
    at = rnd.randrange(10**6)
    for name in LIMITS:
        cell = columns[name][row] if name in columns else None
        if isinstance(cell, list):
            cell = list(cell)
            cell[at % len(cell)] = None
            columns[name][row] = cell
        elif name in columns:
            columns[name][row] = None


def _start(value: int | None) -> Damage:
    def change(columns: Columns, row: int, rnd: random.Random) -> None:
        columns["startTime" if "startTime" in columns else "diStartTime"][row] = value

    return change


def _without(*names: str) -> Damage:
    def change(columns: Columns, row: int, rnd: random.Random) -> None:
        for name in names:
            columns.pop(name, None)

    return change


def _more(name: str, values: Any = "x") -> Damage:
    def change(columns: Columns, row: int, rnd: random.Random) -> None:
        columns[name] = [values] * len(columns["nmi"])

    return change


def _typed(name: str, kind: Any, value: Any = None) -> Damage:
    def change(columns: Columns, row: int, rnd: random.Random) -> Layout:
        columns[name] = [value] * len(columns["nmi"])
        return Layout(types={name: kind})

    return change


def _empty(columns: Columns, row: int, rnd: random.Random) -> None:
    for values in columns.values():
        values.clear()


def _lists(columns: Columns, row: int, change: Callable[[list[Any]], list[Any]]) -> None:
    for name in LIMITS:
        if isinstance(columns[name][row], list):
            columns[name][row] = change(columns[name][row])


def _no_element(columns: Columns, row: int, rnd: random.Random) -> None:
    _lists(columns, row, lambda _: [])


def _too_long(columns: Columns, row: int, rnd: random.Random) -> None:
    _lists(columns, row, lambda values: [values[0]] * 2017)


def _no_list(columns: Columns, row: int, rnd: random.Random) -> None:
    for name in LIMITS:
        columns[name][row] = None


def _uneven(columns: Columns, row: int, rnd: random.Random) -> None:
    length = max(len(columns[name][row] or ()) for name in LIMITS)
    columns[LIMITS[2]][row] = [0] * (length + 1)


def _meaning(columns: Columns, row: int, rnd: random.Random) -> None:
    for values in columns.values():
        values.append(values[row])
    columns["oeObjectiveFunction"][-1] = "another"


def _conflict(columns: Columns, row: int, rnd: random.Random) -> None:
    for values in columns.values():
        values.append(values[row])
    columns["submissionTimestamp"][row] = columns["submissionTimestamp"][-1] = None
    name = LIMITS[0]
    old = columns[name][row]
    if "startTime" in columns:
        length = max(len(columns[n][row] or ()) for n in LIMITS)
        columns[name][-1] = [50 if (old or [None])[0] != 50 else 60] * length
    else:
        columns[name][-1] = 50 if old != 50 else 60


def _week(columns: Columns, row: int, rnd: random.Random) -> None:
    name = "startTime" if "startTime" in columns else "diStartTime"
    for values in columns.values():
        values.append(values[row])
    columns[name][-1] += 2017 * 300 * US


DAMAGES: dict[str, tuple[Damage, str]] = {
    "NMI with O": (_set("nmi", "63O5888444"), "nmi.character"),
    "short NMI": (_set("nmi", "630588844"), "nmi.length"),
    "wrong checksum": (_set("nmi", "63058884440"), "nmi.checksum"),
    "no NMI": (_set("nmi", None), "field.type"),
    "token in upper case": (_set("nmi", "A" * 32), "token.character"),
    "unknown timing": (_set("oeTiming", "pre"), "field.value"),
    "no timing": (_set("oeTiming", None), "field.type"),
    "unknown level": (_set("oeApplicationLevel", "FLEX"), "field.value"),
    "no objective": (_set("oeObjectiveFunction", None), "field.type"),
    "empty objective": (_set("oeObjectiveFunction", ""), "field.value"),
    "long objective": (_set("oeObjectiveFunction", "x" * 256), "field.value"),
    "control character": (_set("oeObjectiveFunction", "a\tb"), "field.value"),
    "submitted before 1970": (_set("submissionTimestamp", -US), "time.format"),
    "submitted in 2106": (_set("submissionTimestamp", 4_291_747_200 * US), "time.format"),
    "start off the grid": (_start(1_795_132_801 * US), "time.grid"),
    "start with microseconds": (_start(1_795_132_800 * US + 1), "time.grid"),
    "no start": (_start(None), "time.missing"),
    "start before 1970": (_start(-300 * US), "time.format"),
    "start in 2106": (_start(4_291_747_200 * US), "time.format"),
    "least int32": (_limit(-(2**31)), "limit.range"),
    "negative export": (_limit(-10), "limit.sign"),
    "no limit": (_no_limit, "interval.no_limit"),
    "another meaning": (_meaning, "site.meaning"),
    "conflict": (_conflict, "submission.missing"),
    "more than a week": (_week, "horizon.length"),
    "unknown column": (_more("comment"), "field.unknown"),
    "column twice": (_more("oeTiming+", "PRE"), "json.duplicate_key"),
    "no column of NMIs": (_without("nmi"), "field.missing"),
    "no column of starts": (_without("startTime", "diStartTime"), "field.missing"),
    "no column of limits": (_without(*LIMITS), "interval.no_limit"),
    "NMIs as numbers": (_typed("nmi", pa.int64(), 6305888444), "field.type"),
    "limits as floats": (_typed(LIMITS[0], pa.float64(), 5.0), "field.type"),
    "limits as int64": (_typed(LIMITS[1], pa.int64(), -5), "field.type"),
    "times without a zone": (_typed("submissionTimestamp", pa.timestamp("us"), 0), "field.type"),
    "times as text": (_typed("submissionTimestamp", pa.string(), "x"), "field.type"),
    "no row": (_empty, "document.empty"),
}
LIST_DAMAGES: dict[str, tuple[Damage, str]] = {
    "empty lists": (_no_element, "array.length"),
    "lists of 2017": (_too_long, "array.length"),
    "no list": (_no_list, "array.length"),
    "uneven lists": (_uneven, "array.length"),
}
EDGE_DAMAGES: dict[str, tuple[Damage, str]] = {
    "a single watt": (_limit(1001), "limit.decimals"),
    "100 kW": (_limit(100_000), "limit.range"),
    "import missing": (_limit(None, 1), "field.type"),
    "no column of imports": (_without(LIMITS[1]), "field.missing"),
}


def damaged(columns: Columns, damage: Damage, rnd: random.Random) -> bytes:
    """A document with one damage, at a random row."""
    copy = {name: list(values) for name, values in columns.items()}
    layout = random_layout(rnd, columns)
    other = damage(copy, rnd.randrange(len(copy["nmi"])), rnd)
    layout = replace(layout, unit="us")
    return write(copy, layout if other is None else replace(layout, types=other.types))
