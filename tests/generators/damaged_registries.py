"""Faults in the tree of a registry snapshot, one function for each kind."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.generators.cases import Case
from tests.generators.damage import Damaged, named
from tests.generators.json_text import JsonObject, RawJson, write_json
from tests.generators.spelling import BAD_TIMES

REGISTRY_DAMAGES: dict[str, tuple[Callable[[JsonObject, random.Random], None], frozenset[str]]] = {}


def _snapshot(*rules: str) -> Callable[[Any], Any]:
    return named(REGISTRY_DAMAGES, *rules)


def _aggregator_of(tree: JsonObject, rnd: random.Random) -> JsonObject:
    aggregators: list[JsonObject] = tree.get("aggregators")
    return rnd.choice(aggregators)


def _assignment_of(tree: JsonObject, rnd: random.Random) -> JsonObject:
    assignments: list[JsonObject] = tree.get("assignments")
    return rnd.choice(assignments)


@_snapshot("field.missing")
def _registry_missing_field(tree: JsonObject, rnd: random.Random) -> None:
    where, names = rnd.choice(
        [
            (tree, ["asOf", "saltDigest", "aggregators", "assignments"]),
            (_aggregator_of(tree, rnd), ["id", "name", "publicKey"]),
            (_assignment_of(tree, rnd), ["nmi", "aggregator", "from"]),
        ]
    )
    where.drop(rnd.choice(names))


@_snapshot("field.unknown")
def _registry_unknown_field(tree: JsonObject, rnd: random.Random) -> None:
    places = [tree, _aggregator_of(tree, rnd), _assignment_of(tree, rnd)]
    rnd.choice(places).members.append((rnd.choice(["salt", "NMI", "until"]), None))


@_snapshot("json.duplicate_key")
def _registry_doubled_key(tree: JsonObject, rnd: random.Random) -> None:
    places = [tree, _aggregator_of(tree, rnd), _assignment_of(tree, rnd)]
    where = rnd.choice(places)
    where.members.append(rnd.choice(where.members))


@_snapshot("field.type", "field.value", "assignment.aggregator")
def _registry_wrong_type(tree: JsonObject, rnd: random.Random) -> None:
    where, names = rnd.choice(
        [
            (tree, ["asOf", "saltDigest", "aggregators", "assignments"]),
            (_aggregator_of(tree, rnd), ["id", "name", "publicKey", "address"]),
            (_assignment_of(tree, rnd), ["nmi", "aggregator", "from", "to"]),
        ]
    )
    where.set(rnd.choice(names), rnd.choice([RawJson("5"), True, JsonObject()]))


@_snapshot("field.value")
def _registry_wrong_hex(tree: JsonObject, rnd: random.Random) -> None:
    aggregator = _aggregator_of(tree, rnd)
    where, name, bad = rnd.choice(
        [
            (tree, "saltDigest", ["", "0" * 63, "0" * 65, "g" * 64, "0x" + "0" * 64]),
            (
                aggregator,
                "publicKey",
                [
                    "",
                    "0" * 63,
                    "0" * 66,
                    "0" * 2368,
                    "0" * 2434,
                    "0" * 2496,
                    "٣" * 64,
                    "0x" + "0" * 62,
                ],
            ),
            (
                aggregator,
                "address",
                ["", "0x" + "0" * 39, "0" * 40, "0X" + "0" * 40, "0x" + "g" * 40],
            ),
        ]
    )
    where.set(name, rnd.choice(bad))


@_snapshot("field.value")
def _registry_wrong_text(tree: JsonObject, rnd: random.Random) -> None:
    name, bad = rnd.choice(
        [
            ("id", ["", "a" * 65, "-a", ".a", "a b", "é", "a/b", "a\n"]),
            ("name", ["", "a" * 201, "é" * 101, "a\tb", "\x7f"]),
        ]
    )
    _aggregator_of(tree, rnd).set(name, rnd.choice(bad))


@_snapshot("aggregator.duplicate")
def _registry_duplicate(tree: JsonObject, rnd: random.Random) -> None:
    other = copy.deepcopy(_aggregator_of(tree, rnd))
    if rnd.random() < 0.5:
        other.set("id", "someone-else")
        other.set("publicKey", other.get("publicKey").swapcase())
    else:
        other.set("publicKey", "ab" * 32)
    tree.get("aggregators").append(other)


@_snapshot("assignment.aggregator")
def _registry_unknown_aggregator(tree: JsonObject, rnd: random.Random) -> None:
    _assignment_of(tree, rnd).set("aggregator", rnd.choice(["nobody-at-all", "", "NMI"]))


@_snapshot("assignment.overlap")
def _registry_overlap(tree: JsonObject, rnd: random.Random) -> None:
    tree.get("assignments").append(copy.deepcopy(_assignment_of(tree, rnd)))


@_snapshot("time.order")
def _registry_order(tree: JsonObject, rnd: random.Random) -> None:
    where = _assignment_of(tree, rnd)
    where.set("from", "2026-11-20T04:05:00+10:00")
    where.set("to", rnd.choice(["2026-11-20T04:05:00+10:00", "2026-11-19T18:00:00Z"]))


@_snapshot("time.format")
def _registry_wrong_timestamp(tree: JsonObject, rnd: random.Random) -> None:
    assignment = _assignment_of(tree, rnd)
    where, name = rnd.choice([(tree, "asOf"), (assignment, "from"), (assignment, "to")])
    where.set(name, rnd.choice(BAD_TIMES))


@_snapshot("time.grid")
def _registry_off_the_grid(tree: JsonObject, rnd: random.Random) -> None:
    text = rnd.choice(["2026-11-20T04:05:01+10:00", "2026-11-20T04:05:00.000001Z"])
    _assignment_of(tree, rnd).set(rnd.choice(["from", "to"]), text)


@_snapshot("nmi.length", "nmi.character", "nmi.checksum")
def _registry_wrong_nmi(tree: JsonObject, rnd: random.Random) -> None:
    bad = ["630588844", "6305888444" + "5", "O305888444", "63058884446 "]
    _assignment_of(tree, rnd).set("nmi", rnd.choice(bad))


def damage_registry(case: Case, kind: str, seed: int) -> Damaged:
    rnd = random.Random(seed)
    damage, rules = REGISTRY_DAMAGES[kind]
    tree = copy.deepcopy(case.registry_tree)
    damage(tree, rnd)
    style = replace(case.shape.style, ndjson=False)
    return Damaged(kind, rules, write_json(tree, style, rnd).encode(), case)
