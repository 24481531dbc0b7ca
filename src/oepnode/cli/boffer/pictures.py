"""Pictures of supply curves, with or without an envelope, and the words above them.

Source: HLD §4.6, Appendix D.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from oepnode.adapters.plots import figure as plots
from oepnode.adapters.plots import supply_curve as plot_curve
from oepnode.adapters.plots.supply_curve import CurvePicture
from oepnode.cli.boffer.offers import Offerer, interval_end, offerer_of, rolled_from
from oepnode.domain.edge.boffers.selection import EffectiveDay
from oepnode.domain.edge.clearing.supply_curve import PriceStep, supply_curve
from oepnode.domain.edge.constraining.constrain import UNBOUND, ConstrainedDay
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import ConfigError


def curve_of(day: EffectiveDay, row: int) -> tuple[PriceStep, ...]:
    """The supply curve of a row of an effective day."""
    return supply_curve(
        day.prices[row],
        day.avail[row],
        int(day.max_avail_load[row]),
        int(day.max_avail_gen[row]),
        int(day.fixed_load[row]),
    )


def bounds_of(day: EffectiveDay, row: int) -> tuple[tuple[str, int], ...]:
    """The bounds that a row gives; one of zero is the axis itself."""
    return _bounds(int(day.max_avail_load[row]), int(day.max_avail_gen[row]))


def headline(offerer: Offerer, day: EffectiveDay, row: int) -> str:
    """One line on what a curve is of."""
    return f"{_title(offerer)}, {_when_offered(day, row)}"


def _when_offered(day: EffectiveDay, row: int) -> str:
    """When, and from which trading day the numbers are if not from its own."""
    text, before = _when(day.trading_date, row + 1), rolled_from(day, row)
    return text if before is None else f"{text}, rolled forward from {before.isoformat()}"


def draw(picture: CurvePicture, out: Path, *, is_rejected: bool) -> None:
    """Draw a supply curve; one of a Boffer that the rules reject says so."""
    if is_rejected:
        remark = f"{picture.remark} This Boffer is rejected by the rules.".lstrip()
        picture = replace(picture, remark=remark)
    plots.save(plot_curve.draw(picture), out)


def curve_picture(
    offerer: Offerer, day: EffectiveDay, row: int, prices: tuple[int, ...] = ()
) -> CurvePicture:
    """The picture of a row of an effective day, with marks at some prices."""
    return CurvePicture(
        title=f"Supply curve of {_title(offerer)}",
        subtitle=_when_offered(day, row),
        steps=curve_of(day, row),
        low_price=int(day.prices[row].min()) if day.has_prices[row] else None,
        high_price=int(day.prices[row].max()) if day.has_prices[row] else None,
        bounds=bounds_of(day, row),
        prices=prices,
        remark=_remark(int(day.fixed_load[row])),
    )


def held_picture(found: list[ConstrainedDay], period: int | None) -> CurvePicture:
    """The picture of the row that is cut most, of a period or of all, as offered and as held.

    Raises:
        ConfigError: If no Boffer has the period.
    """
    item, row = _to_draw(found, period)
    day, result = item.day, item.result
    return CurvePicture(
        title=f"Supply curve of {_title(offerer_of(day))} within its envelope",
        subtitle=_when(day.trading_date, int(day.periods[row])),
        steps=supply_curve(
            day.prices,
            result.avail[row],
            int(result.max_load[row]),
            int(result.max_gen[row]),
            int(result.fixed[row]),
        ),
        before=supply_curve(
            day.prices,
            day.avail[row],
            int(day.max_avail_load[row]),
            int(day.max_avail_gen[row]),
            int(day.fixed_load[row]),
        ),
        low_price=int(day.prices.min()) if day.has_prices else None,
        high_price=int(day.prices.max()) if day.has_prices else None,
        limits=_limits(item, row),
        remark=_remark(int(result.fixed[row])),
    )


def _to_draw(found: list[ConstrainedDay], period: int | None) -> tuple[ConstrainedDay, int]:
    """The row that is cut most, of a period or of all.

    Raises:
        ConfigError: If no Boffer has the period.
    """
    best: tuple[int, ConstrainedDay, int] | None = None
    for item in found:
        before = item.result.before
        cut = before.over_export + before.over_import
        rows = np.arange(len(cut)) if period is None else np.flatnonzero(item.day.periods == period)
        for row in rows[np.argsort(-cut[rows], kind="stable")][:1].tolist():
            if best is None or cut[row] > best[0]:
                best = int(cut[row]), item, row
    if best is None:
        raise ConfigError(f"no Boffer has period {period}")
    return best[1], best[2]


def _limits(item: ConstrainedDay, row: int) -> tuple[tuple[str, int], ...]:
    if item.exports[row] == UNBOUND:
        return ()
    named = (("export limit", item.exports[row]), ("import limit", item.imports[row]))
    return tuple((name, int(watts)) for name, watts in named)


def _bounds(max_load: int, max_gen: int) -> tuple[tuple[str, int], ...]:
    named = (("maxAvailLoad", max_load), ("maxAvailGen", max_gen))
    return tuple((name, watts) for name, watts in named if watts not in {NO_LIMIT, 0})


def _remark(fixed: int) -> str:
    if fixed == NO_LIMIT:
        return ""
    return "A fixed load is given: it goes before the bands at any price (HLD §4.6 (11))."


def _title(offerer: Offerer) -> str:
    return f"{offerer.identity} ({offerer.level} level)"


def _when(on: date, period: int) -> str:
    end = interval_end(on, period)
    return f"Trading day {on.isoformat()}, period {period}, ending {end[11:16]} NEM time"
