"""Rules between Boffers: duplicates, mixed units, and gate closure.

Boffers are checked against those received before: of one document, or, where Boffers are
acknowledged one by one, against the accepted ones only.

A Boffer that repeats one with the same submission and content is a copy: it counts once, and is a
caution. With other content each of its periods is a fault.

Source: Part C §3.3, HLD §4.1, §4.2.1, §4.7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from oepnode.domain.documents.arrays import Ints
from oepnode.domain.documents.faults import show_value
from oepnode.domain.edge.boffers.gate_closure import check_rebids
from oepnode.domain.edge.boffers.locations import field_path, note_all
from oepnode.domain.edge.boffers.model import SECTION, BofferDay
from oepnode.domain.edge.schema.json_writer import nem_text
from oepnode.domain.edge.validation.finding_log import FindingLog

_Boffer = tuple[BofferDay, ...]
_Head = tuple[str, str, str, str, int]


@dataclass
class PriorBoffers:
    """Boffers received before, which later ones are checked against.

    Attributes:
        units: Days of DUIDs, oldest first, for gate closure.
        first: The document's first Boffer; None before it.
        boffers: Boffers of the document, by identity and submission.
    """

    units: list[BofferDay] = field(default_factory=list)
    first: BofferDay | None = None
    boffers: dict[_Head, list[_Boffer]] = field(default_factory=lambda: defaultdict(list))

    def add(self, days: Sequence[BofferDay]) -> None:
        """Add Boffers that were accepted."""
        self.first = next(iter(days), None) if self.first is None else self.first
        self.units += [day for day in days if day.kind == "DUID"]
        for boffer in boffers_of(days):
            self.boffers[_head(boffer[0])].append(boffer)


def prior_boffers(earlier: Sequence[BofferDay]) -> PriorBoffers:
    """Return the prior Boffers of a document.

    Args:
        earlier: Days acknowledged before, oldest first.
    """
    return PriorBoffers([day for day in earlier if day.kind == "DUID"])


def check_document(
    days: Sequence[BofferDay], prior: PriorBoffers, step: int | None, log: FindingLog
) -> tuple[BofferDay, ...]:
    """Check Boffers against one another, and against those received before.

    Args:
        days: In the order received.
        prior: Received before; not changed.
        step: 1, 2 or 3; None applies gate closure as in steps 1 and 3.
        log: Takes the findings.

    Returns:
        The days without copies.
    """
    check_mixed(days, prior.first, log)
    kept = tuple(_without_copies(days, prior, log))
    _check_repeats(kept, prior, log)
    units = [*prior.units, *(day for day in kept if day.kind == "DUID")]
    for index, violation in check_rebids(units, step, len(prior.units)):
        note_all(units[index], [violation], log)
    return kept


# --- mixed units ---------------------------------------------------------------------------------


def check_mixed(days: Sequence[BofferDay], first: BofferDay | None, log: FindingLog) -> None:
    """Check that a document is of one kind and of one DUID; both levels of it are a caution."""
    for day in (boffer[0] for boffer in boffers_of(days)):
        first = first or day
        if day.kind != first.kind:
            log.business(
                "document.mixed_kinds",
                day.head_path,
                "HLD §4.2.1",
                f"a document must hold {first.kind} Boffers only, as its first is one",
                f"{day.kind} Boffer",
            )
        elif day.kind == "NMI":
            continue
        elif day.identity != first.identity:
            log.business(
                "duid.mixed",
                field_path(day, day.head_path, "duid"),
                "HLD §4.2.1",
                "a document must be of one DUID, which is the aggregator's whole portfolio",
                show_value(day.identity),
            )
        elif day.level != first.level:
            log.caution(
                "boffer.mixed_levels",
                field_path(day, day.head_path, "bofferSummationLevel"),
                "HLD §4.1, §4.7 Boffer Processing",
                "one DUID offers at both levels, although only one Boffer of a unit is in force at "
                "a time: each level is checked apart",
                day.level,
            )


# --- duplicates ----------------------------------------------------------------------------------


def _without_copies(
    days: Sequence[BofferDay], prior: PriorBoffers, log: FindingLog
) -> Iterator[BofferDay]:
    """The days of Boffers that are not copies; copies are reported."""
    seen: dict[_Head, list[_Boffer]] = defaultdict(list)
    for boffer in boffers_of(days):
        first, before = boffer[0], seen[_head(boffer[0])]
        if any(_is_copy(boffer, o) for o in (*prior.boffers.get(_head(first), ()), *before)):
            log.caution(
                "submission.duplicate",
                field_path(first, first.head_path, "submissionDateTime"),
                f"{SECTION} field 6",
                "an earlier Boffer has this submission and the same content: it counts once",
                nem_text(first.submitted_us),
            )
            continue
        before.append(boffer)
        yield from boffer


def _is_copy(boffer: _Boffer, other: _Boffer) -> bool:
    return len(boffer) == len(other) and all(map(_is_same, boffer, other))


def _is_same(day: BofferDay, other: BofferDay) -> bool:
    if (day.trading_date, day.has_prices) != (other.trading_date, other.has_prices):
        return False
    return all(
        np.array_equal(mine, theirs)
        for mine, theirs in zip(_arrays(day), _arrays(other), strict=True)
    )


def _arrays(day: BofferDay) -> tuple[Ints, ...]:
    bounds = (day.max_avail_load, day.max_avail_gen, day.fixed_load)
    return day.prices, day.periods, day.avail, day.states_bands, *bounds


def _check_repeats(days: Sequence[BofferDay], prior: PriorBoffers, log: FindingLog) -> None:
    for day, row, other in _repeats(days, prior):
        is_same_bid = (day.record, day.bid) == (other.record, other.bid)
        where = "this trading day" if is_same_bid else "the same Boffer and submission"
        log.business(
            "period.duplicate",
            field_path(day, day.path(row), "periodId"),
            f"{SECTION} field 5.3",
            f"each period must occur once in {where}",
            str(int(day.periods[row])),
        )


def _repeats(
    days: Sequence[BofferDay], prior: PriorBoffers
) -> Iterator[tuple[BofferDay, int, BofferDay]]:
    """Each row that repeats a period of its Boffer, with the day that had it first."""
    seen: dict[tuple[_Head, date], dict[int, BofferDay]] = {}
    for day in days:
        key = _head(day), day.trading_date
        if key not in seen:
            seen[key] = _periods_of(prior, *key)
        rows = seen[key]
        for row, period in enumerate(day.periods.tolist()):
            other = rows.setdefault(period, day)
            if other is not day or row != _first_row(day, period):
                yield day, row, other


def _periods_of(prior: PriorBoffers, head: _Head, on: date) -> dict[int, BofferDay]:
    """The periods of a Boffer's trading day received before, with the day that has each."""
    return {
        period: day
        for boffer in prior.boffers.get(head, ())
        for day in boffer
        if day.trading_date == on
        for period in day.periods.tolist()
    }


def _first_row(day: BofferDay, period: int) -> int:
    return int(np.argmax(day.periods == period))


# --- helpers -------------------------------------------------------------------------------------


def boffers_of(days: Sequence[BofferDay]) -> list[tuple[BofferDay, ...]]:
    """Return the days of each Boffer, by its first one; in a file of rows they may be apart."""
    groups: dict[tuple[int, _Head], list[BofferDay]] = defaultdict(list)
    for day in days:
        groups[day.record, _head(day)].append(day)
    return [tuple(boffer) for boffer in groups.values()]


def _head(day: BofferDay) -> _Head:
    return day.kind, day.identity, day.level, day.timing, day.submitted_us
