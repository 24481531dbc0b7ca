"""Whole rounds: inputs, and every value on the way to the root and the ballots."""

from __future__ import annotations

import hashlib

from tests.reference.envelope import read_envelope
from tests.reference.model import compute_round
from tests.reference.pseudonyms import site_key, site_pseudonym
from tests.reference.rfc9162 import leaf_hash
from tests.reference.trees import tree_path
from tests.reference.vectors.common import CONTRACT, SALT, Json, digest
from tests.reference.vectors.documents import CHURN, interval, nem, record, registry
from tests.reference.vectors.tokens import blinded

MEMBERS = (0, 1, 127)
OPERATORS = [hashlib.sha256(b"operator %d" % n).digest()[:20] for n in (1, 2, 3)]


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
    # The later record comes first: order in the document has no meaning.
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


def blind_round() -> tuple[str, str]:
    """The first round in blind mode: tokens in both documents."""
    envelope, snapshot = array_round()
    return blinded(envelope), blinded(snapshot)


def wide_round() -> tuple[str, str]:
    """Limits that are absent or null, rows that drop one, and exactly a row for each 16 cells."""
    ends = [nem(10 + i // 12, 5 * (i % 12)) for i in range(1, 13)]
    only_export = [interval(ends[0], "5", "null"), without_import(interval(ends[1], "0", "0"))]
    earlier = ',"submissionTimestamp":"2026-11-20T09:00:00+10:00"'
    later = ',"submissionTimestamp":"2026-11-20T09:30:00Z"'
    records = [
        record("6305888444", "NMI", only_export),
        record("6305888444", "Flex", [interval(ends[2], "null", "-1.5")]),
        record("QAAAVZZZZZ", "NMI", [interval(ends[0], "2", "-2")], earlier),
        # The later submission limits imports no more; the earlier one has no effect.
        record("QAAAVZZZZZ", "NMI", [interval(ends[0], "3", "null")], later),
        record("QAAAVZZZZZ", "NMI", [interval(ends[4], "null", "null", "0.5")], later),
        # Absent and null are equal, so these repeat each other.
        record("VKTS876510", "NMI", [interval(ends[1], "4", "null", "null", "null")]),
        record("VKTS876510", "NMI", [without_import(interval(ends[1], "4", "0"))]),
        record("7001888333", "NMI", [interval(ends[3], "null", "null", "null", "-0.25")]),
        # 5 sites over 32 intervals: 160 cells, and this is the tenth of the rows that they need.
        record("VKTS876510", "NMI", [interval(nem(12, 40), "1", "null")]),
    ]
    snapshot = registry(CHURN, SALT).replace(
        '"saltDigest"', f'"nonce": "{digest("nonce").hex()}",\n "saltDigest"', 1
    )
    return "[\n" + ",\n".join(records) + "\n]\n", snapshot


def without_import(text: str) -> str:
    """An interval without its active import limit."""
    return text.replace('"activePowerImportLimit":0,', "")


def round_vector(name: str, texts: tuple[str, str], number: int, feed: tuple[str, str]) -> Json:
    """A whole round with every value on the way to its root."""
    envelope, snapshot = texts
    result = compute_round(
        envelope.encode(),
        snapshot.encode(),
        SALT,
        chain_id=31337,
        contract=CONTRACT,
        number=number,
        profile=feed[0],
        import_sign=feed[1],
    )
    document = read_envelope(envelope.encode(), *feed)
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
                        "key": site_key(partition.key, nmi).hex(),
                        "pseudonym": site_pseudonym(site_key(partition.key, nmi), nmi).hex(),
                        "entry": entry.hex(),
                        "leafHash": leaf_hash(entry).hex(),
                        "path": [p.hex() for p in tree_path(partition.entries, i)],
                    }
                    for i, (nmi, entry) in enumerate(
                        zip(partition.nmis, partition.entries, strict=True)
                    )
                ],
                "root": partition.root.hex(),
                "entry": partition.entry.hex(),
                "leafHash": leaf_hash(partition.entry).hex(),
                "path": [p.hex() for p in tree_path(leaves, index)],
            }
            for index, partition in enumerate(result.partitions)
        ],
        "root": result.root.hex(),
        "partitionCount": result.partition_count,
        "resultHash": result.result_hash.hex(),
        "ballots": [{"index": index, "ballot": result.ballot(index).hex()} for index in MEMBERS],
        "custodyRoots": [
            {"operator": "0x" + operator.hex(), "root": result.custody(operator).hex()}
            for operator in OPERATORS
        ],
    }
