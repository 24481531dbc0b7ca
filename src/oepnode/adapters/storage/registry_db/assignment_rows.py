"""Assignments read from the registry's database as columns, and written as differences.

Guarantees: what is written is recorded in the audit trail, row for row; reading in pieces needs
bounded memory. Leaves out transactions: the caller has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Final

import numpy as np
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    Select,
    Table,
    delete,
    func,
    select,
    tuple_,
)

from oepnode.adapters.storage.registry_db.dialects import Dialect
from oepnode.adapters.storage.registry_db.tables import (
    AGGREGATORS,
    ASSIGNMENT_TRAIL,
    ASSIGNMENTS,
    SITE,
)
from oepnode.domain.documents.arrays import Bools, Int64s, Texts
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.assignments import Assignments, Difference, no_assignments

_PIECE: Final = 50_000
_FEW: Final = 500
_BULK: Final = 100_000
"""Rows from which PostgreSQL checks foreign keys faster all at once than one by one."""

_TEMPORARY: Final = MetaData()
_DOOMED: Final = Table(
    "doomed",
    _TEMPORARY,
    Column("site", SITE, nullable=False),
    Column("end_s", BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
)
_WANTED: Final = Table(
    "wanted", _TEMPORARY, Column("site", SITE, primary_key=True), prefixes=["TEMPORARY"]
)
_A: Final = ASSIGNMENTS.c


def site_kind(connection: Connection) -> SiteIdKind | None:
    """Whether the database has NMIs or tokens; None without assignments."""
    site = connection.execute(select(_A.site).limit(1)).scalar()
    return None if site is None else SiteIdKind(len(site))


def count_assignments(connection: Connection) -> int:
    """Number of assignments."""
    return int(connection.execute(select(func.count()).select_from(ASSIGNMENTS)).scalar_one())


def read_assignments(
    connection: Connection, dialect: Dialect, sites: Texts | None = None
) -> Assignments:
    """The assignments of some sites, or of all; in order of (NMI, from).

    Args:
        connection: A transaction.
        dialect: Its database.
        sites: Distinct NMIs or tokens; None for all.
    """
    query = select(_A.site, _A.aggregator, _A.start_s, _A.end_s)
    if sites is None:
        return _columns(connection, query)
    names = sites.astype(np.str_).tolist()
    if len(names) <= _FEW:
        return _columns(connection, query.where(_A.site.in_(names)))
    with _temporary(connection, _WANTED):
        dialect.load(connection, _WANTED, ((name,) for name in names))
        dialect.analyse(connection, _WANTED)
        return _columns(connection, query.join(_WANTED, _WANTED.c.site == _A.site))


def write_assignments(
    connection: Connection,
    dialect: Dialect,
    change: int,
    before: Assignments,
    after: Assignments,
    difference: Difference,
) -> None:
    """Bring the assignments of some sites from one state to another.

    Args:
        connection: A transaction for writing.
        dialect: Its database.
        change: Number of the change that this is part of.
        before: All present assignments of the sites, in order.
        after: All their assignments afterwards, in order.
        difference: That of both.
    """
    trail = ASSIGNMENT_TRAIL
    dialect.load(connection, trail, _trail_rows(change, 0, before.take(difference.removed)))
    dialect.load(connection, trail, _trail_rows(change, 1, after.take(difference.added)))
    doomed, fresh = _rewritten(before, after, difference)
    is_bulk = int(doomed.sum()) + int(fresh.sum()) >= _BULK
    late = dialect.foreign_keys_at_the_end(connection, ASSIGNMENTS) if is_bulk else nullcontext()
    with late:
        if doomed.any():
            _delete(connection, dialect, before.take(doomed))
        previous = after.previous_ends()[fresh]
        dialect.load(connection, ASSIGNMENTS, _rows(after.take(fresh), previous))


def pieces_for_snapshot(
    connection: Connection, ended_after: int
) -> Iterator[list[tuple[str, str, int, int]]]:
    """Assignments as (NMI, aggregator's id, from, to), piece by piece.

    Args:
        connection: A transaction for reading.
        ended_after: Leave out what ended at or before this, UTC seconds.
    """
    query = (
        select(_A.site, AGGREGATORS.c.id, _A.start_s, _A.end_s)
        .join(AGGREGATORS, AGGREGATORS.c.number == _A.aggregator)
        .where(_A.end_s > ended_after)
        .order_by(_A.site, _A.end_s)
    )
    for rows in _pieces(connection, query):
        yield [tuple(row) for row in rows]


def _rewritten(
    before: Assignments, after: Assignments, difference: Difference
) -> tuple[Bools, Bools]:
    """Masks of the rows to delete and to insert: also those whose predecessor is another one."""
    doomed, fresh = difference.removed.copy(), difference.added.copy()
    # Rows that stay are in the same order on both sides.
    kept_before, kept_after = np.flatnonzero(~doomed), np.flatnonzero(~fresh)
    moved = before.previous_ends()[kept_before] != after.previous_ends()[kept_after]
    doomed[kept_before[moved]] = True
    fresh[kept_after[moved]] = True
    return doomed, fresh


def _delete(connection: Connection, dialect: Dialect, rows: Assignments) -> None:
    names = rows.nmi.astype(np.str_).tolist()
    with _temporary(connection, _DOOMED):
        dialect.load(connection, _DOOMED, zip(names, rows.end.tolist(), strict=True))
        dialect.analyse(connection, _DOOMED)
        keys = select(_DOOMED.c.site, _DOOMED.c.end_s)
        connection.execute(delete(ASSIGNMENTS).where(tuple_(_A.site, _A.end_s).in_(keys)))


def _trail_rows(change: int, is_added: int, rows: Assignments) -> Iterable[tuple[Any, ...]]:
    columns = (rows.nmi.astype(np.str_), rows.aggregator, rows.start, rows.end)
    for row in zip(*(column.tolist() for column in columns), strict=True):
        yield (change, is_added, *row)


def _rows(rows: Assignments, previous: Int64s) -> Iterable[tuple[Any, ...]]:
    columns = (rows.nmi.astype(np.str_), rows.aggregator, rows.start, rows.end, previous)
    for *row, before in zip(*(column.tolist() for column in columns), strict=True):
        yield (*row, None if before < 0 else before)


def _columns(connection: Connection, query: Select[Any]) -> Assignments:
    parts = []
    for rows in _pieces(connection, query.order_by(_A.site, _A.end_s)):
        nmi, aggregator, start, end = zip(*rows, strict=True)
        parts.append(
            (
                np.array(nmi, dtype=f"S{len(nmi[0])}"),
                np.array(aggregator, dtype=np.int32),
                np.array(start, dtype=np.int64),
                np.array(end, dtype=np.int64),
            )
        )
    if not parts:
        return no_assignments()
    return Assignments(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _pieces(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Any]]:
    options = {"stream_results": True, "max_row_buffer": _PIECE}
    with connection.execute(query, execution_options=options) as result:
        while rows := result.fetchmany(_PIECE):
            yield rows


@contextmanager
def _temporary(connection: Connection, table: Table) -> Iterator[None]:
    """A temporary table; where the block raises, the transaction ends, and the table with it."""
    table.create(connection, checkfirst=False)
    yield
    table.drop(connection, checkfirst=False)
