"""Gate closure: the prices that re-bids of a trading day have to keep.

Guarantees: after gate closure the prices of a trading day are those in effect at gate closure.
Leaves out which Boffer counts in a period (``selection``).

Source: HLD §4.1 (gate closure), §4.3 and §4.5 (a Boffer by then), Part C §1.2 (Gate Closure for
Boffer).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Ints
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.boffers.participation import ParticipationStep
from oepnode.domain.edge.boffers.selection import ONE_DAY, Lodged, accepted_order
from oepnode.domain.edge.validation.violation import Violation
from oepnode.domain.nem.nem_time import MICROS, UtcSeconds, format_nem, period_start
from oepnode.domain.nem.quantities import PRICE, to_text

_CLOSES_BEFORE_S: Final = 15 * 3600 + 1800
"""12:30 of the day before is 15 h 30 min before 04:00."""

CAUTIONS: Final = frozenset({"gate.not_in_time"})
"""Codes of what is allowed but rarely intended; the other codes reject the Boffer."""


@dataclass(frozen=True)
class Frozen:
    """The prices that a trading day keeps from gate closure on.

    Attributes:
        prices: Cents per MWh, shape (20,).
        source: Index of the Boffer that they are from, among those given.
    """

    prices: Ints
    source: int


def gate_closure(trading_date: date) -> UtcSeconds:
    """Return when prices of a trading day freeze: 12:30 NEM time on the day before."""
    return UtcSeconds(period_start(trading_date, 1) - _CLOSES_BEFORE_S)


def is_rebid(submitted_us: int, trading_date: date) -> bool:
    """Whether a Boffer was submitted after gate closure; at 12:30:00 it is in time."""
    return submitted_us > gate_closure(trading_date) * MICROS


def frozen_prices(lodged: Sequence[Lodged], trading_date: date) -> Frozen | None:
    """Return the prices that re-bids of a trading day have to keep.

    They are those in effect at gate closure: of the latest accepted Boffer that was submitted in
    time, else of the latest of the trading day before, which rolled forward. Where there was
    neither, the first accepted Boffer of the day sets them; None if there is not even that. Boffers
    without prices, of fixed loads alone, freeze no prices.

    Raises:
        MixedOfferError: If the Boffers are not all of one unit.
    """
    accepted = [n for n in accepted_order(lodged) if lodged[n].day.has_prices]
    in_time = [n for n in accepted if not is_rebid(lodged[n].day.submitted_us, trading_date)]
    dates = {number: lodged[number].day.trading_date for number in accepted}
    at_closure = [n for n in in_time if trading_date - ONE_DAY <= dates[n] <= trading_date]
    if at_closure:
        newest = max(dates[number] for number in at_closure)
        number = [n for n in at_closure if dates[n] == newest][-1]
        return Frozen(lodged[number].day.prices, number)
    first = next((number for number in accepted if dates[number] == trading_date), None)
    return None if first is None else Frozen(lodged[first].day.prices, first)


def check_rebid(frozen: Ints, prices: Ints) -> Iterator[Violation]:
    """Yield each band whose price a re-bid changed; quantities may change.

    Only Boffers of DUIDs in steps 1 and 3 have a gate closure (HLD §4.1, Part C §3.1);
    `check_rebids` applies the rule to those only.

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


def check_in_time(before: Sequence[Lodged], day: BofferDay) -> Iterator[Violation]:
    """Yield a caution where a trading day had no Boffer by gate closure; it names the prices used.

    Every Boffer covers the day under way too, for which the gate closed the day before. So a single
    one proves nothing: an earlier one has to be known.

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
        source = "its own"
    elif before[frozen.source].day.trading_date < day.trading_date:
        source = "those that rolled forward from the day before"
    else:
        source = "those of the first Boffer after it"
    closure = format_nem(gate_closure(day.trading_date))
    message = (
        "no Boffer for this trading day was submitted by gate closure "
        f"({closure}); the prices that apply are {source}"
    )
    value = day.trading_date.isoformat()
    yield Violation("gate.not_in_time", "HLD §4.3, §4.5", message, value=value, field="tradingDate")


def check_rebids(
    days: Sequence[BofferDay], step: int | None, first_new: int = 0
) -> Iterator[tuple[int, Violation]]:
    """Check Boffers that were received one after the other against gate closure.

    Args:
        days: Boffers accepted before, then the new ones, in the order received; of any DUIDs and
            NMIs.
        step: 1, 2 or 3; None applies gate closure as in steps 1 and 3.
        first_new: How many were accepted before and are not checked.

    Yields:
        Index into ``days``, and the price that changed; or, once for a unit and trading day, that
        no Boffer came in time.
    """
    if step == ParticipationStep.SELF_DISPATCH:
        return
    earlier: dict[tuple[str, str], list[Lodged]] = defaultdict(list)
    reported: set[tuple[str, str, date]] = set()
    for number, day in enumerate(days):
        if day.kind != "DUID" or not day.has_prices:
            continue
        before = earlier[day.identity, day.level]
        if number >= first_new and is_rebid(day.submitted_us, day.trading_date):
            frozen = frozen_prices(before, day.trading_date)
            if frozen is not None:
                yield from ((number, change) for change in check_rebid(frozen.prices, day.prices))
            unit_day = (day.identity, day.level, day.trading_date)
            for late in check_in_time(before, day) if unit_day not in reported else ():
                reported.add(unit_day)
                yield number, late
        before.append(Lodged(day, number))
