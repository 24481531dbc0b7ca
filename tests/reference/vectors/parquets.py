"""Section 5, Parquet: the documents of whole rounds in both shapes, and files to be rejected."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.reference.envelope import read_envelope
from tests.reference.json_reader import Rejected
from tests.reference.model import compute_round
from tests.reference.nem_time import STEP
from tests.reference.parquet import LIMITS
from tests.reference.vectors.common import CONTRACT, SALT, Json
from tests.reference.vectors.rounds import array_round, blind_round, day_round, wide_round

US = 1_000_000
Row = dict[str, Any]
NAMES = tuple(LIMITS)
START = 1_795_132_800


def rows_of(document: bytes, profile: str, import_sign: str, *, lists: bool) -> list[Row]:
    """The valid rows of a document: runs of consecutive intervals, or intervals."""
    read = read_envelope(document, profile, import_sign)
    sign = -1 if import_sign == "magnitude" else 1
    rows: list[Row] = []
    for (nmi, level), limits in read.rows.items():
        timing, objective = read.sites[nmi, level]
        head = {
            "nmi": nmi,
            "oeTiming": ("PRE", "POST")[timing],
            "oeObjectiveFunction": objective,
            "oeApplicationLevel": ("NMI", "Flex")[level],
            "submissionTimestamp": None,
        }
        last = None
        for start in sorted(limits):
            cells = [
                value if value is None or not kind % 2 else sign * value
                for kind, value in enumerate(limits[start])
            ]
            if not lists:
                rows.append(
                    {**head, "diStartTime": start * US, **dict(zip(NAMES, cells, strict=True))}
                )
                continue
            if last is None or start != last + STEP:
                rows.append({**head, "startTime": start * US, **{name: [] for name in NAMES}})
            for name, cell in zip(NAMES, cells, strict=True):
                rows[-1][name].append(cell)
            last = start
    return rows


def written(rows: list[Row], group: int = 3, **types: Any) -> bytes:
    """Rows as a file; ``types`` instead of those of the form."""
    arrays, fields = [], []
    is_list = any("startTime" in row for row in rows)
    for name in dict.fromkeys(name for row in rows for name in row):
        kind = pa.string()
        if name in LIMITS:
            kind = pa.list_(pa.int32()) if is_list else pa.int32()
        elif name in {"submissionTimestamp", "startTime", "diStartTime"}:
            kind = pa.timestamp("us", "UTC")
        kind = types.get(name, kind)
        arrays.append(pa.array([row.get(name) for row in rows], type=kind))
        fields.append(pa.field(name, kind))
    out = io.BytesIO()
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    pq.write_table(table, out, row_group_size=group, compression="none", store_schema=False)
    return out.getvalue()


def superseded(rows: list[Row]) -> list[Row]:
    """The same rows, each of them once before with an earlier submission and other limits."""
    earlier = []
    for row in rows:
        other = {**row, "submissionTimestamp": (START - 7200) * US}
        name = next(name for name in NAMES if any(v is not None for v in row[name]))
        other[name] = [None if value is None else 0 for value in row[name]]
        earlier.append(other)
    later = [{**row, "submissionTimestamp": (START - 3600) * US} for row in rows]
    return [*later[::-1], *earlier]


def plain(**change: Any) -> Row:
    """One good row of two intervals."""
    row = {
        "nmi": "6305888444",
        "oeTiming": "PRE",
        "oeObjectiveFunction": "Maximise service",
        "oeApplicationLevel": "NMI",
        "startTime": START * US,
        NAMES[0]: [1500, 1500],
        NAMES[1]: [-2000, None],
    }
    return {name: value for name, value in (row | change).items() if value is not ...}


def rejected_files() -> list[tuple[str, str, str, bytes, str]]:
    """Name, profile, import sign, bytes, and the rule that is broken."""
    a, b = NAMES[:2]
    good = written([plain()])
    wide: list[tuple[str, bytes, str]] = [
        ("cut short", good[:-1], "parquet.format"),
        ("footer beyond the file", good[:-8] + len(good).to_bytes(4, "little") + b"PAR1",
         "parquet.format"),
        ("no row", _empty(), "document.empty"),
        ("unknown column", written([plain(comment="x")]), "field.unknown"),
        ("no column of levels", written([plain(oeApplicationLevel=...)]), "field.missing"),
        ("both columns of starts", written([plain(diStartTime=START * US)]), "field.unknown"),
        ("no column of limits", written([plain(**{a: ..., b: ...})]), "interval.no_limit"),
        ("limits in float64", written([plain(**{a: [1.5, 1.5]})], **{a: pa.list_(pa.float64())}),
         "field.type"),
        ("limits in int64", written([plain()], **{a: pa.list_(pa.int64())}), "field.type"),
        ("starts without a zone", written([plain()], startTime=pa.timestamp("us")), "field.type"),
        ("null NMI", written([plain(nmi=None)], nmi=pa.string()), "field.type"),
        ("NMI with O", written([plain(nmi="63O5888444")]), "nmi.character"),
        ("NMI and token", written([plain(), plain(nmi="ab" * 16)]), "nmi.mixed"),
        ("null start", written([plain(startTime=None)], startTime=pa.timestamp("us", "UTC")),
         "time.missing"),
        ("start off the grid", written([plain(startTime=(START + 1) * US)]), "time.grid"),
        ("start in 2106", written([plain(startTime=4_291_747_200 * US)]), "time.format"),
        ("last interval in 2106", written([plain(startTime=4_291_746_900 * US)]), "time.format"),
        ("lists of two lengths", written([plain(**{b: [-1]})]), "array.length"),
        ("empty lists", written([plain(**{a: [], b: []})]), "array.length"),
        ("no list in a row", written([plain(**{a: None, b: None}), plain(nmi="2001985732")]),
         "array.length"),
        ("2017 elements", written([plain(**{a: [0] * 2017, b: None})]), "array.length"),
        ("interval without a limit", written([plain(**{a: [1, None]})]), "interval.no_limit"),
        ("negative export", written([plain(**{a: [1, -1]})]), "limit.sign"),
        ("least int32", written([plain(**{a: [1, -(2**31)]})]), "limit.range"),
        ("two limits, no submission", written([plain(), plain(**{a: [1, 1]})]),
         "submission.missing"),
        ("two meanings", written([plain(), plain(oeTiming="POST")]), "site.meaning"),
    ]  # fmt: skip
    files = [(name, "wide", "canonical", data, rule) for name, data, rule in wide]
    edge = {a: [1500, 1500], b: [-2000, -2000]}
    files += [
        ("a watt too fine", "edge", "canonical", written([plain(**edge | {a: [1500, 1501]})]),
         "limit.decimals"),
        ("100 kW", "edge", "canonical", written([plain(**edge | {a: [0, 100_000]})]),
         "limit.range"),
        ("null import", "edge", "canonical", written([plain()]), "field.type"),
        ("negative magnitude", "wide", "magnitude", written([plain()]), "limit.sign"),
    ]  # fmt: skip
    return files


def _empty() -> bytes:
    out = io.BytesIO()
    schema = pq.ParquetFile(io.BytesIO(written([plain()]))).schema_arrow
    pq.write_table(schema.empty_table(), out, store_schema=False)
    return out.getvalue()


def parquet_vectors() -> Json:
    """All of them."""
    accepted = []
    for name, (document, registry), number, feed in (
        ("round-array.json", array_round(), 1, ("wide", "canonical")),
        ("round-wide.json", wide_round(), 5, ("wide", "canonical")),
        ("round-day.json", day_round(), 3, ("edge", "magnitude")),
        ("round-blind.json", blind_round(), 4, ("wide", "canonical")),
    ):
        lists = rows_of(document.encode(), *feed, lists=True)
        files = {"superseding": written(superseded(lists))}
        if "wide" not in name:  # which needs its superseded rows, to be dense enough
            files["lists"] = written(lists)
            files["intervals"] = written(rows_of(document.encode(), *feed, lists=False), 1000)
        if "day" in name:
            files = {"lists": files["lists"]}
        results = {
            text: compute_round(
                data,
                registry.encode(),
                SALT,
                chain_id=31337,
                contract=CONTRACT,
                number=number,
                profile=feed[0],
                import_sign=feed[1],
            )
            for text, data in (("json", document.encode()), *files.items())
        }
        expected = results["json"].root
        for shape, data in files.items():
            if results[shape].root != expected:
                raise AssertionError((name, shape))
            accepted.append(
                {
                    "name": f"{name}, {shape}",
                    "round": name,
                    "bytes": data.hex(),
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "root": results[shape].root.hex(),
                }
            )
    rejected = []
    for name, profile, import_sign, data, rule in rejected_files():
        try:
            read_envelope(data, profile, import_sign)
        except Rejected as exc:
            if rule not in exc.rules:
                raise AssertionError((name, exc.faults)) from exc
        else:
            raise AssertionError(f"{name}: not rejected")
        case = {"name": name, "profile": profile, "importSign": import_sign}
        rejected.append(case | {"bytes": data.hex(), "rule": rule})
    return {"section": "5", "accepted": accepted, "rejected": rejected}
