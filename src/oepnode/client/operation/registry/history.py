"""The history of one site: who changed its assignments, when, and from what to what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from oepnode.client.answers import PrivateStruct
from oepnode.client.operation.registry.changes import HeldSpan, held_span, spans_of
from oepnode.client.operation.registry.database import DatabaseTarget, open_database
from oepnode.domain.nem.tokens import kind_of, parse_site_id
from oepnode.domain.rounds.inputs.site_ids import site_id_column

if TYPE_CHECKING:
    from oepnode.adapters.storage.registry_db.trail import TrailRow


class SiteChange(Struct, frozen=True):
    """A change of one site.

    Attributes:
        revision: The registry's revision after it.
        made_at: UTC.
        made_by: Who made it.
        action: The command.
        removed: Assignments that it took away.
        added: Assignments that it made.
    """

    revision: int
    made_at: str
    made_by: str
    action: str
    removed: tuple[HeldSpan, ...]
    added: tuple[HeldSpan, ...]


class SiteHistory(PrivateStruct, frozen=True):
    """The history of a site.

    Attributes:
        nmi: The site, without checksum.
        held: Its assignments now.
        changes: Oldest first.
    """

    nmi: str
    held: tuple[HeldSpan, ...]
    changes: tuple[SiteChange, ...]


def site_history(target: DatabaseTarget, nmi: str) -> SiteHistory:
    """The assignments of a site, and the changes that led to them.

    Args:
        target: The registry's database.
        nmi: NMI, with or without its checksum, or token.

    Raises:
        NmiError: If it is neither.
        ConfigError: If the database is not usable.
        TransportError: If the database does not respond.
    """
    from oepnode.adapters.storage.registry_db.aggregator_rows import read_aggregators
    from oepnode.adapters.storage.registry_db.assignment_rows import read_assignments
    from oepnode.adapters.storage.registry_db.trail import history_of

    site = parse_site_id(nmi)
    with open_database(target) as database, database.reading() as connection:
        rows = read_assignments(connection, database.dialect, site_id_column([site], kind_of(site)))
        names = {one.number: key for key, one in read_aggregators(connection).items()}
        trail = history_of(connection, site)
    changes: dict[int, list[TrailRow]] = {}
    for row in trail:
        changes.setdefault(row.change.number, []).append(row)
    return SiteHistory(site, spans_of(rows, names), tuple(map(_change, changes.values())))


def _change(rows: list[TrailRow]) -> SiteChange:
    change = rows[0].change
    return SiteChange(
        revision=change.number,
        made_at=datetime.fromtimestamp(change.made_at, UTC).isoformat(timespec="seconds"),
        made_by=change.made_by,
        action=change.action,
        removed=_spans([row for row in rows if not row.is_added]),
        added=_spans([row for row in rows if row.is_added]),
    )


def _spans(rows: list[TrailRow]) -> tuple[HeldSpan, ...]:
    return tuple(held_span(row.aggregator, row.start, row.end) for row in rows)
