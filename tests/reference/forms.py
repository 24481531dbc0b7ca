"""Forms of the envelope document (section 2): packed, CSV and parts, as JSON that means the same.

Plain and slow: a document is unpacked as a whole, and CSV is cut character by character.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Mapping

import pyarrow as pa

from tests.reference import parquet
from tests.reference.json_reader import Reader, Rejected, read_records

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
BOM = b"\xef\xbb\xbf"
HEADER = (*parquet.TEXTS, "submissionTimestamp", "diStartTime", *parquet.LIMITS)
MOST_LINE = 65_536
MANIFEST = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"parts"[ \t\r\n]*:')


def _reject(path: str, rule: str) -> Rejected:
    return Rejected([(path, rule)])


def json_of(data: bytes, parts: Mapping[bytes, bytes] | None = None) -> bytes:
    """A document of any form as JSON; raises ``Rejected`` for faults of its form.

    Args:
        data: The exact bytes.
        parts: The bytes of a manifest's parts by SHA-256.
    """
    if MANIFEST.match(data[:64]):
        return _joined(data, parts or {})
    return _plain(data)


def _plain(data: bytes) -> bytes:
    if data[:4] == parquet.MAGIC:
        return parquet.json_of(data)
    if data.startswith((GZIP, ZSTD)):
        data = _unpacked(data)
    head = data.removeprefix(BOM)[:64].decode("utf-8", "replace").removeprefix('"')
    if any(head.startswith(name) for name in HEADER):
        return _of_csv(data)
    return data


def _unpacked(data: bytes) -> bytes:
    try:
        if data.startswith(GZIP):
            plain = gzip.decompress(data)
        else:
            with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
                plain = stream.read()
    except EOFError as exc:
        raise _reject("$", "form.truncated") from exc
    except (OSError, zlib.error) as exc:
        rule = "form.truncated" if "Truncated" in str(exc) else "form.corrupt"
        raise _reject("$", rule) from exc
    if len(plain) > 64 * len(data) + 2**26:
        raise _reject("$", "form.expansion")
    return plain


def _of_csv(data: bytes) -> bytes:
    lines = data.removeprefix(BOM).split(b"\n")
    lines = [line.removesuffix(b"\r") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    names = _fields(lines[0], 1)
    limits = [name for name in names if name in parquet.LIMITS]
    needed = {*parquet.TEXTS, "diStartTime"}
    is_known = set(names) <= set(HEADER) and len(set(names)) == len(names)
    if not is_known or needed - set(names) or not limits:
        raise _reject("$.lines[1]", "csv.header")
    records = []
    for number, line in enumerate(lines[1:], start=2):
        fields = _fields(line, number)
        if len(fields) != len(names) or not line:
            raise _reject(f"$.lines[{number}]", "csv.fields")
        records.append(_record(dict(zip(names, fields, strict=True)), limits, number))
    return ("[" + ",\n".join(records) + "]").encode()


def _fields(line: bytes, number: int) -> list[str]:
    if len(line) > MOST_LINE:
        raise _reject("$", "csv.line")
    try:
        text = line.decode()
    except UnicodeDecodeError as exc:
        raise _reject(f"$.lines[{number}]", "csv.utf8") from exc
    fields, at = [""], 0
    while at < len(text):
        if text[at] == ",":
            fields.append("")
            at += 1
        elif text[at] == '"':
            if fields[-1] or (at and text[at - 1] != ","):
                raise _reject(f"$.lines[{number}]", "csv.quotes")
            fields[-1], at = _quoted(text, at + 1, number)
        else:
            fields[-1] += text[at]
            at += 1
    return fields


def _quoted(text: str, at: int, number: int) -> tuple[str, int]:
    field = ""
    while at < len(text):
        if text[at] != '"':
            field += text[at]
            at += 1
        elif text[at + 1 : at + 2] == '"':
            field += '"'
            at += 2
        elif text[at + 1 : at + 2] in {"", ","}:
            return field, at + 1
        else:
            break
    raise _reject(f"$.lines[{number}]", "csv.quotes")


def _record(row: dict[str, str], limits: list[str], number: int) -> str:
    members = {name: row[name] or None for name in parquet.TEXTS}
    if row.get("submissionTimestamp"):
        members["submissionTimestamp"] = row["submissionTimestamp"]
    if not row["diStartTime"]:
        raise _reject(f"$.lines[{number}]", "time.missing")
    interval = [f'"diStartTime":{json.dumps(row["diStartTime"])}']
    for name in limits:
        text = row[name]
        if text and not re.fullmatch(r"-?(0|[1-9][0-9]{0,9})", text, re.ASCII):
            raise _reject(f"$.lines[{number}].{name}", "field.type")
        value = parquet.kilowatts(int(text) if text else None)
        interval.append(f'"{parquet.LIMITS[name]}":{value}')
    envelopes = '[{"intervals":[{' + ",".join(interval) + "}]}]"
    return json.dumps(members)[:-1] + f', "operatingEnvelopes": {envelopes}}}'


def _joined(data: bytes, parts: Mapping[bytes, bytes]) -> bytes:
    """All parts' records as one array of JSON."""
    texts = []
    for number, (digest, size) in enumerate(_named(data)):
        path, part = f"$.parts[{number}]", parts[digest]
        if len(part) != size:
            raise _reject(path, "manifest.size")
        if hashlib.sha256(part).digest() != digest:
            raise _reject(path, "manifest.digest")
        if MANIFEST.match(part[:64]):
            raise _reject(path, "manifest.nested")
        plain = _plain(part)
        list(read_records(plain))  # raises for a part that is not JSON, or has no record
        text = plain.strip(b" \t\r\n")
        if text.startswith(b"["):
            texts.append(text[1:-1])
        else:
            texts += [line for line in text.split(b"\n") if line.strip(b" \t\r")]
    return b"[" + b",".join(texts) + b"]"


def _named(data: bytes) -> list[tuple[bytes, int]]:
    """Digest and size of each part of a manifest."""
    reader = Reader()
    try:
        value = json.loads(data)
    except ValueError as exc:
        raise _reject("$", "json.syntax") from exc
    named: list[tuple[bytes, int]] = []
    if list(value) != ["parts"]:
        raise _reject("$", "field.unknown")
    if not isinstance(value["parts"], list) or not 1 <= len(value["parts"]) <= 65_536:
        raise _reject("$.parts", "array.length")
    for number, part in enumerate(value["parts"]):
        path = f"$.parts[{number}]"
        if set(part) != {"sha256", "size"}:
            reader.fault(path, "field.unknown" if len(part) > 1 else "field.missing")
            continue
        if not re.fullmatch("[0-9a-f]{64}", str(part["sha256"])):
            reader.fault(path, "manifest.digest")
        elif type(part["size"]) is not int or not 1 <= part["size"] <= 2**40:
            reader.fault(path, "manifest.size")
        elif bytes.fromhex(part["sha256"]) in {digest for digest, _ in named}:
            reader.fault(path, "manifest.twice")
        else:
            named.append((bytes.fromhex(part["sha256"]), part["size"]))
    reader.done()
    return named
