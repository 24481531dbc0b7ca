"""Random envelope documents: trees of records, with the rows that are valid after reading them."""

from __future__ import annotations

import copy
import random
from datetime import timedelta
from typing import Any

from tests.generators.cases import DAY, Shape, Site, random_nmi
from tests.generators.json_text import JsonObject, RawJson
from tests.generators.spelling import (
    add_optional,
    shuffled_object,
    spell_grid_time,
    spell_kilo,
    spell_nmi,
    spell_time,
    spelled,
)
from tests.reference.limits import KINDS, Limits
from tests.reference.nem_time import EPOCH, NEM_OFFSET, STEP

OBJECTIVES = (
    "x",
    "Maximise service",
    "Ziel: größte Einspeisung",
    "目的",
    "a" * 255,
    'a"b\\c/d',
    "😀 equal",
)


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
    if shape.profile == "edge" or rnd.random() < 0.8:
        return export, take, out, into
    # Any limit may be absent in profile wide, but not all four.
    absent = rnd.choice([(None, take), (export, None), (None, None)])
    if absent == (None, None) and out is None and into is None:
        return export, None, None, None
    return *absent, out, into


def spell_limit(kind: int, value: int, shape: Shape, rnd: random.Random) -> RawJson:
    """A limit as the feed writes it: with ``magnitude``, imports lose their sign."""
    flip = kind in (1, 3) and shape.import_sign == "magnitude"
    return spell_kilo(-value if flip else value, rnd)


def interval_tree(
    start: int, limits: Limits, shape: Shape, rnd: random.Random, *, times: bool = True
) -> JsonObject:
    members: list[tuple[str, Any]] = []
    for kind, name in enumerate(KINDS):
        value = limits[kind]
        raw = None if value is None else spell_limit(kind, value, shape, rnd)
        add_optional(members, name, raw, rnd)
    which = rnd.choice(["start", "end", "both", "both"]) if times else "neither"
    first = spell_grid_time(start, rnd) if which in ("start", "both") else None
    last = spell_grid_time(start + STEP, rnd) if which in ("end", "both") else None
    add_optional(members, "diStartTime", first, rnd)
    add_optional(members, "diEndTime", last, rnd)
    return shuffled_object(members, rnd)


def record_tree(
    site: Site,
    meaning: tuple[int, str],
    submitted: int | None,
    elements: list[list[JsonObject]],
    rnd: random.Random,
    *,
    day: str | None = None,
) -> JsonObject:
    nmi, level = site
    level_text = ("NMI", "Flex")[level]
    inner = []
    for intervals in elements:
        members: list[tuple[str, Any]] = [(spelled("intervals", rnd), intervals)]
        add_optional(members, "nmi", spell_nmi(nmi, rnd) if rnd.random() < 0.5 else None, rnd)
        level_value = level_text if rnd.random() < 0.5 else None
        add_optional(members, "oeApplicationLevel", level_value, rnd)
        inner.append(shuffled_object(members, rnd))
    members = [
        ("nmi", spell_nmi(nmi, rnd)),
        ("oeTiming", ("PRE", "POST")[meaning[0]]),
        ("oeObjectiveFunction", meaning[1]),
        ("oeApplicationLevel", level_text),
        ("operatingEnvelopes", inner),
    ]
    stamp = None if submitted is None else spell_time(submitted, rnd)
    add_optional(members, "submissionTimestamp", stamp, rnd)
    if day is None and rnd.random() < 0.1:
        day = "2024-02-29"
    add_optional(members, "tradingDate", day, rnd)
    return shuffled_object(members, rnd)


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
) -> tuple[JsonObject, list[tuple[int, Limits]]]:
    """A record of 288 intervals that are placed by their position; some may carry times too."""
    rows = [(first + i * STEP, _random_limits(shape, "none", rnd)) for i in range(DAY)]
    mixed = rnd.random() < 0.3
    intervals = [
        interval_tree(t, limits, shape, rnd, times=mixed and rnd.random() < 0.3)
        for t, limits in rows
    ]
    day = (EPOCH + timedelta(seconds=first + NEM_OFFSET)).strftime("%Y-%m-%d")
    submitted = (first - 86_400 * 2) * 1_000_000
    return record_tree(site, meaning, submitted, [intervals], rnd, day=day), rows


def random_document(
    shape: Shape, nmis: list[str], first: int, rnd: random.Random
) -> tuple[list[JsonObject], dict[Site, dict[int, Limits]], dict[Site, tuple[int, str]]]:
    records: list[JsonObject] = []
    valid_rows: dict[Site, dict[int, Limits]] = {}
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
            valid_rows[site] = {}
            for submitted, rows in _versions(shape, starts, rnd):
                # The versions come in the order of submission, so the last one is valid.
                valid_rows[site].update(rows)
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
            valid_rows[site] = dict(rows)
            if shape.supersession:
                start, limits = rows[17][0], _random_limits(shape, "both", rnd)
                valid_rows[site][start] = limits
                tree = interval_tree(start, limits, shape, rnd)
                newer = first * 1_000_000
                records.append(record_tree(site, sites[site], newer, [[tree]], rnd))
    records += _repeats_for_density(records, valid_rows)
    rnd.shuffle(records)
    return records, valid_rows, sites


def _row_count(record: JsonObject) -> int:
    return sum(len(element.get("intervals")) for element in record.get("operatingEnvelopes"))


def _repeats_for_density(
    records: list[JsonObject], valid_rows: dict[Site, dict[int, Limits]]
) -> list[JsonObject]:
    """Copies of a record, so that the document has a row for each 16 sites × intervals."""
    starts = [start for rows in valid_rows.values() for start in rows]
    cells = len(valid_rows) * ((max(starts) - min(starts)) // STEP + 1)
    given = sum(map(_row_count, records))
    longest = max(records, key=_row_count)
    copies = max(0, -(-(-(-cells // 16) - given) // _row_count(longest)))
    return [copy.deepcopy(longest) for _ in range(copies)]
