"""Bulk load and bulk change of the registry's database from a file.

Guarantees: a file with any fault changes nothing, and its faults have rows as places; a dry run
changes nothing and counts the same. Source: docs/services.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from oepnode.client.files import FileName, name_file
from oepnode.client.operation.registry.changes import ChangeWriter, check_kind
from oepnode.client.operation.registry.database import (
    DatabaseTarget,
    author_or_user,
    open_database,
)
from oepnode.client.operation.registry.files import load_assignments
from oepnode.domain.rounds.inputs.assignment_rows import AssignmentRows, read_assignment_rows
from oepnode.domain.rounds.inputs.assignments import Assignments
from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator, Snapshot

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oepnode.adapters.storage.registry_db.aggregator_rows import StoredAggregator


class ImportReport(Struct, frozen=True):
    """What an import changes.

    Attributes:
        rows: Assignments of the file.
        new: Sites that had no assignment, and have one.
        changed: Sites with other assignments than before.
        ended: Sites that had an assignment without an end and have none, or have none at all.
        unchanged: Sites of the file, or with ``replace`` of the registry, that stay as they were.
        aggregators: Aggregators that are new, or have another name, key or address.
        revision: The registry's revision afterwards.
        is_dry_run: Whether nothing was written.
    """

    rows: int
    new: int
    changed: int
    ended: int
    unchanged: int
    aggregators: int
    revision: int
    is_dry_run: bool


def import_assignments(
    target: DatabaseTarget,
    file: FileName,
    *,
    replace: bool = False,
    dry_run: bool = False,
    author: str | None = None,
) -> ImportReport:
    """Write the assignments of a file over those of the registry, or in their place.

    Args:
        target: The registry's database.
        file: Registry snapshot in JSON, or table in CSV or Parquet with the columns ``nmi``,
            ``aggregator``, ``from`` and ``to``. Of a snapshot the aggregators are taken as well.
        replace: The file has all assignments: those of other sites are removed.
        dry_run: Only count.
        author: Who makes the change; the user of the operating system by default.

    Raises:
        DocumentFault: If the file violates the rules.
        ConflictError: If the file and the registry name sites in different ways, or an
            aggregator's key belongs to another one.
        ConfigError: If the file or the database is not usable.
        TransportError: If the database does not respond.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.adapters.storage.registry_db.aggregator_rows import put_aggregator
    from oepnode.adapters.storage.registry_db.trail import record_change, revision_of

    made_by = author_or_user(author)
    loaded = load_assignments(file)
    with open_database(target) as database:
        opened = database.reading() if dry_run else database.writing()
        with opened as connection:
            planned = _Import(connection, loaded, file, replace=replace)
            writer = ChangeWriter(connection, database.dialect)
            plan = writer.plan_replacement if replace else writer.plan
            before, after, difference = plan(planned.assignments)
            if not dry_run and (planned.aggregators or difference.is_any):
                action = "import --replace" if replace else "import"
                change = record_change(connection, SystemClock().now(), made_by, action)
                for one in planned.aggregators:
                    put_aggregator(connection, change, planned.stored.get(one.id), one)
                writer.write(change, before, after, difference)
            counts = difference.counts
            return ImportReport(
                rows=len(planned.assignments),
                new=counts.new,
                changed=counts.changed,
                ended=counts.ended,
                unchanged=counts.unchanged,
                aggregators=len(planned.aggregators),
                revision=revision_of(connection),
                is_dry_run=dry_run,
            )


class _Import:
    """A file's aggregators and assignments, with the numbers that the database has or will have."""

    def __init__(
        self,
        connection: Connection,
        loaded: Snapshot | AssignmentRows,
        file: FileName,
        *,
        replace: bool,
    ) -> None:
        from oepnode.adapters.storage.registry_db.aggregator_rows import (
            next_number,
            read_aggregators,
        )

        self.stored = read_aggregators(connection)
        self.aggregators: list[Aggregator] = []
        numbers = {key: one.number for key, one in self.stored.items() if one.is_active}
        if isinstance(loaded, Snapshot):
            self.aggregators = [one for one in loaded.aggregators if self._differs(one)]
            known = {key: one.number for key, one in self.stored.items()}
            fresh = [one.id for one in self.aggregators if one.id not in known]
            first = next_number(connection)
            known |= {key: first + at for at, key in enumerate(fresh)}
            self.assignments = _of_snapshot(loaded, known)
        else:
            with name_file(file):
                self.assignments = read_assignment_rows(loaded, numbers, may_unassign=not replace)
        if not replace:
            check_kind(connection, self.assignments)

    def _differs(self, wanted: Aggregator) -> bool:
        present: StoredAggregator | None = self.stored.get(wanted.id)
        return present is None or not present.is_active or present.aggregator != wanted


def _of_snapshot(snapshot: Snapshot, numbers: dict[str, int]) -> Assignments:
    table = np.array([numbers[one.id] for one in snapshot.aggregators], dtype=np.int32)
    return Assignments(snapshot.nmi, table[snapshot.aggregator], snapshot.start, snapshot.end)
