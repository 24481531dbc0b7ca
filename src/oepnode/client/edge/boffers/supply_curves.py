"""The supply curve of one period of a Boffer: the quantity it delivers at every price.

Source: HLD §4.6, Appendix D.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct, structs

from oepnode.client.edge.boffers.load import LoadedBoffers, TransactionReport
from oepnode.client.edge.boffers.selection import (
    BofferChoice,
    EffectiveOffer,
    Offerer,
    interval_end,
    offered_rows,
    rolled_from,
    single_offer,
)
from oepnode.client.values import integer_price
from oepnode.domain.edge.boffers.bands import accumulate
from oepnode.domain.edge.boffers.selection import EffectiveDay
from oepnode.domain.edge.clearing import supply_curve as curves
from oepnode.domain.edge.clearing.supply_curve import PriceStep
from oepnode.domain.nem.quantities import NO_LIMIT, PRICE


class StepReport(Struct, frozen=True):
    """A range of prices at which one quantity clears; None is no end."""

    low_cents: int | None
    is_low_included: bool
    high_cents: int | None
    is_high_included: bool
    cleared_w: int


class ClearedAt(Struct, frozen=True):
    """The quantity that clears at one price."""

    price_cents: int
    cleared_w: int


class CurveReport(Offerer, frozen=True, kw_only=True):
    """A supply curve as JSON; also as in `Offerer`.

    Attributes:
        transaction: The answer of the rules.
        trading_date: The trading date.
        period: The period id.
        interval_end: Its end, NEM time.
        offered_for: The trading date that the Boffer was made for.
        rolled_forward_days: How many days it rolled forward.
        prices_cents: Per band, cents per MWh; None where the Boffer has no prices.
        band_avail_w: Quantity on offer per band.
        accumulated_w: The same, summed outwards from the break.
        max_avail_load_w: maxAvailLoad, or None.
        max_avail_gen_w: maxAvailGen, or None.
        fixed_load_w: Fixed load, or None.
        steps: The curve, lowest price first.
        cleared: Quantities that clear at the requested prices.
    """

    transaction: TransactionReport
    trading_date: dt.date
    period: int
    interval_end: str
    offered_for: dt.date
    rolled_forward_days: int
    prices_cents: tuple[int, ...] | None
    band_avail_w: tuple[int, ...]
    accumulated_w: tuple[int, ...]
    max_avail_load_w: int | None
    max_avail_gen_w: int | None
    fixed_load_w: int | None
    steps: tuple[StepReport, ...]
    cleared: tuple[ClearedAt, ...]


@dataclass(frozen=True, repr=False)
class SupplyCurve:
    """The supply curve of one period. Its repr shows no NMI.

    Attributes:
        boffers: The Boffers that it is from.
        offer: The offer in effect on the trading date.
        row: Row of the period.
        steps: The curve, lowest price first.
        prices: Requested prices in cents.
        notes: Sentences on anything unusual.
    """

    boffers: LoadedBoffers
    offer: EffectiveOffer
    row: int
    steps: tuple[PriceStep, ...]
    prices: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def report(self) -> CurveReport:
        """The curve as it is encoded in JSON."""
        day, row = self.offer.day, self.row
        prices, avail = day.prices[row], day.avail[row]
        return CurveReport(
            transaction=self.boffers.report(),
            **structs.asdict(self.offer.offerer),
            trading_date=day.trading_date,
            period=row + 1,
            interval_end=interval_end(day.trading_date, row + 1),
            offered_for=rolled_from(day, row) or day.trading_date,
            rolled_forward_days=int(day.days_back[row]),
            prices_cents=tuple(prices.tolist()) if day.has_prices[row] else None,
            band_avail_w=tuple(avail.tolist()),
            accumulated_w=tuple(accumulate(avail).tolist()),
            max_avail_load_w=_given(int(day.max_avail_load[row])),
            max_avail_gen_w=_given(int(day.max_avail_gen[row])),
            fixed_load_w=_given(int(day.fixed_load[row])),
            steps=tuple(map(_step, self.steps)),
            cleared=tuple(
                ClearedAt(cents, curves.quantity_at(self.steps, cents)) for cents in self.prices
            ),
        )


def supply_curve(
    boffers: LoadedBoffers,
    period: int = 1,
    *,
    choice: BofferChoice | None = None,
    prices: Sequence[int] = (),
) -> SupplyCurve:
    """The supply curve of one period.

    Args:
        boffers: The Boffers.
        period: The period id, 1 to 288; 1 ends 04:05.
        choice: Which Boffer is meant.
        prices: Prices in cents per MWh to report the quantity of.

    Raises:
        NoBofferError: If no Boffer is chosen.
        SeveralBoffersError: If several are.
        ConfigError: If none covers the period, or a price is not an integer in range.
    """
    cents = tuple(integer_price(price, PRICE) for price in prices)
    offer, notes = single_offer(boffers, choice or BofferChoice())
    row = int(offered_rows(offer.day, period)[0])
    steps = _steps_of(offer.day, row)
    return SupplyCurve(boffers, offer, row, steps, cents, notes)


def _steps_of(day: EffectiveDay, row: int) -> tuple[PriceStep, ...]:
    """The supply curve of a row of an effective day."""
    return curves.supply_curve(
        day.prices[row],
        day.avail[row],
        int(day.max_avail_load[row]),
        int(day.max_avail_gen[row]),
        int(day.fixed_load[row]),
    )


def _step(step: PriceStep) -> StepReport:
    return StepReport(step.low, step.is_low_included, step.high, step.is_high_included, step.watts)


def _given(watts: int) -> int | None:
    return None if watts == NO_LIMIT else watts
