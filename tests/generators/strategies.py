"""Hypothesis strategies: random rounds that follow the rules, and documents with one fault each.

``rounds()`` gives a valid ``Case``: an envelope document in one of its many spellings, a registry
snapshot, and by construction what must come out of reading them. ``damaged_envelopes()`` and
``damaged_registries()`` take a valid case, put in one fault of a known kind, and name the rule
that it breaks. Hypothesis chooses the shape (sizes, features, a seed), a seeded generator fills in
the bulk, so that an example shrinks to a small shape and costs little.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.reference.model import checksum

STEP = 300
DAY = 288
NEM = 10 * 3600
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - offsets are put on by hand
NMI_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
KINDS = (
    "activePowerExportLimit",
    "activePowerImportLimit",
    "reactivePowerExportLimit",
    "reactivePowerImportLimit",
)
SPELLINGS = {
    "submissionTimestamp": ("submissionTimestamp", "submissionDatetime", "submissionDateTime"),
    "intervals": ("intervals", "Intervals"),
    "diStartTime": ("diStartTime", "diStarttime"),
    "diEndTime": ("diEndTime", "diEndtime"),
}
OBJECTIVES = (
    "x",
    "Maximise service",
    "Ziel: größte Einspeisung",
    "目的",
    "a" * 255,
    'a"b\\c/d',
    "😀 equal",
)

Limits = tuple[int | None, int | None, int | None, int | None]
Site = tuple[str, int]


# --- JSON trees that keep doubled keys and the spelling of numbers --------------------------------


class Raw(str):
    """JSON text that is written as it is, such as a number."""

    __slots__ = ()


@dataclass
class Obj:
    """A JSON object whose members keep their order and may have doubled keys."""

    members: list[tuple[str, Any]] = field(default_factory=list)

    def find(self, name: str) -> int:
        """Position of a field in any of its spellings."""
        spellings = SPELLINGS.get(name, (name,))
        return next(i for i, (key, _) in enumerate(self.members) if key in spellings)

    def has(self, name: str) -> bool:
        spellings = SPELLINGS.get(name, (name,))
        return any(key in spellings for key, _ in self.members)

    def get(self, name: str) -> Any:
        return self.members[self.find(name)][1]

    def set(self, name: str, value: Any) -> None:
        """Change a field in the spelling that it has, or add it."""
        if self.has(name):
            at = self.find(name)
            self.members[at] = (self.members[at][0], value)
        else:
            self.members.append((name, value))

    def drop(self, name: str) -> None:
        if self.has(name):
            del self.members[self.find(name)]


@dataclass(frozen=True)
class Style:
    """How JSON is written."""

    ndjson: bool = False
    blanks: bool = False
    escapes: bool = False
    crlf: bool = False


def write_json(value: Any, style: Style, rnd: random.Random) -> str:
    """JSON text of a tree."""

    def gap() -> str:
        if not style.blanks or rnd.random() < 0.7:
            return ""
        return rnd.choice([" ", "  ", "\t"] + ([] if style.ndjson else ["\n", "\r\n"]))

    def text(value: str) -> str:
        if not style.escapes:
            return json.dumps(value, ensure_ascii=False)
        out = []
        for character in value:
            if rnd.random() < 0.2:
                units = character.encode("utf-16-be", "surrogatepass")
                pairs = (units[i : i + 2] for i in range(0, len(units), 2))
                out += [f"\\u{int.from_bytes(pair, 'big'):04{rnd.choice('xX')}}" for pair in pairs]
            else:
                out.append(json.dumps(character, ensure_ascii=False)[1:-1])
        return f'"{"".join(out)}"'

    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Obj):
        inside = ",".join(
            f"{gap()}{text(key)}{gap()}:{gap()}{write_json(item, style, rnd)}{gap()}"
            for key, item in value.members
        )
        return "{" + (inside or gap()) + "}"
    if isinstance(value, list):
        inside = ",".join(f"{gap()}{write_json(item, style, rnd)}{gap()}" for item in value)
        return "[" + (inside or gap()) + "]"
    return json.dumps(value)


def write_document(records: list[Any], style: Style, rnd: random.Random) -> bytes:
    """An envelope document as a JSON array or as NDJSON."""
    if not style.ndjson:
        before, after = (" \r\n\t", "\n\n ") if style.blanks else ("", "")
        text = before + write_json(records, style, rnd) + after
    else:
        newline = "\r\n" if style.crlf else "\n"
        lines = []
        for record in records:
            lines.append(write_json(record, style, rnd))
            if style.blanks and rnd.random() < 0.3:
                lines.append("")
        text = newline.join(lines) + rnd.choice(["", newline, newline * 2])
    return text.encode("utf-8", "surrogatepass")


# --- Spellings -----------------------------------------------------------------------------------


def spell_time(micros: int, rnd: random.Random, *, fraction: bool = True) -> str:
    """A timestamp for an instant, with a random offset and random zeros behind."""
    style = rnd.randrange(6)
    offset, tail = NEM, "+10:00"
    if style == 0:
        tail = ""
    elif style == 1:
        offset, tail = 0, "Z"
    elif style == 2:
        minutes = rnd.choice([660, 840, -840, -330, 345, 570, 0, rnd.randint(-840, 840)])
        sign = "-" if minutes < 0 or (minutes == 0 and rnd.random() < 0.5) else "+"
        offset, tail = minutes * 60, f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    local = EPOCH + timedelta(seconds=offset, microseconds=micros)
    text = local.strftime("%Y-%m-%dT%H:%M:%S")
    if local.microsecond:
        digits = f"{local.microsecond:06d}"
        text += "." + (digits.rstrip("0") if rnd.random() < 0.5 else digits)
    elif fraction and rnd.random() < 0.15:
        text += "." + "0" * rnd.randint(1, 6)
    return text + tail


def spell_grid_time(seconds: int, rnd: random.Random) -> str:
    return spell_time(seconds * 1_000_000, rnd)


def spell_kilo(value: int, rnd: random.Random) -> Raw:
    """A JSON number for ``value`` / 1000, exactly."""
    negative, digits = value < 0, str(abs(value))
    if value == 0:
        return Raw(
            rnd.choice(["0", "-0", "0.0", "-0.000", "0e5", "0.00E-9", "0e99999999999999999999"])
        )
    sign = "-" if negative else ""
    padded = digits.rjust(4, "0")
    whole, decimals = padded[:-3], padded[-3:]
    style = rnd.randrange(7)
    if style == 0:
        return Raw(f"{sign}{whole}.{decimals}")
    if style == 1:
        return Raw(f"{sign}{whole}.{decimals}{'0' * rnd.randint(1, 9)}")
    if style == 2:
        return Raw(f"{sign}{digits}{rnd.choice('eE')}-{rnd.choice(['', '0'])}3")
    if style == 3:
        return Raw(f"{sign}0.{digits}e{rnd.choice(['', '+'])}{len(digits) - 3}".replace("+-", "-"))
    short = decimals.rstrip("0")
    return Raw(f"{sign}{whole}" + (f".{short}" if short else ""))


def spell_nmi(nmi: str, rnd: random.Random) -> str:
    """The NMI, now and then with its checksum digit."""
    return nmi + str(checksum(nmi)) if rnd.random() < 0.15 else nmi


def spelled(name: str, rnd: random.Random) -> str:
    return rnd.choice(SPELLINGS.get(name, (name,)))


def optional(members: list[tuple[str, Any]], name: str, value: Any, rnd: random.Random) -> None:
    """Add a field that may be null or absent where it has no value."""
    if value is not None or rnd.random() < 0.3:
        members.append((spelled(name, rnd), value))


def obj(members: list[tuple[str, Any]], rnd: random.Random) -> Obj:
    rnd.shuffle(members)
    return Obj(members)


# --- A random round ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """What hypothesis chooses; everything else follows from it."""

    seed: int = 0
    nmis: int = 1
    intervals: int = 1
    aggregators: int = 1
    profile: str = "wide"
    import_sign: str = "canonical"
    both_levels: bool = False
    gaps: bool = False
    reactive: bool = False
    repeats: bool = False
    supersession: bool = False
    churn: bool = False
    full_day: bool = False
    style: Style = Style()


@dataclass
class Case:
    """A valid round with what must be read from it.

    Attributes:
        shape: Where it came from.
        records: The document as trees.
        registry_tree: The snapshot as a tree.
        rows: The limits that must stand, by (nmi, level) and interval start.
        sites: Timing and objective function by (nmi, level).
        holders: Aggregator id, or empty, by (nmi, interval start).
    """

    shape: Shape
    records: list[Obj]
    registry_tree: Obj
    envelope: bytes
    registry: bytes
    salt: bytes
    chain_id: int
    contract: bytes
    number: int
    rows: dict[Site, dict[int, Limits]]
    sites: dict[Site, tuple[int, str]]
    holders: dict[tuple[str, int], str]

    @property
    def profile(self) -> str:
        return self.shape.profile

    @property
    def import_sign(self) -> str:
        return self.shape.import_sign


def random_nmi(rnd: random.Random) -> str:
    if rnd.random() < 0.5:
        return f"6305{rnd.randrange(10**6):06d}"
    return "".join(rnd.choice(NMI_CHARACTERS) for _ in range(10))


def _magnitude(shape: Shape, rnd: random.Random) -> int:
    if shape.profile == "edge":
        return rnd.choice([0, 99_990, 10 * rnd.randint(0, 9_999), 1000 * rnd.randint(0, 10)])
    return rnd.choice(
        [0, 2**31 - 1, rnd.randint(0, 20_000), 100 * rnd.randint(0, 100), rnd.randrange(2**31)]
    )


def _random_limits(shape: Shape, reactive: str, rnd: random.Random) -> Limits:
    export, take = _magnitude(shape, rnd), -_magnitude(shape, rnd)
    out = _magnitude(shape, rnd) if reactive in ("both", "export") else None
    into = -_magnitude(shape, rnd) if reactive in ("both", "import") else None
    if reactive == "some":
        out = rnd.choice([None, _magnitude(shape, rnd)])
        into = rnd.choice([None, -_magnitude(shape, rnd)])
    return export, take, out, into


def spell_limit(kind: int, value: int, shape: Shape, rnd: random.Random) -> Raw:
    """A limit as the feed writes it: with ``magnitude``, imports lose their sign."""
    flip = kind in (1, 3) and shape.import_sign == "magnitude"
    return spell_kilo(-value if flip else value, rnd)


def interval_tree(
    start: int, limits: Limits, shape: Shape, rnd: random.Random, *, times: bool = True
) -> Obj:
    members: list[tuple[str, Any]] = []
    for kind, name in enumerate(KINDS):
        value = limits[kind]
        raw = None if value is None else spell_limit(kind, value, shape, rnd)
        optional(members, name, raw, rnd)
    which = rnd.choice(["start", "end", "both", "both"]) if times else "neither"
    first = spell_grid_time(start, rnd) if which in ("start", "both") else None
    last = spell_grid_time(start + STEP, rnd) if which in ("end", "both") else None
    optional(members, "diStartTime", first, rnd)
    optional(members, "diEndTime", last, rnd)
    return obj(members, rnd)


def record_tree(
    site: Site,
    meaning: tuple[int, str],
    submitted: int | None,
    elements: list[list[Obj]],
    rnd: random.Random,
    *,
    day: str | None = None,
) -> Obj:
    nmi, level = site
    level_text = ("NMI", "Flex")[level]
    inner = []
    for intervals in elements:
        members: list[tuple[str, Any]] = [(spelled("intervals", rnd), intervals)]
        optional(members, "nmi", spell_nmi(nmi, rnd) if rnd.random() < 0.5 else None, rnd)
        level_value = level_text if rnd.random() < 0.5 else None
        optional(members, "oeApplicationLevel", level_value, rnd)
        inner.append(obj(members, rnd))
    members = [
        ("nmi", spell_nmi(nmi, rnd)),
        ("oeTiming", ("PRE", "POST")[meaning[0]]),
        ("oeObjectiveFunction", meaning[1]),
        ("oeApplicationLevel", level_text),
        ("operatingEnvelopes", inner),
    ]
    stamp = None if submitted is None else spell_time(submitted, rnd)
    optional(members, "submissionTimestamp", stamp, rnd)
    if day is None and rnd.random() < 0.1:
        day = "2024-02-29"
    optional(members, "tradingDate", day, rnd)
    return obj(members, rnd)


def _chunks(items: list[Any], rnd: random.Random) -> list[list[Any]]:
    """Split into one to three parts that are not empty."""
    cuts = sorted(rnd.sample(range(1, len(items)), min(len(items) - 1, rnd.randrange(3))))
    return [items[a:b] for a, b in zip([0, *cuts], [*cuts, len(items)], strict=True)]


def _versions(
    shape: Shape, starts: list[int], rnd: random.Random
) -> list[tuple[int | None, list[tuple[int, Limits]]]]:
    """Rows of one site, by submission time; a later one supersedes an earlier one."""
    modes = ["none", "both", "export", "import", "some"] if shape.reactive else ["none"]
    mode = rnd.choice(modes)
    base = (starts[0] - rnd.randint(0, 86_400)) * 1_000_000 + rnd.choice([0, rnd.randrange(10**6)])
    stamp = base if shape.supersession or rnd.random() < 0.6 else None
    first = [(t, _random_limits(shape, mode, rnd)) for t in starts]
    versions = [(stamp, first)]
    if shape.repeats:
        again = [row for row in first if rnd.random() < 0.5]
        if again:
            other = rnd.choice([stamp, None, base + rnd.randint(-(10**9), 10**9)])
            # A repeat at any other time would be a conflict once something supersedes it.
            versions.append((stamp if shape.supersession else other, again))
    if shape.supersession:
        for _ in range(rnd.randint(1, 3)):
            base += rnd.choice([1, 1_000_000, rnd.randint(1, 10**10)])
            newer = [(t, _random_limits(shape, mode, rnd)) for t in starts if rnd.random() < 0.5]
            if newer:
                versions.append((base, newer))
    return versions


def _full_day_record(
    site: Site, meaning: tuple[int, str], first: int, shape: Shape, rnd: random.Random
) -> tuple[Obj, list[tuple[int, Limits]]]:
    """A record of 288 intervals that are placed by their position; some may carry times too."""
    rows = [(first + i * STEP, _random_limits(shape, "none", rnd)) for i in range(DAY)]
    mixed = rnd.random() < 0.3
    intervals = [
        interval_tree(t, limits, shape, rnd, times=mixed and rnd.random() < 0.3)
        for t, limits in rows
    ]
    day = (EPOCH + timedelta(seconds=first + NEM)).strftime("%Y-%m-%d")
    submitted = (first - 86_400 * 2) * 1_000_000
    return record_tree(site, meaning, submitted, [intervals], rnd, day=day), rows


def _document(
    shape: Shape, nmis: list[str], first: int, rnd: random.Random
) -> tuple[list[Obj], dict[Site, dict[int, Limits]], dict[Site, tuple[int, str]]]:
    records: list[Obj] = []
    stands: dict[Site, dict[int, Limits]] = {}
    sites: dict[Site, tuple[int, str]] = {}
    grid = [first + i * STEP for i in range(shape.intervals)]
    for nmi in nmis:
        levels = rnd.choice([[0], [1], [0, 1]]) if shape.both_levels else [0]
        for level in levels:
            site = (nmi, level)
            sites[site] = (rnd.randrange(2), rnd.choice(OBJECTIVES))
            starts = grid
            if shape.gaps:
                starts = sorted(rnd.sample(grid, rnd.randint(1, len(grid))))
            stands[site] = {}
            for submitted, rows in _versions(shape, starts, rnd):
                # The versions come in the order of submission, so the last one stands.
                stands[site].update(rows)
                shuffled = rnd.sample(rows, len(rows))
                for part in _chunks(shuffled, rnd):
                    trees = [interval_tree(t, limits, shape, rnd) for t, limits in part]
                    elements = _chunks(trees, rnd)
                    records.append(record_tree(site, sites[site], submitted, elements, rnd))
    if shape.full_day:
        site = (random_nmi(rnd), 0)
        if site not in sites:
            sites[site] = (0, "day")
            record, rows = _full_day_record(site, sites[site], first, shape, rnd)
            records.append(record)
            stands[site] = dict(rows)
            if shape.supersession:
                start, limits = rows[17][0], _random_limits(shape, "both", rnd)
                stands[site][start] = limits
                tree = interval_tree(start, limits, shape, rnd)
                newer = first * 1_000_000
                records.append(record_tree(site, sites[site], newer, [[tree]], rnd))
    rnd.shuffle(records)
    return records, stands, sites


def _segments(
    shape: Shape, first: int, ids: list[str], rnd: random.Random
) -> list[tuple[str, int, int | None]]:
    """Assignments of one NMI: nobody, one for good, or several in turn with gaps."""
    mode = rnd.choice(
        ["none", "open", "long", "churn", "churn"] if shape.churn else ["open", "open", "long"]
    )
    if mode == "none" or not ids:
        return []
    if mode == "open":
        return [(rnd.choice(ids), rnd.choice([0, first - 86_400, first]), None)]
    if mode == "long":
        return [(rnd.choice(ids), first - 86_400, first + 400 * STEP)]
    edges = sorted(
        rnd.sample(range(-1, shape.intervals + 2), min(rnd.randint(2, 4), shape.intervals + 3))
    )
    found: list[tuple[str, int, int | None]] = []
    for a, b in itertools.pairwise(edges):
        if rnd.random() < 0.8:
            found.append((rnd.choice(ids), first + a * STEP, first + b * STEP))
    if rnd.random() < 0.5:
        found.append((rnd.choice(ids), first + edges[-1] * STEP, None))
    return found


def _aggregator_ids(count: int, rnd: random.Random) -> list[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    ids: set[str] = set()
    while len(ids) < count:
        tail = "".join(rnd.choice(letters + "._:-") for _ in range(rnd.choice([0, 3, 12, 63])))
        ids.add(rnd.choice(letters) + tail)
    return sorted(ids)


def _either_case(text: str, rnd: random.Random) -> str:
    return text.upper() if rnd.random() < 0.3 else text


def _registry(
    shape: Shape, rows: dict[Site, dict[int, Limits]], first: int, salt: bytes, rnd: random.Random
) -> tuple[Obj, dict[tuple[str, int], str]]:
    ids = _aggregator_ids(shape.aggregators, rnd)
    aggregators = []
    for identity in ids:
        members: list[tuple[str, Any]] = [
            ("id", identity),
            ("name", rnd.choice(["Acme", "Müller & Söhne", "n" * 200, "日本"])),
            ("publicKey", _either_case(rnd.randbytes(32).hex(), rnd)),
        ]
        address = "0x" + _either_case(rnd.randbytes(20).hex(), rnd)
        optional(members, "address", rnd.choice([None, address]), rnd)
        aggregators.append(obj(members, rnd))
    assignments = []
    holders: dict[tuple[str, int], str] = {}
    foreign = [random_nmi(rnd) for _ in range(rnd.randrange(3))]
    for nmi in dict.fromkeys([nmi for nmi, _ in rows] + foreign):
        segments = _segments(shape, first, ids, rnd)
        for identity, start, end in segments:
            members = [
                ("nmi", spell_nmi(nmi, rnd)),
                ("aggregator", identity),
                ("from", "1970-01-01T00:00:00Z" if start == 0 else spell_grid_time(start, rnd)),
            ]
            optional(members, "to", None if end is None else spell_grid_time(end, rnd), rnd)
            assignments.append(obj(members, rnd))
        for level in (0, 1):
            for t in rows.get((nmi, level), {}):
                holders[nmi, t] = next(
                    (i for i, a, b in segments if a <= t and (b is None or t < b)), ""
                )
    rnd.shuffle(assignments)
    digest = _either_case(hashlib.sha256(salt).hexdigest(), rnd)
    tree = obj(
        [
            ("asOf", spell_time(first * 1_000_000, rnd)),
            ("saltDigest", digest),
            ("aggregators", aggregators),
            ("assignments", assignments),
        ],
        rnd,
    )
    return tree, holders


def build_case(shape: Shape) -> Case:
    """The case of a shape; the same shape always gives the same case."""
    rnd = random.Random(shape.seed)
    day = rnd.randrange(5_000, 40_000) * 86_400 + 4 * 3600 - NEM
    first = day if shape.full_day else day + rnd.randrange(DAY) * STEP
    nmis: list[str] = []
    while len(nmis) < shape.nmis:
        nmi = random_nmi(rnd)
        if nmi not in nmis:
            nmis.append(nmi)
    records, rows, sites = _document(shape, nmis, first, rnd)
    salt = rnd.randbytes(32)
    registry_tree, holders = _registry(shape, rows, first, salt, rnd)
    plain = replace(shape.style, ndjson=False)
    return Case(
        shape=shape,
        records=records,
        registry_tree=registry_tree,
        envelope=write_document(records, shape.style, rnd),
        registry=write_json(registry_tree, plain, rnd).encode(),
        salt=salt,
        chain_id=rnd.choice([1, 246, 31337, 2**256 - 1]),
        contract=rnd.randbytes(20),
        number=rnd.choice([1, 7, 2**64 - 1]),
        rows=rows,
        sites=sites,
        holders=holders,
    )


def styles() -> st.SearchStrategy[Style]:
    return st.builds(
        Style, ndjson=st.booleans(), blanks=st.booleans(), escapes=st.booleans(), crlf=st.booleans()
    )


def shapes() -> st.SearchStrategy[Shape]:
    """Shapes of small rounds; one in about twenty has a record of a whole trading day."""
    return st.builds(
        Shape,
        seed=st.integers(0, 2**64 - 1),
        nmis=st.integers(1, 12),
        intervals=st.integers(1, 24),
        aggregators=st.integers(0, 4),
        profile=st.sampled_from(["wide", "edge"]),
        import_sign=st.sampled_from(["canonical", "magnitude"]),
        both_levels=st.booleans(),
        gaps=st.booleans(),
        reactive=st.booleans(),
        repeats=st.booleans(),
        supersession=st.booleans(),
        churn=st.booleans(),
        full_day=st.integers(0, 19).map(lambda n: n == 19),
        style=styles(),
    )


def rounds() -> st.SearchStrategy[Case]:
    """Valid rounds."""
    return shapes().map(build_case)


# --- Documents with one fault --------------------------------------------------------------------


@dataclass
class Damaged:
    """A document that must be rejected.

    Attributes:
        kind: Name of the damage.
        rules: At least one of these must be among the rules that are named.
        data: The document.
        case: The valid case that it was made of.
    """

    kind: str
    rules: frozenset[str]
    data: bytes
    case: Case


@dataclass
class Target:
    """One random interval of a copied document, with all that encloses it."""

    case: Case
    rnd: random.Random
    records: list[Any]
    record: Obj
    element: Obj
    intervals: list[Any]
    interval: Obj


TreeDamage = Callable[[Target], None]
ByteDamage = Callable[[bytes, random.Random], bytes]
ENVELOPE_DAMAGES: dict[str, tuple[TreeDamage, frozenset[str]]] = {}
BYTE_DAMAGES: dict[str, tuple[ByteDamage, frozenset[str]]] = {}
REGISTRY_DAMAGES: dict[str, tuple[Callable[[Obj, random.Random], None], frozenset[str]]] = {}


def _named(catalogue: dict[str, Any], *rules: str) -> Callable[[Any], Any]:
    def keep(damage: Any) -> Any:
        catalogue[damage.__name__.strip("_")] = (damage, frozenset(rules))
        return damage

    return keep


def _envelope(*rules: str) -> Callable[[TreeDamage], TreeDamage]:
    return _named(ENVELOPE_DAMAGES, *rules)


def _bytes(*rules: str) -> Callable[[ByteDamage], ByteDamage]:
    return _named(BYTE_DAMAGES, *rules)


def _snapshot(*rules: str) -> Callable[[Any], Any]:
    return _named(REGISTRY_DAMAGES, *rules)


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


def _any_object(t: Target) -> tuple[str, Obj]:
    name = t.rnd.choice(["record", "element", "interval"])
    return name, getattr(t, name)


@_envelope("field.missing")
def _missing_field(t: Target) -> None:
    name, where = _any_object(t)
    where.drop(t.rnd.choice(REQUIRED[name]))


@_envelope("field.type", "number.constant")
def _null_where_a_value_must_be(t: Target) -> None:
    name, where = _any_object(t)
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
    name = t.rnd.choice(list(SPELLINGS))
    where = next(
        o for o in (t.record, t.element, t.interval) if o.has(name) or o is _owner(t, name)
    )
    spellings = SPELLINGS[name]
    if not where.has(name):
        where.members.append((spellings[0], None))
    used, value = where.members[where.find(name)]
    other = t.rnd.choice([s for s in spellings if s != used])
    where.members.append((other, t.rnd.choice([value, None])))


def _owner(t: Target, name: str) -> Obj:
    owners = {"submissionTimestamp": t.record, "intervals": t.element}
    return owners.get(name, t.interval)


@_envelope("field.type")
def _wrong_type_of_limit(t: Target) -> None:
    wrong = t.rnd.choice(["1.5", True, False, [], Obj(), [Raw("1")]])
    t.interval.set(t.rnd.choice(KINDS), wrong)


@_envelope("number.constant")
def _limit_that_is_no_number(t: Target) -> None:
    t.interval.set(t.rnd.choice(KINDS), Raw(t.rnd.choice(["NaN", "Infinity", "-Infinity"])))


@_envelope("field.type", "field.value", "time.format")
def _wrong_type_of_text(t: Target) -> None:
    wrong = t.rnd.choice([Raw("5"), True, [], Obj(), Raw("20261120")])
    names = [*REQUIRED["record"][:4], "tradingDate", "submissionTimestamp"]
    t.record.set(t.rnd.choice(names), wrong)


@_envelope("field.type")
def _wrong_type_of_array(t: Target) -> None:
    wrong = t.rnd.choice([Raw("5"), "x", Obj(), True])
    where, name = t.rnd.choice([(t.record, "operatingEnvelopes"), (t.element, "intervals")])
    where.set(name, wrong)


@_envelope("field.type")
def _wrong_type_of_object(t: Target) -> None:
    wrong = t.rnd.choice([Raw("5"), "x", [], True, None])
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


BAD_TIMES = (
    "",
    "2026-11-20",
    "2026-11-20T04:05",
    "2026-11-20 04:05:00",
    "2026-11-20t04:05:00",
    "2026-11-20T04:05:00z",
    "2026-11-20T04:05:00.",
    "2026-11-20T04:05:00.0000000",
    "2026-11-20T04:05:00+10",
    "2026-11-20T04:05:00+1000",
    "2026-11-20T04:05:00+14:05",
    "2026-11-20T04:05:00-15:00",
    "2026-11-20T04:05:00+09:60",
    "2026-11-20T24:00:00+10:00",
    "2026-11-20T04:60:00+10:00",
    "2026-11-20T04:05:60+10:00",
    "2026-02-29T04:05:00+10:00",
    "2026-00-10T04:05:00+10:00",
    "2026-11-31T04:05:00+10:00",
    "1969-12-31T23:55:00Z",
    "1970-01-01T00:00:00+10:00",
    "2106-01-01T00:00:00Z",
    "٢٠٢٦-11-20T04:05:00Z",
    " 2026-11-20T04:05:00Z",
    "2026-11-20T04:05:00Z\n",
    "20261120T040500Z",
    "+2026-11-20T04:05:00Z",
)


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
    t.interval.set(KINDS[kind], Raw(f"-{text}" if negative else text))


@_envelope("limit.sign")
def _wrong_sign(t: Target) -> None:
    kind = t.rnd.randrange(4)
    negative = kind in (0, 2) or t.case.import_sign == "magnitude"
    text = t.rnd.choice(["1.5", "0.01", "1e1"])
    t.interval.set(KINDS[kind], Raw(f"-{text}" if negative else text))


@_envelope("import_sign.mixed")
def _mixed_import_signs(t: Target) -> None:
    t.interval.set(KINDS[1], Raw("1.5"))
    t.interval.set(KINDS[3], Raw("-1.5"))


@_envelope("submission.conflict", "submission.missing")
def _conflicting_rows(t: Target) -> None:
    other = copy.deepcopy(t.record)
    for element in other.get("operatingEnvelopes"):
        for interval in element.get("intervals"):
            old = interval.get(KINDS[0])
            interval.set(KINDS[0], Raw("0.01" if float(old) != 0.01 else "0.02"))
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
    other.set("operatingEnvelopes", [Obj([("intervals", [far])])])
    t.records.append(other)


def _content(data: bytes, rnd: random.Random) -> int:
    """A place inside of the document's text."""
    return rnd.randrange(data.index(b"{"), data.rindex(b"}"))


@_bytes("json.bom")
def _byte_order_mark(data: bytes, _: random.Random) -> bytes:
    return b"\xef\xbb\xbf" + data


@_bytes("json.utf8")
def _invalid_utf8(data: bytes, rnd: random.Random) -> bytes:
    at = _content(data, rnd)
    bad = rnd.choice([b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"])
    while data[at] & 0xC0 == 0x80:
        at += 1
    return data[:at] + bad + data[at:]


@_bytes("json.trailing", "json.syntax")
def _trailing_bytes(data: bytes, rnd: random.Random) -> bytes:
    return data.rstrip() + rnd.choice([b"x", b"\x00", b",", b"]", b"}", b" null", b'""', b"\x0c"])


@_bytes("json.syntax", "json.trailing", "json.utf8")  # a cut may go through a character
def _cut_short(data: bytes, rnd: random.Random) -> bytes:
    last = data.rindex(b"}")
    return data[: rnd.randrange(data.rindex(b"{", 0, last) + 1, last + 1)]


@_bytes("json.syntax")
def _trailing_comma(data: bytes, _: random.Random) -> bytes:
    at = data.rindex(b"}")
    return data[:at] + b"," + data[at:]


@_bytes("json.nesting", "json.syntax", "json.trailing")
def _nesting_bomb(data: bytes, rnd: random.Random) -> bytes:
    at = data.rindex(b"}")
    bomb = rnd.choice([b"[" * 200_000, b'{"a":' * 100_000, b"[" * 50_000 + b"]" * 50_000])
    return data[:at] + b',"x":' + bomb + data[at:]


@_bytes("document.empty")
def _no_record(_: bytes, rnd: random.Random) -> bytes:
    return rnd.choice([b"", b" ", b"\n\r\n\t", b"[]", b" [ \n] "])


@_bytes("json.syntax", "json.trailing")
def _two_values_in_a_line(data: bytes, _: random.Random) -> bytes:
    at = data.index(b"{")
    return data[:at] + b"{} " + data[at:]


@_bytes("json.syntax")
def _not_json(data: bytes, rnd: random.Random) -> bytes:
    at = data.index(b"{")
    bad = rnd.choice([b"'a':1,", b"/**/", b"a:1,", b'"a":01,', b'"a":.5,', b'"a":+1,', b'"a":1.,'])
    return data[: at + 1] + bad + data[at + 1 :]


def _damage_envelope(case: Case, kind: str, seed: int) -> Damaged:
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


# Registry snapshots -------------------------------------------------------------------------------


def _aggregator_of(tree: Obj, rnd: random.Random) -> Obj:
    return rnd.choice(tree.get("aggregators"))


def _assignment_of(tree: Obj, rnd: random.Random) -> Obj:
    return rnd.choice(tree.get("assignments"))


@_snapshot("field.missing")
def _registry_missing_field(tree: Obj, rnd: random.Random) -> None:
    where, names = rnd.choice(
        [
            (tree, ["asOf", "saltDigest", "aggregators", "assignments"]),
            (_aggregator_of(tree, rnd), ["id", "name", "publicKey"]),
            (_assignment_of(tree, rnd), ["nmi", "aggregator", "from"]),
        ]
    )
    where.drop(rnd.choice(names))


@_snapshot("field.unknown")
def _registry_unknown_field(tree: Obj, rnd: random.Random) -> None:
    places = [tree, _aggregator_of(tree, rnd), _assignment_of(tree, rnd)]
    rnd.choice(places).members.append((rnd.choice(["salt", "NMI", "until"]), None))


@_snapshot("json.duplicate_key")
def _registry_doubled_key(tree: Obj, rnd: random.Random) -> None:
    places = [tree, _aggregator_of(tree, rnd), _assignment_of(tree, rnd)]
    where = rnd.choice(places)
    where.members.append(rnd.choice(where.members))


@_snapshot("field.type", "field.value", "assignment.aggregator")
def _registry_wrong_type(tree: Obj, rnd: random.Random) -> None:
    where, names = rnd.choice(
        [
            (tree, ["asOf", "saltDigest", "aggregators", "assignments"]),
            (_aggregator_of(tree, rnd), ["id", "name", "publicKey", "address"]),
            (_assignment_of(tree, rnd), ["nmi", "aggregator", "from", "to"]),
        ]
    )
    where.set(rnd.choice(names), rnd.choice([Raw("5"), True, Obj()]))


@_snapshot("field.value")
def _registry_wrong_hex(tree: Obj, rnd: random.Random) -> None:
    aggregator = _aggregator_of(tree, rnd)
    where, name, bad = rnd.choice(
        [
            (tree, "saltDigest", ["", "0" * 63, "0" * 65, "g" * 64, "0x" + "0" * 64]),
            (aggregator, "publicKey", ["", "0" * 63, "0" * 66, "٣" * 64, "0x" + "0" * 62]),
            (
                aggregator,
                "address",
                ["", "0x" + "0" * 39, "0" * 40, "0X" + "0" * 40, "0x" + "g" * 40],
            ),
        ]
    )
    where.set(name, rnd.choice(bad))


@_snapshot("field.value")
def _registry_wrong_text(tree: Obj, rnd: random.Random) -> None:
    name, bad = rnd.choice(
        [
            ("id", ["", "a" * 65, "-a", ".a", "a b", "é", "a/b", "a\n"]),
            ("name", ["", "a" * 201, "é" * 101, "a\tb", "\x7f"]),
        ]
    )
    _aggregator_of(tree, rnd).set(name, rnd.choice(bad))


@_snapshot("aggregator.duplicate")
def _registry_duplicate(tree: Obj, rnd: random.Random) -> None:
    other = copy.deepcopy(_aggregator_of(tree, rnd))
    if rnd.random() < 0.5:
        other.set("id", "someone-else")
        other.set("publicKey", other.get("publicKey").swapcase())
    else:
        other.set("publicKey", "ab" * 32)
    tree.get("aggregators").append(other)


@_snapshot("assignment.aggregator")
def _registry_unknown_aggregator(tree: Obj, rnd: random.Random) -> None:
    _assignment_of(tree, rnd).set("aggregator", rnd.choice(["nobody-at-all", "", "NMI"]))


@_snapshot("assignment.overlap")
def _registry_overlap(tree: Obj, rnd: random.Random) -> None:
    tree.get("assignments").append(copy.deepcopy(_assignment_of(tree, rnd)))


@_snapshot("time.order")
def _registry_order(tree: Obj, rnd: random.Random) -> None:
    where = _assignment_of(tree, rnd)
    where.set("from", "2026-11-20T04:05:00+10:00")
    where.set("to", rnd.choice(["2026-11-20T04:05:00+10:00", "2026-11-19T18:00:00Z"]))


@_snapshot("time.format")
def _registry_wrong_timestamp(tree: Obj, rnd: random.Random) -> None:
    assignment = _assignment_of(tree, rnd)
    where, name = rnd.choice([(tree, "asOf"), (assignment, "from"), (assignment, "to")])
    where.set(name, rnd.choice(BAD_TIMES))


@_snapshot("time.grid")
def _registry_off_the_grid(tree: Obj, rnd: random.Random) -> None:
    text = rnd.choice(["2026-11-20T04:05:01+10:00", "2026-11-20T04:05:00.000001Z"])
    _assignment_of(tree, rnd).set(rnd.choice(["from", "to"]), text)


@_snapshot("nmi.length", "nmi.character", "nmi.checksum")
def _registry_wrong_nmi(tree: Obj, rnd: random.Random) -> None:
    bad = ["630588844", "6305888444" + "5", "O305888444", "63058884446 "]
    _assignment_of(tree, rnd).set("nmi", rnd.choice(bad))


def _damage_registry(case: Case, kind: str, seed: int) -> Damaged:
    rnd = random.Random(seed)
    damage, rules = REGISTRY_DAMAGES[kind]
    tree = copy.deepcopy(case.registry_tree)
    damage(tree, rnd)
    style = replace(case.shape.style, ndjson=False)
    return Damaged(kind, rules, write_json(tree, style, rnd).encode(), case)


def damaged_envelopes(kind: str | None = None) -> st.SearchStrategy[Damaged]:
    """Envelope documents with one fault, of one kind or of any."""
    kinds = [kind] if kind else [*ENVELOPE_DAMAGES, *BYTE_DAMAGES]
    seeds = st.integers(0, 2**32 - 1)
    return st.builds(_damage_envelope, rounds(), st.sampled_from(kinds), seeds)


def damaged_registries(kind: str | None = None) -> st.SearchStrategy[Damaged]:
    """Registry snapshots with one fault, of one kind or of any."""
    kinds = [kind] if kind else list(REGISTRY_DAMAGES)
    # Without churn, every NMI has an assignment.
    usable = shapes().map(
        lambda s: build_case(replace(s, aggregators=s.aggregators or 1, churn=False))
    )
    seeds = st.integers(0, 2**32 - 1)
    return st.builds(_damage_registry, usable, st.sampled_from(kinds), seeds)


# --- Documents that may or may not be valid any more ----------------------------------------------

TOKENS = (b'"', b",", b"{", b"}", b"[", b"]", b"-", b"0", b"1", b"9", b".", b"e", b"E", b"+", b":")
TOKENS += (b" ", b"\n", b"\r", b"null", b"true", b"T", b"Z", b"5", b"O", b"\\", b"\xc3")


def tamper(data: bytes, seed: int) -> bytes:
    """Change a few bytes, at random places, in ways that often leave valid JSON behind."""
    rnd = random.Random(seed)
    for _ in range(rnd.randint(1, 3)):
        at = rnd.randrange(len(data)) if data else 0
        what = rnd.randrange(5)
        if what == 0:
            data = data[:at] + rnd.choice(TOKENS) + data[at + 1 :]
        elif what == 1:
            data = data[:at] + rnd.choice(TOKENS) + data[at:]
        elif what == 2:
            data = data[:at] + data[at + rnd.choice([1, 1, 2, 5]) :]
        elif what == 3:
            digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
            if digits:
                at = rnd.choice(digits)
                data = data[:at] + b"%d" % rnd.randrange(10) + data[at + 1 :]
        else:
            end = at + rnd.randint(1, 40)
            data = data[:end] + data[at:end] + data[end:]
    return data
