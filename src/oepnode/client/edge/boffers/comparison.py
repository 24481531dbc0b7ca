"""Two files of Boffers compared: a re-bid with the Boffer before it, POST with PRE.

Source: HLD §4.1 (gate closure), §4.7.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from msgspec import structs

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.boffers.load import LoadedBoffers, TransactionReport
from oepnode.client.edge.boffers.selection import BofferChoice, Offerer, offerer_of
from oepnode.client.values import counted
from oepnode.domain.edge.boffers import comparison, gate_closure
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.errors import ConfigError, EvidenceError

if TYPE_CHECKING:
    import polars as pl


class BofferChange(Offerer, frozen=True, kw_only=True):
    """Changes of one unit's Boffer for one trading date; timing is that of the later Boffer.

    Attributes:
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

    trading_date: dt.date
    repriced_bands: tuple[int, ...]
    is_changed_after_gate_closure: bool
    changed_periods: int
    load_change_wh: int
    generation_change_wh: int
    periods_only_before: int
    periods_only_after: int
    periods: pl.DataFrame


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

    def require_gate_closure(self) -> None:
        """Reject a re-bid that changes a DUID's prices after gate closure.

        Raises:
            EvidenceError: If one does.
        """
        late = self.changed_after_gate_closure
        if late:
            verb = "changes" if late == 1 else "change"
            raise EvidenceError(
                f"{counted(late, 'Boffer')} {verb} prices after gate closure, 12:30 NEM time on "
                "the day before (HLD §4.1); allowed in step 2 only"
            )


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
        raise ConfigError(
            f"the earlier {before.name} and the later {after.name} have no Boffer of one unit, "
            "level and trading date in common"
        )
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
        **structs.asdict(offerer),
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
