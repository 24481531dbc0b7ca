"""Changes of assignments: one site or a million, in one transaction with its entry in the trail.

Guarantees: a change happens whole or not at all; one that changes nothing leaves no entry; results
and messages name no NMI but the one that was named to them. Source: docs/services.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from oepnode.client.answers import PrivateStruct
from oepnode.client.operation.registry.database import (
    DatabaseTarget,
    author_or_user,
    open_database,
)
from oepnode.domain.documents.arrays import Texts
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.assignment_rows import AssignmentRows, read_assignment_rows
from oepnode.domain.rounds.inputs.assignments import (
    OPEN_END,
    Assignments,
    Difference,
    compare,
    no_assignments,
    overlay,
)
from oepnode.errors import ConflictError, DocumentFault, EvidenceError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oepnode.adapters.storage.registry_db.dialects import Dialect

_FEW: Final = 500
"""Sites that are looked up without counting all assignments first."""

_MANY: Final = 4
"""A change of more than this part of all assignments reads them all."""


class HeldSpan(Struct, frozen=True):
    """An assignment of a site: its holder, and NEM times; ``end`` is None where it is open."""

    aggregator: str
    start: str
    end: str | None


class AssignmentChange(PrivateStruct, frozen=True):
    """A change of the assignments of one site.

    Attributes:
        nmi: The site, without checksum.
        revision: The registry's revision afterwards.
        is_changed: Whether anything was changed.
        removed: Assignments that are no more.
        added: Assignments that are new.
        held: All assignments of the site afterwards.
    """

    nmi: str
    revision: int
    is_changed: bool
    removed: tuple[HeldSpan, ...]
    added: tuple[HeldSpan, ...]
    held: tuple[HeldSpan, ...]


def assign(
    target: DatabaseTarget,
    nmi: str,
    aggregator: str | None,
    start: str,
    end: str | None = None,
    author: str | None = None,
) -> AssignmentChange:
    """Assign a site to an aggregator, or to none; what was assigned before is split or closed.

    Args:
        target: The registry's database.
        nmi: NMI, with or without its checksum, or token.
        aggregator: Id of the aggregator; None takes the site away from whoever has it.
        start: First covered interval start, such as ``2026-12-01T04:00:00+10:00``.
        end: First interval start no longer covered; None for good.
        author: Who makes the change; the user of the operating system by default.

    Raises:
        EvidenceError: If NMI, aggregator or times are wrong.
        ConflictError: If the registry has tokens and this is an NMI, or the other way round.
        ConfigError: If the database is not usable.
        TransportError: If the database does not respond.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.adapters.storage.registry_db.aggregator_rows import read_aggregators
    from oepnode.adapters.storage.registry_db.trail import record_change, revision_of

    made_by = author_or_user(author)
    rows = AssignmentRows([nmi], [aggregator], [start], [end])
    with open_database(target) as database, database.writing() as connection:
        stored = read_aggregators(connection)
        numbers = {one.aggregator.id: one.number for one in stored.values() if one.is_active}
        changes = _one_row(rows, numbers, may_unassign=aggregator is None)
        check_kind(connection, changes)
        writer = ChangeWriter(connection, database.dialect)
        before, after, difference = writer.plan(changes)
        if difference.is_any:
            action = "unassign" if aggregator is None else "assign"
            change = record_change(connection, SystemClock().now(), made_by, action)
            writer.write(change, before, after, difference)
        names = {one.number: one.aggregator.id for one in stored.values()}
        return AssignmentChange(
            nmi=changes.nmi[0].decode(),
            revision=revision_of(connection),
            is_changed=difference.is_any,
            removed=spans_of(before.take(difference.removed), names),
            added=spans_of(after.take(difference.added), names),
            held=spans_of(after, names),
        )


class ChangeWriter:
    """Plans and writes changes of assignments.

    Args:
        connection: A transaction for writing.
        dialect: Its database.
    """

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def plan(self, changes: Assignments) -> tuple[Assignments, Assignments, Difference]:
        """The assignments of the sites of a change before and after it, and their difference."""
        before = self._present(changes.sites())
        after = overlay(before, changes)
        return before, after, compare(before, after)

    def plan_replacement(self, wanted: Assignments) -> tuple[Assignments, Assignments, Difference]:
        """As `plan`, where the assignments wanted are all that there are afterwards."""
        from oepnode.adapters.storage.registry_db.assignment_rows import read_assignments

        before = read_assignments(self._connection, self._dialect)
        after = overlay(no_assignments(), wanted)
        return before, after, compare(before, after)

    def write(
        self, change: int, before: Assignments, after: Assignments, difference: Difference
    ) -> None:
        """Write a planned change and its entries in the trail."""
        from oepnode.adapters.storage.registry_db.assignment_rows import write_assignments

        write_assignments(self._connection, self._dialect, change, before, after, difference)

    def _present(self, sites: Texts) -> Assignments:
        from oepnode.adapters.storage.registry_db.assignment_rows import (
            count_assignments,
            read_assignments,
        )

        is_few = len(sites) <= _FEW
        if is_few or len(sites) * _MANY < count_assignments(self._connection):
            return read_assignments(self._connection, self._dialect, sites)
        # A large part of all: reading them all is faster than looking each up.
        present = read_assignments(self._connection, self._dialect)
        return present.of_sites(sites)


def check_kind(connection: Connection, changes: Assignments) -> None:
    """Reject NMIs where the registry has tokens, and tokens where it has NMIs.

    Raises:
        ConflictError: With the kinds.
    """
    from oepnode.adapters.storage.registry_db.assignment_rows import site_kind

    present = site_kind(connection)
    if present is None or not len(changes):
        return
    given = SiteIdKind(changes.nmi.dtype.itemsize)
    if given is not present:
        raise ConflictError(
            f"the registry's database has {present.plural}, and this change {given.plural}; keep "
            "one database for each"
        )


def spans_of(rows: Assignments, names: Mapping[int, str]) -> tuple[HeldSpan, ...]:
    """Assignments of one site, for a report.

    Args:
        rows: The assignments.
        names: Number of an aggregator → id.
    """
    return tuple(
        held_span(names[holder], start, end)
        for holder, start, end in zip(
            rows.aggregator.tolist(), rows.start.tolist(), rows.end.tolist(), strict=True
        )
    )


def held_span(aggregator: str, start: int, end: int) -> HeldSpan:
    """An assignment for a report."""
    return HeldSpan(aggregator, format_nem(start), None if end == OPEN_END else format_nem(end))


def _one_row(
    rows: AssignmentRows, numbers: Mapping[str, int], *, may_unassign: bool
) -> Assignments:
    """Read the one row of a command; the first fault as a plain error."""
    try:
        return read_assignment_rows(rows, numbers, may_unassign=may_unassign)
    except DocumentFault as exc:
        fault = exc.faults[0]
        name = fault.path.rpartition(".")[2]
        value = f" (found {fault.value})" if fault.value else ""
        raise EvidenceError(f"{name}: {fault.text}{value}", code=fault.code) from None
