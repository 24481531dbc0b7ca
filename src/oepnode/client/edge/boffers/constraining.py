"""Boffers constrained to operating envelopes, and checked against the rules again.

Guarantees: `write_constrained` writes Boffers that follow the rules, unless rejected ones are
allowed. The trimming is `domain.edge.constraining`. Source: Part C §6.1 and §6.3, HLD §4.3 to §4.5.

Example:
    >>> result = constrain_boffers(boffers, envelopes, portfolio=nmis)    # doctest: +SKIP
    >>> write_constrained("constrained.json", result)                     # doctest: +SKIP
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, structs

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.boffers.load import (
    LoadedBoffers,
    NoBofferError,
    TransactionReport,
    apply_rejection_policy,
    write_boffers,
)
from oepnode.client.edge.boffers.selection import (
    BofferChoice,
    Offerer,
    by_offerer,
    interval_end,
    offerer_of,
)
from oepnode.client.edge.envelopes import LoadedEnvelopes
from oepnode.client.files import FileName
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.boffers.validate import check_days
from oepnode.domain.edge.constraining.constrain import ConstrainedDay, constrain
from oepnode.domain.edge.constraining.trim import QUANTITIES
from oepnode.domain.edge.timeseries.energy import energy_wh
from oepnode.domain.nem.quantities import DefaultLimits
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl


class EnvelopeOrigin(Struct, frozen=True):
    """Where the envelopes are from; as in `LoadedEnvelopes`."""

    kind: str
    file: str
    text: str


class ConstrainedOffer(Offerer, frozen=True, kw_only=True):
    """One unit's Boffer for one trading date, constrained; also as in `Offerer`.

    Attributes:
        trading_date: The trading date.
        summed_nmis: Number of NMIs that the limits are summed over.
        intervals: Intervals of the Boffer.
        breaches: Those that breach a limit.
        load_cut_wh: Load beyond the limits, ≥ 0.
        generation_cut_wh: Generation beyond the limits, ≥ 0.
        defaults_used: Limits that are not published, so that the default applies.
        intervals_outside: Intervals that the envelopes do not cover.
        breaching_intervals: A row each: period, interval_end, limits and excess in watts.
        trims: A row per quantity: period, interval_end, quantity, offered_w, kept_w.
    """

    trading_date: dt.date
    summed_nmis: int
    intervals: int
    breaches: int
    load_cut_wh: int
    generation_cut_wh: int
    defaults_used: int
    intervals_outside: int
    breaching_intervals: pl.DataFrame
    trims: pl.DataFrame


class ConstrainingReport(PrivateStruct, frozen=True, kw_only=True):
    """Constrained Boffers as JSON.

    Attributes:
        transaction: The answer of the rules to the Boffers as offered.
        constrained_transaction: The answer to them as constrained, where they were checked.
        envelope: Where the envelopes are from.
        breaches: Intervals that breach a limit.
        defaults_used: Limits that are not published, so that the default applies.
        intervals_outside: Intervals that the envelopes do not cover.
        offers: Per unit and trading date.
    """

    transaction: TransactionReport
    constrained_transaction: TransactionReport | None
    envelope: EnvelopeOrigin
    breaches: int
    defaults_used: int
    intervals_outside: int
    offers: tuple[ConstrainedOffer, ...]


@dataclass(frozen=True, repr=False)
class ConstrainedBoffers:
    """Result of constraining Boffers to envelopes. Its repr shows no NMI.

    Attributes:
        boffers: As offered.
        envelopes: The envelopes that limit them.
        days: Per Boffer and trading date, as offered and as constrained.
        offers: The same as numbers and rows.
        result: The constrained Boffers with the answer of the rules, where they were checked.
    """

    boffers: LoadedBoffers
    envelopes: LoadedEnvelopes
    days: tuple[ConstrainedDay, ...]
    offers: tuple[ConstrainedOffer, ...]
    result: LoadedBoffers | None = None

    @property
    def constrained(self) -> tuple[BofferDay, ...]:
        """The Boffers within their envelopes."""
        if self.result is not None:
            return self.result.days
        return tuple(day.constrained() for day in self.days)

    @property
    def breaches(self) -> int:
        """Intervals that breach a limit as offered."""
        return sum(offer.breaches for offer in self.offers)

    @property
    def defaults_used(self) -> int:
        """Limits that are not published, so that the default applies."""
        return sum(offer.defaults_used for offer in self.offers)

    @property
    def intervals_outside(self) -> int:
        """Intervals that the envelopes do not cover."""
        return sum(offer.intervals_outside for offer in self.offers)

    @property
    def is_rejected(self) -> bool:
        """Whether the rules reject the Boffers, as offered or as constrained."""
        return self.boffers.is_rejected or (self.result is not None and self.result.is_rejected)

    def report(self) -> ConstrainingReport:
        """The result as it is encoded in JSON."""
        origin = self.envelopes
        return ConstrainingReport(
            transaction=self.boffers.report(),
            constrained_transaction=None if self.result is None else self.result.report(),
            envelope=EnvelopeOrigin(origin.kind, origin.file, origin.text),
            breaches=self.breaches,
            defaults_used=self.defaults_used,
            intervals_outside=self.intervals_outside,
            offers=self.offers,
        )


def constrain_boffers(
    boffers: LoadedBoffers,
    envelopes: LoadedEnvelopes,
    *,
    choice: BofferChoice | None = None,
    portfolio: Iterable[str] | None = None,
    default: DefaultLimits | None = None,
    is_covered_only: bool = False,
    is_post_allowed: bool = False,
) -> ConstrainedBoffers:
    """Constrain Boffers to envelopes.

    The Boffer of an NMI is constrained to that NMI's envelope, the Boffer of a DUID to the sum over
    its NMIs, each at its own level.

    Args:
        boffers: The Boffers.
        envelopes: The envelopes.
        choice: Which Boffers are meant.
        portfolio: NMIs of the DUID; needed where the envelopes are a document.
        default: Limits where none is published.
        is_covered_only: Leave intervals outside the envelopes' horizon as they are offered.
        is_post_allowed: Constrain PRE Boffers to POST envelopes as well.

    Raises:
        NoBofferError: If no Boffer is chosen.
        PortfolioUnknownError: If a DUID's NMIs are not known.
        PostEnvelopeError: If a PRE Boffer meets POST envelopes and that is not allowed.
        MissingLimitError: If limits are not published and no default is stated.
        LevelMismatchError: If the envelopes have no limits of a Boffer's level.
        ConfigError: If the portfolio is empty.
    """
    choice = choice or BofferChoice()
    nmis = None if portfolio is None else sorted(portfolio)
    if nmis == []:
        raise ConfigError("the portfolio names no NMI")
    days = [
        day for each in by_offerer(boffers, choice).values() for day in each if choice.fits(day)
    ]
    if not days:
        raise NoBofferError(f"{boffers.name} has no Boffer of trading date {choice.date}")
    constrained = constrain(
        days,
        envelopes.table,
        nmis,
        default,
        is_covered_only=is_covered_only,
        is_portfolio=envelopes.is_of_one_aggregator,
        is_post_allowed=is_post_allowed,
    )
    offers = tuple(map(_offer, constrained))
    return ConstrainedBoffers(boffers, envelopes, tuple(constrained), offers)


def write_constrained(
    path: FileName,
    result: ConstrainedBoffers,
    *,
    submitted_us: int | None = None,
    allow_rejected: bool = False,
) -> ConstrainedBoffers:
    """Check constrained Boffers against the rules, and write them by the file's suffix.

    Args:
        path: JSON, NDJSON or Parquet.
        result: The constrained Boffers.
        submitted_us: As in `check_constrained`.
        allow_rejected: Write those that the rules reject as well.

    Returns:
        The constrained Boffers with the answer of the rules.

    Raises:
        RulesRejectedError: If the rules reject them, and that is not allowed; nothing is written.
        ConfigError: If the file is of another kind or cannot be written.
    """
    checked = check_constrained(
        result, str(Path(path)), submitted_us=submitted_us, allow_rejected=allow_rejected
    )
    write_boffers(path, checked.constrained)
    return checked


def check_constrained(
    result: ConstrainedBoffers,
    name: str,
    *,
    submitted_us: int | None = None,
    allow_rejected: bool = False,
) -> ConstrainedBoffers:
    """Check constrained Boffers against the rules, before they are written.

    Args:
        result: The constrained Boffers.
        name: The file that they will be written to.
        submitted_us: When they are submitted, microseconds since the epoch; by default as before.
        allow_rejected: Accept those that the rules reject.

    Raises:
        RulesRejectedError: If the rules reject them, and that is not allowed.
    """
    days = tuple(day.constrained(submitted_us) for day in result.days)
    checked = check_days(days, message_id=Path(name).name)
    answer = apply_rejection_policy(checked, name, allow_rejected=allow_rejected)
    loaded = LoadedBoffers(name, days, answer.transaction)
    return ConstrainedBoffers(result.boffers, result.envelopes, result.days, result.offers, loaded)


def _offer(item: ConstrainedDay) -> ConstrainedOffer:
    before, day, offerer = item.result.before, item.day, offerer_of(item.day)
    return ConstrainedOffer(
        **structs.asdict(offerer),
        trading_date=day.trading_date,
        summed_nmis=item.sites,
        intervals=len(day.periods),
        breaches=before.count,
        load_cut_wh=energy_wh(before.over_import),
        generation_cut_wh=energy_wh(before.over_export),
        defaults_used=item.defaults,
        intervals_outside=item.outside,
        breaching_intervals=_breach_rows(item),
        trims=_trim_rows(item),
    )


def _breach_rows(item: ConstrainedDay) -> pl.DataFrame:
    import polars as pl

    before, rows = item.result.before, np.flatnonzero(item.result.before.is_breach)
    return _periods(item, rows).with_columns(
        pl.Series("export_limit_w", item.exports[rows]),
        pl.Series("import_limit_w", item.imports[rows]),
        pl.Series("over_export_w", before.over_export[rows]),
        pl.Series("over_import_w", before.over_import[rows]),
    )


def _trim_rows(item: ConstrainedDay) -> pl.DataFrame:
    import polars as pl

    row, quantity, offered, kept = item.result.changes.T
    return _periods(item, row).with_columns(
        pl.Series(QUANTITIES).gather(quantity).alias("quantity"),
        pl.Series("offered_w", offered),
        pl.Series("kept_w", kept),
    )


def _periods(
    item: ConstrainedDay, rows: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> pl.DataFrame:
    import polars as pl

    periods = np.asarray(item.day.periods, dtype=np.int64)[rows]
    ends = [interval_end(item.day.trading_date, period) for period in periods.tolist()]
    return pl.DataFrame({"period": periods, "interval_end": pl.Series(ends, dtype=pl.String)})
