"""Gate closure, and which Boffer counts.

Guarantees: in each period the latest acknowledged Boffer that covers it counts; where there is none
that of the previous trading day rolls forward, and none from further back; one that was rejected
counts nowhere, nor do its fixed loads. After gate closure the prices of a trading day are those in
effect at gate closure.

Source: HLD §4.1 (gate closure), §4.3 and §4.5 (a Boffer by then), §4.4 and §4.5 (roll-forward),
§4.6 (12: a fixed load takes notice that its Boffer was accepted), §4.7 (Boffer processing),
Part C §1.2 (Gate Closure for Boffer). HLD §4.7 orders Boffers by acknowledgement, Part C §3.3 field
6 by the timestamp that the aggregator wrote; the former decides here, and the latter among equals.
† "The previous day's Boffer rolls forward" (§4.4, §4.5) names one day, and its "always has some
information" would be any number of them: one day it is, and what is older is told by `lapsed`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from oepnode.domain.edge.boffers.participation import ParticipationStep
from oepnode.domain.edge.boffers.rules import OfferDay
from oepnode.domain.edge.clearing.clear import BANDS, Ints
from oepnode.domain.edge.schema.units import PRICE, to_text
from oepnode.domain.edge.validation.violation import Violation
from oepnode.domain.nem.nem_time import PERIODS_PER_DAY, UtcSeconds, format_nem, period_start
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import EvidenceError

_CLOSES_BEFORE_S: Final = 15 * 3600 + 1800
"""12:30 of the day before is 15 h 30 min before 04:00."""

_MICROS: Final = 1_000_000
CAUTIONS: Final = frozenset({"gate.not_in_time"})
"""Codes of what is allowed but seldom meant; the others speak against a Boffer."""

NOT_OFFERED: Final = -1
"""Stands in `EffectiveDay.source` where no Boffer covers a period."""

_ONE_DAY: Final = timedelta(days=1)
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

    day: OfferDay
    acknowledged_us: int | None


@dataclass(frozen=True)
class EffectiveDay:
    """What counts on a trading day; row i speaks of period i + 1.

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
    prices: npt.NDArray[np.int64]
    has_prices: npt.NDArray[np.bool_]
    avail: npt.NDArray[np.int64]
    max_avail_load: npt.NDArray[np.int64]
    max_avail_gen: npt.NDArray[np.int64]
    fixed_load: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]
    days_back: npt.NDArray[np.int64]


@dataclass(frozen=True)
class ExpiredRollForward:
    """Periods without a Boffer that an older one covers, which does not roll forward that far.

    Attributes:
        trading_date: The day asked for.
        missing: The day before it, whose Boffer would have rolled forward.
        newest: Trading day of the newest Boffer that is too old.
        periods: How many periods of the day the older Boffers cover.
    """

    trading_date: date
    missing: date
    newest: date
    periods: int


@dataclass(frozen=True)
class Frozen:
    """The prices that a trading day keeps from gate closure on.

    Attributes:
        prices: Cents per MWh, shape (20,).
        source: Index of the Boffer that they are from, among those given.
    """

    prices: Ints
    source: int


# --- gate closure --------------------------------------------------------------------------------


def gate_closure(trading_date: date) -> UtcSeconds:
    """When prices of a trading day freeze: 12:30 NEM time on the day before."""
    return UtcSeconds(period_start(trading_date, 1) - _CLOSES_BEFORE_S)


def is_rebid(submitted_us: int, trading_date: date) -> bool:
    """Whether a Boffer was submitted after gate closure; at 12:30:00 it is in time."""
    return submitted_us > gate_closure(trading_date) * _MICROS


def frozen_prices(lodged: Sequence[Lodged], trading_date: date) -> Frozen | None:
    """The prices that re-bids of a trading day have to keep.

    They are those in effect at gate closure: of the latest accepted Boffer that was submitted in
    time, else of the latest of the trading day before, which rolled forward. Where there was none,
    the first accepted Boffer of the day sets them; None if there is not even that. Boffers without
    prices, of fixed loads alone, freeze none.

    Raises:
        MixedOfferError: If the Boffers are not all of one unit.
    """
    accepted = [n for n in _accepted(lodged, None) if lodged[n].day.has_prices]
    in_time = [
        number for number in accepted if not is_rebid(lodged[number].day.submitted_us, trading_date)
    ]
    dates = {number: lodged[number].day.trading_date for number in accepted}
    at_closure = [n for n in in_time if trading_date - _ONE_DAY <= dates[n] <= trading_date]
    if at_closure:
        newest = max(dates[number] for number in at_closure)
        number = [n for n in at_closure if dates[n] == newest][-1]
        return Frozen(lodged[number].day.prices, number)
    first = next((number for number in accepted if dates[number] == trading_date), None)
    return None if first is None else Frozen(lodged[first].day.prices, first)


def check_rebid(frozen: Ints, prices: Ints) -> Iterator[Violation]:
    """A re-bid keeps the prices in effect at gate closure, and may change quantities.

    Holds for Boffers of DUIDs in steps 1 and 3. Step 2 and NMI Boffers have no gate closure (HLD
    §4.1, Part C §3.1): `check_rebids` knows, here the caller does.

    Args:
        frozen: Prices in effect at gate closure, shape (20,).
        prices: Prices of the re-bid, shape (20,).
    """
    for band in np.flatnonzero(np.asarray(frozen) != np.asarray(prices)).tolist():
        yield Violation(
            "gate.price_changed",
            "Part C §1.2 Gate Closure, HLD §4.1",
            f"after gate closure (12:30 NEM time on the day before) the price of band {band + 1} "
            f"stays at {to_text(int(frozen[band]), PRICE)} $/MWh; quantities may change",
            band=band + 1,
            value=to_text(int(prices[band]), PRICE),
            field="prices",
        )


def check_in_time(before: Sequence[Lodged], day: OfferDay) -> Iterator[Violation]:
    """A trading day has a Boffer by gate closure; if not, a caution says whose prices hold.

    Every Boffer speaks of the day under way too, whose gate closed the day before. So one alone
    tells nothing: it takes an earlier one that is known.

    Args:
        before: Boffers of the unit that were received before.
        day: One that was submitted after gate closure.
    """
    is_first_known = all(item.day.submitted_us >= day.submitted_us for item in before)
    of_day = [item.day for item in before if item.day.trading_date == day.trading_date]
    if is_first_known or not all(is_rebid(d.submitted_us, d.trading_date) for d in of_day):
        return
    frozen = frozen_prices(before, day.trading_date)
    if frozen is None:
        holding = "its own"
    elif before[frozen.source].day.trading_date < day.trading_date:
        holding = "those that rolled forward from the day before"
    else:
        holding = "those of the first one after it"
    closure = format_nem(gate_closure(day.trading_date))
    message = (
        "none of the Boffers given for this trading day was submitted by gate closure "
        f"({closure}); the prices that hold are {holding}"
    )
    shown = day.trading_date.isoformat()
    yield Violation("gate.not_in_time", "HLD §4.3, §4.5", message, value=shown, field="tradingDate")


def check_rebids(
    days: Sequence[OfferDay], step: int | None, judged_from: int = 0
) -> Iterator[tuple[int, Violation]]:
    """Hold Boffers that were received one after the other to gate closure.

    Args:
        days: Accepted Boffers first, then those to be judged, in the order received; of any DUIDs
            and NMIs.
        step: 1, 2 or 3; None holds them to gate closure as steps 1 and 3 do.
        judged_from: How many were accepted before and are not judged.

    Yields:
        Index into ``days``, and the price that changed; or, once for a unit and trading day, that
        none came in time.
    """
    if step == ParticipationStep.SELF_DISPATCH:
        return
    earlier: dict[tuple[str, str], list[Lodged]] = defaultdict(list)
    told: set[tuple[str, str, date]] = set()
    for number, day in enumerate(days):
        if day.kind != "DUID" or not day.has_prices:
            continue
        before = earlier[day.identity, day.level]
        if number >= judged_from and is_rebid(day.submitted_us, day.trading_date):
            frozen = frozen_prices(before, day.trading_date)
            if frozen is not None:
                yield from ((number, broken) for broken in check_rebid(frozen.prices, day.prices))
            found = () if _unit_day(day) in told else tuple(check_in_time(before, day))
            told |= {_unit_day(day) for _ in found}
            yield from ((number, broken) for broken in found)
        before.append(Lodged(day, number))


def _unit_day(day: OfferDay) -> tuple[str, str, date]:
    return day.identity, day.level, day.trading_date


# --- which Boffer counts -------------------------------------------------------------------------


def effective_day(
    lodged: Sequence[Lodged], trading_date: date, at_us: int | None = None
) -> EffectiveDay | None:
    """What counts on a trading day.

    Boffers need not repeat periods that have passed (HLD §4.1), so each period takes the latest
    Boffer that covers it.

    Args:
        lodged: Boffers of one DUID or NMI, of any trading days, in the order received.
        trading_date: The day asked for.
        at_us: Leave out what was acknowledged after this instant.

    Returns:
        None where no Boffer covers any period, not even one of the day before.

    Raises:
        MixedOfferError: If the Boffers are not all of one unit.
    """
    found = _gather(lodged, _accepted(lodged, at_us), trading_date)
    return found.result() if (found.source != NOT_OFFERED).any() else None


def lapsed(
    lodged: Sequence[Lodged], trading_date: date, at_us: int | None = None
) -> ExpiredRollForward | None:
    """What Boffers from before the previous trading day would have covered.

    Args:
        lodged: As for `effective_day`.
        trading_date: The day asked for.
        at_us: Leave out what was acknowledged after this instant.

    Returns:
        None where no period is without a Boffer for that reason.

    Raises:
        MixedOfferError: If the Boffers are not all of one unit.
    """
    accepted = _accepted(lodged, at_us)
    is_empty = _gather(lodged, accepted, trading_date).source == NOT_OFFERED
    missing = trading_date - _ONE_DAY
    old = [day for day in (lodged[n].day for n in accepted) if day.trading_date < missing]
    covered = np.zeros(PERIODS_PER_DAY, dtype=np.bool_)
    for day in old:
        covered[np.asarray(day.periods, dtype=np.intp) - 1] = True
    count = int((covered & is_empty).sum())
    if not count:
        return None
    return ExpiredRollForward(trading_date, missing, max(day.trading_date for day in old), count)


def _gather(lodged: Sequence[Lodged], accepted: Sequence[int], trading_date: date) -> _Gathered:
    found = _Gathered(trading_date)
    for number in _latest_first(lodged, accepted, trading_date):
        found.take(lodged[number].day, number)
        if found.is_full:
            break
    return found


def _accepted(lodged: Sequence[Lodged], at_us: int | None) -> list[int]:
    """Indices of accepted Boffers, earliest acknowledgement first."""
    units = {(item.day.kind, item.day.identity, item.day.level) for item in lodged}
    if len(units) > 1:
        raise MixedOfferError(
            f"Boffers of {len(units)} units are mixed; one DUID or NMI and one summation level is "
            "expected"
        )
    times = {
        number: (item.acknowledged_us, item.day.submitted_us, number)
        for number, item in enumerate(lodged)
        if item.acknowledged_us is not None
    }
    kept = [n for n, (when, _, _) in times.items() if at_us is None or when <= at_us]
    return sorted(kept, key=times.__getitem__)


def _latest_first(
    lodged: Sequence[Lodged], accepted: Sequence[int], trading_date: date
) -> Iterator[int]:
    """Boffers of the day, the latest first; then those of the day before."""
    for day in (trading_date, trading_date - _ONE_DAY):
        for number in reversed(accepted):
            if lodged[number].day.trading_date == day:
                yield number


class _Gathered:
    """The rows of an effective day, filled once each."""

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

    def take(self, day: OfferDay, number: int) -> None:
        """Fill in the periods that are still empty and that the Boffer covers."""
        row = np.asarray(day.periods, dtype=np.intp) - 1
        is_new = self.source[row] == NOT_OFFERED
        new = row[is_new]
        self._prices[new] = day.prices
        self._has_prices[new] = day.has_prices
        self._avail[new] = day.avail[is_new]
        for place, values in enumerate((day.max_avail_load, day.max_avail_gen, day.fixed_load)):
            self._single[place, new] = values[is_new]
        self._days_back[new] = (self._date - day.trading_date) // _ONE_DAY
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
