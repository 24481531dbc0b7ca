"""PRE against POST envelopes, in energy: how much larger the limits could have been.

The comparison itself is `domain.edge.envelopes.pre_post`. Source: Part C §6.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from msgspec import UNSET, Struct, UnsetType

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.envelopes import LoadedEnvelopes
from oepnode.client.limits import LEVEL_NAMES
from oepnode.domain.edge.envelopes import pre_post
from oepnode.domain.edge.envelopes.pre_post import Comparison
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT
from oepnode.domain.nem.nem_time import format_nem


class SiteDay(PrivateStruct, frozen=True, kw_only=True):
    """One site on one trading day.

    Attributes:
        nmi: The NMI.
        level: NMI or Flex.
        day: The trading day.
        export_room_wh: Energy by which POST export limits lie above PRE.
        import_room_wh: The same for imports.
        export_excess_wh: Energy by which PRE export limits lie above POST.
        import_excess_wh: The same for imports.
        largest_room_w: Largest difference.
        intervals: Intervals that both sides have.
        difference_w: Of the horizon, POST − PRE in magnitude, exports and imports by interval, None
            where one side has no limit; with a site's first day.
        intervals_only_in_pre: Intervals in which only PRE has a limit; with a site's first day.
        intervals_only_in_post: The same for POST.
    """

    nmi: str
    level: str
    day: dt.date
    export_room_wh: int
    import_room_wh: int
    export_excess_wh: int
    import_excess_wh: int
    largest_room_w: int
    intervals: int
    difference_w: tuple[tuple[int | None, ...], ...] | UnsetType = UNSET
    intervals_only_in_pre: int | UnsetType = UNSET
    intervals_only_in_post: int | UnsetType = UNSET


class ComparisonTotal(Struct, frozen=True, kw_only=True):
    """All sites and days together, and the sites of one side only; amounts as in `SiteDay`."""

    sites: int
    intervals: int
    export_room_wh: int
    import_room_wh: int
    export_excess_wh: int
    import_excess_wh: int
    only_in_pre: int
    only_in_post: int
    intervals_only_in_pre: int
    intervals_only_in_post: int


class EnvelopeComparison(PrivateStruct, frozen=True):
    """Result of comparing POST with PRE envelopes.

    Attributes:
        horizon_start: Start of the first common interval, NEM time.
        total: All sites and days together.
        sites: Of each site, its days in turn.
    """

    horizon_start: str
    total: ComparisonTotal
    sites: tuple[SiteDay, ...]


def compare_envelopes(pre: LoadedEnvelopes, post: LoadedEnvelopes) -> EnvelopeComparison:
    """Compare POST with PRE envelopes, by NMI, level and interval.

    Raises:
        DocumentFault: If one has the wrong timing, or they have nothing in common.
    """
    comparison = pre_post.compare(pre.table, post.table)
    return EnvelopeComparison(
        format_nem(comparison.horizon_start), _total(comparison), tuple(_site_days(comparison))
    )


def _site_days(comparison: Comparison) -> Iterator[SiteDay]:
    room = comparison.daily_wh(comparison.room_w)
    excess = comparison.daily_wh(comparison.excess_w)
    for site, nmi in enumerate(comparison.nmis.tolist()):
        for number, day in enumerate(comparison.days):
            is_of_day = comparison.day == number
            is_compared = comparison.is_compared[site][:, is_of_day].any(axis=0)
            yield SiteDay(
                nmi=nmi.decode(),
                level=LEVEL_NAMES[comparison.levels[site]],
                day=day,
                export_room_wh=int(room[site, EXPORT, number]),
                import_room_wh=int(room[site, IMPORT, number]),
                export_excess_wh=int(excess[site, EXPORT, number]),
                import_excess_wh=int(excess[site, IMPORT, number]),
                largest_room_w=int(comparison.room_w[site][:, is_of_day].max()),
                intervals=int(is_compared.sum()),
                difference_w=UNSET if number else _differences(comparison, site),
                intervals_only_in_pre=(
                    UNSET if number else int(comparison.pre_only_intervals[site])
                ),
                intervals_only_in_post=(
                    UNSET if number else int(comparison.post_only_intervals[site])
                ),
            )


def _differences(comparison: Comparison, site: int) -> tuple[tuple[int | None, ...], ...]:
    watts, is_compared = comparison.difference_w[site], comparison.is_compared[site]
    return tuple(
        tuple(w if both else None for w, both in zip(*kind, strict=True))
        for kind in zip(watts.tolist(), is_compared.tolist(), strict=True)
    )


def _total(comparison: Comparison) -> ComparisonTotal:
    room = comparison.daily_wh(comparison.room_w)
    excess = comparison.daily_wh(comparison.excess_w)
    return ComparisonTotal(
        sites=len(comparison.nmis),
        intervals=int(comparison.is_compared.any(axis=1).sum()),
        export_room_wh=int(room[:, EXPORT].sum()),
        import_room_wh=int(room[:, IMPORT].sum()),
        export_excess_wh=int(excess[:, EXPORT].sum()),
        import_excess_wh=int(excess[:, IMPORT].sum()),
        only_in_pre=comparison.pre_only,
        only_in_post=comparison.post_only,
        intervals_only_in_pre=int(comparison.pre_only_intervals.sum()),
        intervals_only_in_post=int(comparison.post_only_intervals.sum()),
    )
