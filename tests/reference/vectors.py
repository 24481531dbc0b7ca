"""Write the test vectors of rules version 1 to docs/spec/vectors/, or check that they are current.

    scripts/make-vectors            write the files
    scripts/make-vectors --check    compare; exit 1 and name the files that differ

Every value comes from the reference model in tests/reference, none from oepnode itself, so that
the vectors can hold oepnode to the rules. The output depends on nothing but the sources.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from tests.reference import model, rfc9162

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "docs" / "spec" / "vectors"
Json = Any

SALT = hashlib.sha256(b"oepnode test vectors: salt").digest()
CONTRACT = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
OPERATORS = [hashlib.sha256(b"operator %d" % n).digest()[:20] for n in (1, 2, 3)]


def digest(label: str) -> bytes:
    """Thirty-two bytes that mean nothing."""
    return hashlib.sha256(label.encode()).digest()


# --- Section 4: NMI ------------------------------------------------------------------------------

# Published with their checksums in AEMO's NMI procedure.
AEMO_NMIS = (
    "2001985732",
    "2001985733",
    "3075621875",
    "4316854005",
    "6305888444",
    "7001888333",
    "QAAAVZZZZZ",
    "NCCC519495",
    "SMVEW00085",
    "VKTS876510",
)


def nmi_vectors() -> Json:
    """Checksums, and texts that are or are not an NMI."""
    accepted, refused = [], []
    texts = [
        "6305888444",
        "63058884446",
        "QAAAVZZZZZ3",
        "VBBB000001",
        "630588844",
        "63058884445",
        "6305888444X",
        "630588844466",
        "63O5888444",
        "63I5888444",
        "qaaavzzzzz",
        "6305 88444",
        "6305888444\n",
        "６305888444",
        "",
    ]
    for text in texts:
        nmi, rule = model.nmi_or_rule(text)
        if nmi is None:
            refused.append({"text": text, "rule": rule})
        else:
            accepted.append({"text": text, "nmi": nmi})
    return {
        "section": "4",
        "checksums": [{"nmi": nmi, "checksum": model.checksum(nmi)} for nmi in AEMO_NMIS],
        "accepted": accepted,
        "refused": refused,
    }


# --- Section 3: time -----------------------------------------------------------------------------

TIMESTAMPS = (
    "2026-11-20T04:05:00+10:00",
    "2026-11-20T04:05:00",
    "2026-11-19T18:05:00Z",
    "2026-11-20T05:05:00+11:00",
    "2026-11-19T12:35:00-05:30",
    "2026-11-20T08:05:00+14:00",
    "2026-11-19T04:05:00-14:00",
    "2026-11-19T18:05:00-00:00",
    "2026-11-20T04:05:00.000+10:00",
    "2026-11-20T04:05:00.000001+10:00",
    "2026-11-20T04:05:00.5+10:00",
    "2026-11-20T04:05:01+10:00",
    "2026-11-20T04:04:59.999999+10:00",
    "2024-02-29T00:00:00+10:00",
    "1970-01-01T00:00:00Z",
    "1970-01-01T10:00:00+10:00",
    "2105-12-31T23:55:00+10:00",
)
NO_TIMESTAMPS = (
    "2026-11-20",
    "2026-11-20T04:05",
    "2026-11-20 04:05:00+10:00",
    "2026-11-20t04:05:00+10:00",
    "2026-11-20T04:05:00z",
    "2026-11-20T04:05:00.+10:00",
    "2026-11-20T04:05:00.0000000+10:00",
    "2026-11-20T04:05:00+1000",
    "2026-11-20T04:05:00+14:01",
    "2026-11-20T04:05:00+09:60",
    "2026-11-20T24:00:00+10:00",
    "2026-11-20T04:05:60+10:00",
    "2026-02-29T04:05:00+10:00",
    "2106-01-01T00:00:00+10:00",
    "1969-12-31T23:55:00Z",
    "1970-01-01T09:55:00+10:00",
    "٢٠٢٦-11-20T04:05:00Z",
    "",
)


def time_vectors() -> Json:
    """Timestamps, and the periods of trading days."""
    accepted = []
    for text in TIMESTAMPS:
        micros = model.microseconds(text)
        if micros is None:
            raise AssertionError(text)
        zone = text[19:].lstrip(".0123456789")
        accepted.append(
            {
                "text": text,
                "seconds": micros // 1_000_000,
                "micros": micros % 1_000_000,
                "onGrid": isinstance(model.instant(text), int),
                "warning": zone in ("", "+11:00"),
            }
        )
    periods = [
        {"tradingDate": day, "period": period, "start": model.period_start(day, period)}
        for day in ("2026-11-20", "2026-10-04", "2024-02-28", "2024-02-29")
        for period in (1, 72, 240, 241, 288)
    ]
    refused = []
    for text in NO_TIMESTAMPS:
        if model.microseconds(text) is not None:
            raise AssertionError(text)
        refused.append({"text": text, "rule": "time.format"})
    return {"section": "3", "accepted": accepted, "refused": refused, "periods": periods}


# --- Section 5: limits ---------------------------------------------------------------------------

NUMBERS = (
    ("0", "wide", "canonical", 0),
    ("-0", "wide", "canonical", 0),
    ("-0.000", "wide", "canonical", 1),
    ("0e5", "wide", "magnitude", 1),
    ("-0", "wide", "magnitude", 1),
    ("0e99999999999999999999", "wide", "canonical", 0),
    ("-0e-99999999999999999999", "wide", "canonical", 1),
    ("1.5", "wide", "canonical", 0),
    ("1.5000", "wide", "canonical", 0),
    ("15e-1", "wide", "canonical", 0),
    ("0.0015E+3", "wide", "canonical", 0),
    ("0.001", "wide", "canonical", 2),
    ("1000e-6", "wide", "canonical", 2),
    ("2147483.647", "wide", "canonical", 0),
    ("-2147483.647", "wide", "canonical", 1),
    ("-1.5", "wide", "canonical", 3),
    ("1.5", "wide", "magnitude", 1),
    ("1.5", "wide", "magnitude", 3),
    ("1.005", "wide", "canonical", 0),
    ("99.99", "edge", "canonical", 0),
    ("-99.99", "edge", "canonical", 1),
    ("99.990", "edge", "canonical", 0),
    ("99.99", "edge", "magnitude", 1),
    ("2147483.648", "wide", "canonical", 0),
    ("-2147483.648", "wide", "canonical", 1),
    ("1e400", "wide", "canonical", 0),
    ("1e99999999999999999999", "wide", "canonical", 0),
    ("1e-99999999999999999999", "wide", "canonical", 0),
    ("0.0005", "wide", "canonical", 0),
    ("1e-4", "wide", "canonical", 0),
    ("100", "edge", "canonical", 0),
    ("99.999", "edge", "canonical", 0),
    ("0.005", "edge", "canonical", 0),
    ("-1", "wide", "canonical", 0),
    ("-1", "wide", "magnitude", 0),
    ("1", "wide", "canonical", 1),
    ("-1", "wide", "magnitude", 1),
    ("-1", "wide", "canonical", 2),
    ("1", "wide", "canonical", 3),
)


def limit_vectors() -> Json:
    """Numbers as written to watts."""
    accepted, refused = [], []
    for text, profile, import_sign, kind in NUMBERS:
        case = {
            "text": text,
            "field": model.KINDS[kind],
            "profile": profile,
            "importSign": import_sign,
        }
        result = model.watts(text, model.KINDS[kind], profile, import_sign)
        if isinstance(result, str):
            refused.append(case | {"rule": result})
        else:
            accepted.append(case | {"watts": result})
    return {"section": "5", "accepted": accepted, "refused": refused}


# --- Section 7: keys -----------------------------------------------------------------------------


def key_vectors() -> Json:
    """Keys and pseudonyms of three rounds."""
    cases = []
    for chain_id, contract, number in (
        (31337, CONTRACT, 1),
        (246, CONTRACT, 2**64 - 1),
        (2**256 - 1, bytes(20), 1),
    ):
        context = model.round_context(chain_id, contract, number)
        k_round = model.round_key(SALT, context)
        aggregators = []
        for identity in ("", "agg-1", "Z" * 64):
            k_agg = model.aggregator_key(k_round, identity)
            aggregators.append(
                {
                    "id": identity,
                    "key": k_agg.hex(),
                    "pseudonym": model.aggregator_pseudonym(k_round, identity).hex(),
                    "sites": [
                        {"nmi": nmi, "pseudonym": model.site_pseudonym(k_agg, nmi).hex()}
                        for nmi in AEMO_NMIS[4:8]
                    ],
                }
            )
        cases.append(
            {
                "salt": SALT.hex(),
                "saltDigest": hashlib.sha256(SALT).hexdigest(),
                "chainId": str(chain_id),
                "contract": "0x" + contract.hex(),
                "round": str(number),
                "context": context.hex(),
                "roundKey": k_round.hex(),
                "aggregators": aggregators,
            }
        )
    return {"section": "7", "cases": cases}


# --- Section 9: entries --------------------------------------------------------------------------


def entry_vectors() -> Json:
    """Site and partition entries from their fields; limits by kind, null where there is none."""
    start = 1_795_111_200
    cases = (
        (0, 0, "x", [(1500, -2000, None, None)]),
        (1, 1, "Maximise", [(0, 0, None, None), (None,) * 4, (2**31 - 1, 1 - 2**31, None, None)]),
        (0, 1, "größte Einspeisung", [(1, -1, 250, None), (2, -2, None, None)]),
        (1, 0, "a" * 255, [(10, -10, 20, -20), (11, -11, None, -21), (None,) * 4]),
    )  # fmt: skip
    sites = []
    for n, (level, timing, objective, rows) in enumerate(cases):
        pseudonym = digest(f"site {n}")
        limits = {
            start + i * model.STEP: row
            for i, row in enumerate(rows)
            if any(value is not None for value in row)
        }
        entry = model.site_entry(
            pseudonym,
            level=level,
            timing=timing,
            objective=objective,
            start=start,
            count=len(rows),
            limits=limits,
        )
        sites.append(
            {
                "pseudonym": pseudonym.hex(),
                "level": level,
                "timing": timing,
                "objective": objective,
                "horizonStart": start,
                "limits": [list(row) for row in rows],
                "entry": entry.hex(),
                "leafHash": rfc9162.leaf_hash(entry).hex(),
            }
        )
    partitions = []
    for n, count in enumerate((1, 300, 2**32 - 1)):
        pseudonym, root = digest(f"aggregator {n}"), digest(f"root {n}")
        entry = model.partition_entry(pseudonym, root, count)
        partitions.append(
            {
                "pseudonym": pseudonym.hex(),
                "root": root.hex(),
                "siteCount": count,
                "entry": entry.hex(),
                "leafHash": rfc9162.leaf_hash(entry).hex(),
            }
        )
    return {"section": "9", "siteEntries": sites, "partitionEntries": partitions}


# --- Section 10: trees ---------------------------------------------------------------------------


def tree_vectors() -> Json:
    """Roots, all paths of small trees, and proofs that must be refused, with the reason."""
    trees = []
    for size in (1, 2, 3, 4, 5, 6, 7, 8, 13):
        entries = [b"entry %d" % i for i in range(size)]
        leaves = [rfc9162.leaf_hash(entry) for entry in entries]
        trees.append(
            {
                "entries": [entry.hex() for entry in entries],
                "leafHashes": [leaf.hex() for leaf in leaves],
                "root": model.tree_root(entries).hex(),
                "paths": [[p.hex() for p in model.tree_path(entries, i)] for i in range(size)],
            }
        )
    large = []
    for size in (64, 65, 300):
        entries = [b"entry %d" % i for i in range(size)]
        large.append(
            {
                "size": size,
                "root": model.tree_root(entries).hex(),
                "proofs": [
                    {"index": i, "path": [p.hex() for p in model.tree_path(entries, i)]}
                    for i in (0, size // 2, size - 1)
                ],
            }
        )
    return {
        "section": "10",
        "emptyRoot": rfc9162.tree_head([]).hex(),
        "trees": trees,
        "largeTreesOfEntryN": large,
        "refused": refused_proofs(),
        "provesAnotherSizeToo": same_shape_proofs(),
    }


def proof(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> dict[str, Json]:
    """A claim as JSON."""
    return {
        "leaf": leaf.hex(),
        "index": index,
        "size": size,
        "path": [sibling.hex() for sibling in path],
        "root": root.hex(),
    }


def refused_proofs() -> Json:
    """Proofs of leaf 4 of 7 that prove nothing, each with the reason."""
    entries = [b"entry %d" % i for i in range(7)]
    leaves = [rfc9162.leaf_hash(entry) for entry in entries]
    root, path, leaf = model.tree_root(entries), model.tree_path(entries, 4), leaves[4]
    inner = rfc9162.leaf_hash(b"\x01" + leaf + path[0])
    flipped = bytes([path[1][0] ^ 1]) + path[1][1:]
    cases = [
        ("another leaf of the tree", (leaves[5], 4, 7, path, root)),
        ("a leaf that is not in the tree", (digest("stranger"), 4, 7, path, root)),
        ("an entry hashed without 0x00", (rfc9162.sha256(entries[4]), 4, 7, path, root)),
        ("the children of an inner node as an entry", (inner, 2, 4, path[1:], root)),
        ("index of the sibling", (leaf, 5, 7, path, root)),
        ("index of another leaf", (leaf, 0, 7, path, root)),
        ("index equal to the size", (leaf, 7, 7, path, root)),
        ("negative index", (leaf, -1, 7, path, root)),
        ("size too small: the path has one sibling too many", (leaf, 4, 5, path, root)),
        ("size too large: the path has one sibling too few", (leaf, 4, 9, path, root)),
        ("size 0", (leaf, 0, 0, path, root)),
        ("path too short at the end", (leaf, 4, 7, path[:-1], root)),
        ("path too short at the start", (leaf, 4, 7, path[1:], root)),
        ("path empty", (leaf, 4, 7, [], root)),
        ("path too long at the end", (leaf, 4, 7, [*path, digest("more")], root)),
        ("path too long: the root once more", (leaf, 4, 7, [*path, root], root)),
        ("path with two siblings swapped", (leaf, 4, 7, [path[1], path[0], path[2]], root)),
        ("path in reverse", (leaf, 4, 7, path[::-1], root)),
        ("path of another leaf", (leaf, 4, 7, model.tree_path(entries, 5), root)),
        ("one bit of a sibling changed", (leaf, 4, 7, [path[0], flipped, path[2]], root)),
        ("a sibling of 31 bytes", (leaf, 4, 7, [path[0][:-1], *path[1:]], root)),
        ("a sibling of 33 bytes", (leaf, 4, 7, [path[0] + b"\x00", *path[1:]], root)),
        ("a leaf of 31 bytes", (leaf[:-1], 4, 7, path, root)),
        ("root of another tree", (leaf, 4, 7, path, model.tree_root(entries[:6]))),
        ("root of 31 bytes", (leaf, 4, 7, path, root[:-1])),
    ]  # fmt: skip
    for reason, claim in cases:
        if rfc9162.proves(*claim) and claim[1] >= 0:
            raise AssertionError(reason)
    return [{"reason": reason} | proof(*claim) for reason, claim in cases]


def same_shape_proofs() -> Json:
    """Sizes that a path cannot tell apart; RFC 9162 2.1.3.2 accepts them all."""
    entries = [b"entry %d" % i for i in range(5)]
    leaf, path = rfc9162.leaf_hash(entries[0]), model.tree_path(entries, 0)
    root = model.tree_root(entries)
    sizes = [size for size in range(1, 20) if rfc9162.proves(leaf, 0, size, path, root)]
    return [{"trueSize": 5} | proof(leaf, 0, size, path, root) for size in sizes]


# --- Whole rounds --------------------------------------------------------------------------------


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


def registry(assignments: list[tuple[str, str, str, str | None]], salt: bytes) -> str:
    """A snapshot of three aggregators as JSON text; the third one holds nothing."""
    return json.dumps(
        {
            "asOf": "2026-11-20T04:00:00+10:00",
            "saltDigest": hashlib.sha256(salt).hexdigest(),
            "aggregators": [
                {"id": name, "name": f"Aggregator {name}", "publicKey": digest(name).hex()}
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


def array_round() -> tuple[str, str]:
    """A JSON array: both levels, gaps, reactive limits, churn with a gap, two unassigned NMIs."""
    ends = [nem(10, minute) for minute in (5, 10, 15, 20, 25, 30)]
    records = [
        record(
            "6305888444",
            "NMI",
            [interval(end, f"{5 - i}.25", "-7") for i, end in enumerate(ends)],
        ),
        record(
            "6305888444",
            "Flex",
            [interval(ends[1], "2", "-3.5", "0.25"), interval(ends[4], "1", "0", "null", "-0.125")],
            timing="POST",
        ),
        record("QAAAVZZZZZ", "NMI", [interval(end, "1.5", "-1.5") for end in ends]),
        record(
            "VKTS876510", "NMI", [interval(ends[0], "10", "-0"), interval(ends[5], "0", "-10.000")]
        ),
        record("2001985732", "NMI", [interval(end, "3", "-3") for end in ends[2:4]]),
        record("NCCC519495", "Flex", [interval(ends[3], "4", "-4", "1", "-1")]),
    ]
    return "[\n" + ",\n".join(records) + "\n]\n", registry(CHURN, SALT)


def ndjson_round() -> tuple[str, str]:
    """NDJSON with CR LF: every spelling, supersession, repeats, offsets, checksums, escapes."""
    first = (
        '{"nmi":"63058884446","oeTiming":"PRE","oeObjectiveFunction":"Maximise service",'
        '"oeApplicationLevel":"NMI","submissionTimestamp":"2026-11-20T09:00:00+10:00",'
        '"tradingDate":null,"operatingEnvelopes":[{"nmi":"6305888444","oeApplicationLevel":"NMI",'
        '"Intervals":[{"activePowerExportLimit":5e0,"activePowerImportLimit":-70e-1,'
        '"diStarttime":"2026-11-20T00:00:00Z","diEndtime":"2026-11-20T10:05:00"},'
        '{"activePowerExportLimit":5.000,"activePowerImportLimit":-7,'
        '"diStarttime":"2026-11-20T11:05:00+11:00","diEndtime":null}]},'
        '{"intervals":[{"activePowerExportLimit":0.5E+1,"activePowerImportLimit":-7.0,'
        '"diEndTime":"2026-11-20T14:15:00+14:00"}]}]}'
    )
    later = (
        '{"submissionDateTime":"2026-11-19T23:00:00.000001Z","nmi":"6305888444",'
        '"oeApplicationLevel":"NMI","oeTiming":"PRE",'
        '"oeObjectiveFunction":"Maximise \\u0073ervice",'
        '"operatingEnvelopes":[{"intervals":[{"activePowerExportLimit":1.5,'
        '"activePowerImportLimit":-0,"reactivePowerExportLimit":null,'
        '"diEndTime":"2026-11-20T10:10:00+10:00"}]}]}'
    )
    repeat = record("QAAAVZZZZZ", "Flex", [interval(nem(10, 10), "2.50", "-1")])
    other = record(
        "QAAAVZZZZZ",
        "Flex",
        [interval(nem(10, 10), "2.5", "-1.0"), interval(nem(10, 15), "2.5", "-1", "1")],
        ',"submissionDatetime":"2026-11-20T09:30:00+10:00"',
    )
    # The later record stands first: order in the document has no meaning.
    lines = [later, repeat, "", first, other, repeat]
    return "\r\n".join(lines) + "\r\n", registry(CHURN, SALT)


def day_round() -> tuple[str, str]:
    """A trading day by position, imports as magnitudes, profile edge, and a day-end update."""
    numbers = [(f"{(i * 7) % 100}.{i % 10}", f"{i % 60}.{(i * 3) % 10}5") for i in range(288)]
    bare = ",".join(
        f'{{"activePowerExportLimit":{a},"activePowerImportLimit":{b}}}' for a, b in numbers
    )
    day = (
        '{"nmi":"VKTS876510","oeTiming":"PRE","oeObjectiveFunction":"Ziel: größte Einspeisung",'
        '"oeApplicationLevel":"NMI","operatingEnvelopes":[{"intervals":['
        + bare
        + ']}],"submissionTimestamp":"2026-11-19T12:00:00+10:00","tradingDate":"2026-11-20"}'
    )
    update = day[: day.index('"operatingEnvelopes"')] + (
        '"operatingEnvelopes":[{"intervals":[' + interval(nem(23, 55), "99.99", "99.99")
        + "]}],"
        '"submissionTimestamp":"2026-11-20T12:00:00+10:00"}'
    )  # fmt: skip
    south = record("6305888444", "Flex", [interval(nem(4, 5), "0", "1.25", "0.5", "0.75")])
    return f"[{day},{update},{south}]", registry(CHURN, SALT)


def round_vector(name: str, texts: tuple[str, str], number: int, feed: tuple[str, str]) -> Json:
    """A whole round with every value on the way to its root."""
    envelope, snapshot = texts
    result = model.compute_round(
        envelope.encode(),
        snapshot.encode(),
        SALT,
        chain_id=31337,
        contract=CONTRACT,
        number=number,
        profile=feed[0],
        import_sign=feed[1],
    )
    document = model.read_envelope(envelope.encode(), *feed)
    leaves = [partition.entry for partition in result.partitions]
    return {
        "section": "1 to 11",
        "name": name,
        "inputs": {
            "envelope": envelope,
            "envelopeSha256": hashlib.sha256(envelope.encode()).hexdigest(),
            "registry": snapshot,
            "registrySha256": hashlib.sha256(snapshot.encode()).hexdigest(),
            "salt": SALT.hex(),
            "chainId": str(result.chain_id),
            "contract": "0x" + CONTRACT.hex(),
            "round": str(number),
            "profile": feed[0],
            "importSign": feed[1],
        },
        "horizonStart": document.start,
        "intervalCount": document.count,
        "sites": [
            {
                "nmi": nmi,
                "level": level,
                "timing": document.sites[nmi, level][0],
                "objective": document.sites[nmi, level][1],
                "rows": [[start, *limits] for start, limits in sorted(rows.items())],
            }
            for (nmi, level), rows in sorted(document.rows.items())
        ],
        "roundKey": result.key.hex(),
        "partitions": [
            {
                "aggregator": partition.aggregator_id,
                "key": partition.key.hex(),
                "pseudonym": partition.pseudonym.hex(),
                "sites": [
                    {
                        "nmi": nmi,
                        "pseudonym": model.site_pseudonym(partition.key, nmi).hex(),
                        "entry": entry.hex(),
                        "leafHash": rfc9162.leaf_hash(entry).hex(),
                        "path": [p.hex() for p in model.tree_path(partition.entries, i)],
                    }
                    for i, (nmi, entry) in enumerate(
                        zip(partition.nmis, partition.entries, strict=True)
                    )
                ],
                "root": partition.root.hex(),
                "entry": partition.entry.hex(),
                "leafHash": rfc9162.leaf_hash(partition.entry).hex(),
                "path": [p.hex() for p in model.tree_path(leaves, place)],
            }
            for place, partition in enumerate(result.partitions)
        ],
        "root": result.root.hex(),
        "partitionCount": result.partition_count,
        "resultHash": result.result_hash.hex(),
        "ballots": [
            {"operator": "0x" + operator.hex(), "ballot": result.ballot(operator).hex()}
            for operator in OPERATORS
        ],
    }


# --- Documents that are refused ------------------------------------------------------------------

GOOD = record("6305888444", "NMI", [interval(nem(10, 5), "1.5", "-2")])
END = f'"diEndTime":"{nem(10, 5)}"'
START = f'"diStartTime":"{nem(10, 0)}"'


def swap(old: str, new: str, text: str = GOOD) -> str:
    """The good record with one thing changed, as an array."""
    if text.count(old) != 1:
        raise AssertionError((old, text))
    return f"[{text.replace(old, new)}]"


def two(change_old: str, change_new: str, text: str = GOOD) -> str:
    """The good record, and behind it the same with one thing changed."""
    return f"[{text},{swap(change_old, change_new, text)[1:-1]}]"


def day_of(count: int, more: str) -> str:
    """A record of intervals without times."""
    bare = '{"activePowerExportLimit":1,"activePowerImportLimit":-1}'
    return f"[{record('6305888444', 'NMI', [bare] * count, more)}]"


RECORD = "$.records[0]"
ELEMENT = RECORD + ".operatingEnvelopes[0]"
INTERVAL = ELEMENT + ".intervals[0]"
OBJECTIVE = '"Maximise service"'

REJECTED_ENVELOPES: tuple[tuple[str, str | bytes, str, str], ...] = (
    ("byte order mark", "\ufeff[" + GOOD + "]", "$", "json.bom"),
    ("not UTF-8", f"[{GOOD}]".encode().replace(b"Maximise", b"Maximi\xff"), "$", "json.utf8"),
    ("UTF-8 of a surrogate", f"[{GOOD}]".encode().replace(b"Max", b"\xed\xa0\x80"), "$",
     "json.utf8"),
    ("nothing", "", "$", "document.empty"),
    ("white space", " \n\r\n", "$", "document.empty"),
    ("array without a record", "[]", "$", "document.empty"),
    ("bytes after the end", f"[{GOOD}] x", "$", "json.trailing"),
    ("two values in one line", f"{GOOD} {GOOD}\n", RECORD, "json.trailing"),
    ("array cut short", f"[{GOOD}", RECORD, "json.syntax"),
    ("trailing comma in the array", f"[{GOOD},]", "$.records[1]", "json.syntax"),
    ("trailing comma in an object", swap("-2,", "-2,,"), RECORD, "json.syntax"),
    ("number with a leading zero", swap("1.5", "01.5"), RECORD, "json.syntax"),
    ("raw control character", swap("Maximise ", "Maximise\t"), RECORD, "json.syntax"),
    ("NaN", swap("1.5", "NaN"), INTERVAL + ".activePowerExportLimit", "number.constant"),
    ("Infinity", swap("-2,", "-Infinity,"), INTERVAL + ".activePowerImportLimit",
     "number.constant"),
    ("doubled key", swap('"oeTiming":"PRE"', '"oeTiming":"PRE","oeTiming":"PRE"'), RECORD,
     "json.duplicate_key"),
    ("doubled key, one of them escaped", swap('"nmi":', '"nm\\u0069":"6305888444","nmi":'), RECORD,
     "json.duplicate_key"),
    ("two spellings of one field", swap(END, END + ',"diEndtime":null'), INTERVAL,
     "json.duplicate_key"),
    ("unknown field of a record", swap('"oeTiming"', '"maxAvailGen":1,"oeTiming"'), RECORD,
     "field.unknown"),
    ("unknown field of an interval", swap(END, END + ',"x":null'), INTERVAL, "field.unknown"),
    ("missing field", swap('"oeTiming":"PRE",', ""), RECORD + ".oeTiming", "field.missing"),
    ("missing limit", swap('"activePowerImportLimit":-2,', ""),
     INTERVAL + ".activePowerImportLimit", "field.missing"),
    ("null limit", swap("-2,", "null,"), INTERVAL + ".activePowerImportLimit", "field.type"),
    ("limit as a string", swap("1.5", '"1.5"'), INTERVAL + ".activePowerExportLimit", "field.type"),
    ("limit as a truth value", swap("1.5", "true"), INTERVAL + ".activePowerExportLimit",
     "field.type"),
    ("NMI as a number", swap('"6305888444"', "6305888444"), RECORD + ".nmi", "field.type"),
    ("record that is no object", "[5]", RECORD, "field.type"),
    ("second line that is an array", f"{GOOD}\n[{GOOD}]\n", "$.records[1]", "field.type"),
    ("NMI with O", swap("6305888444", "63O5888444"), RECORD + ".nmi", "nmi.character"),
    ("NMI in lower case", swap("6305888444", "qaaavzzzzz"), RECORD + ".nmi", "nmi.character"),
    ("NMI too short", swap("6305888444", "630588844"), RECORD + ".nmi", "nmi.length"),
    ("NMI with a wrong checksum", swap("6305888444", "63058884445"), RECORD + ".nmi",
     "nmi.checksum"),
    ("another NMI inside", swap('{"intervals"', '{"nmi":"QAAAVZZZZZ","intervals"'),
     ELEMENT + ".nmi", "nmi.mismatch"),
    ("another level inside", swap('{"intervals"', '{"oeApplicationLevel":"Flex","intervals"'),
     ELEMENT + ".oeApplicationLevel", "level.mismatch"),
    ("unknown timing", swap('"PRE"', '"pre"'), RECORD + ".oeTiming", "field.value"),
    ("unknown level", swap('Level":"NMI"', 'Level":"FLEX"'), RECORD + ".oeApplicationLevel",
     "field.value"),
    ("empty objective function", swap(OBJECTIVE, '""'), RECORD + ".oeObjectiveFunction",
     "field.value"),
    ("objective function of 256 bytes", swap(OBJECTIVE, f'"{"é" * 128}"'),
     RECORD + ".oeObjectiveFunction", "field.value"),
    ("escaped control character", swap(OBJECTIVE, '"a\\u0000"'), RECORD + ".oeObjectiveFunction",
     "field.value"),
    ("delete character", swap(OBJECTIVE, '"a\x7f"'), RECORD + ".oeObjectiveFunction",
     "field.value"),
    ("lone surrogate", swap(OBJECTIVE, '"\\ud800"'), RECORD + ".oeObjectiveFunction",
     "field.value"),
    ("no element", swap(GOOD[GOOD.index("[{") : GOOD.rindex("]") + 1], "[]"),
     RECORD + ".operatingEnvelopes", "array.length"),
    ("no interval", f"[{record('6305888444', 'NMI', [])}]", ELEMENT + ".intervals",
     "array.length"),
    ("577 intervals",
     f"[{record('6305888444', 'NMI', [interval(nem(10, 5), '1', '-1')] * 577)}]",
     ELEMENT + ".intervals", "array.length"),
    ("too many decimals", swap("1.5", "1.2345"), INTERVAL + ".activePowerExportLimit",
     "limit.decimals"),
    ("out of int32", swap("1.5", "2147483.648"), INTERVAL + ".activePowerExportLimit",
     "limit.range"),
    ("negative export", swap("1.5", "-1.5"), INTERVAL + ".activePowerExportLimit", "limit.sign"),
    ("time without seconds", swap("10:05:00", "10:05"), INTERVAL + ".diEndTime", "time.format"),
    ("day that does not exist", swap("2026-11-20", "2026-11-31"), INTERVAL + ".diEndTime",
     "time.format"),
    ("submission time that is none", swap("]}]}", ']}],"submissionTimestamp":""}'),
     RECORD + ".submissionTimestamp", "time.format"),
    ("trading date that is none", swap("]}]}", ']}],"tradingDate":"20261120"}'),
     RECORD + ".tradingDate", "time.format"),
    ("off the grid", swap("10:05:00", "10:06:00"), INTERVAL + ".diEndTime", "time.grid"),
    ("fraction", swap("10:05:00", "10:05:00.000001"), INTERVAL + ".diEndTime", "time.grid"),
    ("end before start", swap(END, START + f',"diEndTime":"{nem(9, 55)}"'),
     INTERVAL + ".diEndTime", "time.order"),
    ("ten minutes long", swap(END, START + f',"diEndTime":"{nem(10, 10)}"'),
     INTERVAL + ".diEndTime", "time.length"),
    ("before the epoch", swap(nem(10, 5), "1970-01-01T00:00:00Z"), INTERVAL, "time.format"),
    ("no time", swap("," + END, ""), INTERVAL, "time.missing"),
    ("same submission time, other limits",
     two("1.5", "1.6", GOOD[:-1] + ',"submissionTimestamp":"2026-11-20T09:00:00+10:00"}'),
     "$.records[1].operatingEnvelopes[0].intervals[0]", "submission.conflict"),
    ("other limits without submission times", two("1.5", "1.6"),
     "$.records[1].operatingEnvelopes[0].intervals[0]", "submission.missing"),
    ("two timings of one site", two('"PRE"', '"POST"'), "$.records[1]", "site.meaning"),
    ("two objective functions of one site", two("Maximise", "Minimise"), "$.records[1]",
     "site.meaning"),
    ("horizon of 2017 intervals", two(nem(10, 5), "2026-11-27T10:05:00+10:00"), "$",
     "horizon.length"),
)  # fmt: skip

REJECTED_BY_FEED = (
    ("edge: three decimals", "edge", "canonical", swap("1.5", "1.005"),
     INTERVAL + ".activePowerExportLimit", "limit.decimals"),
    ("edge: 100 kW", "edge", "canonical", swap("1.5", "100"),
     INTERVAL + ".activePowerExportLimit", "limit.range"),
    ("canonical: positive import", "wide", "canonical", swap("-2,", "2,"),
     INTERVAL + ".activePowerImportLimit", "limit.sign"),
    ("magnitude: negative import", "wide", "magnitude", f"[{GOOD}]",
     INTERVAL + ".activePowerImportLimit", "limit.sign"),
)  # fmt: skip

GOOD_REGISTRY = registry([("6305888444", "north", nem(4, 0), None)], SALT)


def reg(old: str, new: str) -> str:
    """The good snapshot with one thing changed."""
    if GOOD_REGISTRY.count(old) != 1:
        raise AssertionError(old)
    return GOOD_REGISTRY.replace(old, new)


def assigned(*assignments: tuple[str, str, str, str | None]) -> str:
    """A snapshot with these assignments."""
    return registry(list(assignments), SALT)


ASSIGNMENT = "$.assignments[0]"
REJECTED_REGISTRIES: tuple[tuple[str, str, str, str], ...] = (
    ("no JSON", "", "$", "json.syntax"),
    ("array", "[]", "$", "field.type"),
    ("bytes after the end", GOOD_REGISTRY + "{}", "$", "json.trailing"),
    ("missing field", reg('"asOf": "2026-11-20T04:00:00+10:00",', ""), "$.asOf", "field.missing"),
    ("unknown field", reg('"asOf"', '"salt": "", "asOf"'), "$", "field.unknown"),
    ("doubled key", reg('"nmi"', '"nmi": "6305888444", "nmi"'), ASSIGNMENT, "json.duplicate_key"),
    ("salt digest of 31 bytes", reg(hashlib.sha256(SALT).hexdigest(), "00" * 31), "$.saltDigest",
     "field.value"),
    ("public key with 0x", reg(digest("north").hex(), "0x" + digest("north").hex()),
     "$.aggregators[0].publicKey", "field.value"),
    ("address without 0x", reg(f'"{digest("idle").hex()}"',
     f'"{digest("idle").hex()}", "address": "{"0" * 40}"'), "$.aggregators[2].address",
     "field.value"),
    ("empty name", reg("Aggregator idle", ""), "$.aggregators[2].name", "field.value"),
    ("id that starts with a dot", reg('"id": "idle"', '"id": ".idle"'), "$.aggregators[2].id",
     "field.value"),
    ("id twice", reg('"id": "idle"', '"id": "south"'), "$.aggregators[2].id",
     "aggregator.duplicate"),
    ("public key twice, in the other case",
     reg(digest("idle").hex(), digest("south").hex().upper()), "$.aggregators[2].publicKey",
     "aggregator.duplicate"),
    ("unknown aggregator", assigned(("6305888444", "nobody", nem(4, 0), None)),
     ASSIGNMENT + ".aggregator", "assignment.aggregator"),
    ("wrong NMI", assigned(("63058884445", "north", nem(4, 0), None)), ASSIGNMENT + ".nmi",
     "nmi.checksum"),
    ("from off the grid", assigned(("6305888444", "north", nem(4, 1), None)), ASSIGNMENT + ".from",
     "time.grid"),
    ("to equal to from", assigned(("6305888444", "north", nem(4, 0), nem(4, 0))),
     ASSIGNMENT + ".to", "time.order"),
    ("overlap",
     assigned(("6305888444", "north", nem(4, 0), nem(5, 0)),
              ("6305888444", "south", nem(4, 55), None)),
     "$.assignments[1]", "assignment.overlap"),
    ("overlap of an NMI with and without checksum",
     assigned(("63058884446", "north", nem(4, 0), None),
              ("6305888444", "north", nem(4, 0), None)),
     "$.assignments[1]", "assignment.overlap"),
)  # fmt: skip


def refused_vectors() -> Json:
    """Documents that must be refused, each for one fault."""
    envelopes = [
        (name, "wide", "canonical", data, path, rule)
        for name, data, path, rule in REJECTED_ENVELOPES
    ]
    envelopes += REJECTED_BY_FEED
    envelopes.append(
        ("no trading date", "wide", "canonical", day_of(288, ""), INTERVAL, "time.missing")
    )
    cases = []
    for name, profile, import_sign, data, path, rule in envelopes:
        octets = data if isinstance(data, bytes) else data.encode()
        try:
            model.read_envelope(octets, profile, import_sign)
        except model.Rejected as exc:
            faults = exc.faults
        else:
            raise AssertionError(f"{name}: not refused")
        if faults[0] != (path, rule) or exc_rules(faults) != {rule}:
            raise AssertionError((name, faults))
        shown = {"bytes": octets.hex()} if isinstance(data, bytes) else {"text": data}
        case = {"name": name, "profile": profile, "importSign": import_sign}
        cases.append(case | shown | {"path": path, "rule": rule})
    registries = []
    for name, text, path, rule in REJECTED_REGISTRIES:
        try:
            model.read_registry(text.encode())
        except model.Rejected as exc:
            faults = exc.faults
        else:
            raise AssertionError(f"{name}: not refused")
        if (path, rule) not in faults:
            raise AssertionError((name, faults))
        registries.append({"name": name, "text": text, "path": path, "rule": rule})
    model.read_envelope(f"[{GOOD}]".encode())
    model.read_registry(GOOD_REGISTRY.encode())
    return {
        "section": "2 to 6",
        "accepted": {"envelope": f"[{GOOD}]", "registry": GOOD_REGISTRY},
        "envelopes": cases,
        "registries": registries,
    }


def exc_rules(faults: tuple[tuple[str, str], ...]) -> set[str]:
    """The rules of some faults."""
    return {rule for _, rule in faults}


# --- Files ---------------------------------------------------------------------------------------


def all_vectors() -> dict[str, Json]:
    """Content of each file by name."""
    return {
        "nmi.json": nmi_vectors(),
        "time.json": time_vectors(),
        "limits.json": limit_vectors(),
        "keys.json": key_vectors(),
        "entries.json": entry_vectors(),
        "trees.json": tree_vectors(),
        "round-array.json": round_vector("array", array_round(), 1, ("wide", "canonical")),
        "round-ndjson.json": round_vector("ndjson", ndjson_round(), 2, ("wide", "canonical")),
        "round-day.json": round_vector("day", day_round(), 3, ("edge", "magnitude")),
        "refused.json": refused_vectors(),
    }


def compact(value: Json, indent: int = 0) -> str:
    """JSON with a line per member, and short values on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= 98 or not isinstance(value, dict | list):
        return flat
    pad, end = " " * (indent + 1), " " * indent
    if isinstance(value, dict):
        lines = [
            f"{pad}{json.dumps(k, ensure_ascii=False)}: {compact(v, indent + 1)}"
            for k, v in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{end}}}"
    return "[\n" + ",\n".join(pad + compact(v, indent + 1) for v in value) + f"\n{end}]"


def main() -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description="Write the test vectors of rules version 1.")
    parser.add_argument("--check", action="store_true", help="only compare, exit 1 on a difference")
    is_check = parser.parse_args().check
    files = {name: compact(value) + "\n" for name, value in all_vectors().items()}
    present = {path.name for path in VECTORS.glob("*.json")}
    stale = sorted(present - files.keys())
    for name, text in files.items():
        path = VECTORS / name
        if is_check:
            if name not in present or path.read_bytes() != text.encode():
                stale.append(name)
        else:
            VECTORS.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    if is_check and stale:
        print(f"not current: {', '.join(stale)}; run scripts/make-vectors")
        return 1
    print(f"{len(files)} vector files {'are current' if is_check else 'written'}")
    return 0
