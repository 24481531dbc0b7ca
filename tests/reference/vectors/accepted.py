"""Sections 2 to 6: documents that are accepted and lie close to rejected ones."""

from __future__ import annotations

from tests.reference.envelope import read_envelope
from tests.reference.model import compute_round
from tests.reference.registry import read_registry
from tests.reference.vectors.changes import (
    DENSE,
    END,
    GOOD,
    GOOD_REGISTRY,
    NONCE,
    OBJECTIVE,
    TOKEN,
    assigned,
    day_of,
    reg,
    swap,
    two,
)
from tests.reference.vectors.common import CONTRACT, SALT, Json
from tests.reference.vectors.documents import interval, nem, public_key, record, registry

NINE = ',"submissionTimestamp":"2026-11-20T09:00:00+10:00"'
TEN = ',"submissionTimestamp":"2026-11-20T10:00:00+10:00"'


FLEX = GOOD.replace('Level":"NMI"', 'Level":"Flex"')


def array(*records: str) -> str:
    """An array of records, or of other elements."""
    return f"[{','.join(records)}]"


def more(text: str, of: str = GOOD) -> str:
    """The good record with more fields."""
    return of[:-1] + text + "}"


def reactive(out: str, into: str) -> str:
    """An array of one record that has reactive limits as well."""
    return array(record("6305888444", "NMI", [interval(nem(10, 5), "1", "-1", out, into)]))


def one_of_day(with_times: str) -> str:
    """A trading day by position, of which the first interval has times of its own."""
    return day_of(288, ',"tradingDate":"2026-11-20"').replace("}", f",{with_times}}}", 1)


ACCEPTED_ENVELOPES = (
    ("no import limit", "wide", swap('"activePowerImportLimit":-2,', "")),
    ("null import limit", "wide", swap("-2,", "null,")),
    ("no export limit", "wide", swap('"activePowerExportLimit":1.5,', "")),
    ("one reactive limit", "wide",
     array(record('6305888444', 'NMI', [interval(nem(10, 5), 'null', 'null', 'null', '-1')]))),
    ("edge: reactive limits null and absent", "edge", reactive("null", "null").replace(
        '"reactivePowerImportLimit":null,', "")),
    ("edge: the largest reactive limits", "edge", reactive("99.99", "-99.990")),
    # Section 2.
    ("white space before the array", "wide", f" \t\r\n[{GOOD}] \t\r\n"),
    ("NDJSON without a line feed at the end", "wide", f"{GOOD}\n{GOOD}"),
    ("NDJSON with a carriage return at the end", "wide", f"{GOOD}\r\n{GOOD}\r"),
    ("NDJSON with white space around a record and in empty lines", "wide",
     f"\r\n \t\n\t {GOOD} \t\r\n\n \n"),
    ("NDJSON with U+2028 and U+0085 in a string", "wide",
     GOOD.replace("Maximise ", "Maxi\u2028mise\u0085") + "\n"),
    ("a surrogate pair as escapes, and as a character", "wide",
     "[" + swap(OBJECTIVE, '"\\ud83d\\uDE00"')[1:-1] + "," + swap(OBJECTIVE, '"😀"')[1:]),
    ("an escaped solidus, and a plain one", "wide",
     "[" + swap(OBJECTIVE, '"a\\/b"')[1:-1] + "," + swap(OBJECTIVE, '"a/b"')[1:]),
    ("a key with an escape", "wide", swap('"nmi":', '"nm\\u0069":')),
    ("a no-break space and a C1 control in a string", "wide", swap(OBJECTIVE, '"\u00a0\u009f"')),
    # Section 3.
    ("a fraction of zeros on the grid", "wide", swap("10:05:00", "10:05:00.000000")),
    ("the first interval of all", "wide", swap(END, '"diStartTime":"1970-01-01T00:00:00Z"')),
    ("the first interval of all by its end", "wide", swap(nem(10, 5), "1970-01-01T00:05:00Z")),
    ("the last year as written, later as an instant", "wide",
     swap(END, '"diStartTime":"2105-12-31T23:55:00-14:00"')),
    # Section 5.
    ("an objective function of 255 bytes", "wide", swap(OBJECTIVE, f'"{"é" * 127}a"')),
    ("null for every optional field", "wide",
     more(',"submissionTimestamp":null,"tradingDate":null').replace(
         '{"intervals"', '{"nmi":null,"oeApplicationLevel":null,"intervals"').replace(
         END, END + ',"diStartTime":null,"reactivePowerExportLimit":null') + "\n"),
    ("the inner NMI with its checksum", "wide",
     swap('{"intervals"', '{"nmi":"63058884446","intervals"')),
    ("576 intervals", "wide",
     array(record('6305888444', 'NMI', [interval(nem(10, 5), '1', '-1')] * 576))),
    ("a trading date that is not needed", "wide", array(more(',"tradingDate":"1970-01-01"'))),
    ("the second trading day of all", "wide", day_of(288, ',"tradingDate":"1970-01-02"')),
    ("the last trading day of all", "wide", day_of(288, ',"tradingDate":"2105-12-31"')),
    ("a day by position whose first interval is on another day", "wide",
     one_of_day('"diEndTime":"2026-11-21T04:05:00+10:00"')),
    ("288 intervals with times", "wide",
     array(record('6305888444', 'NMI', [interval(nem(10, 5), '1', '-1')] * 288))),
    ("equal rows, one of them with a submission time", "wide", array(GOOD, more(NINE))),
    ("equal rows of one submission time, and a later one", "wide",
     array(more(TEN).replace('1.5', '1.6'), more(NINE), more(NINE).replace('1.5', '1.50'))),
    ("the same instant in two spellings, and equal limits", "wide",
     array(more(NINE), more(NINE.replace('09:00:00+10', '10:00:00+11')))),
    ("later by a microsecond, and before it in the document", "wide",
     array(more(NINE.replace('+', '.000001+')).replace('1.5', '9'), more(NINE))),
    ("32 intervals for two rows", "wide", two(nem(10, 5), nem(12, 40))),
    ("two levels over 16 intervals", "wide",
     array(GOOD, FLEX.replace(nem(10, 5), nem(11, 20)))),
    ("2016 intervals for 126 rows, most of them repeats", "edge", DENSE),
)  # fmt: skip


def bare(aggregators: str, assignments: str) -> str:
    """A snapshot with these arrays."""
    head = GOOD_REGISTRY[: GOOD_REGISTRY.index('"aggregators"')]
    return f'{head}"aggregators": {aggregators}, "assignments": {assignments}}}'


def aggregator(identity: str, name: str, key: str, more: str = "") -> str:
    """An aggregator of a snapshot."""
    return f'{{"id": "{identity}", "name": "{name}", "publicKey": "{public_key(key)}"{more}}}'


AS_OF = '"asOf": "2026-11-20T04:00:00+10:00"'
ADDRESS = f', "address": "0x{"00" * 20}"'

ACCEPTED_REGISTRIES = (
    ("nonce", reg('"saltDigest"', f'"nonce": "{NONCE}", "saltDigest"')),
    ("nonce in upper case", reg('"saltDigest"', f'"nonce": "{NONCE.upper()}", "saltDigest"')),
    ("null nonce", reg('"saltDigest"', '"nonce": null, "saltDigest"')),
    ("no aggregator and no assignment", bare("[]", "[]")),
    ("white space around it", f"\r\n\t {GOOD_REGISTRY}\n \t\r\n"),
    ("time off the grid, with a fraction", reg(AS_OF, '"asOf": "2026-11-20T04:00:07.123456Z"')),
    ("no end", reg(',\n   "to": null', "")),
    ("an end", assigned(("6305888444", "north", nem(4, 0), nem(4, 5)))),
    ("assignments that abut", assigned(
        ("6305888444", "south", nem(10, 0), None), ("6305888444", "north", nem(4, 0), nem(10, 0)))),
    ("assignments of other NMIs at one time", assigned(
        ("6305888444", "south", nem(4, 0), None), ("QAAAVZZZZZ", "north", nem(4, 0), None))),
    ("ids that differ in case", bare(
        array(aggregator("a", "x", "north"), aggregator("A", "x", "idle")), "[]")),
    ("an id of 64 characters, with all that are allowed", bare(
        array(aggregator('9:._-' + 'z' * 59, 'x', 'north')), "[]")),
    ("a name of 200 bytes", bare(
        array(aggregator('a', 'é' * 100, 'north')), "[]")),
    ("an address", reg(f'"{public_key("idle")}"',
     f'"{public_key("idle")}", "address": "0x{"aB" * 20}"')),
    ("null address", reg(f'"{public_key("idle")}"', f'"{public_key("idle")}", "address": null')),
    ("one address twice", bare(array(
        aggregator("a", "x", "north", ADDRESS), aggregator("b", "x", "idle", ADDRESS)), "[]")),
    ("hex digits in upper case", GOOD_REGISTRY.replace(
        public_key("north"), public_key("north").upper())),
    ("a public key of X25519 that nobody can use", reg(public_key("north"), "00" * 32)),
    ("a public key of ML-KEM-768 that nobody can use", reg(public_key("south"), "ff" * 1216)),
)  # fmt: skip

ACCEPTED_PAIRS = (
    ("tokens, and a snapshot without assignments", array(GOOD.replace('6305888444', TOKEN)),
     registry([], SALT)),
    ("NMIs, and a snapshot without aggregators", array(GOOD), bare("[]", "[]")),
    ("an aggregator's last interval, and the next one's first",
     two(nem(10, 5), nem(10, 10)),
     assigned(("63058884446", "south", nem(10, 5), None),
              ("6305888444", "north", nem(4, 0), nem(10, 5)))),
    ("an assignment that begins after the last interval", array(GOOD),
     assigned(("6305888444", "north", nem(10, 5), None))),
)  # fmt: skip


def accepted_vectors() -> Json:
    """Documents and snapshots, alone and together, with what they mean."""
    return {
        "envelope": array(GOOD),
        "registry": GOOD_REGISTRY,
        "envelopes": [_envelope(*case) for case in ACCEPTED_ENVELOPES],
        "registries": [_registry(*case) for case in ACCEPTED_REGISTRIES],
        "pairs": [_pair(*case) for case in ACCEPTED_PAIRS],
    }


def _envelope(name: str, profile: str, text: str) -> Json:
    """A document, its horizon, and its sites as those of a round."""
    document = read_envelope(text.encode(), profile, "canonical")
    case = {"name": name, "profile": profile, "importSign": "canonical", "text": text}
    return case | {
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
    }


def _registry(name: str, text: str) -> Json:
    """A snapshot, and its size."""
    snapshot = read_registry(text.encode())
    sizes = {"aggregators": len(snapshot.aggregators), "assignments": len(snapshot.assignments)}
    return {"name": name, "text": text} | sizes


def _pair(name: str, envelope: str, snapshot: str) -> Json:
    """A document and a snapshot, and the holders and the root of their round."""
    result = compute_round(
        envelope.encode(), snapshot.encode(), SALT, chain_id=1, contract=CONTRACT, number=1
    )
    return {
        "name": name,
        "envelope": envelope,
        "registry": snapshot,
        "salt": SALT.hex(),
        "chainId": "1",
        "contract": "0x" + CONTRACT.hex(),
        "round": "1",
        "holders": [partition.aggregator_id for partition in result.partitions],
        "root": result.root.hex(),
    }
