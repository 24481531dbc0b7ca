"""Two files of Boffers compared: a re-bid with the Boffer before it, POST with PRE.

Source: HLD §4.1 (gate closure), §4.7.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.boffers.load import LoadedBoffers, TransactionReport
from oepnode.client.edge.boffers.selection import BofferChoice, offerer_of
from oepnode.domain.edge.boffers import comparison, gate_closure
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl


class BofferChange(PrivateStruct, frozen=True, kw_only=True):
    """Changes of one unit's Boffer for one trading date.

    Attributes:
        duid: Its DUID, or None.
        nmi: Its NMI, or None.
        level: NMI or Flex.
        timing: PRE or POST, of the later Boffer.
        trading_date: The trading date.
        repriced_bands: Bands, 1 to 20, whose price differs.
        is_changed_after_gate_closure: Whether a DUID's price changed after gate closure.
        changed_periods: Number of periods in which a quantity differs.
        load_change_wh: Change of the load on offer, ≤ 0 where it grew.
        generation_change_wh: Change of the generation on offer.
        periods_only_before: Periods that only the earlier Boffer has.
        periods_only_after: Periods that only the later Boffer has.
        periods: A row per common period: period, load and generation before and after in watts,
            changed_quantities.
    """

    duid: str | None
    nmi: str | None
    level: str
    timing: str
    trading_date: dt.date
    repriced_bands: tuple[int, ...]
    is_changed_after_gate_closure: bool
    changed_periods: int
    load_change_wh: int
    generation_change_wh: int
    periods_only_before: int
    periods_only_after: int
    periods: pl.DataFrame

    @property
    def identity(self) -> str:
        """The DUID or NMI."""
        return self.duid or self.nmi or ""


class BothTransactions(PrivateStruct, frozen=True):
    """The answer of the rules to the earlier and to the later file."""

    before: TransactionReport
    after: TransactionReport


class BofferComparison(PrivateStruct, frozen=True, kw_only=True):
    """Result of comparing two files of Boffers.

    Attributes:
        transaction: The answers of the rules.
        offers: Per unit, level and trading date of both files.
        only_before: Boffers in the earlier file only.
        only_after: Boffers in the later file only.
    """

    transaction: BothTransactions
    offers: tuple[BofferChange, ...]
    only_before: int
    only_after: int

    @property
    def changed_after_gate_closure(self) -> int:
        """Number of Boffers whose prices changed after gate closure."""
        return sum(change.is_changed_after_gate_closure for change in self.offers)


def compare_boffers(
    before: LoadedBoffers, after: LoadedBoffers, *, choice: BofferChoice | None = None
) -> BofferComparison:
    """Compare two files of Boffers; of each the last Boffer of a unit and date counts.

    Raises:
        ConfigError: If they have no Boffer of one unit, level and trading date in common.
    """
    earlier, later = (_by_key(boffers, choice or BofferChoice()) for boffers in (before, after))
    common = [key for key in earlier if key in later]
    if not common:
        raise ConfigError("the files have no Boffer of one unit, level and trading date in common")
    return BofferComparison(
        transaction=BothTransactions(before.report(), after.report()),
        offers=tuple(_change(earlier[key], later[key]) for key in common),
        only_before=len(earlier) - len(common),
        only_after=len(later) - len(common),
    )


def _by_key(
    boffers: LoadedBoffers, choice: BofferChoice
) -> dict[tuple[str, str, str, dt.date], BofferDay]:
    return {
        (day.kind, day.identity, day.level, day.trading_date): day
        for day in boffers.days
        if choice.fits(day)
    }


def _change(before: BofferDay, after: BofferDay) -> BofferChange:
    change, offerer = comparison.compare(before, after), offerer_of(after)
    is_late = gate_closure.is_rebid(after.submitted_us, after.trading_date)
    return BofferChange(
        duid=offerer.duid,
        nmi=offerer.nmi,
        level=offerer.level,
        timing=offerer.timing,
        trading_date=after.trading_date,
        repriced_bands=change.bands,
        is_changed_after_gate_closure=bool(change.bands) and after.kind == "DUID" and is_late,
        changed_periods=int((change.quantities > 0).sum()),
        load_change_wh=change.load_wh,
        generation_change_wh=change.generation_wh,
        periods_only_before=change.only_before,
        periods_only_after=change.only_after,
        periods=_period_rows(change),
    )


def _period_rows(change: comparison.OfferChange) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(
        {
            "period": change.periods,
            "load_before_w": change.load[0],
            "load_after_w": change.load[1],
            "generation_before_w": change.generation[0],
            "generation_after_w": change.generation[1],
            "changed_quantities": change.quantities,
        }
    )
