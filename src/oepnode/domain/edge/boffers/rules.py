"""The rules that a Boffer has to follow, one function each.

Guarantees: every breach of every rule is reported, with its location and the section of its source;
each rule checks one thing, so one mistake may break several. Content that the sources allow but
rarely intend has a code in `CAUTIONS`.

Leaves out: the form of a document (``json_format``, ``tabular``), mandatory fields
(``required_fields``), and prices that change after gate closure (``gate_closure``).

Source: HLD §4.1, §4.2.4, §4.2.5, §4.3 to §4.5, §4.6, §4.7; Part C §3.1, §3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Int64s, Ints
from oepnode.domain.edge.boffers.bands import (
    BANDS,
    GENERATION,
    LOAD,
    LOAD_BANDS,
    dispatchable,
    present,
)
from oepnode.domain.edge.boffers.model import HORIZON, BofferDay
from oepnode.domain.edge.boffers.participation import ParticipationStep
from oepnode.domain.edge.validation.violation import Violation
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS
from oepnode.domain.nem.quantities import NO_LIMIT, PRICE, kw_text, to_text


@dataclass(frozen=True, slots=True)
class Market:
    """Price floor and ceiling of the market, cents per MWh. The ceiling changes every July."""

    floor: int
    ceiling: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most that a portfolio or site can do: load in watts ≤ 0, generation in watts ≥ 0."""

    load_w: int
    gen_w: int


# --- all of them ---------------------------------------------------------------------------------


def check_day(
    day: BofferDay,
    step: int | None = None,
    market: Market | None = None,
    capacity: Capacity | None = None,
) -> Iterator[Violation]:
    """Check one trading day of a Boffer against all rules.

    Args:
        day: Its columns.
        step: 1, 2 or 3 to check the rules of a step as well.
        market: Floor and ceiling of the prices.
        capacity: Bound of the quantities.

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


def check_band_count(day: BofferDay) -> Iterator[Violation]:
    """Check that there are 20 prices, and 20 quantities in each period."""
    for name, count in (("prices", len(day.prices)), ("energyPeriods", day.avail.shape[-1])):
        if count != BANDS:
            message = f"a Boffer has {BANDS} bands, 10 each way"
            yield Violation(
                "boffer.bands", "HLD §4.6 (2)", message, value=f"{count} bands", field=name
            )


def check_prices_do_not_fall(day: BofferDay) -> Iterator[Violation]:
    """Check that prices do not fall within bands 1 to 10, nor within bands 11 to 20."""
    for band in range(1, len(day.prices)):
        if band != LOAD_BANDS and day.prices[band] < day.prices[band - 1]:
            message = (
                f"the price of band {band + 1} is below that of band {band}; prices rise from band "
                "1 to 10, and again from band 11 to 20"
            )
            yield _price_violation("boffer.price_falls", "HLD §4.6 (3)", message, day, band)


def check_max_avail_gen(day: BofferDay) -> Iterator[Violation]:
    """Check that maxAvailGen is not negative."""
    values = day.max_avail_gen
    for row in _rows(present(values, len(values)) & (values < 0)):
        message = "maxAvailGen must be 0 or more"
        yield _row_violation(
            "boffer.max_avail_gen", "HLD §4.6 (5)", message, row, "maxAvailGen", values[row]
        )


def check_max_avail_load(day: BofferDay) -> Iterator[Violation]:
    """Check that maxAvailLoad is not positive."""
    values = day.max_avail_load
    for row in _rows(present(values, len(values)) & (values > 0)):
        message = "maxAvailLoad must be 0 or less: load is negative"
        yield _row_violation(
            "boffer.max_avail_load", "HLD §4.6 (6)", message, row, "maxAvailLoad", values[row]
        )


def check_load_bands(day: BofferDay) -> Iterator[Violation]:
    """Check that bands 1 to 10 hold load, which is negative."""
    for row, band in _cells(day.avail[:, LOAD] > 0):
        message = f"band {band + 1} is for load: its quantity must be 0 or less"
        yield _band_violation("boffer.load_sign", "HLD §4.6 (7)", message, day, row, band)


def check_generation_bands(day: BofferDay) -> Iterator[Violation]:
    """Check that bands 11 to 20 hold generation, which is positive."""
    for row, index in _cells(day.avail[:, GENERATION] < 0):
        band = index + LOAD_BANDS
        message = f"band {band + 1} is for generation: its quantity must be 0 or more"
        yield _band_violation("boffer.generation_sign", "HLD §4.6 (8)", message, day, row, band)


def check_transition(day: BofferDay) -> Iterator[Violation]:
    """Check that no negative quantity is in a higher band than a positive one."""
    is_after = np.cumsum(day.avail > 0, axis=1) > 0
    for row, band in _cells((day.avail < 0) & is_after):
        message = (
            f"band {band + 1} holds load above a band with generation; load must be in lower bands "
            "than generation"
        )
        yield _band_violation("boffer.transition", "HLD §4.6 (9)", message, day, row, band)


def check_crossing(day: BofferDay) -> Iterator[Violation]:
    """Check that no load is priced above generation of the same period.

    Load at $100 and generation at $50 would both clear at $75. The same price on both sides is a
    rule of its own, `check_shared_price`.
    """
    highest_load, lowest_generation = _inner_prices(day)
    for row in _rows(highest_load > lowest_generation):
        message = (
            f"load up to {_price(highest_load[row])} $/MWh and generation from "
            f"{_price(lowest_generation[row])} $/MWh would both clear in between; prices of bands "
            "with a quantity must rise across all 20"
        )
        yield Violation(
            "boffer.crossing", "HLD §4.6 (9), §4.7 Price Bands", message, row, field="bandAvail"
        )


def check_both_ways(day: BofferDay) -> Iterator[Violation]:
    """Yield a caution where a fixed load takes precedence over quantities in bands."""
    is_both = present(day.fixed_load, len(day.avail)) & (day.avail != 0).any(axis=1)
    for row in _rows(is_both):
        message = "a fixed load takes precedence over the quantities in bands, which do not count"
        fixed = day.fixed_load[row]
        yield _row_violation("boffer.both_ways", "HLD §4.6 (11)", message, row, "fixedLoad", fixed)


def check_fixed_load_bound(day: BofferDay) -> Iterator[Violation]:
    """Yield a caution where a fixed load exceeds maxAvailLoad or maxAvailGen, which cap it."""
    fixed = day.fixed_load
    low, high = dispatchable(day.avail, day.max_avail_load, day.max_avail_gen, fixed)
    for row in _rows(present(fixed, len(fixed)) & (low + high != fixed)):
        message = (
            "the fixed load exceeds maxAvailLoad or maxAvailGen: only "
            f"{_kw(low[row] + high[row])} are dispatched"
        )
        section = "HLD §4.6 (5), (6)"
        yield _row_violation("boffer.fixed_bound", section, message, row, "fixedLoad", fixed[row])


# --- HLD §4.7 ------------------------------------------------------------------------------------


def check_price_repeats(day: BofferDay) -> Iterator[Violation]:
    """Check that prices of bands with a quantity rise on each side."""
    for side in (LOAD, GENERATION):
        for lower, upper in _equal_pairs(day.prices[side], side.start):
            for row in _rows((day.avail[:, lower] != 0) & (day.avail[:, upper] != 0)):
                message = (
                    f"bands {lower + 1} and {upper + 1} both hold a quantity at "
                    f"{_price(day.prices[upper])} $/MWh; prices of bands with a quantity must rise"
                )
                section = "HLD §4.7 Price Bands"
                yield _band_violation("boffer.price_repeats", section, message, day, row, upper)


def check_shared_price(day: BofferDay) -> Iterator[Violation]:
    """Check that no load band and generation band with a quantity share a price."""
    for load, index in _cells(day.prices[LOAD][:, None] == day.prices[GENERATION][None, :]):
        band = index + LOAD_BANDS
        for row in _rows((day.avail[:, load] != 0) & (day.avail[:, band] != 0)):
            message = (
                f"bands {load + 1} and {band + 1} offer load and generation at the same price, "
                f"{_price(day.prices[band])} $/MWh; their prices must differ"
            )
            section = "HLD §4.7 $/non-zero quantity"
            yield _band_violation("boffer.shared_price", section, message, day, row, band)


# --- HLD §4.1, §4.2.4, §4.2.5, Part C §3.1 and §3.3 ----------------------------------------------


def check_capacity(day: BofferDay, capacity: Capacity) -> Iterator[Violation]:
    """Check that quantities, maxAvailLoad and maxAvailGen are within the capacity."""
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
            yield _row_violation("boffer.capacity", rule, message, row, "bandAvail", total[row])
        beyond = present(bounds, len(bounds)) & (np.abs(bounds.astype(np.int64)) > abs(most))
        for row in _rows(beyond):
            message = f"{name} exceeds the capacity of {_kw(most)}"
            code = "boffer.max_avail_capacity"
            yield _row_violation(code, section, message, row, name, bounds[row])


def check_market_range(day: BofferDay, market: Market) -> Iterator[Violation]:
    """Check that prices lie between the market's floor and ceiling."""
    for band in _rows((day.prices < market.floor) | (day.prices > market.ceiling)):
        message = (
            f"prices must lie between the market's floor and ceiling, {_price(market.floor)} and "
            f"{_price(market.ceiling)} $/MWh"
        )
        yield _price_violation("boffer.market_range", "HLD §4.6 (3)", message, day, band)


def check_market_ends(day: BofferDay, market: Market) -> Iterator[Violation]:
    """Check that the prices of a site include the market's floor and ceiling."""
    if day.kind != "NMI":
        return
    for name, price in (("floor", market.floor), ("ceiling", market.ceiling)):
        if not (day.prices == price).any():
            message = f"the prices must include the market's {name} of {_price(price)} $/MWh"
            yield Violation("boffer.market_ends", "Part C §3.1", message, field="prices")


def check_horizon(days: Sequence[BofferDay]) -> Iterator[Violation]:
    """Check that a submission covers 576 intervals without a gap, in every step.

    The first is the one under way at submission, or the next; without a submission time the first
    of the Boffer. Intervals that have passed may be in the Boffer as well.

    Args:
        days: All trading days of one DUID's Boffer.
    """
    if not days:
        return
    covered = np.unique(np.concatenate([day.starts() for day in days]))
    under_way = days[0].submitted_us // (INTERVAL_S * MICROS) * INTERVAL_S
    is_timed = days[0].submitted_us >= 0
    firsts = (under_way, under_way + INTERVAL_S) if is_timed else (int(covered[0]),)
    horizons = [first + np.arange(HORIZON) * INTERVAL_S for first in firsts]
    missing = min(int(np.isin(starts, covered, invert=True).sum()) for starts in horizons)
    if missing:
        message = f"a submission must cover the {HORIZON} intervals of the next 48 hours"
        value = f"{missing} intervals missing"
        yield Violation("boffer.horizon", "HLD §4.1", message, value=value)


# --- the steps -----------------------------------------------------------------------------------


def check_visibility(day: BofferDay) -> Iterator[Violation]:
    """Check that step 1 offers prices and quantities, and no fixed load."""
    for row in _rows(present(day.fixed_load, len(day.fixed_load))):
        message = "in step 1 quantities must be in price bands, not a fixed load"
        fixed = day.fixed_load[row]
        yield _row_violation("boffer.step1_fixed", "HLD §4.3", message, row, "fixedLoad", fixed)


def check_self_dispatch(day: BofferDay) -> Iterator[Violation]:
    """Check that step 2 offers a fixed load in every period, and nothing in bands."""
    for row in _rows(~present(day.fixed_load, len(day.fixed_load))):
        message = "in step 2 every period must have a fixed load (0 with selfDispatch true)"
        yield Violation("boffer.step2_no_fixed", "HLD §4.4", message, row, field="fixedLoad")
    for row in _rows((day.avail != 0).any(axis=1)):
        message = "in step 2 quantities must be a fixed load, not in bands"
        yield Violation("boffer.step2_bands", "HLD §4.4", message, row, field="bandAvail")


def check_scheduled(day: BofferDay) -> Iterator[Violation]:
    """Yield a caution where a period in step 3 offers neither bands nor a fixed load."""
    has_bands = (day.avail != 0).any(axis=1)
    for row in _rows(~present(day.fixed_load, len(day.avail)) & ~has_bands):
        message = "neither the bands nor a fixed load offer anything: the target is 0 at any price"
        yield Violation("boffer.step3_nothing", "HLD §4.5", message, row, field="bandAvail")


Rule = Callable[[BofferDay], Iterator[Violation]]

RULES: Final[tuple[Rule, ...]] = (
    check_band_count,
    check_prices_do_not_fall,
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
§4.6 (10) in ``bands.accumulate``, §4.6 (12) in ``selection.effective_day``."""

PRICE_RULES: Final = frozenset(
    {check_prices_do_not_fall, check_crossing, check_price_repeats, check_shared_price}
)
"""The rules of prices, which apply where a Boffer has prices."""

STEP_RULES: Final[dict[ParticipationStep, Rule]] = {
    ParticipationStep.VISIBILITY: check_visibility,
    ParticipationStep.SELF_DISPATCH: check_self_dispatch,
    ParticipationStep.SCHEDULED: check_scheduled,
}
"""The further rule of each step."""

CAUTIONS: Final = frozenset({"boffer.both_ways", "boffer.fixed_bound", "boffer.step3_nothing"})
"""Codes of what is allowed but rarely intended; the other codes reject the Boffer."""


# --- helpers -------------------------------------------------------------------------------------

_FAR: Final = 2**62


def _price_violation(code: str, rule: str, message: str, day: BofferDay, band: int) -> Violation:
    value = _price(day.prices[band])
    return Violation(code, rule, message, band=band + 1, value=value, field="prices")


def _band_violation(
    code: str, rule: str, message: str, day: BofferDay, row: int, band: int
) -> Violation:
    value = _kw(day.avail[row, band])
    return Violation(code, rule, message, row, band + 1, value, field="bandAvail")


def _row_violation(
    code: str, rule: str, message: str, row: int, name: str, watts: int
) -> Violation:
    return Violation(code, rule, message, row, value=_kw(watts), field=name)


def _inner_prices(day: BofferDay) -> tuple[Int64s, Int64s]:
    """Return the highest price of load and the lowest of generation with a quantity, by period."""
    prices = np.asarray(day.prices, dtype=np.int64)
    highest = np.where(day.avail[:, LOAD] != 0, prices[LOAD], -_FAR).max(axis=1)
    lowest = np.where(day.avail[:, GENERATION] != 0, prices[GENERATION], _FAR).min(axis=1)
    return highest, lowest


def _equal_pairs(prices: Ints, first: int) -> Iterable[tuple[int, int]]:
    count = len(prices)
    for lower in range(count):
        for upper in range(lower + 1, count):
            if prices[lower] == prices[upper]:
                yield first + lower, first + upper


def _rows(mask: Bools) -> list[int]:
    rows: list[int] = np.flatnonzero(mask).tolist()
    return rows


def _cells(mask: Bools) -> list[list[int]]:
    cells: list[list[int]] = np.argwhere(mask).tolist()
    return cells


def _kw(watts: int) -> str:
    return "not given" if watts == NO_LIMIT else f"{kw_text(watts)} kW"


def _price(cents: int) -> str:
    return to_text(cents, PRICE)
