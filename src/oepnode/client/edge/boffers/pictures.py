"""Pictures of supply curves, with or without an envelope.

Source: HLD §4.6, Appendix D.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oepnode.adapters.plots.figure import save
from oepnode.adapters.plots.supply_curve import CurvePicture, draw
from oepnode.client.edge.boffers.constraining import ConstrainedBoffers
from oepnode.client.edge.boffers.selection import Offerer, interval_end, offerer_of, rolled_from
from oepnode.client.edge.boffers.supply_curves import SupplyCurve
from oepnode.client.files import FileName
from oepnode.domain.edge.clearing.supply_curve import supply_curve
from oepnode.domain.edge.constraining.constrain import UNBOUND, ConstrainedDay
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import ConfigError


def draw_supply_curve(curve: SupplyCurve, path: FileName) -> None:
    """Draw a supply curve with marks at the requested prices.

    Raises:
        ConfigError: If the file is not .svg or .png, or cannot be written.
    """
    day, row = curve.offer.day, curve.row
    has_prices = bool(day.has_prices[row])
    picture = CurvePicture(
        title=f"Supply curve of {_title(curve.offer.offerer)}",
        subtitle=_period_text(curve),
        steps=curve.steps,
        low_price=int(day.prices[row].min()) if has_prices else None,
        high_price=int(day.prices[row].max()) if has_prices else None,
        bounds=bounds_of(curve),
        prices=curve.prices,
        remark=_remark(int(day.fixed_load[row]), is_rejected=curve.boffers.is_rejected),
    )
    save(draw(picture), Path(path))


def draw_constrained(
    result: ConstrainedBoffers, path: FileName, *, period: int | None = None
) -> None:
    """Draw the curve that was cut most, as offered and as constrained.

    Args:
        result: The constrained Boffers.
        path: The picture.
        period: Only this period.

    Raises:
        ConfigError: If no Boffer has the period, or the file cannot be written.
    """
    item, row = _most_cut(result.days, period)
    day, offer = item.day, item.result
    picture = CurvePicture(
        title=f"Supply curve of {_title(offerer_of(day))} within its envelope",
        subtitle=_when(day.trading_date, int(day.periods[row])),
        steps=supply_curve(
            day.prices,
            offer.avail[row],
            int(offer.max_load[row]),
            int(offer.max_gen[row]),
            int(offer.fixed[row]),
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
        remark=_remark(int(offer.fixed[row]), is_rejected=result.is_rejected),
    )
    save(draw(picture), Path(path))


def headline(curve: SupplyCurve) -> str:
    """The unit and the period of a curve, in one line."""
    return f"{_title(curve.offer.offerer)}, {_period_text(curve)}"


def _period_text(curve: SupplyCurve) -> str:
    """The period of a curve, and the day that it rolled forward from, if it did."""
    day = curve.offer.day
    text, origin = _when(day.trading_date, curve.row + 1), rolled_from(day, curve.row)
    return text if origin is None else f"{text}, rolled forward from {origin.isoformat()}"


def bounds_of(curve: SupplyCurve) -> tuple[tuple[str, int], ...]:
    """The bounds that a curve has; one of zero is the axis itself."""
    day, row = curve.offer.day, curve.row
    named = (
        ("maxAvailLoad", int(day.max_avail_load[row])),
        ("maxAvailGen", int(day.max_avail_gen[row])),
    )
    return tuple((name, watts) for name, watts in named if watts not in {NO_LIMIT, 0})


def _most_cut(days: Sequence[ConstrainedDay], period: int | None) -> tuple[ConstrainedDay, int]:
    """The row that is cut most, of a period or of all."""
    most: tuple[int, ConstrainedDay, int] | None = None
    for item in days:
        before = item.result.before
        cut = before.over_export + before.over_import
        rows = np.arange(len(cut)) if period is None else np.flatnonzero(item.day.periods == period)
        for row in rows[np.argsort(-cut[rows], kind="stable")][:1].tolist():
            if most is None or cut[row] > most[0]:
                most = int(cut[row]), item, row
    if most is None:
        raise ConfigError(f"no Boffer has period {period}")
    return most[1], most[2]


def _limits(item: ConstrainedDay, row: int) -> tuple[tuple[str, int], ...]:
    if item.exports[row] == UNBOUND:
        return ()
    named = (("export limit", item.exports[row]), ("import limit", item.imports[row]))
    return tuple((name, int(watts)) for name, watts in named)


def _remark(fixed: int, *, is_rejected: bool) -> str:
    remarks = []
    if fixed != NO_LIMIT:
        remarks.append(
            "A fixed load is given: it goes before the bands at any price (HLD §4.6 (11))."
        )
    if is_rejected:
        remarks.append("This Boffer is rejected by the rules.")
    return " ".join(remarks)


def _title(offerer: Offerer) -> str:
    return f"{offerer.identity} ({offerer.level} level)"


def _when(date: dt.date, period: int) -> str:
    end = interval_end(date, period)
    return f"Trading day {date.isoformat()}, period {period}, ending {end[11:16]} NEM time"
