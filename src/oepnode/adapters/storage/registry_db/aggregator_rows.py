"""Aggregators in the registry's database.

Guarantees: an aggregator keeps its number for good, also after it was removed, because the audit
trail refers to it.
"""

from __future__ import annotations

import json

from msgspec import Struct
from sqlalchemy import Connection, func, insert, select, update

from oepnode.adapters.storage.registry_db.tables import AGGREGATORS, ASSIGNMENTS
from oepnode.adapters.storage.registry_db.trail import record_aggregator
from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator
from oepnode.errors import ConflictError


class StoredAggregator(Struct, frozen=True):
    """An aggregator of the database.

    Attributes:
        number: Its number, which assignments refer to.
        is_active: Whether it is part of new snapshots.
        aggregator: Id, name, key and address.
    """

    number: int
    is_active: bool
    aggregator: Aggregator


def read_aggregators(connection: Connection) -> dict[str, StoredAggregator]:
    """All aggregators by id, removed ones included, in order of their ids."""
    columns = AGGREGATORS.c
    query = select(
        columns.number,
        columns.is_active,
        columns.id,
        columns.name,
        columns.public_key,
        columns.address,
    )
    stored = [
        StoredAggregator(
            number,
            bool(is_active),
            Aggregator(identity, name, bytes(key), None if address is None else bytes(address)),
        )
        for number, is_active, identity, name, key, address in connection.execute(query)
    ]
    return {one.aggregator.id: one for one in sorted(stored, key=lambda one: one.aggregator.id)}


def next_number(connection: Connection) -> int:
    """Number of the next new aggregator."""
    highest = connection.execute(select(func.coalesce(func.max(AGGREGATORS.c.number), 0)))
    return int(highest.scalar_one()) + 1


def put_aggregator(
    connection: Connection, change: int, present: StoredAggregator | None, wanted: Aggregator
) -> None:
    """Store an aggregator, in place of the present one with its id.

    Raises:
        ConflictError: If another active aggregator has its public key.
    """
    columns = AGGREGATORS.c
    holder = connection.execute(
        select(columns.id)
        .where(columns.public_key == wanted.public_key)
        .where(columns.is_active == 1)
        .where(columns.id != wanted.id)
    ).scalar()
    if holder is not None:
        raise ConflictError(
            f"aggregator {holder} has this public key; a key must belong to one aggregator"
        )
    row = {
        "name": wanted.name,
        "public_key": wanted.public_key,
        "address": wanted.address,
        "is_active": 1,
    }
    if present is None:
        key = {"number": next_number(connection), "id": wanted.id}
        connection.execute(insert(AGGREGATORS), key | row)
    else:
        connection.execute(
            update(AGGREGATORS).where(columns.number == present.number).values(**row)
        )
    before = _json(present.aggregator) if present is not None and present.is_active else None
    record_aggregator(connection, change, wanted.id, before, _json(wanted))


def remove_aggregator(
    connection: Connection, change: int, present: StoredAggregator, ended_after: int
) -> None:
    """Leave an aggregator out of new snapshots.

    Args:
        connection: A transaction for writing.
        change: Number of the change that this is part of.
        present: The aggregator.
        ended_after: Snapshots hold only assignments that end after this, UTC seconds.

    Raises:
        ConflictError: If it has assignments that snapshots hold.
    """
    assigned = (
        select(ASSIGNMENTS.c.site)
        .where(ASSIGNMENTS.c.aggregator == present.number)
        .where(ASSIGNMENTS.c.end_s > ended_after)
    )
    if connection.execute(assigned.limit(1)).first() is not None:
        raise ConflictError(
            f"aggregator {present.aggregator.id} has assignments that snapshots still hold; assign "
            "its sites to others first, and remove it when those have ended for a week"
        )
    connection.execute(
        update(AGGREGATORS).where(AGGREGATORS.c.number == present.number).values(is_active=0)
    )
    record_aggregator(connection, change, present.aggregator.id, _json(present.aggregator), None)


def _json(aggregator: Aggregator) -> str:
    address = aggregator.address
    return json.dumps(
        {
            "id": aggregator.id,
            "name": aggregator.name,
            "publicKey": aggregator.public_key.hex(),
            "address": None if address is None else "0x" + address.hex(),
        }
    )
