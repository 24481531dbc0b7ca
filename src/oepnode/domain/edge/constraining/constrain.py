"""Days of Boffers constrained by published envelopes.

Guarantees: the Boffer of an NMI is constrained by that NMI's limits, the Boffer of a DUID by the
sum over its NMIs, interval by interval and at the Boffer's own level. The NMIs of a DUID are never
guessed: a DNSP's document has those of every aggregator. Limits computed after the interval (POST)
bind no Boffer made before it (PRE), unless the caller allows it. Missing limits are counted, and
filled in only by a stated default. ``trim`` does the trimming, ``limits`` finds the limits.

Source: Part C §6.1 (envelopes constrain Boffers), §6.3 field 2 (PRE and POST), HLD §4.2.1 (a DUID
is a whole portfolio).

Example:
    >>> days = constrain(boffers.days, from_bundle(verified, nmis), portfolio)  # doctest: +SKIP
    >>> [day.constrained() for day in days]                               # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Int64s
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.constraining.limits import (
    ActiveLimits,
    LimitTable,
    fill_missing,
    portfolio_limits,
)
from oepnode.domain.edge.constraining.trim import TrimmedOffer, trim
from oepnode.domain.edge.envelopes.table import EnvelopeTable
from oepnode.domain.nem.quantities import DefaultLimits
from oepnode.domain.rounds.inputs.envelope_form import LEVELS, TIMINGS
from oepnode.errors import ConfigError

UNBOUND: Final = 2**62
"""Limit of an interval that is left as it is offered."""


class PortfolioUnknownError(ConfigError):
    """The NMIs of a DUID whose Boffer is to be constrained are not named.

    Attributes:
        sites: How many sites the envelopes have, of any aggregator.
    """

    def __init__(self, sites: int) -> None:
        super().__init__(
            "the NMIs of the DUID are not named: its Boffer is constrained by the sum over its own "
            f"NMIs, and the {sites} sites of the envelopes may be of several aggregators"
        )
        self.sites = sites


class PostEnvelopeError(ConfigError):
    """A Boffer made before its interval would be constrained by limits computed after it."""

    def __init__(self) -> None:
        super().__init__(
            "the envelopes are POST, computed after their intervals; a PRE Boffer is constrained "
            "by the PRE envelopes that were in force (Part C §6.3 field 2)"
        )


@dataclass(frozen=True, repr=False)
class ConstrainedDay:
    """One trading day of a Boffer within its limits. Its repr shows no NMI.

    Attributes:
        day: As offered.
        result: As it is within the limits.
        exports: Export limit of each row, int64 watts, `UNBOUND` where the row is left alone.
        imports: Import limit of each row, int64 watts, minus `UNBOUND` likewise.
        sites: Over how many NMIs the limits are summed.
        defaults: How many limits were not published, so that the stated default applies.
        outside: How many rows the envelopes do not cover, so that they are left alone.
    """

    day: BofferDay
    result: TrimmedOffer
    exports: Int64s
    imports: Int64s
    sites: int
    defaults: int
    outside: int

    def constrained(self, submitted_us: int | None = None) -> BofferDay:
        """The Boffer within its envelope.

        Args:
            submitted_us: When it is submitted, microseconds since the epoch; by default as before.
        """
        return replace(
            self.day,
            submitted_us=self.day.submitted_us if submitted_us is None else submitted_us,
            avail=self.result.avail.astype(np.int32),
            max_avail_load=self.result.max_load.astype(np.int32),
            max_avail_gen=self.result.max_gen.astype(np.int32),
            fixed_load=self.result.fixed.astype(np.int32),
        )


def constrain(
    days: Sequence[BofferDay],
    envelopes: EnvelopeTable,
    portfolio: Sequence[str] | None = None,
    default: DefaultLimits | None = None,
    *,
    is_covered_only: bool = False,
    is_portfolio: bool = False,
    is_post_allowed: bool = False,
) -> list[ConstrainedDay]:
    """Constrain each day by the limits of its level and its intervals.

    Args:
        days: Of NMIs and DUIDs; every quantity on its side.
        envelopes: Published envelopes, such as those of a verified bundle.
        portfolio: NMIs of a DUID.
        default: Limits of a site where none is published.
        is_covered_only: Leave intervals outside the envelopes' horizon as they are.
        is_portfolio: Whether the envelopes' sites are exactly those of one aggregator, as those of
            a verified bundle are; its DUID then needs no ``portfolio``.
        is_post_allowed: Constrain PRE Boffers by POST envelopes as well.

    Raises:
        PortfolioUnknownError: If a DUID's NMIs are not known.
        PostEnvelopeError: If a PRE Boffer meets POST envelopes and that is not allowed.
        LevelMismatchError: If the envelopes have no limits of a Boffer's level.
        MissingLimitError: If limits are missing and no default is stated.
        AccumulationError: If a quantity is on the wrong side.
    """
    if portfolio is None and not is_portfolio and any(day.kind == "DUID" for day in days):
        raise PortfolioUnknownError(envelopes.site_count)
    tables = {level: LimitTable(envelopes, level) for level in {day.level for day in days}}
    constrained = []
    for day in days:
        starts = day.starts()
        is_free = (starts < envelopes.horizon_start) | (starts >= envelopes.horizon_end)
        sites = [day.identity] if day.kind == "NMI" else portfolio
        published = tables[day.level].active(starts, sites)
        if not is_post_allowed:
            _require_timing(day, envelopes, published.nmis)
        constrained.append(_constrain(day, published, is_free & is_covered_only, default))
    return constrained


def _require_timing(day: BofferDay, envelopes: EnvelopeTable, sites: Sequence[str]) -> None:
    if day.timing == "POST":
        return
    is_post = (envelopes.timings == TIMINGS["POST"]) & (envelopes.levels == LEVELS[day.level])
    if is_post.any() and np.isin(envelopes.nmis[is_post], np.array(sites, dtype="S10")).any():
        raise PostEnvelopeError


def _constrain(
    day: BofferDay,
    published: ActiveLimits,
    is_free: Bools,
    default: DefaultLimits | None,
) -> ConstrainedDay:
    bound = replace(
        published, exports=published.exports[:, ~is_free], imports=published.imports[:, ~is_free]
    )
    exports = np.full(len(is_free), UNBOUND, dtype=np.int64)
    imports = -exports
    exports[~is_free], imports[~is_free] = portfolio_limits(fill_missing(bound, default))
    result = trim(
        day.avail, exports, imports, day.max_avail_load, day.max_avail_gen, day.fixed_load
    )
    sites, outside = len(published.nmis), int(is_free.sum())
    return ConstrainedDay(day, result, exports, imports, sites, bound.missing, outside)
