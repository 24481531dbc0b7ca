"""The rules that a Boffer has to follow, one function each.

Guarantees: every breach of every rule is found, with its place and the section of its source; a
rule speaks of its own matter only, so one mistake may break several. What the sources allow but
seldom mean has a code in `CAUTIONS`.

Leaves out: the form of a document and the rules on single fields, which its reader knows
(``boffer_check``), and prices that change after gate closure (``gate``).

Source: HLD §4.1, §4.2.4, §4.2.5, §4.3 to §4.5, §4.6, §4.7; Part C §3.1, §3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from oepnode.domain.edge.boffers.participation import ParticipationStep
from oepnode.domain.edge.clearing.clear import BANDS, GENERATION, LOAD, dispatchable, present
from oepnode.domain.edge.schema.units import KW, PRICE, to_text
from oepnode.domain.edge.validation.violation import Violation
from oepnode.domain.nem.nem_time import INTERVAL_S, period_start
from oepnode.domain.nem.quantities import NO_LIMIT

HORIZON: Final = 576
"""Dispatch intervals that a submission covers: 48 hours."""

_BREAK: Final = 10


class OfferDay(Protocol):
    """What the rules need of one trading day of a Boffer; the columns of ``boffer.BofferDay``."""

    @property
    def identity(self) -> str:
        """NMI or DUID."""

    @property
    def kind(self) -> str:
        """``NMI`` or ``DUID``: whose Boffer it is."""

    @property
    def level(self) -> str:
        """``NMI`` or ``Flex``: where its quantity is measured."""

    @property
    def trading_date(self) -> date:
        """The trading day."""

    @property
    def prices(self) -> npt.NDArray[Any]:
        """Cents per MWh, shape (20,)."""

    @property
    def has_prices(self) -> bool:
        """Whether there are prices to go by; a Boffer of fixed loads alone may have none."""

    @property
    def periods(self) -> npt.NDArray[Any]:
        """Period ids, shape (n,)."""

    @property
    def avail(self) -> npt.NDArray[Any]:
        """Watts of each band, shape (n, 20)."""

    @property
    def max_avail_load(self) -> npt.NDArray[Any]:
        """Watts, shape (n,), `NO_LIMIT` where absent."""

    @property
    def max_avail_gen(self) -> npt.NDArray[Any]:
        """Watts, shape (n,), `NO_LIMIT` where absent."""

    @property
    def fixed_load(self) -> npt.NDArray[Any]:
        """Watts, shape (n,), `NO_LIMIT` where absent."""

    @property
    def submitted_us(self) -> int:
        """Microseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Market:
    """Price floor and ceiling of the market, cents per MWh. The ceiling changes every July."""

    floor: int
    ceiling: int


EDGE_MARKET: Final = Market(-100_000, 1_510_000)
"""The floor and ceiling in the examples of HLD Appendices D to G: -$1,000 and $15,100."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most that a portfolio or site can do: load in watts ≤ 0, generation in watts ≥ 0."""

    load_w: int
    gen_w: int


# --- all of them ---------------------------------------------------------------------------------


def check_day(
    day: OfferDay,
    step: int | None = None,
    market: Market | None = None,
    capacity: Capacity | None = None,
) -> Iterator[Violation]:
    """Hold one trading day of a Boffer to all rules.

    Args:
        day: Its columns.
        step: 1, 2 or 3 to hold it to the rules of a step as well.
        market: Floor and ceiling to hold the prices to.
        capacity: To hold the quantities to.

    Yields:
        Each breach; `Violation.row` is an index into the day's periods.
    """
    for rule in RULES:
        if day.has_prices or rule not in PRICE_RULES:
            yield from rule(day)
    if step is not None:
        yield from STEP_RULES[ParticipationStep(step)](day)
    if market is not None and day.has_prices:
        yield from check_market_range(day, market)
        yield from check_market_ends(day, market)
    if capacity is not None:
        yield from check_capacity(day, capacity)


# --- HLD §4.6, in its order ----------------------------------------------------------------------


def check_band_count(day: OfferDay) -> Iterator[Violation]:
    """20 prices and 20 quantities a period."""
    for name, count in (("prices", len(day.prices)), ("energyPeriods", day.avail.shape[-1])):
        if count != BANDS:
            message = f"a Boffer has {BANDS} bands, 10 each way"
            yield Violation(
                "boffer.bands", "HLD §4.6 (2)", message, value=f"{count} bands", field=name
            )


def check_prices_rise(day: OfferDay) -> Iterator[Violation]:
    """Prices do not fall within bands 1 to 10, nor within bands 11 to 20."""
    for band in range(1, len(day.prices)):
        if band != _BREAK and day.prices[band] < day.prices[band - 1]:
            message = (
                f"the price of band {band + 1} is below that of band {band}; prices rise from band "
                "1 to 10, and again from band 11 to 20"
            )
            yield _price_broken("boffer.price_falls", "HLD §4.6 (3)", message, day, band)


def check_max_avail_gen(day: OfferDay) -> Iterator[Violation]:
    """The most generation available is not negative."""
    values = day.max_avail_gen
    for row in _rows(present(values, len(values)) & (values < 0)):
        message = "the most generation available is 0 or more"
        yield _row_broken(
            "boffer.max_avail_gen", "HLD §4.6 (5)", message, row, "maxAvailGen", values[row]
        )


def check_max_avail_load(day: OfferDay) -> Iterator[Violation]:
    """The most load available is not positive."""
    values = day.max_avail_load
    for row in _rows(present(values, len(values)) & (values > 0)):
        message = "the most load available is 0 or less: load is negative"
        yield _row_broken(
            "boffer.max_avail_load", "HLD §4.6 (6)", message, row, "maxAvailLoad", values[row]
        )


def check_load_bands(day: OfferDay) -> Iterator[Violation]:
    """Bands 1 to 10 hold load, which is negative."""
    for row, band in _cells(day.avail[:, LOAD] > 0):
        message = f"band {band + 1} is for load, which is negative"
        yield _band_broken("boffer.load_sign", "HLD §4.6 (7)", message, day, row, band)


def check_generation_bands(day: OfferDay) -> Iterator[Violation]:
    """Bands 11 to 20 hold generation, which is positive."""
    for row, place in _cells(day.avail[:, GENERATION] < 0):
        band = place + _BREAK
        message = f"band {band + 1} is for generation, which is positive"
        yield _band_broken("boffer.generation_sign", "HLD §4.6 (8)", message, day, row, band)


def check_transition(day: OfferDay) -> Iterator[Violation]:
    """No negative quantity stands in a higher band than a positive one."""
    is_after = np.cumsum(day.avail > 0, axis=1) > 0
    for row, band in _cells((day.avail < 0) & is_after):
        message = (
            f"band {band + 1} holds load above a band with generation; from band to band an offer "
            "goes from load to generation once"
        )
        yield _band_broken("boffer.transition", "HLD §4.6 (9)", message, day, row, band)


def check_crossing(day: OfferDay) -> Iterator[Violation]:
    """No load is priced above generation of the same period.

    Load at $100 and generation at $50 would both clear at $75. The same price on both sides is a
    rule of its own, `check_shared_price`.
    """
    highest_load, lowest_generation = _inner_prices(day)
    for row in _rows(highest_load > lowest_generation):
        message = (
            f"load up to {_price(highest_load[row])} $/MWh and generation from "
            f"{_price(lowest_generation[row])} $/MWh would both clear in between; prices of bands "
            "with a quantity rise across all 20"
        )
        yield Violation(
            "boffer.crossing", "HLD §4.6 (9), §4.7 Price Bands", message, row, field="bandAvail"
        )


def check_both_ways(day: OfferDay) -> Iterator[Violation]:
    """Where a fixed load and bands are both given, the fixed load goes first: a caution."""
    is_both = present(day.fixed_load, len(day.avail)) & (day.avail != 0).any(axis=1)
    for row in _rows(is_both):
        message = "a fixed load beside quantities in bands: the bands do not count"
        fixed = day.fixed_load[row]
        yield _row_broken("boffer.both_ways", "HLD §4.6 (11)", message, row, "fixedLoad", fixed)


def check_fixed_load_bound(day: OfferDay) -> Iterator[Violation]:
    """A fixed load beyond maxAvailLoad or maxAvailGen is dispatched up to it only: a caution."""
    fixed = day.fixed_load
    low, high = dispatchable(day.avail, day.max_avail_load, day.max_avail_gen, fixed)
    for row in _rows(present(fixed, len(fixed)) & (low + high != fixed)):
        message = (
            "a fixed load beyond maxAvailLoad or maxAvailGen: only "
            f"{_kw(low[row] + high[row])} are dispatched"
        )
        section = "HLD §4.6 (5), (6)"
        yield _row_broken("boffer.fixed_bound", section, message, row, "fixedLoad", fixed[row])


# --- HLD §4.7 ------------------------------------------------------------------------------------


def check_price_repeats(day: OfferDay) -> Iterator[Violation]:
    """Bands with a quantity have rising prices on their side."""
    for side in (LOAD, GENERATION):
        for lower, upper in _equal_pairs(day.prices[side], side.start):
            for row in _rows((day.avail[:, lower] != 0) & (day.avail[:, upper] != 0)):
                message = (
                    f"bands {lower + 1} and {upper + 1} both hold a quantity at "
                    f"{_price(day.prices[upper])} $/MWh; prices of bands with a quantity rise"
                )
                section = "HLD §4.7 Price Bands"
                yield _band_broken("boffer.price_repeats", section, message, day, row, upper)


def check_shared_price(day: OfferDay) -> Iterator[Violation]:
    """No load band and generation band with a quantity share a price."""
    for load, place in _cells(day.prices[LOAD][:, None] == day.prices[GENERATION][None, :]):
        band = place + _BREAK
        for row in _rows((day.avail[:, load] != 0) & (day.avail[:, band] != 0)):
            message = (
                f"bands {load + 1} and {band + 1} offer load and generation at one price, "
                f"{_price(day.prices[band])} $/MWh"
            )
            section = "HLD §4.7 $/non-zero quantity"
            yield _band_broken("boffer.shared_price", section, message, day, row, band)


# --- HLD §4.1, §4.2.4, §4.2.5, Part C §3.1 and §3.3 ----------------------------------------------


def check_capacity(day: OfferDay, capacity: Capacity) -> Iterator[Violation]:
    """Quantities and maxAvail stay within what the portfolio or site can do."""
    quantities = day.avail.astype(np.int64)
    sides = (
        (LOAD, capacity.load_w, "maxAvailLoad", day.max_avail_load, "HLD §4.2.4"),
        (GENERATION, capacity.gen_w, "maxAvailGen", day.max_avail_gen, "HLD §4.2.5"),
    )
    for side, most, name, bounds, section in sides:
        total = quantities[:, side].sum(axis=1)
        for row in _rows(np.abs(total) > abs(most)):
            message = f"bands {side.start + 1} to {side.stop} exceed the capacity of {_kw(most)}"
            rule = "Part C §3.3 field 5.3.2"
            yield _row_broken("boffer.capacity", rule, message, row, "bandAvail", total[row])
        beyond = present(bounds, len(bounds)) & (np.abs(bounds.astype(np.int64)) > abs(most))
        for row in _rows(beyond):
            message = f"{name} exceeds the capacity of {_kw(most)}"
            code = "boffer.max_avail_capacity"
            yield _row_broken(code, section, message, row, name, bounds[row])


def check_market_range(day: OfferDay, market: Market) -> Iterator[Violation]:
    """Prices lie between the market's floor and ceiling."""
    for band in _rows((day.prices < market.floor) | (day.prices > market.ceiling)):
        message = (
            f"prices lie between the market's floor and ceiling, {_price(market.floor)} and "
            f"{_price(market.ceiling)} $/MWh"
        )
        yield _price_broken("boffer.market_range", "HLD §4.6 (3)", message, day, band)


def check_market_ends(day: OfferDay, market: Market) -> Iterator[Violation]:
    """The Boffer of a site has the market's floor and ceiling among its prices."""
    if day.kind != "NMI":
        return
    for name, price in (("floor", market.floor), ("ceiling", market.ceiling)):
        if not (day.prices == price).any():
            message = f"the market's {name} of {_price(price)} $/MWh is among the prices"
            yield Violation("boffer.market_ends", "Part C §3.1", message, field="prices")


def check_horizon(days: Sequence[OfferDay], step: int | None = None) -> Iterator[Violation]:
    """A submission covers 576 intervals without a gap.

    The first is the one under way at submission, or the next; without a submission time the first
    of the Boffer. Intervals that have passed may stand in the Boffer as well. The same in all
    steps.

    Args:
        days: All trading days of one DUID's Boffer.
        step: Makes no difference.
    """
    del step
    if not days:
        return
    held = np.unique(np.concatenate([_starts(day) for day in days]))
    under_way = days[0].submitted_us // (INTERVAL_S * 1_000_000) * INTERVAL_S
    firsts = (under_way, under_way + INTERVAL_S) if days[0].submitted_us >= 0 else (int(held[0]),)
    wanted = [first + np.arange(HORIZON) * INTERVAL_S for first in firsts]
    lacks = min(int(np.isin(starts, held, invert=True).sum()) for starts in wanted)
    if lacks:
        message = f"a submission covers the {HORIZON} intervals of the next 48 hours"
        yield Violation("boffer.horizon", "HLD §4.1", message, value=f"{lacks} intervals missing")


# --- the steps -----------------------------------------------------------------------------------


def check_visibility(day: OfferDay) -> Iterator[Violation]:
    """Step 1 offers price and quantity, and no fixed load."""
    for row in _rows(present(day.fixed_load, len(day.fixed_load))):
        message = "step 1 offers quantities in price bands, not as a fixed load"
        fixed = day.fixed_load[row]
        yield _row_broken("boffer.step1_fixed", "HLD §4.3", message, row, "fixedLoad", fixed)


def check_self_dispatch(day: OfferDay) -> Iterator[Violation]:
    """Step 2 offers a fixed load in every period, and nothing in bands."""
    for row in _rows(~present(day.fixed_load, len(day.fixed_load))):
        message = "step 2 nominates a fixed load in every period (0 with selfDispatch true)"
        yield Violation("boffer.step2_no_fixed", "HLD §4.4", message, row, field="fixedLoad")
    for row in _rows((day.avail != 0).any(axis=1)):
        message = "step 2 offers quantities as fixed load only, none in bands"
        yield Violation("boffer.step2_bands", "HLD §4.4", message, row, field="bandAvail")


def check_scheduled(day: OfferDay) -> Iterator[Violation]:
    """Step 3 allows bands, fixed load or both; nothing at all is a caution."""
    has_bands = (day.avail != 0).any(axis=1)
    for row in _rows(~present(day.fixed_load, len(day.avail)) & ~has_bands):
        message = "neither a band nor a fixed load offers anything: the target is 0 at any price"
        yield Violation("boffer.step3_nothing", "HLD §4.5", message, row, field="bandAvail")


Rule = Callable[[OfferDay], Iterator[Violation]]

RULES: Final[tuple[Rule, ...]] = (
    check_band_count,
    check_prices_rise,
    check_max_avail_gen,
    check_max_avail_load,
    check_load_bands,
    check_generation_bands,
    check_transition,
    check_crossing,
    check_both_ways,
    check_fixed_load_bound,
    check_price_repeats,
    check_shared_price,
)
"""Rules of every Boffer, in the order of the HLD. §4.6 (1) is in (7) and (8), §4.6 (4) in its form,
§4.6 (10) in ``clearing.accumulate``, §4.6 (12) in ``gate.effective_day``."""

PRICE_RULES: Final = frozenset(
    {check_prices_rise, check_crossing, check_price_repeats, check_shared_price}
)
"""Those of them that are about prices, of which a Boffer may have none."""

STEP_RULES: Final[dict[ParticipationStep, Rule]] = {
    ParticipationStep.VISIBILITY: check_visibility,
    ParticipationStep.SELF_DISPATCH: check_self_dispatch,
    ParticipationStep.SCHEDULED: check_scheduled,
}
"""The further rule of each step."""

CAUTIONS: Final = frozenset({"boffer.both_ways", "boffer.fixed_bound", "boffer.step3_nothing"})
"""Codes of what is allowed but seldom meant; the others speak against a Boffer."""


# --- helpers -------------------------------------------------------------------------------------

_FAR: Final = 2**62


def _price_broken(code: str, rule: str, message: str, day: OfferDay, band: int) -> Violation:
    value = _price(day.prices[band])
    return Violation(code, rule, message, band=band + 1, value=value, field="prices")


def _band_broken(
    code: str, rule: str, message: str, day: OfferDay, row: int, band: int
) -> Violation:
    value = _kw(day.avail[row, band])
    return Violation(code, rule, message, row, band + 1, value, field="bandAvail")


def _row_broken(code: str, rule: str, message: str, row: int, name: str, watts: int) -> Violation:
    return Violation(code, rule, message, row, value=_kw(watts), field=name)


def _starts(day: OfferDay) -> npt.NDArray[np.int64]:
    first = np.int64(period_start(day.trading_date, 1))
    return first + (np.asarray(day.periods, dtype=np.int64) - 1) * INTERVAL_S


def _inner_prices(day: OfferDay) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Highest price of load and lowest of generation with a quantity, in each period."""
    prices = np.asarray(day.prices, dtype=np.int64)
    highest = np.where(day.avail[:, LOAD] != 0, prices[LOAD], -_FAR).max(axis=1)
    lowest = np.where(day.avail[:, GENERATION] != 0, prices[GENERATION], _FAR).min(axis=1)
    return highest, lowest


def _equal_pairs(prices: npt.NDArray[Any], first: int) -> Iterable[tuple[int, int]]:
    count = len(prices)
    for lower in range(count):
        for upper in range(lower + 1, count):
            if prices[lower] == prices[upper]:
                yield first + lower, first + upper


def _rows(mask: npt.NDArray[np.bool_]) -> list[int]:
    found: list[int] = np.flatnonzero(mask).tolist()
    return found


def _cells(mask: npt.NDArray[np.bool_]) -> list[list[int]]:
    found: list[list[int]] = np.argwhere(mask).tolist()
    return found


def _kw(watts: int) -> str:
    return "none" if watts == NO_LIMIT else f"{to_text(watts, KW)} kW"


def _price(cents: int) -> str:
    return to_text(cents, PRICE)
