"""Sections 2 to 6: documents that must be rejected, each for one fault."""

from __future__ import annotations

import hashlib

from tests.reference.envelope import read_envelope
from tests.reference.json_reader import Rejected
from tests.reference.model import compute_round
from tests.reference.registry import read_registry
from tests.reference.vectors.accepted import accepted_vectors
from tests.reference.vectors.changes import (
    ASSIGNMENT,
    ELEMENT,
    END,
    GOOD,
    GOOD_REGISTRY,
    INTERVAL,
    NONCE,
    OBJECTIVE,
    RECORD,
    SPARSE,
    START,
    TOKEN,
    assigned,
    day_of,
    reg,
    swap,
    two,
)
from tests.reference.vectors.common import CONTRACT, SALT, Json, digest
from tests.reference.vectors.documents import interval, nem, public_key, record
from tests.reference.vectors.near_misses import (
    NEAR_ENVELOPES,
    NEAR_ENVELOPES_OF_TWO_RULES,
    NEAR_REGISTRIES,
)
from tests.reference.vectors.tokens import blinded

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
    ("no limit", swap('"activePowerExportLimit":1.5,"activePowerImportLimit":-2,', ""), INTERVAL,
     "interval.no_limit"),
    ("four null limits", f"[{record('6305888444', 'NMI', [interval(nem(10, 5), *['null'] * 4)])}]",
     INTERVAL, "interval.no_limit"),
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
    ("token in upper case", swap("6305888444", TOKEN.upper()), RECORD + ".nmi", "token.character"),
    ("token beside an NMI", two("6305888444", TOKEN), "$.records[1].nmi", "nmi.mixed"),
    ("NMI beside a token", two(TOKEN, "6305888444", GOOD.replace("6305888444", TOKEN)),
     "$.records[1].nmi", "nmi.mixed"),
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
    ("33 intervals for two rows", two(nem(10, 5), nem(12, 45)), "$", "horizon.sparse"),
    ("a stray date in the last row of 125", SPARSE, "$", "horizon.sparse"),
)  # fmt: skip

REJECTED_BY_FEED = (
    ("edge: missing limit", "edge", "canonical", swap('"activePowerImportLimit":-2,', ""),
     INTERVAL + ".activePowerImportLimit", "field.missing"),
    ("edge: null limit", "edge", "canonical", swap("-2,", "null,"),
     INTERVAL + ".activePowerImportLimit", "field.type"),
    ("edge: three decimals", "edge", "canonical", swap("1.5", "1.005"),
     INTERVAL + ".activePowerExportLimit", "limit.decimals"),
    ("edge: 100 kW", "edge", "canonical", swap("1.5", "100"),
     INTERVAL + ".activePowerExportLimit", "limit.range"),
    ("canonical: positive import", "wide", "canonical", swap("-2,", "2,"),
     INTERVAL + ".activePowerImportLimit", "limit.sign"),
    ("magnitude: negative import", "wide", "magnitude", f"[{GOOD}]",
     INTERVAL + ".activePowerImportLimit", "limit.sign"),
)  # fmt: skip

REJECTED_REGISTRIES: tuple[tuple[str, str, str, str], ...] = (
    ("no JSON", "", "$", "json.syntax"),
    ("array", "[]", "$", "field.type"),
    ("bytes after the end", GOOD_REGISTRY + "{}", "$", "json.trailing"),
    ("missing field", reg('"asOf": "2026-11-20T04:00:00+10:00",', ""), "$.asOf", "field.missing"),
    ("unknown field", reg('"asOf"', '"salt": "", "asOf"'), "$", "field.unknown"),
    ("doubled key", reg('"nmi"', '"nmi": "6305888444", "nmi"'), ASSIGNMENT, "json.duplicate_key"),
    ("salt digest of 31 bytes", reg(hashlib.sha256(SALT).hexdigest(), "00" * 31), "$.saltDigest",
     "field.value"),
    ("nonce of 31 bytes", reg('"saltDigest"', f'"nonce": "{NONCE[2:]}", "saltDigest"'), "$.nonce",
     "field.value"),
    ("nonce with 0x", reg('"saltDigest"', f'"nonce": "0x{NONCE}", "saltDigest"'), "$.nonce",
     "field.value"),
    ("nonce twice", reg('"saltDigest"', f'"nonce": "{NONCE}", "nonce": "{NONCE}", "saltDigest"'),
     "$", "json.duplicate_key"),
    ("public key with 0x", reg(public_key("north"), "0x" + public_key("north")),
     "$.aggregators[0].publicKey", "field.value"),
    ("public key of 33 bytes", reg(public_key("north"), public_key("north") + "00"),
     "$.aggregators[0].publicKey", "field.value"),
    ("public key without its X25519 part", reg(public_key("south"), public_key("south")[:2368]),
     "$.aggregators[1].publicKey", "field.value"),
    ("public key followed by one of the other kind", reg(public_key("south"),
     public_key("south") + public_key("north")), "$.aggregators[1].publicKey", "field.value"),
    ("address without 0x", reg(f'"{public_key("idle")}"',
     f'"{public_key("idle")}", "address": "{"0" * 40}"'), "$.aggregators[2].address",
     "field.value"),
    ("empty name", reg("Aggregator idle", ""), "$.aggregators[2].name", "field.value"),
    ("id that starts with a dot", reg('"id": "idle"', '"id": ".idle"'), "$.aggregators[2].id",
     "field.value"),
    ("id twice", reg('"id": "idle"', '"id": "south"'), "$.aggregators[2].id",
     "aggregator.duplicate"),
    ("public key twice, in the other case",
     reg(public_key("idle"), public_key("south").upper()), "$.aggregators[2].publicKey",
     "aggregator.duplicate"),
    ("unknown aggregator", assigned(("6305888444", "nobody", nem(4, 0), None)),
     ASSIGNMENT + ".aggregator", "assignment.aggregator"),
    ("wrong NMI", assigned(("63058884445", "north", nem(4, 0), None)), ASSIGNMENT + ".nmi",
     "nmi.checksum"),
    ("from off the grid", assigned(("6305888444", "north", nem(4, 1), None)), ASSIGNMENT + ".from",
     "time.grid"),
    ("to equal to from", assigned(("6305888444", "north", nem(4, 0), nem(4, 0))),
     ASSIGNMENT + ".to", "time.order"),
    ("token of 31 digits", assigned((TOKEN[:31], "north", nem(4, 0), None)), ASSIGNMENT + ".nmi",
     "nmi.length"),
    ("token beside an NMI",
     assigned(("6305888444", "north", nem(4, 0), None), (TOKEN, "south", nem(4, 0), None)),
     "$.assignments[1].nmi", "nmi.mixed"),
    ("overlap",
     assigned(("6305888444", "north", nem(4, 0), nem(5, 0)),
              ("6305888444", "south", nem(4, 55), None)),
     "$.assignments[1]", "assignment.overlap"),
    ("overlap of an NMI with and without checksum",
     assigned(("63058884446", "north", nem(4, 0), None),
              ("6305888444", "north", nem(4, 0), None)),
     "$.assignments[1]", "assignment.overlap"),
)  # fmt: skip


def rejected_vectors() -> Json:
    """Documents that must be rejected, each for one fault, and accepted ones that are close."""
    envelopes = [
        (name, "wide", "canonical", data, path, (rule,))
        for name, data, path, rule in REJECTED_ENVELOPES
    ]
    envelopes += [(*case[:5], (case[5],)) for case in (*REJECTED_BY_FEED, *NEAR_ENVELOPES)]
    envelopes += NEAR_ENVELOPES_OF_TWO_RULES
    envelopes.append(
        ("no trading date", "wide", "canonical", day_of(288, ""), INTERVAL, ("time.missing",))
    )
    pairs = [
        rejected_pair("document of NMIs, snapshot of tokens", f"[{GOOD}]", blinded(GOOD_REGISTRY)),
        rejected_pair("document of tokens, snapshot of NMIs", blinded(f"[{GOOD}]"), GOOD_REGISTRY),
    ]
    return {
        "section": "2 to 6",
        "accepted": accepted_vectors(),
        "envelopes": [rejected_envelope(*case) for case in envelopes],
        "registries": [
            rejected_registry(*case) for case in (*REJECTED_REGISTRIES, *NEAR_REGISTRIES)
        ],
        "pairs": pairs,
        "salts": [
            rejected_salt("another salt", digest("another salt")),
            rejected_salt("a byte too few", SALT[:31]),
            rejected_salt("the salt in hex", SALT.hex().encode()),
            rejected_salt("no salt", b""),
        ],
    }


def rejected_envelope(
    name: str,
    profile: str,
    import_sign: str,
    data: str | bytes,
    path: str,
    rules: tuple[str, ...],
) -> Json:
    """A document that breaks one rule; where it always breaks another as well, that is named."""
    octets = data if isinstance(data, bytes) else data.encode()
    try:
        read_envelope(octets, profile, import_sign)
    except Rejected as exc:
        faults = exc.faults
    else:
        raise AssertionError(f"{name}: not rejected")
    if (path, rules[0]) not in faults or rules_of(faults) != set(rules):
        raise AssertionError((name, faults))
    document = {"bytes": octets.hex()} if isinstance(data, bytes) else {"text": data}
    case = {"name": name, "profile": profile, "importSign": import_sign}
    case |= document | {"path": path, "rule": rules[0]}
    return case | ({"alsoRules": list(rules[1:])} if rules[1:] else {})


def rejected_registry(name: str, data: str | bytes, path: str, rule: str) -> Json:
    """A snapshot that breaks one rule."""
    octets = data if isinstance(data, bytes) else data.encode()
    try:
        read_registry(octets)
    except Rejected as exc:
        faults = exc.faults
    else:
        raise AssertionError(f"{name}: not rejected")
    if (path, rule) not in faults:
        raise AssertionError((name, faults))
    document = {"bytes": octets.hex()} if isinstance(data, bytes) else {"text": data}
    return {"name": name} | document | {"path": path, "rule": rule}


def rejected_salt(name: str, salt: bytes) -> Json:
    """A salt that is not the good snapshot's: a worker abstains with InputMismatch."""
    try:
        compute_round(
            f"[{GOOD}]".encode(),
            GOOD_REGISTRY.encode(),
            salt,
            chain_id=1,
            contract=CONTRACT,
            number=1,
        )
    except Rejected as exc:
        if exc.rules != {"salt.digest"}:
            raise AssertionError((name, exc.faults)) from exc
    else:
        raise AssertionError(f"{name}: not rejected")
    return {"name": name, "salt": salt.hex(), "reason": 2}


def rejected_pair(name: str, envelope: str, snapshot: str) -> Json:
    """Documents that are accepted alone, and not together."""
    read_envelope(envelope.encode())
    read_registry(snapshot.encode())
    try:
        compute_round(
            envelope.encode(), snapshot.encode(), SALT, chain_id=1, contract=CONTRACT, number=1
        )
    except Rejected as exc:
        ((path, rule),) = exc.faults
    else:
        raise AssertionError(f"{name}: not rejected")
    return {
        "name": name,
        "envelope": envelope,
        "registry": snapshot,
        "salt": SALT.hex(),
        "path": path,
        "rule": rule,
    }


def rules_of(faults: tuple[tuple[str, str], ...]) -> set[str]:
    """Names of the rules of some faults."""
    return {rule for _, rule in faults}
