"""Random registry snapshots, with the holder of every NMI in every interval."""

from __future__ import annotations

import hashlib
import itertools
import random
from typing import Any

from tests.generators.cases import Shape, Site, random_nmi
from tests.generators.json_text import JsonObject
from tests.generators.spelling import (
    add_optional,
    shuffled_object,
    spell_grid_time,
    spell_nmi,
    spell_time,
)
from tests.reference.limits import Limits
from tests.reference.nem_time import STEP


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
    segments: list[tuple[str, int, int | None]] = []
    for a, b in itertools.pairwise(edges):
        if rnd.random() < 0.8:
            segments.append((rnd.choice(ids), first + a * STEP, first + b * STEP))
    if rnd.random() < 0.5:
        segments.append((rnd.choice(ids), first + edges[-1] * STEP, None))
    return segments


def _aggregator_ids(count: int, rnd: random.Random) -> list[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    ids: set[str] = set()
    while len(ids) < count:
        tail = "".join(rnd.choice(letters + "._:-") for _ in range(rnd.choice([0, 3, 12, 63])))
        ids.add(rnd.choice(letters) + tail)
    return sorted(ids)


def _either_case(text: str, rnd: random.Random) -> str:
    return text.upper() if rnd.random() < 0.3 else text


def random_registry(
    shape: Shape, rows: dict[Site, dict[int, Limits]], first: int, salt: bytes, rnd: random.Random
) -> tuple[JsonObject, dict[tuple[str, int], str]]:
    ids = _aggregator_ids(shape.aggregators, rnd)
    aggregators = []
    for identity in ids:
        members: list[tuple[str, Any]] = [
            ("id", identity),
            ("name", rnd.choice(["Acme", "Müller & Söhne", "n" * 200, "日本"])),
            ("publicKey", _either_case(rnd.randbytes(rnd.choice([32, 32, 1216])).hex(), rnd)),
        ]
        address = "0x" + _either_case(rnd.randbytes(20).hex(), rnd)
        add_optional(members, "address", rnd.choice([None, address]), rnd)
        aggregators.append(shuffled_object(members, rnd))
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
            add_optional(members, "to", None if end is None else spell_grid_time(end, rnd), rnd)
            assignments.append(shuffled_object(members, rnd))
        for level in (0, 1):
            for t in rows.get((nmi, level), {}):
                holders[nmi, t] = next(
                    (i for i, a, b in segments if a <= t and (b is None or t < b)), ""
                )
    rnd.shuffle(assignments)
    digest = _either_case(hashlib.sha256(salt).hexdigest(), rnd)
    members = [
        ("asOf", spell_time(first * 1_000_000, rnd)),
        ("saltDigest", digest),
        ("aggregators", aggregators),
        ("assignments", assignments),
    ]
    nonce = _either_case(rnd.randbytes(32).hex(), rnd)
    add_optional(members, "nonce", rnd.choice([None, nonce]), rnd)
    return shuffled_object(members, rnd), holders
