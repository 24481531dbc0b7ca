"""Sections 2 and 5: documents of whole rounds packed, in CSV and in parts; and rejected ones."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from tests.reference.envelope import read_envelope
from tests.reference.forms import HEADER
from tests.reference.json_reader import Rejected
from tests.reference.model import compute_round
from tests.reference.vectors.common import CONTRACT, SALT, Json
from tests.reference.vectors.parquets import rows_of, written
from tests.reference.vectors.rounds import array_round, blind_round, day_round

US = 1_000_000
GOOD = (
    "nmi,oeTiming,oeObjectiveFunction,oeApplicationLevel,diStartTime,activePowerExportLimitW\n"
    "6305888444,PRE,x,NMI,2026-11-20T04:00:00+10:00,1500\n"
    "6305888444,PRE,x,NMI,2026-11-20T04:05:00+10:00,1500\n"
)


def csv_of(rows: list[dict[str, Any]], end: str = "\n", mark: str = "") -> bytes:
    """Rows of single intervals as CSV; ``mark`` around each text."""
    names = [name for name in HEADER if name in rows[0]]
    lines = [mark.join(["", (mark + "," + mark).join(names), ""])]
    for row in rows:
        fields = []
        for name in names:
            value = row[name]
            if name in {"diStartTime", "submissionTimestamp"} and value is not None:
                value = _time(value // US)
            text = "" if value is None else str(value)
            if "," in text or '"' in text:
                text = '"' + text.replace('"', '""') + '"'
            elif text and mark and isinstance(value, str):
                text = mark + text + mark
            fields.append(text)
        lines.append(",".join(fields))
    return (end.join(lines) + end).encode()


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def zstd_of(data: bytes) -> bytes:
    """A document packed with zstd, uncompressed blocks included, in one frame."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def gzip_of(data: bytes) -> bytes:
    """A document packed with gzip, the same bytes each time."""
    return gzip.compress(data, mtime=0)


def manifest_of(*parts: bytes, **change: Any) -> bytes:
    """The manifest of parts; ``change`` replaces members of the first."""
    named: list[dict[str, Any]] = [
        {"sha256": hashlib.sha256(part).hexdigest(), "size": len(part)} for part in parts
    ]
    named[0] |= change
    return json.dumps({"parts": named}).encode()


def _split(document: bytes) -> list[bytes]:
    """The records of an array, each a line of NDJSON, in three parts."""
    decoder, text, at, lines = json.JSONDecoder(), document.decode(), 0, []
    at = text.index("{")
    while at >= 0:
        _, end = decoder.raw_decode(text, at)
        lines.append(text[at:end].replace("\n", " ").encode() + b"\n")
        at = text.find("{", end)
    third = -(-len(lines) // 3)
    return [b"".join(lines[first : first + third]) for first in range(0, len(lines), third)]


def accepted_files() -> list[tuple[str, str, bytes, list[bytes]]]:
    """Name, the file of the round, the document and the parts."""
    array, blind = array_round()[0].encode(), blind_round()[0].encode()
    rows = rows_of(array, "wide", "canonical", lists=False)
    lists = written(rows_of(blind, "wide", "canonical", lists=True))
    table = csv_of(rows)
    parts = _split(array)
    mixed = [gzip_of(parts[0]), b"[" + parts[1].strip().replace(b"\n", b",") + b"]", *parts[2:]]
    day = day_round()[0].encode()
    return [
        ("gzip", "round-array.json", gzip_of(array), []),
        ("gzip, two members", "round-array.json", gzip_of(array[:99]) + gzip_of(array[99:]), []),
        ("zstd", "round-array.json", zstd_of(array), []),
        ("zstd, two frames", "round-array.json", zstd_of(array[:99]) + zstd_of(array[99:]), []),
        ("a day, zstd", "round-day.json", zstd_of(day), []),
        ("CSV", "round-array.json", table, []),
        ("CSV, CR LF, byte order mark, quotation marks", "round-array.json",
         b"\xef\xbb\xbf" + csv_of(rows, "\r\n", '"') + b"\r\n", []),
        ("CSV, gzip", "round-array.json", gzip_of(table), []),
        ("manifest of NDJSON", "round-array.json", manifest_of(*parts), parts),
        ("manifest, several forms", "round-array.json", manifest_of(*mixed), mixed),
        ("manifest of one part in Parquet", "round-blind.json", manifest_of(lists), [lists]),
    ]  # fmt: skip


def rejected_files() -> list[tuple[str, bytes, list[bytes], str]]:
    """Name, the document, the parts, and the rule that is broken."""
    good = GOOD.encode()
    packed, frame = gzip_of(good), zstd_of(good)
    inner = manifest_of(good)

    def changed(old: str, new: str) -> bytes:
        if old not in GOOD:
            raise AssertionError(old)
        return GOOD.replace(old, new, 1).encode()

    other = changed("1500", "1501")
    return [
        ("gzip, cut short", packed[:-1], [], "form.truncated"),
        ("zstd, cut short", frame[:-1], [], "form.truncated"),
        ("gzip, other bytes after it", packed + b"more bytes", [], "form.corrupt"),
        ("zstd, other bytes after it", frame + b"x", [], "form.corrupt"),
        ("gzip, a wrong checksum", packed[:-5] + bytes([packed[-5] ^ 1]) + packed[-4:], [],
         "form.corrupt"),
        ("gzip in gzip", gzip_of(packed), [], "json.utf8"),
        ("CSV, unknown column", changed("oeTiming", "timing"), [], "csv.header"),
        ("CSV, a column twice", changed("oeTiming", "nmi"), [], "csv.header"),
        ("CSV, kW", changed("LimitW", "Limit"), [], "csv.header"),
        ("CSV, semicolons", GOOD.replace(",", ";").encode(), [], "csv.header"),
        ("CSV, header alone", good[: good.index(b"\n")], [], "document.empty"),
        ("CSV, a field less", changed(",1500", ""), [], "csv.fields"),
        ("CSV, a field more", changed(",1500", ",1500,"), [], "csv.fields"),
        ("CSV, an empty line", changed("1500\n", "1500\n\n"), [], "csv.fields"),
        ("CSV, a field across lines", changed(",x,", ',"x\ny",'), [], "csv.quotes"),
        ("CSV, a mark within a field", changed(",x,", ',x"y,'), [], "csv.quotes"),
        ("CSV, text after a mark", changed(",x,", ',"x"y,'), [], "csv.quotes"),
        ("CSV, Latin-1", changed(",x,", ",\xfc,").replace(b"\xc3\xbc", b"\xfc"), [], "csv.utf8"),
        ("CSV, decimals", changed("1500", "1500.0"), [], "field.type"),
        ("CSV, leading zero", changed("1500", "01500"), [], "field.type"),
        ("CSV, white space", changed(",1500", ", 1500"), [], "field.type"),
        ("CSV, no limit", changed(",1500", ","), [], "interval.no_limit"),
        ("CSV, no start", changed("2026-11-20T04:00:00+10:00", ""), [], "time.missing"),
        ("CSV, off the grid", changed("04:00:00", "04:01:00"), [], "time.grid"),
        ("a part twice", manifest_of(good, good), [good], "manifest.twice"),
        ("a manifest within a manifest", manifest_of(inner), [inner, good], "manifest.nested"),
        ("a size that is not the part's", manifest_of(good, size=len(good) + 1), [good],
         "manifest.size"),
        ("a size of 0", manifest_of(good, size=0), [good], "manifest.size"),
        ("capitals in a digest",
         manifest_of(good, sha256=hashlib.sha256(good).hexdigest().upper()), [good],
         "manifest.digest"),
        ("another member", manifest_of(good, url="x"), [good], "field.unknown"),
        ("no part", b'{"parts": []}', [], "array.length"),
        ("a part without a record", manifest_of(b"[]"), [b"[]"], "document.empty"),
        ("a part cut short", manifest_of(packed[:-1]), [packed[:-1]], "form.truncated"),
        ("a conflict between parts", manifest_of(good, other), [good, other],
         "submission.missing"),
    ]  # fmt: skip


def by_digest(parts: list[bytes]) -> Mapping[bytes, bytes]:
    """Parts by SHA-256."""
    return {hashlib.sha256(part).digest(): part for part in parts}


def form_vectors() -> Json:
    """All of them."""
    rounds = {"round-array.json": (array_round(), 1, "wide", "canonical"),
              "round-day.json": (day_round(), 3, "edge", "magnitude"),
              "round-blind.json": (blind_round(), 4, "wide", "canonical")}  # fmt: skip
    accepted = []
    for name, file, data, parts in accepted_files():
        (document, registry), number, profile, sign = rounds[file]
        roots = {
            compute_round(
                each,
                registry.encode(),
                SALT,
                chain_id=31337,
                contract=CONTRACT,
                number=number,
                profile=profile,
                import_sign=sign,
                document_parts=by_digest(parts),
            ).root
            for each in (document.encode(), data)
        }
        if len(roots) != 1:
            raise AssertionError(name)
        accepted.append(
            {"name": name, "round": file, "bytes": data.hex(), "parts": [p.hex() for p in parts],
             "sha256": hashlib.sha256(data).hexdigest(), "root": roots.pop().hex()}
        )  # fmt: skip
    rejected = []
    for name, data, parts, rule in rejected_files():
        try:
            read_envelope(data, parts=by_digest(parts))
        except Rejected as exc:
            if rule not in exc.rules:
                raise AssertionError((name, exc.faults)) from exc
        else:
            raise AssertionError(f"{name}: not rejected")
        case = {"name": name, "bytes": data.hex(), "parts": [part.hex() for part in parts]}
        rejected.append(case | {"rule": rule})
    return {"section": "2 and 5", "accepted": accepted, "rejected": rejected}
