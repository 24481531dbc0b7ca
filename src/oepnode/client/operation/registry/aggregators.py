"""Aggregators of the registry's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.operation.registry.database import (
    DatabaseTarget,
    author_or_user,
    open_database,
)
from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator, read_aggregator
from oepnode.errors import ConflictError, DocumentFault, EvidenceError

if TYPE_CHECKING:
    from oepnode.adapters.storage.registry_db.aggregator_rows import StoredAggregator


class AggregatorFacts(Struct, frozen=True):
    """An aggregator: id, display name, public key in hex, and address on chain or None."""

    id: str
    name: str
    public_key: str
    address: str | None


class AggregatorChange(Struct, frozen=True):
    """A change of an aggregator.

    Attributes:
        id: The aggregator.
        is_changed: Whether anything was changed.
        revision: The registry's revision afterwards.
    """

    id: str
    is_changed: bool
    revision: int


def list_aggregators(target: DatabaseTarget) -> tuple[AggregatorFacts, ...]:
    """The aggregators of new snapshots, in order of their ids.

    Raises:
        ConfigError: If the database is not usable.
        TransportError: If the database does not respond.
    """
    from oepnode.adapters.storage.registry_db.aggregator_rows import read_aggregators

    with open_database(target) as database, database.reading() as connection:
        stored = read_aggregators(connection)
    return tuple(_facts(one.aggregator) for one in stored.values() if one.is_active)


def put_aggregator(
    target: DatabaseTarget,
    identity: str,
    name: str,
    public_key: str,
    address: str | None = None,
    author: str | None = None,
) -> AggregatorChange:
    """Add an aggregator, or give one another name, key or address.

    Args:
        target: The registry's database.
        identity: Its id.
        name: Display name.
        public_key: Key to seal its bundles to, in hex.
        address: Address on chain, or None.
        author: Who makes the change; the user of the operating system by default.

    Raises:
        EvidenceError: If a value violates the rules of a snapshot.
        ConflictError: If the key belongs to another aggregator.
        ConfigError: If the database is not usable.
        TransportError: If the database does not respond.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.adapters.storage.registry_db import aggregator_rows
    from oepnode.adapters.storage.registry_db.trail import record_change, revision_of

    made_by = author_or_user(author)
    wanted = _read(identity, name, public_key, address)
    with open_database(target) as database, database.writing() as connection:
        present = aggregator_rows.read_aggregators(connection).get(identity)
        is_changed = present is None or not present.is_active or present.aggregator != wanted
        if is_changed:
            now = SystemClock().now()
            change = record_change(connection, now, made_by, "aggregator add")
            aggregator_rows.put_aggregator(connection, change, present, wanted)
        return AggregatorChange(identity, is_changed, revision_of(connection))


def remove_aggregator(
    target: DatabaseTarget, identity: str, author: str | None = None
) -> AggregatorChange:
    """Leave an aggregator out of new snapshots.

    Raises:
        ConflictError: If there is no such aggregator, or it has assignments.
        ConfigError: If the database is not usable.
        TransportError: If the database does not respond.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.adapters.storage.registry_db import aggregator_rows
    from oepnode.adapters.storage.registry_db.trail import record_change, revision_of
    from oepnode.services.registry.database_snapshots import KEEP_ENDED_S

    made_by = author_or_user(author)
    now = SystemClock().now()
    with open_database(target) as database, database.writing() as connection:
        present: StoredAggregator | None = aggregator_rows.read_aggregators(connection).get(
            identity
        )
        if present is None or not present.is_active:
            raise ConflictError("the registry has no aggregator with this id")
        change = record_change(connection, now, made_by, "aggregator remove")
        aggregator_rows.remove_aggregator(connection, change, present, int(now) - KEEP_ENDED_S)
        return AggregatorChange(identity, is_changed=True, revision=revision_of(connection))


def _read(identity: str, name: str, public_key: str, address: str | None) -> Aggregator:
    fields = {"id": identity, "name": name, "publicKey": public_key, "address": address}
    try:
        return read_aggregator(fields)
    except DocumentFault as exc:
        fault = exc.faults[0]
        value = f" (found {fault.value})" if fault.value else ""
        where = fault.path.rpartition(".")[2]
        raise EvidenceError(f"{where}: {fault.text}{value}", code=fault.code) from None


def _facts(aggregator: Aggregator) -> AggregatorFacts:
    return AggregatorFacts(
        aggregator.id,
        aggregator.name,
        aggregator.public_key.hex(),
        None if aggregator.address is None else chains.hexed(aggregator.address),
    )
