"""The Boffer in effect: which of those received counts in each period of a trading day.

Guarantees: the latest acknowledged Boffer that covers a period counts; where there is none, that of
the previous trading day rolls forward, and no older one; a rejected Boffer counts nowhere, nor do
its fixed loads.

Source: HLD §4.1, §4.4 and §4.5 (roll-forward), §4.6 (12: a fixed load counts once its Boffer was
accepted), §4.7 (Boffer processing). HLD §4.7 orders Boffers by acknowledgement, Part C §3.3 field 6
by the timestamp that the aggregator wrote; the former decides here, and the latter among equals.
† "The previous day's Boffer rolls forward" (§4.4, §4.5) names one day, while its "always has some
information" would take any number of them: one day it is, and `expired_roll_forward` reports what
is older.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Int64s
from oepnode.domain.edge.boffers.bands import BANDS
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.nem.nem_time import PERIODS_PER_DAY
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import EvidenceError

NOT_OFFERED: Final = -1
"""`EffectiveDay.source` of a period that no Boffer covers."""

ONE_DAY: Final = timedelta(days=1)
"""How far a Boffer rolls forward."""


class MixedOfferError(EvidenceError):
    """Boffers of several DUIDs or NMIs, or of both levels, where one is expected."""


@dataclass(frozen=True)
class Lodged:
    """A day of a Boffer as it was received.

    Attributes:
        day: Its columns.
        acknowledged_us: When it was acknowledged as accepted, microseconds since the epoch; None
            where it was rejected.
    """

    day: BofferDay
    acknowledged_us: int | None


@dataclass(frozen=True)
class EffectiveDay:
    """The offer in effect on a trading day; row i is period i + 1.

    Attributes:
        trading_date: The day.
        prices: int64 cents, shape (288, 20).
        has_prices: Whether the Boffer has prices, shape (288,).
        avail: int64 watts, shape (288, 20).
        max_avail_load: int64 watts, shape (288,), `NO_LIMIT` where absent.
        max_avail_gen: Likewise.
        fixed_load: Likewise.
        source: Index of the Boffer among those given, or `NOT_OFFERED`; shape (288,).
        days_back: How many days it rolled forward, 0 or 1; shape (288,).
    """

    trading_date: date
    prices: Int64s
    has_prices: Bools
    avail: Int64s
    max_avail_load: Int64s
    max_avail_gen: Int64s
    fixed_load: Int64s
    source: Int64s
    days_back: Int64s


@dataclass(frozen=True)
class ExpiredRollForward:
    """Periods without a Boffer that only one too old to roll forward covers.

    Attributes:
        trading_date: The day that was requested.
        missing: The day before it, whose Boffer would have rolled forward.
        newest: Trading day of the newest Boffer that is too old.
        periods: How many periods of the day the older Boffers cover.
    """

    trading_date: date
    missing: date
    newest: date
    periods: int


def effective_day(
    lodged: Sequence[Lodged], trading_date: date, at_us: int | None = None
) -> EffectiveDay | None:
    """Return the offer in effect on a trading day; None where no Boffer covers any period.

    Boffers need not repeat periods that have passed (HLD §4.1), so each period takes the latest
    Boffer that covers it.

    Args:
        lodged: Boffers of one DUID or NMI, of any trading days, in the order received.
        trading_date: The day.
        at_us: Leave out what was acknowledged after this instant.

    Raises:
        MixedOfferError: If the Boffers are not all of one unit.
    """
    offer = _gather(lodged, accepted_order(lodged, at_us), trading_date)
    return offer.result() if (offer.source != NOT_OFFERED).any() else None


def expired_roll_forward(
    lodged: Sequence[Lodged], trading_date: date, at_us: int | None = None
) -> ExpiredRollForward | None:
    """Return the empty periods that Boffers from before the previous trading day would cover.

    Args:
        lodged: As for `effective_day`.
        trading_date: The day.
        at_us: Leave out what was acknowledged after this instant.

    Returns:
        None where no period is without a Boffer for that reason.

    Raises:
        MixedOfferError: If the Boffers are not all of one unit.
    """
    accepted = accepted_order(lodged, at_us)
    is_empty = _gather(lodged, accepted, trading_date).source == NOT_OFFERED
    missing = trading_date - ONE_DAY
    old = [day for day in (lodged[n].day for n in accepted) if day.trading_date < missing]
    covered = np.zeros(PERIODS_PER_DAY, dtype=np.bool_)
    for day in old:
        covered[np.asarray(day.periods, dtype=np.intp) - 1] = True
    count = int((covered & is_empty).sum())
    if not count:
        return None
    return ExpiredRollForward(trading_date, missing, max(day.trading_date for day in old), count)


def accepted_order(lodged: Sequence[Lodged], at_us: int | None = None) -> list[int]:
    """Return the indices of accepted Boffers, earliest acknowledgement first.

    Args:
        lodged: Boffers of one DUID or NMI.
        at_us: Leave out what was acknowledged after this instant.

    Raises:
        MixedOfferError: If the Boffers are not all of one unit.
    """
    units = {(item.day.kind, item.day.identity, item.day.level) for item in lodged}
    if len(units) > 1:
        raise MixedOfferError(
            f"the Boffers are of {len(units)} units; they must be of one DUID or NMI, and of one "
            "summation level"
        )
    times = {
        number: (item.acknowledged_us, item.day.submitted_us, number)
        for number, item in enumerate(lodged)
        if item.acknowledged_us is not None
    }
    kept = [n for n, (when, _, _) in times.items() if at_us is None or when <= at_us]
    return sorted(kept, key=times.__getitem__)


def _gather(lodged: Sequence[Lodged], accepted: Sequence[int], trading_date: date) -> _Offer:
    offer = _Offer(trading_date)
    for number in _latest_first(lodged, accepted, trading_date):
        offer.fill(lodged[number].day, number)
        if offer.is_full:
            break
    return offer


def _latest_first(
    lodged: Sequence[Lodged], accepted: Sequence[int], trading_date: date
) -> Iterator[int]:
    """Boffers of the day, the latest first; then those of the day before."""
    for day in (trading_date, trading_date - ONE_DAY):
        for number in reversed(accepted):
            if lodged[number].day.trading_date == day:
                yield number


class _Offer:
    """The rows of an effective day, each filled once."""

    def __init__(self, trading_date: date) -> None:
        self._date = trading_date
        self._prices = np.zeros((PERIODS_PER_DAY, BANDS), dtype=np.int64)
        self._has_prices = np.zeros(PERIODS_PER_DAY, dtype=np.bool_)
        self._avail = np.zeros((PERIODS_PER_DAY, BANDS), dtype=np.int64)
        self._single = np.full((3, PERIODS_PER_DAY), NO_LIMIT, dtype=np.int64)
        self._days_back = np.zeros(PERIODS_PER_DAY, dtype=np.int64)
        self.source = np.full(PERIODS_PER_DAY, NOT_OFFERED, dtype=np.int64)

    @property
    def is_full(self) -> bool:
        return bool((self.source != NOT_OFFERED).all())

    def fill(self, day: BofferDay, number: int) -> None:
        """Fill in the periods that are still empty and that the Boffer covers."""
        row = np.asarray(day.periods, dtype=np.intp) - 1
        is_new = self.source[row] == NOT_OFFERED
        new = row[is_new]
        self._prices[new] = day.prices
        self._has_prices[new] = day.has_prices
        self._avail[new] = day.avail[is_new]
        for index, values in enumerate((day.max_avail_load, day.max_avail_gen, day.fixed_load)):
            self._single[index, new] = values[is_new]
        self._days_back[new] = (self._date - day.trading_date) // ONE_DAY
        self.source[new] = number

    def result(self) -> EffectiveDay:
        load, generation, fixed = self._single
        return EffectiveDay(
            self._date,
            self._prices,
            self._has_prices,
            self._avail,
            load,
            generation,
            fixed,
            self.source,
            self._days_back,
        )
