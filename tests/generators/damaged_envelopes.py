"""Faults in the tree of an envelope document, one function for each kind."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.generators.cases import DAY, Case
from tests.generators.damage import Damaged, named
from tests.generators.damaged_bytes import BYTE_DAMAGES
from tests.generators.json_text import FIELD_SPELLINGS, JsonObject, RawJson, write_document
from tests.generators.spelling import BAD_TIMES, spell_grid_time, spell_time
from tests.reference.limits import KINDS
from tests.reference.nem_time import STEP
from tests.reference.nmi import checksum


@dataclass
class Target:
    """One random interval of a copied document, with all that encloses it."""

    case: Case
    rnd: random.Random
    records: list[Any]
    record: JsonObject
    element: JsonObject
    intervals: list[Any]
    interval: JsonObject


TreeDamage = Callable[[Target], None]
ENVELOPE_DAMAGES: dict[str, tuple[TreeDamage, frozenset[str]]] = {}


def _envelope(*rules: str) -> Callable[[TreeDamage], TreeDamage]:
    return named(ENVELOPE_DAMAGES, *rules)


REQUIRED = {
    "record": (
        "nmi",
        "oeTiming",
        "oeObjectiveFunction",
        "oeApplicationLevel",
        "operatingEnvelopes",
    ),
    "element": ("intervals",),
    "interval": KINDS[:2],
}


def _any_object(t: Target) -> tuple[str, JsonObject]:
    name = t.rnd.choice(["record", "element", "interval"])
    return name, getattr(t, name)


def _object_with_mandatory_fields(t: Target) -> tuple[str, JsonObject]:
    names = ["record", "element", "interval"] if t.case.profile == "edge" else ["record", "element"]
    name = t.rnd.choice(names)
    return name, getattr(t, name)


@_envelope("interval.no_limit", "field.missing", "field.type")
def _no_limit_at_all(t: Target) -> None:
    for kind in KINDS:
        if t.rnd.random() < 0.5:
            t.interval.set(kind, None)
        elif t.interval.has(kind):
            t.interval.drop(kind)


@_envelope("field.missing")
def _missing_field(t: Target) -> None:
    name, where = _object_with_mandatory_fields(t)
    where.drop(t.rnd.choice(REQUIRED[name]))


@_envelope("field.type", "number.constant")
def _null_where_a_value_must_be(t: Target) -> None:
    name, where = _object_with_mandatory_fields(t)
    where.set(t.rnd.choice(REQUIRED[name]), None)


@_envelope("field.unknown")
def _unknown_field(t: Target) -> None:
    _, where = _any_object(t)
    name = t.rnd.choice(["maxAvailGen", "NMI", "", "Submissiontimestamp", "intervals ", "divalue"])
    where.members.insert(t.rnd.randrange(len(where.members) + 1), (name, None))


@_envelope("json.duplicate_key")
def _doubled_key(t: Target) -> None:
    _, where = _any_object(t)
    where.members.append(t.rnd.choice(where.members))


@_envelope("json.duplicate_key")
def _two_spellings(t: Target) -> None:
    name = t.rnd.choice(list(FIELD_SPELLINGS))
    where = next(
        o for o in (t.record, t.element, t.interval) if o.has(name) or o is _owner(t, name)
    )
    spellings = FIELD_SPELLINGS[name]
    if not where.has(name):
        where.members.append((spellings[0], None))
    used, value = where.members[where.find(name)]
    other = t.rnd.choice([s for s in spellings if s != used])
    where.members.append((other, t.rnd.choice([value, None])))


def _owner(t: Target, name: str) -> JsonObject:
    owners = {"submissionTimestamp": t.record, "intervals": t.element}
    return owners.get(name, t.interval)


@_envelope("field.type")
def _wrong_type_of_limit(t: Target) -> None:
    wrong = t.rnd.choice(["1.5", True, False, [], JsonObject(), [RawJson("1")]])
    t.interval.set(t.rnd.choice(KINDS), wrong)


@_envelope("number.constant")
def _limit_that_is_no_number(t: Target) -> None:
    t.interval.set(t.rnd.choice(KINDS), RawJson(t.rnd.choice(["NaN", "Infinity", "-Infinity"])))


@_envelope("field.type", "field.value", "time.format")
def _wrong_type_of_text(t: Target) -> None:
    wrong = t.rnd.choice([RawJson("5"), True, [], JsonObject(), RawJson("20261120")])
    names = [*REQUIRED["record"][:4], "tradingDate", "submissionTimestamp"]
    t.record.set(t.rnd.choice(names), wrong)


@_envelope("field.type")
def _wrong_type_of_array(t: Target) -> None:
    wrong = t.rnd.choice([RawJson("5"), "x", JsonObject(), True])
    where, name = t.rnd.choice([(t.record, "operatingEnvelopes"), (t.element, "intervals")])
    where.set(name, wrong)


@_envelope("field.type")
def _wrong_type_of_object(t: Target) -> None:
    wrong: Any = t.rnd.choice([RawJson("5"), "x", [], True, None])
    where = t.rnd.choice([t.records, t.record.get("operatingEnvelopes"), t.intervals])
    if where is t.records and wrong == []:
        wrong = None  # A first line "[]" would be an array without records.
    where[t.rnd.randrange(len(where))] = wrong


@_envelope("array.length")
def _empty_array(t: Target) -> None:
    where, name = t.rnd.choice([(t.record, "operatingEnvelopes"), (t.element, "intervals")])
    where.set(name, [])


@_envelope("array.length")
def _too_many_intervals(t: Target) -> None:
    t.element.set("intervals", [t.interval] * 577)


@_envelope("nmi.length", "nmi.character", "nmi.checksum")
def _wrong_nmi(t: Target) -> None:
    nmi = t.record.get("nmi")[:10]
    digit = checksum(nmi)
    wrong = t.rnd.choice(
        [
            nmi[:9],
            nmi + str(digit) + "0",
            nmi + str((digit + t.rnd.randint(1, 9)) % 10),
            nmi + "A",
            "",
            nmi[:4] + t.rnd.choice("OIoi-é ٣a") + nmi[5:],
            nmi[:9] + "z",
            " " + nmi,
            nmi + "\n",
        ]
    )
    t.rnd.choice([t.record, t.element]).set("nmi", wrong)


@_envelope("nmi.mismatch")
def _other_nmi_inside(t: Target) -> None:
    nmi = t.record.get("nmi")[:10]
    t.element.set("nmi", ("5" if nmi[0] != "5" else "6") + nmi[1:])


@_envelope("level.mismatch")
def _other_level_inside(t: Target) -> None:
    other = {"NMI": "Flex", "Flex": "NMI"}[t.record.get("oeApplicationLevel")]
    t.element.set("oeApplicationLevel", other)


@_envelope("field.value")
def _wrong_choice(t: Target) -> None:
    name, wrong = t.rnd.choice(
        [
            ("oeTiming", t.rnd.choice(["pre", "Post", "", "PRE ", "0"])),
            ("oeApplicationLevel", t.rnd.choice(["nmi", "FLEX", "", "flex", "1"])),
        ]
    )
    t.record.set(name, wrong)


@_envelope("field.value")
def _wrong_objective(t: Target) -> None:
    bad = ["", "a" * 256, "é" * 128, "a\nb", "\x00", "\x7f", "a\u001f", "\ud800", "x\udfff"]
    t.record.set("oeObjectiveFunction", t.rnd.choice(bad))


@_envelope("time.format")
def _wrong_timestamp(t: Target) -> None:
    where, name = t.rnd.choice(
        [(t.record, "submissionTimestamp"), (t.interval, "diStartTime"), (t.interval, "diEndTime")]
    )
    where.set(name, t.rnd.choice(BAD_TIMES))


@_envelope("time.format")
def _wrong_trading_date(t: Target) -> None:
    bad = ["2026-02-29", "2026-11-31", "20261120", "2026-11-20T00:00:00", "", "1969-12-31"]
    t.record.set("tradingDate", t.rnd.choice([*bad, "2106-01-01", "26-11-20", "2026-1-20"]))


def _grid_start(t: Target) -> int:
    """Any instant on the grid that the case uses."""
    return min(next(iter(t.case.rows.values())))


@_envelope("time.grid")
def _off_the_grid(t: Target) -> None:
    off = t.rnd.choice([1, 299_999_999, 1_000_000, 60_000_000, 150_000_000, 500_000])
    text = spell_time(_grid_start(t) * 1_000_000 + off, t.rnd)
    t.interval.set(t.rnd.choice(["diStartTime", "diEndTime"]), text)


@_envelope("time.order", "time.length")
def _wrong_length(t: Target) -> None:
    start = _grid_start(t)
    t.interval.set("diStartTime", spell_grid_time(start, t.rnd))
    end = start + t.rnd.choice([0, -300, 600, 3600, -86_400])
    t.interval.set("diEndTime", spell_grid_time(end, t.rnd))


@_envelope("time.missing")
def _no_time(t: Target) -> None:
    t.interval.drop("diStartTime")
    t.interval.drop("diEndTime")
    if len(t.intervals) == DAY:
        if t.rnd.random() < 0.5:
            t.record.drop("tradingDate")
        else:
            del t.intervals[t.rnd.choice([0, DAY - 1])]
            t.intervals.append(t.interval)
            del t.intervals[0]
    else:
        t.record.set("tradingDate", "2026-11-20")


@_envelope("limit.decimals")
def _too_many_decimals(t: Target) -> None:
    edge = ["0.001", "1.005", "5e-3"] if t.case.profile == "edge" else []
    text = t.rnd.choice(["0.0001", "1.23456", "1e-4", "15000.00001e-1", "1e-400", *edge])
    _set_limit(t, text)


@_envelope("limit.range")
def _too_large(t: Target) -> None:
    edge = ["100", "1e2", "1000", "100.01", "1e400"]
    wide = ["2147483.648", "2147484", "1e7", "1e400", "9" * 40, "1E+9999999999"]
    _set_limit(t, t.rnd.choice(edge if t.case.profile == "edge" else wide))


def _set_limit(t: Target, text: str) -> None:
    """A limit with the sign that it should have."""
    kind = t.rnd.randrange(4)
    negative = kind in (1, 3) and t.case.import_sign == "canonical"
    t.interval.set(KINDS[kind], RawJson(f"-{text}" if negative else text))


@_envelope("limit.sign")
def _wrong_sign(t: Target) -> None:
    kind = t.rnd.randrange(4)
    negative = kind in (0, 2) or t.case.import_sign == "magnitude"
    text = t.rnd.choice(["1.5", "0.01", "1e1"])
    t.interval.set(KINDS[kind], RawJson(f"-{text}" if negative else text))


@_envelope("import_sign.mixed")
def _mixed_import_signs(t: Target) -> None:
    t.interval.set(KINDS[1], RawJson("1.5"))
    t.interval.set(KINDS[3], RawJson("-1.5"))


@_envelope("submission.conflict", "submission.missing")
def _conflicting_rows(t: Target) -> None:
    other = copy.deepcopy(t.record)
    for element in other.get("operatingEnvelopes"):
        for interval in element.get("intervals"):
            old = interval.get(KINDS[0]) if interval.has(KINDS[0]) else None
            is_other = old is None or float(old) != 0.01
            interval.set(KINDS[0], RawJson("0.01" if is_other else "0.02"))
    t.records.append(other)


@_envelope("submission.missing")
def _conflict_without_submission_time(t: Target) -> None:
    _conflicting_rows(t)
    t.records[-1].set("submissionTimestamp", None)


@_envelope("site.meaning")
def _two_timings(t: Target) -> None:
    other = copy.deepcopy(t.record)
    other.set("oeTiming", {"PRE": "POST", "POST": "PRE"}[other.get("oeTiming")])
    t.records.append(other)


@_envelope("site.meaning")
def _two_objectives(t: Target) -> None:
    other = copy.deepcopy(t.record)
    other.set("oeObjectiveFunction", "another")
    t.records.append(other)


@_envelope("horizon.length")
def _long_horizon(t: Target) -> None:
    first = min(min(rows) for rows in t.case.rows.values())
    far = copy.deepcopy(t.interval)
    far.set("diStartTime", spell_grid_time(first + 2016 * STEP, t.rnd))
    far.set("diEndTime", None)
    other = copy.deepcopy(t.record)
    other.set("operatingEnvelopes", [JsonObject([("intervals", [far])])])
    t.records.append(other)


@_envelope("horizon.sparse")
def _stray_date(t: Target) -> None:
    """Three more sites, with one row each almost a week later."""
    first = min(min(rows) for rows in t.case.rows.values())
    far = JsonObject(
        [(KINDS[0], RawJson("1")), (KINDS[1], RawJson("0"))]
        + [("diStartTime", spell_grid_time(first + 2015 * STEP, t.rnd))]
    )
    known = {nmi for nmi, _ in t.case.sites}
    for nmi in [nmi for nmi in (f"STRAY0000{n}" for n in range(9)) if nmi not in known][:3]:
        members = [("nmi", nmi), ("oeTiming", "PRE"), ("oeObjectiveFunction", "x")]
        inner = [JsonObject([("intervals", [far])])]
        more = [("oeApplicationLevel", "NMI"), ("operatingEnvelopes", inner)]
        t.records.append(JsonObject([*members, *more]))


def damage_envelope(case: Case, kind: str, seed: int) -> Damaged:
    rnd = random.Random(seed)
    if kind in BYTE_DAMAGES:
        change, rules = BYTE_DAMAGES[kind]
        return Damaged(kind, rules, change(case.envelope, rnd), case)
    damage, rules = ENVELOPE_DAMAGES[kind]
    records = copy.deepcopy(case.records)
    record = rnd.choice(records)
    element = rnd.choice(record.get("operatingEnvelopes"))
    intervals = element.get("intervals")
    damage(Target(case, rnd, records, record, element, intervals, rnd.choice(intervals)))
    # Lone surrogates can only be written as escapes.
    style = replace(
        case.shape.style, escapes=kind != "wrong_objective" and case.shape.style.escapes
    )
    data = write_document(records, style, rnd)
    for unit in ("\ud800", "\udfff"):
        data = data.replace(unit.encode("utf-8", "surrogatepass"), b"\\u%04x" % ord(unit))
    return Damaged(kind, rules, data, case)
