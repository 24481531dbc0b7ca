"""Boffers cleared at a price: load and generation of every interval.

Source: HLD §4.3 to §4.6.

Example:
    >>> cleared = clear_boffers(load_boffers("boffer.json"), load_prices("rrp.csv"))
    ... # doctest: +SKIP
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec import structs

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.boffers.load import LoadedBoffers, TransactionReport
from oepnode.client.edge.boffers.selection import (
    BofferChoice,
    EffectiveOffer,
    Offerer,
    effective_offers,
    interval_end,
    offered_rows,
    rolled_from,
)
from oepnode.client.values import integer_price
from oepnode.domain.documents.arrays import Indices, Int64s
from oepnode.domain.edge.boffers.selection import EffectiveDay
from oepnode.domain.edge.clearing.clear import MARKET_PRICE, PER_CENT, Cleared, clear
from oepnode.domain.edge.timeseries.energy import energy_wh
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

SOURCES: Final = ("bands", "fixed_load", "nothing")
"""Sources of the watts of a period; a Boffer without prices may offer nothing."""


class ClearedOffer(Offerer, frozen=True, kw_only=True):
    """Quantities that one unit's Boffer delivers on one trading date; also as in `Offerer`.

    Attributes:
        trading_date: The trading date.
        rolled_forward_from: The day whose Boffer rolled forward, if one did.
        load_wh: Energy of the load, ≤ 0.
        generation_wh: Energy of the generation.
        periods: A row per period: period, interval_end, offered_for, price_millicents, cleared_w,
            cleared_by (one of `SOURCES`), is_limited_by_max_avail, rolled_forward_days.
    """

    trading_date: dt.date
    rolled_forward_from: dt.date | None
    load_wh: int
    generation_wh: int
    periods: pl.DataFrame


class ClearingReport(PrivateStruct, frozen=True):
    """Cleared Boffers as JSON; attributes as in `ClearedBoffers`."""

    transaction: TransactionReport
    offers: tuple[ClearedOffer, ...]


@dataclass(frozen=True, repr=False)
class ClearedBoffers:
    """Quantities that Boffers deliver at a price. Its repr shows no NMI.

    Attributes:
        boffers: The Boffers.
        offers: Per unit and trading date.
        notes: Sentences on anything unusual.
    """

    boffers: LoadedBoffers
    offers: tuple[ClearedOffer, ...]
    notes: tuple[str, ...] = ()

    def report(self) -> ClearingReport:
        """The result as it is encoded in JSON."""
        return ClearingReport(self.boffers.report(), self.offers)

    def frame(self) -> pl.DataFrame:
        """A row for each unit and interval, which `forecasts.load_cleared` reads from a file."""
        import polars as pl

        names = ("unit", "level", "timing")
        return pl.concat(
            offer.periods.select(
                *(
                    pl.lit(value).alias(name)
                    for name, value in zip(
                        names, (offer.identity, offer.level, offer.timing), strict=True
                    )
                ),
                pl.all(),
            )
            for offer in self.offers
        )


def clear_boffers(
    boffers: LoadedBoffers,
    price: int | Mapping[str, int],
    *,
    choice: BofferChoice | None = None,
    period: int | None = None,
) -> ClearedBoffers:
    """Clear Boffers at a price.

    Of several Boffers for one trading day the last one counts. A fixed load goes before the bands,
    and nothing clears beyond maxAvailLoad and maxAvailGen.

    Args:
        boffers: The Boffers.
        price: One price in 10⁻⁵ $/MWh, or one per interval end as from `load_prices`.
        choice: Which Boffers are meant.
        period: Only this period id.

    Raises:
        NoBofferError: If no Boffer is chosen.
        ConfigError: If no Boffer covers the period, intervals have no price, or a price is not an
            integer in range.
    """
    prices = _integer_prices(price)
    offers, notes = effective_offers(boffers, choice or BofferChoice())
    cleared = tuple(_clear(offer, prices, period) for offer in offers)
    return ClearedBoffers(boffers, cleared, notes)


def _clear(
    offer: EffectiveOffer, price: int | Mapping[str, int], period: int | None
) -> ClearedOffer:
    day, offerer = offer.day, offer.offerer
    rows = offered_rows(day, period)
    ends = [interval_end(day.trading_date, row + 1) for row in rows.tolist()]
    prices = _prices(ends, price)
    cleared = clear(
        day.prices[rows],
        day.avail[rows],
        prices,
        day.max_avail_load[rows],
        day.max_avail_gen[rows],
        day.fixed_load[rows],
        per_cent=PER_CENT,
    )
    return ClearedOffer(
        **structs.asdict(offerer),
        trading_date=day.trading_date,
        rolled_forward_from=rolled_from(day),
        load_wh=energy_wh(np.minimum(cleared.watts, 0)),
        generation_wh=energy_wh(np.maximum(cleared.watts, 0)),
        periods=_period_rows(day, rows, ends, prices, cleared),
    )


def _integer_prices(price: int | Mapping[str, int]) -> int | dict[str, int]:
    if not isinstance(price, Mapping):
        return integer_price(price, MARKET_PRICE)
    return {end: integer_price(each, MARKET_PRICE) for end, each in price.items()}


def _prices(ends: list[str], price: int | Mapping[str, int]) -> Int64s:
    if isinstance(price, int):
        return np.full(len(ends), price, dtype=np.int64)
    missing = sum(end not in price for end in ends)
    if missing:
        raise ConfigError(f"the prices have no price for {missing} of {len(ends)} intervals")
    return np.array([price[end] for end in ends], dtype=np.int64)


def _period_rows(
    day: EffectiveDay,
    rows: Indices,
    ends: list[str],
    prices: Int64s,
    cleared: Cleared,
) -> pl.DataFrame:
    import polars as pl

    offered_for = [(rolled_from(day, row) or day.trading_date).isoformat() for row in rows.tolist()]
    source = np.where(cleared.is_fixed, 1, np.where(day.has_prices[rows], 0, 2))
    return pl.DataFrame(
        {
            "period": (rows + 1).astype(np.int64),
            "interval_end": ends,
            "offered_for": offered_for,
            "price_millicents": prices,
            "cleared_w": cleared.watts,
            "cleared_by": pl.Series(SOURCES).gather(source),
            "is_limited_by_max_avail": cleared.is_bounded,
            "rolled_forward_days": day.days_back[rows],
        }
    )
