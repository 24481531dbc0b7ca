"""The table of published envelopes, from a document, a bundle or a limits file.

Guarantees: a dense table of limits per site and interval, with the submission time of each where
the source has it, and the rows that a later submission superseded, so that a measurement can be
checked against the envelope that applied at the time. Leaves out reading files and verifying
bundles. Source: Part C §6.3 (field 6: submission time), §4.3 (field 4: the envelope applied).

Example:
    >>> document, rows = parse_history(data)                          # doctest: +SKIP
    >>> envelopes = from_document(document, rows)                     # doctest: +SKIP
    >>> envelopes.limits[site, EXPORT, interval]                      # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Indices, Int32s, Int64s, Texts
from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.nem.nem_time import (
    INSTANTS_END_S,
    INTERVAL_S,
    MICROS,
    OffGridError,
    format_nem,
    parse_grid_instant,
)
from oepnode.domain.nem.nmi import NmiError
from oepnode.domain.nem.nmi import parse as parse_nmi
from oepnode.domain.nem.quantities import IMPORT_KINDS, NO_LIMIT
from oepnode.domain.rounds.bundle import VerifiedBundle
from oepnode.domain.rounds.inputs.envelope_document import Document
from oepnode.domain.rounds.inputs.envelope_form import LEVELS, MAX_HORIZON, NO_TIMING
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION, Rows

if TYPE_CHECKING:
    import polars as pl

EXPORT: Final = 0
IMPORT: Final = 1
LIMIT_COLUMNS: Final = (
    "active_export_w",
    "active_import_w",
    "reactive_export_var",
    "reactive_import_var",
)
"""Columns of a file of limits in the order of `quantities.KINDS`, as a verified bundle's are."""

_TEXTS: Final = ("nmi", "level", "interval_start")
SUBMITTED_COLUMN: Final = "submitted_us"
"""Column of a limits file where submissions are known: UTC microseconds, as in telemetry."""


@dataclass(frozen=True)
class Superseded:
    """Rows that a later submission replaced, in order of (cell, submission).

    Attributes:
        cell: Site × number of intervals + interval, int64.
        submitted_us: Microseconds since the epoch.
        limits: Shape (rows, 4), int32.
    """

    cell: Int64s
    submitted_us: Int64s
    limits: Int32s


@dataclass(frozen=True, repr=False)
class EnvelopeTable:
    """Published limits of sites over one horizon. Its repr shows no NMI.

    Attributes:
        nmis: Per site, ``S10``, in order of (NMI, level).
        levels: Per site, uint8: 0 NMI, 1 Flex.
        timings: Per site, uint8: 0 PRE, 1 POST, `NO_TIMING` unknown.
        objectives: Per site, the objective function; empty where unknown.
        horizon_start: UTC seconds.
        limits: Shape (sites, 4, intervals), int32 W or var in the order of
            `quantities.KINDS`; `quantities.NO_LIMIT` where none is published.
        submitted_us: Shape (sites, intervals), int64, microseconds since the epoch, or
            `supersession.NO_SUBMISSION` where unknown.
        superseded: Rows that a later submission replaced.
    """

    nmis: Texts
    levels: Bytes
    timings: Bytes
    objectives: tuple[str, ...]
    horizon_start: int
    limits: Int32s
    submitted_us: Int64s
    superseded: Superseded

    @property
    def site_count(self) -> int:
        """Number of (NMI, application level) pairs."""
        return len(self.nmis)

    @property
    def interval_count(self) -> int:
        """Length of the horizon in dispatch intervals."""
        return int(self.limits.shape[2])

    @property
    def horizon_end(self) -> int:
        """End of the last interval, UTC seconds."""
        return self.horizon_start + self.interval_count * INTERVAL_S

    @property
    def knows_submissions(self) -> bool:
        """Whether any submission time is known; those of a verified bundle are not."""
        return bool((self.submitted_us != NO_SUBMISSION).any())

    def at_level(self, level: int) -> EnvelopeTable:
        """The sites of one application level: 0 NMI, 1 Flex."""
        return self._part(np.flatnonzero(self.levels == level))

    def select(self, nmis: Iterable[str]) -> EnvelopeTable:
        """The sites of these NMIs; those that are not published are left out."""
        names = np.array([name.encode() for name in nmis], dtype="S10")
        return self._part(np.flatnonzero(np.isin(self.nmis, names)))

    def _part(self, sites: Indices) -> EnvelopeTable:
        count = self.interval_count
        rank = np.full(self.site_count, -1, dtype=np.int64)
        rank[sites] = np.arange(len(sites))
        owner, interval = np.divmod(self.superseded.cell, count)
        kept = rank[owner] >= 0
        return EnvelopeTable(
            nmis=self.nmis[sites],
            levels=self.levels[sites],
            timings=self.timings[sites],
            objectives=tuple(self.objectives[i] for i in sites.tolist()),
            horizon_start=self.horizon_start,
            limits=self.limits[sites],
            submitted_us=self.submitted_us[sites],
            superseded=Superseded(
                rank[owner[kept]] * count + interval[kept],
                self.superseded.submitted_us[kept],
                self.superseded.limits[kept],
            ),
        )


def no_history() -> Superseded:
    """Nothing superseded."""
    empty = np.empty(0, dtype=np.int64)
    return Superseded(empty, empty, np.empty((0, 4), dtype=np.int32))


# --- sources -------------------------------------------------------------------------------------


def from_document(document: Document, rows: Rows | None = None) -> EnvelopeTable:
    """Envelopes of a document.

    Args:
        document: From ``envelope_document.parse_history``.
        rows: All its rows, from the same call; without them no submission time is known.
    """
    shape = (document.site_count, document.interval_count)
    limits = np.full((shape[0], 4, shape[1]), NO_LIMIT, dtype=np.int32)
    limits[document.row_site, :, document.row_interval] = document.limits
    submitted, history = np.full(shape, NO_SUBMISSION, dtype=np.int64), no_history()
    if rows is not None:
        cell = rows.site * shape[1] + (rows.start - document.horizon_start) // INTERVAL_S
        np.maximum.at(submitted.reshape(-1), cell, rows.submitted)
        history = _history(cell, rows, submitted.reshape(-1))
    return EnvelopeTable(
        nmis=document.nmi,
        levels=document.level,
        timings=document.timing,
        objectives=document.objective,
        horizon_start=document.horizon_start,
        limits=limits,
        submitted_us=submitted,
        superseded=history,
    )


def _history(cell: Int64s, rows: Rows, latest: Int64s) -> Superseded:
    older = np.flatnonzero((rows.submitted != NO_SUBMISSION) & (rows.submitted < latest[cell]))
    return _older_rows(cell[older], rows.submitted[older], rows.limits[older])


def _older_rows(cell: Int64s, submitted: Int64s, limits: Int32s) -> Superseded:
    """Superseded rows in their order."""
    order = np.lexsort((submitted, cell))
    return Superseded(cell[order], submitted[order], limits[order])


def from_bundle(verified: VerifiedBundle, nmis: Sequence[str]) -> EnvelopeTable:
    """Envelopes of a verified bundle, which has no submission times.

    Args:
        verified: The bundle.
        nmis: NMI of each of its sites; those of the bundle itself where the round is not blind.
    """
    return EnvelopeTable(
        nmis=np.array([name.encode() for name in nmis], dtype="S10"),
        levels=verified.levels,
        timings=verified.timings,
        objectives=verified.objectives,
        horizon_start=verified.horizon_start,
        limits=verified.limits,
        submitted_us=np.full(
            (verified.site_count, verified.interval_count), NO_SUBMISSION, dtype=np.int64
        ),
        superseded=no_history(),
    )


def from_frame(frame: pl.DataFrame) -> EnvelopeTable:
    """Envelopes of a limits file: a row for each site and interval, or each submission for them.

    Args:
        frame: Columns nmi, level, interval_start (NEM time as text) and those of `LIMIT_COLUMNS`.
            `SUBMITTED_COLUMN` where the submissions are known, null where one is not; the latest
            counts, and supersedes the others.

    Raises:
        DocumentFault: With every fault.
    """
    import polars as pl

    log = FaultLog("limits file")
    for name in (*_TEXTS, *LIMIT_COLUMNS):
        if name not in frame.columns:
            log.add(f"$.{name}", "field.missing", "this column of a limits file is missing")
    if not log.count and not frame.height:
        log.add("$", "document.empty", "a limits file must have at least one row")
    log.raise_if_any()
    for name in _TEXTS:
        dtype = frame[name].dtype
        if dtype != pl.String and not isinstance(dtype, pl.Categorical | pl.Enum):
            log.add(f"$.{name}", "field.type", "the column must hold text", str(dtype))
    log.raise_if_any()
    start = _starts(frame["interval_start"].cast(pl.String), log)
    nmi, names = _names(frame["nmi"].cast(pl.String), log)
    level = _levels(frame["level"].cast(pl.String), log)
    limits = np.empty((frame.height, 4), dtype=np.int32)
    for kind, name in enumerate(LIMIT_COLUMNS):
        limits[:, kind] = _amounts(frame[name], kind, name, log)
    submitted = _submissions(frame, log)
    log.raise_if_any()
    return _dense(names, nmi * len(LEVELS) + level, start, (limits, submitted), log)


def to_frame(envelopes: EnvelopeTable) -> pl.DataFrame:
    """A limits file of envelopes, superseded rows included, which `from_frame` reads.

    Returns:
        Columns nmi, level, interval_start, interval_end (NEM time as text), those of
        `LIMIT_COLUMNS`, null where none is published, and `SUBMITTED_COLUMN` if any is known.
    """
    import polars as pl

    history = envelopes.superseded
    site, interval = np.nonzero((envelopes.limits != NO_LIMIT).any(axis=1))
    old_site, old_interval = np.divmod(history.cell, envelopes.interval_count)
    at = (np.concatenate((site, old_site)), np.concatenate((interval, old_interval)))
    limits = np.concatenate((envelopes.limits[site, :, interval], history.limits))
    start, count = envelopes.horizon_start, envelopes.interval_count
    times = pl.Series([format_nem(start + INTERVAL_S * i) for i in range(count + 1)])
    nmis = pl.Series([name.decode() for name in envelopes.nmis.tolist()], dtype=pl.String)
    levels = pl.Series(list(LEVELS))
    frame = pl.DataFrame(
        {
            "nmi": nmis.gather(at[0]),
            "level": levels.gather(envelopes.levels[at[0]]),
            "interval_start": times.gather(at[1]),
            "interval_end": times.gather(at[1] + 1),
        }
    ).with_columns(
        pl.Series(name, limits[:, kind]).replace(NO_LIMIT, None)
        for kind, name in enumerate(LIMIT_COLUMNS)
    )
    if not envelopes.knows_submissions:
        return frame
    submitted = np.concatenate((envelopes.submitted_us[site, interval], history.submitted_us))
    return frame.with_columns(pl.Series(SUBMITTED_COLUMN, submitted).replace(NO_SUBMISSION, None))


def _starts(column: pl.Series, log: FaultLog) -> Int64s:
    texts, index = _distinct(column)
    starts = np.zeros(len(texts), dtype=np.int64)
    for i, text in enumerate(texts):
        try:
            starts[i] = parse_grid_instant(text or "").seconds
        except ValueError as exc:
            code = "time.grid" if isinstance(exc, OffGridError) else "time.format"
            log.add("$.interval_start", code, str(exc), show_value(text))
    return starts[index]


def _names(column: pl.Series, log: FaultLog) -> tuple[Int64s, Texts]:
    """Rank of each row's NMI, and the distinct NMIs in order."""
    texts, code = _distinct(column)
    read: list[str] = []
    for text in texts:
        try:
            read.append(parse_nmi(text or ""))
        except NmiError as exc:
            log.add("$.nmi", exc.code, str(exc))
            read.append("")
    names, rank = np.unique(np.array([t.encode() for t in read], "S10"), return_inverse=True)
    return rank.astype(np.int64)[code], names


def _levels(column: pl.Series, log: FaultLog) -> Int64s:
    texts, code = _distinct(column)
    for text in texts:
        if text not in LEVELS:
            log.add(
                "$.level", "field.value", f"must be one of {', '.join(LEVELS)}", show_value(text)
            )
    return np.array([LEVELS.get(str(text), 0) for text in texts], dtype=np.int64)[code]


def _distinct(column: pl.Series) -> tuple[list[str | None], Int64s]:
    """Distinct texts, and the index of each row's among them."""
    import polars as pl

    coded = column.cast(pl.Categorical)
    distinct = coded.unique()
    physical, codes = (
        series.to_physical().cast(pl.Int64).fill_null(-1).to_numpy() for series in (distinct, coded)
    )
    table = np.zeros(int(physical.max()) + 2, dtype=np.int64)  # the last one is for null
    table[physical] = np.arange(len(distinct))
    return distinct.cast(pl.String).to_list(), table[codes]


def _amounts(column: pl.Series, kind: int, name: str, log: FaultLog) -> Int32s:
    """Watts of a column, `NO_LIMIT` where null."""
    import polars as pl

    if not (column.dtype.is_integer() or column.dtype == pl.Null):
        log.add(
            f"$.{name}",
            "field.type",
            "the column must hold integers of W or var",
            str(column.dtype),
        )
        return np.full(len(column), NO_LIMIT, dtype=np.int32)
    given = column.drop_nulls()
    low, high = (given.min() or 0), (given.max() or 0)
    is_wrong_side = high > 0 if kind in IMPORT_KINDS else low < 0  # type: ignore[operator]
    if is_wrong_side:
        sign = "negative or 0" if kind in IMPORT_KINDS else "positive or 0"
        log.add(f"$.{name}", "limit.sign", f"a limit of this kind must be {sign} (Part C §4.3)")
    if low < -(2**31) + 1 or high > 2**31 - 1:  # type: ignore[operator]
        log.add(
            f"$.{name}", "limit.range", "must be at most 2147483.647 kW in magnitude (int32 watts)"
        )
        return np.full(len(column), NO_LIMIT, dtype=np.int32)
    return np.asarray(column.cast(pl.Int32).fill_null(NO_LIMIT).to_numpy(), dtype=np.int32)


def _submissions(frame: pl.DataFrame, log: FaultLog) -> Int64s:
    """Microseconds since the epoch of each row, `NO_SUBMISSION` where unknown."""
    import polars as pl

    if SUBMITTED_COLUMN not in frame.columns:
        return np.full(frame.height, NO_SUBMISSION, dtype=np.int64)
    column = frame[SUBMITTED_COLUMN]
    if not (column.dtype.is_integer() or column.dtype == pl.Null):
        message = "the column must hold integer microseconds since 1970-01-01T00:00:00Z"
        log.add(f"$.{SUBMITTED_COLUMN}", "field.type", message, str(column.dtype))
        return np.full(frame.height, NO_SUBMISSION, dtype=np.int64)
    given = column.drop_nulls()
    if len(given) and not 0 <= int(given.min()) <= int(given.max()) < INSTANTS_END_S * MICROS:  # type: ignore[arg-type]
        message = "an instant must be in the years 1970 to 2105, NEM time"
        log.add(f"$.{SUBMITTED_COLUMN}", "time.format", message)
        return np.full(frame.height, NO_SUBMISSION, dtype=np.int64)
    return np.asarray(column.cast(pl.Int64).fill_null(NO_SUBMISSION).to_numpy(), dtype=np.int64)


def _dense(
    names: Texts,
    key: Int64s,
    start: Int64s,
    rows: tuple[Int32s, Int64s],
    log: FaultLog,
) -> EnvelopeTable:
    """Rows as a table.

    Args:
        names: NMIs in order.
        key: Per row, rank of its NMI × number of levels + level.
        start: Per row, interval start.
        rows: Limits, shape (rows, 4), and submission of each.
        log: Takes faults.
    """
    limits, submitted = rows
    first = int(start.min())
    count = (int(start.max()) - first) // INTERVAL_S + 1
    if count > MAX_HORIZON:
        log.add(
            "$",
            "horizon.length",
            f"the horizon must have at most {MAX_HORIZON} intervals, received {count}",
        )
        log.raise_if_any()
    used = np.zeros(len(names) * len(LEVELS), dtype=np.bool_)
    used[key] = True
    sites = np.flatnonzero(used)
    site, interval = (np.cumsum(used) - 1)[key], (start - first) // INTERVAL_S
    cell = site * count + interval
    latest = np.full(len(sites) * count, NO_SUBMISSION, dtype=np.int64)
    np.maximum.at(latest, cell, submitted)
    in_force = submitted == latest[cell]
    history = _older_rows(cell[~in_force], submitted[~in_force], limits[~in_force])
    if int(np.bincount(cell[in_force]).max()) > 1 or _has_duplicates(history):
        message = "a site, interval and submission occurs twice; give each one row"
        log.add("$", "row.duplicate", message)
        log.raise_if_any()
    table = np.full((len(sites), 4, count), NO_LIMIT, dtype=np.int32)
    where, amounts = (site[in_force], interval[in_force]), limits[in_force]
    for kind in range(4):
        table[where[0], kind, where[1]] = amounts[:, kind]
    return EnvelopeTable(
        nmis=names[sites // len(LEVELS)],
        levels=(sites % len(LEVELS)).astype(np.uint8),
        timings=np.full(len(sites), NO_TIMING, dtype=np.uint8),
        objectives=("",) * len(sites),
        horizon_start=first,
        limits=table,
        submitted_us=latest.reshape(len(sites), count),
        superseded=history,
    )


def _has_duplicates(history: Superseded) -> bool:
    """Whether a row occurs twice, or lacks a submission that another of its cell has."""
    cell, times = history.cell, history.submitted_us
    is_same = (cell[1:] == cell[:-1]) & (times[1:] == times[:-1])
    return bool(is_same.any() or (times == NO_SUBMISSION).any())
