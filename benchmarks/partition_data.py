"""Inputs of ``benchmarks/partition`` from a seed: a document in Parquet and JSON, and a registry.

Sites have an export and an import limit in every interval, in the shape of a day of sunshine and
with steps of 10 W; aggregators have shares as they have in the field (Zipf), some sites have none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SALT: Final = bytes(range(32))
START: Final = 1_795_111_200  # 2026-11-20T04:00:00+10:00
AGGREGATORS: Final = 30
_UNASSIGNED: Final = 0.03
_ROWS_PER_GROUP: Final = 10_000
_SEED: Final = 10


def nmis(first: int, count: int) -> list[str]:
    """NMIs of sites, ascending."""
    return [f"6{300000000 + 7 * number:09d}" for number in range(first, first + count)]


def limits(first: int, count: int, intervals: int) -> tuple[Any, Any]:
    """Export and import limits in W, shape (sites, intervals), the same for any division."""
    random = np.random.default_rng((_SEED, first))
    most = random.integers(150, 1000, size=(count, 1)) * 10
    sun = np.sin(np.linspace(0, np.pi, intervals)) ** 2 * random.uniform(0.5, 1, size=(count, 1))
    clouds = random.uniform(0.9, 1, size=(count, intervals))
    exports = np.rint(most * sun * clouds / 10).astype(np.int32) * 10
    imports = -np.rint(most * (1.1 - sun * clouds) / 10).astype(np.int32) * 10
    return exports, np.minimum(imports, 0)


def _blocks(sites: int) -> Iterator[tuple[int, int]]:
    for first in range(0, sites, _ROWS_PER_GROUP):
        yield first, min(_ROWS_PER_GROUP, sites - first)


def write_parquet(path: Path, sites: int, intervals: int) -> None:
    """The document in Parquet, a row a site, in row groups of 10,000; else as pyarrow writes."""
    text = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [
            ("nmi", pa.string()),
            ("oeTiming", text),
            ("oeObjectiveFunction", text),
            ("oeApplicationLevel", text),
            ("submissionTimestamp", pa.timestamp("us", "UTC")),
            ("startTime", pa.timestamp("us", "UTC")),
            ("activePowerExportLimitW", pa.list_(pa.int32())),
            ("activePowerImportLimitW", pa.list_(pa.int32())),
        ]
    )
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for first, count in _blocks(sites):
            exports, imports = limits(first, count, intervals)
            offsets = np.arange(count + 1, dtype=np.int32) * intervals
            columns = {
                "nmi": nmis(first, count),
                "oeTiming": ["PRE"] * count,
                "oeObjectiveFunction": ["Maximise service"] * count,
                "oeApplicationLevel": ["NMI"] * count,
                "submissionTimestamp": [(START - 3600) * 1_000_000] * count,
                "startTime": [START * 1_000_000] * count,
                "activePowerExportLimitW": pa.ListArray.from_arrays(offsets, exports.ravel()),
                "activePowerImportLimitW": pa.ListArray.from_arrays(offsets, imports.ravel()),
            }
            arrays = [
                value if isinstance(value, pa.Array) else pa.array(value, type=schema.field(n).type)
                for n, value in columns.items()
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), _ROWS_PER_GROUP)


def write_json(path: Path, sites: int, intervals: int) -> None:
    """The same document as a JSON array."""
    times = [_text(START + 300 * number) for number in range(intervals + 1)]
    with path.open("w") as file:
        separator = "["
        for first, count in _blocks(sites):
            exports, imports = limits(first, count, intervals)
            for site, nmi in enumerate(nmis(first, count)):
                record = {
                    "nmi": nmi,
                    "oeTiming": "PRE",
                    "oeObjectiveFunction": "Maximise service",
                    "oeApplicationLevel": "NMI",
                    "submissionTimestamp": _text(START - 3600),
                    "operatingEnvelopes": [
                        {
                            "intervals": [
                                {
                                    "activePowerExportLimit": export / 1000,
                                    "activePowerImportLimit": import_ / 1000,
                                    "diStartTime": start,
                                    "diEndTime": end,
                                }
                                for export, import_, start, end in zip(
                                    exports[site].tolist(),
                                    imports[site].tolist(),
                                    times[:-1],
                                    times[1:],
                                    strict=True,
                                )
                            ]
                        }
                    ],
                }
                file.write(separator + json.dumps(record))
                separator = ",\n"
        file.write("]\n")


def write_registry(path: Path, sites: int) -> None:
    """A snapshot that assigns most sites, from a day before and without an end."""
    random = np.random.default_rng(_SEED)
    share = 1 / np.arange(1, AGGREGATORS + 1)
    holder = random.choice(AGGREGATORS, size=sites, p=share / share.sum())
    is_assigned = random.random(sites) >= _UNASSIGNED
    start = _text(START - 86_400)
    snapshot = {
        "asOf": _text(START - 7200),
        "nonce": "00" * 32,
        "saltDigest": sha256(SALT).hexdigest(),
        "aggregators": [
            {"id": f"A{n:02}", "name": f"Aggregator {n}", "publicKey": f"{n + 1:064x}"}
            for n in range(AGGREGATORS)
        ],
        "assignments": [
            {"nmi": nmi, "aggregator": f"A{holder[n]:02}", "from": start, "to": None}
            for n, nmi in enumerate(nmis(0, sites))
            if is_assigned[n]
        ],
    }
    path.write_text(json.dumps(snapshot))


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
