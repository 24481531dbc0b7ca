"""The audit trail: who changed the registry, when, and what was before and after.

Guarantees: it only grows, by rules of the database; a change that changes nothing leaves no entry.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, func, insert, select

from oepnode.adapters.storage.registry_db.tables import (
    AGGREGATOR_TRAIL,
    AGGREGATORS,
    ASSIGNMENT_TRAIL,
    CHANGES,
)

_MICROS: Final = 1_000_000


class RecordedChange(Struct, frozen=True):
    """A change of the registry.

    Attributes:
        number: Its number, which is the registry's revision after it.
        made_at: UTC seconds.
        made_by: Who made it.
        action: The command, without its arguments.
    """

    number: int
    made_at: float
    made_by: str
    action: str


class TrailRow(Struct, frozen=True):
    """An assignment that a change took away or made.

    Attributes:
        change: The change.
        is_added: Whether it was made.
        aggregator: Id of the holder.
        start: UTC seconds.
        end: UTC seconds, or `OPEN_END`.
    """

    change: RecordedChange
    is_added: bool
    aggregator: str
    start: int
    end: int


def record_change(connection: Connection, made_at: float, made_by: str, action: str) -> int:
    """Record that a change is made, and return its number."""
    number = revision_of(connection) + 1
    row = {
        "number": number,
        "made_at_us": int(made_at * _MICROS),
        "made_by": made_by,
        "action": action,
    }
    connection.execute(insert(CHANGES), row)
    return number


def revision_of(connection: Connection) -> int:
    """Number of the last change; 0 before the first."""
    return int(
        connection.execute(select(func.coalesce(func.max(CHANGES.c.number), 0))).scalar_one()
    )


def record_aggregator(
    connection: Connection, change: int, identity: str, before: str | None, after: str | None
) -> None:
    """Record an aggregator before and after a change, as JSON."""
    row = {"change": change, "id": identity, "before": before, "after": after}
    connection.execute(insert(AGGREGATOR_TRAIL), row)


def history_of(connection: Connection, site: str) -> list[TrailRow]:
    """What the changes did to the assignments of one site, oldest first."""
    trail, changes = ASSIGNMENT_TRAIL.c, CHANGES.c
    query = (
        select(
            changes.number,
            changes.made_at_us,
            changes.made_by,
            changes.action,
            trail.is_added,
            AGGREGATORS.c.id,
            trail.start_s,
            trail.end_s,
        )
        .join(CHANGES, changes.number == trail.change)
        .join(AGGREGATORS, AGGREGATORS.c.number == trail.aggregator)
        .where(trail.site == site)
        .order_by(trail.change, trail.is_added, trail.start_s)
    )
    return [
        TrailRow(
            RecordedChange(number, made_at_us / _MICROS, made_by, action),
            bool(is_added),
            identity,
            start,
            end,
        )
        for number, made_at_us, made_by, action, is_added, identity, start, end in (
            connection.execute(query)
        )
    ]
