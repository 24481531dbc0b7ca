"""Boffers of a file by unit, level and trading date, and the offers in effect.

Source: HLD §4.4, §4.5 (roll-forward), §4.7 (the latest Boffer wins).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from msgspec import structs

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.boffers.load import LoadedBoffers, NoBofferError, SeveralBoffersError
from oepnode.client.values import counted, parse_nmi
from oepnode.domain.documents.arrays import Indices, Ints
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.boffers.selection import (
    NOT_OFFERED,
    EffectiveDay,
    ExpiredRollForward,
    Lodged,
    effective_day,
    expired_roll_forward,
)
from oepnode.domain.nem.choices import Level, require_choice
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem, period_start
from oepnode.errors import ConfigError


class BofferChoice(PrivateStruct, frozen=True):
    """A choice of Boffers in a file; None means all.

    Raises:
        ConfigError: If the level is another word, or the NMI is not one.

    Attributes:
        duid: Only this DUID.
        nmi: Only this NMI, with or without its checksum.
        level: Only this summation level, NMI or Flex.
        date: Only this trading date.
    """

    duid: str | None = None
    nmi: str | None = None
    level: Level | None = None
    date: dt.date | None = None

    def __post_init__(self) -> None:
        if self.level is not None:
            require_choice("level", self.level, Level)
        if self.nmi is not None:
            structs.force_setattr(self, "nmi", parse_nmi(self.nmi, "nmi"))

    def fits_unit(self, day: BofferDay) -> bool:
        """Whether a Boffer is of the unit and level."""
        unit = {("DUID", self.duid), ("NMI", self.nmi)}
        matches_all = self.duid is None and self.nmi is None
        return (matches_all or (day.kind, day.identity) in unit) and self.level in {None, day.level}

    def fits(self, day: BofferDay) -> bool:
        """Whether a Boffer is of the unit, level and date."""
        return self.fits_unit(day) and self.date in {None, day.trading_date}


class Offerer(PrivateStruct, frozen=True):
    """The unit of a Boffer with its level and timing, which may not be mixed.

    Attributes:
        duid: Its DUID, or None.
        nmi: Its NMI, or None.
        level: NMI or Flex.
        timing: PRE or POST.
    """

    duid: str | None
    nmi: str | None
    level: str
    timing: str

    @property
    def identity(self) -> str:
        """The DUID or NMI."""
        return self.duid or self.nmi or ""


@dataclass(frozen=True, repr=False)
class EffectiveOffer:
    """The offer in effect of one offerer on one trading date.

    Attributes:
        offerer: The unit.
        day: The offer in effect.
    """

    offerer: Offerer
    day: EffectiveDay


def offerer_of(day: BofferDay) -> Offerer:
    """The unit of a Boffer."""
    is_duid = day.kind == "DUID"
    duid, nmi = (day.identity, None) if is_duid else (None, day.identity)
    return Offerer(duid, nmi, day.level, day.timing)


def by_offerer(boffers: LoadedBoffers, choice: BofferChoice) -> dict[Offerer, list[BofferDay]]:
    """The Boffers of each offerer, in the order of the file; dates are not selected yet.

    Raises:
        NoBofferError: If there is none.
    """
    offers: dict[Offerer, list[BofferDay]] = defaultdict(list)
    for day in boffers.days:
        if choice.fits_unit(day):
            offers[offerer_of(day)].append(day)
    if not offers:
        raise NoBofferError(f"{boffers.name} has no Boffer of the unit and level that were chosen")
    return dict(offers)


def effective_offers(
    boffers: LoadedBoffers, choice: BofferChoice
) -> tuple[list[EffectiveOffer], tuple[str, ...]]:
    """The offers in effect per offerer and trading date, and notes on periods without a Boffer.

    A file's Boffers count as acknowledged in its order, so that the last one wins.

    Raises:
        NoBofferError: If nothing counts on the date that was chosen.
    """
    offers, notes = [], []
    for offerer, days in by_offerer(boffers, choice).items():
        lodged = [Lodged(day, number) for number, day in enumerate(days)]
        dates = {day.trading_date for day in days} if choice.date is None else {choice.date}
        for date in sorted(dates):
            expired = expired_roll_forward(lodged, date)
            if expired is not None:
                notes.append(_expired_note(offerer, expired))
            effective = effective_day(lodged, date)
            if effective is not None:
                offers.append(EffectiveOffer(offerer, effective))
    if not offers:
        reason = (
            f"{boffers.name} has no Boffer that counts on that date, and none of the day before "
            "that rolls forward"
        )
        raise NoBofferError("; ".join((*notes, reason)))
    return offers, tuple(notes)


def single_offer(
    boffers: LoadedBoffers, choice: BofferChoice
) -> tuple[EffectiveOffer, tuple[str, ...]]:
    """The one offerer and trading date that is left, and notes as in `effective_offers`.

    Raises:
        SeveralBoffersError: If there are more.
    """
    offers, notes = effective_offers(boffers, choice)
    if len(offers) > 1:
        offerers = {offer.offerer for offer in offers}
        dates = {offer.day.trading_date for offer in offers}
        raise SeveralBoffersError(
            f"{boffers.name} has several Boffers (units: {len(offerers)}, trading dates: "
            f"{len(dates)})"
        )
    return offers[0], notes


def offered_rows(day: EffectiveDay, period: int | None) -> Indices:
    """The rows of a day that are offered, of a period or of all.

    Raises:
        ConfigError: If there are none.
    """
    rows = np.flatnonzero(day.source != NOT_OFFERED)
    rows = rows if period is None else rows[rows == period - 1]
    if not len(rows):
        raise ConfigError(f"no Boffer covers period {period} of this trading date")
    return rows


def rolled_from(day: EffectiveDay, row: int | None = None) -> dt.date | None:
    """The trading day whose Boffer rolled forward, for a row or any; None if none did."""
    days: Ints = day.days_back if row is None else day.days_back[row : row + 1]
    back = int(days.max(initial=0))
    return day.trading_date - dt.timedelta(days=back) if back else None


def interval_end(date: dt.date, period: int) -> str:
    """The end of a period, NEM time."""
    return format_nem(period_start(date, period) + INTERVAL_S)


def _expired_note(offerer: Offerer, expired: ExpiredRollForward) -> str:
    verb = "has" if expired.periods == 1 else "have"
    return (
        f"{offerer.identity} ({offerer.level}): {counted(expired.periods, 'period')} of "
        f"{expired.trading_date.isoformat()} "
        f"{verb} no Boffer: there is no Boffer of {expired.missing} to roll forward, and that of "
        f"{expired.newest} is too old (HLD §4.4, §4.5)"
    )
