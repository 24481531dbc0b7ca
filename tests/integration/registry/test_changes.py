"""Assignments of one site: assigned, taken away, and their history."""

from __future__ import annotations

import getpass
import threading
from datetime import datetime

import pytest
from sqlalchemy import text

from oepnode.adapters.clock import SystemClock
from oepnode.adapters.storage.registry_db.database import RegistryDatabase
from oepnode.client.operation.registry.aggregators import (
    list_aggregators,
    put_aggregator,
    remove_aggregator,
)
from oepnode.client.operation.registry.changes import HeldSpan, assign
from oepnode.client.operation.registry.database import DatabaseTarget
from oepnode.client.operation.registry.history import site_history
from oepnode.domain.nem.nmi import checksum
from oepnode.errors import ConfigError, ConflictError, EvidenceError

NMI = "6305888444"
DAY = "2026-12-{:02}T04:00:00+10:00"


def day(number: int) -> str:
    return DAY.format(number)


def held(target: DatabaseTarget, nmi: str = NMI) -> list[tuple[str, str, str | None]]:
    return [(one.aggregator, one.start, one.end) for one in site_history(target, nmi).held]


def revision(database: RegistryDatabase) -> int:
    with database.reading() as connection:
        return int(connection.execute(text("SELECT max(number) FROM changes")).scalar_one())


def test_an_assignment_closes_the_one_before(target: DatabaseTarget) -> None:
    assign(target, NMI, "north", day(1))
    done = assign(target, NMI, "south", day(5))
    assert done.is_changed
    assert done.removed == (HeldSpan("north", day(1), None),)
    assert done.added == (HeldSpan("north", day(1), day(5)), HeldSpan("south", day(5), None))
    assert done.held == done.added
    assert held(target) == [("north", day(1), day(5)), ("south", day(5), None)]


def test_an_assignment_splits_the_one_that_it_is_within(target: DatabaseTarget) -> None:
    assign(target, NMI, "north", day(1))
    assign(target, NMI, "south", day(3), day(4))
    assert held(target) == [
        ("north", day(1), day(3)),
        ("south", day(3), day(4)),
        ("north", day(4), None),
    ]


def test_a_site_is_taken_away_for_a_while(target: DatabaseTarget) -> None:
    assign(target, NMI, "north", day(1))
    assign(target, NMI, None, day(3), day(4))
    assert held(target) == [("north", day(1), day(3)), ("north", day(4), None)]
    assign(target, NMI, None, day(1))
    assert held(target) == []


def test_an_assignment_that_changes_nothing_leaves_no_trace(
    target: DatabaseTarget, database: RegistryDatabase
) -> None:
    assign(target, NMI, "north", day(1))
    before = revision(database)
    with_checksum = NMI + str(checksum(NMI))
    done = assign(target, with_checksum, "north", day(2), day(3))
    assert not done.is_changed
    assert (done.nmi, done.revision) == (NMI, before)
    assert revision(database) == before
    assert not assign(target, "6305888445", None, day(1)).is_changed


def test_times_of_any_offset_are_one_instant(target: DatabaseTarget) -> None:
    assign(target, NMI, "north", "2026-11-30T18:00:00Z")
    assert held(target) == [("north", day(1), None)]


def test_the_history_names_who_and_when(target: DatabaseTarget) -> None:
    assign(target, NMI, "north", day(1))
    assign(target, NMI, "south", day(2), author="Anna Müller")
    first, second = site_history(target, NMI).changes
    assert (first.made_by, first.action) == (getpass.getuser(), "assign")
    assert (second.made_by, second.action) == ("Anna Müller", "assign")
    assert first.removed == ()
    assert first.added == second.removed == (HeldSpan("north", day(1), None),)
    assert second.added == (HeldSpan("north", day(1), day(2)), HeldSpan("south", day(2), None))
    assert second.revision == first.revision + 1
    made_at = datetime.fromisoformat(second.made_at)
    assert abs(made_at.timestamp() - SystemClock().now()) < 60
    assert site_history(target, "6305888445").changes == ()


@pytest.mark.parametrize(
    ("nmi", "aggregator", "start", "end", "code"),
    [
        ("630588844O", "north", day(1), None, "nmi.character"),
        ("63058884445", "north", day(1), None, "nmi.checksum"),
        (NMI, "nobody", day(1), None, "assignment.aggregator"),
        (NMI, "north", "2026-12-01T04:01:00+10:00", None, "time.grid"),
        (NMI, "north", "tomorrow", None, "time.format"),
        (NMI, "north", day(2), day(2), "time.order"),
        (NMI, "north", day(2), "2026-12-03T04:00:01+10:00", "time.grid"),
    ],
)
def test_a_wrong_assignment_is_rejected_and_changes_nothing(
    target: DatabaseTarget,
    database: RegistryDatabase,
    nmi: str,
    aggregator: str,
    start: str,
    end: str | None,
    code: str,
) -> None:
    before = revision(database)
    with pytest.raises(EvidenceError) as rejected:
        assign(target, nmi, aggregator, start, end)
    assert rejected.value.code == code
    assert nmi not in str(rejected.value)
    assert revision(database) == before


def test_tokens_and_nmis_are_not_mixed(target: DatabaseTarget) -> None:
    assign(target, NMI, "north", day(1))
    with pytest.raises(ConflictError, match="has NMIs, and this change tokens"):
        assign(target, "0a" * 16, "north", day(1))


@pytest.mark.parametrize("author", ["", " ", "a\nb", "a" * 201])
def test_an_unusable_author_is_rejected(target: DatabaseTarget, author: str) -> None:
    with pytest.raises(ConfigError, match="who makes the change"):
        assign(target, NMI, "north", day(1), author=author)


def test_changes_at_once_wait_for_one_another(
    target: DatabaseTarget, database: RegistryDatabase
) -> None:
    assign(target, NMI, "north", day(1))
    before = revision(database)
    failures: list[Exception] = []

    def change(number: int) -> None:
        try:
            assign(target, NMI, "south", day(number), day(number + 1))
        except Exception as exc:
            failures.append(exc)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(2, 12, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [one for one in held(target) if one[0] == "south"] == [
        ("south", day(number), day(number + 1)) for number in range(2, 12, 2)
    ]
    assert revision(database) == before + len(threads)


def test_aggregators_are_added_changed_and_removed(
    target: DatabaseTarget, database: RegistryDatabase
) -> None:
    assert [one.id for one in list_aggregators(target)] == ["north", "south"]
    before = revision(database)
    assert not put_aggregator(target, "north", "North", "0a" * 32).is_changed
    assert revision(database) == before
    assert put_aggregator(target, "north", "Nordic", "0a" * 32, "0x" + "0c" * 20).is_changed
    assert list_aggregators(target)[0].name == "Nordic"
    assert remove_aggregator(target, "south").revision == before + 2
    assert [one.id for one in list_aggregators(target)] == ["north"]
    with pytest.raises(ConflictError, match="no aggregator"):
        remove_aggregator(target, "south")
    assert put_aggregator(target, "south", "South", "0b" * 32).is_changed
    with database.reading() as connection:
        query = text("SELECT before, after FROM aggregator_trail WHERE id = 'south'")
        rows = connection.execute(query).all()
    assert [(old is None, new is None) for old, new in rows] == [
        (True, False),
        (False, True),
        (True, False),
    ]


def test_an_aggregator_with_assignments_stays(target: DatabaseTarget) -> None:
    assign(target, NMI, "north", day(1))
    with pytest.raises(ConflictError, match="has assignments"):
        remove_aggregator(target, "north")
    assert [one.id for one in list_aggregators(target)] == ["north", "south"]


@pytest.mark.parametrize(
    ("identity", "key", "error"),
    [
        ("-x", "0c" * 32, EvidenceError),
        ("east", "0c" * 31, EvidenceError),
        ("east", "0a" * 32, ConflictError),
    ],
)
def test_a_wrong_aggregator_is_rejected(
    target: DatabaseTarget, identity: str, key: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as rejected:
        put_aggregator(target, identity, "East", key)
    assert key not in str(rejected.value)
    assert [one.id for one in list_aggregators(target)] == ["north", "south"]
