"""The limits that bind an offer: of one site, or of a portfolio, interval by interval.

Guarantees: limits of one application level only; a limit that is not published stays `NO_LIMIT`
until `fill_missing` puts a stated default in its place, and missing limits are counted.

Leaves out reactive limits, which bind no offer. A verified bundle does not distinguish a limit that
was never published from one of an interval in which another aggregator holds the NMI.

Source: Part C §6.3 (oeApplicationLevel, limits), §4.3 fields 5 and 6 ("or use default values").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from oepnode.domain.documents.arrays import Int32s, Int64s, Ints
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT, EnvelopeTable
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT, DefaultLimits
from oepnode.domain.rounds.inputs.envelope_form import LEVELS
from oepnode.errors import ConfigError, EvidenceError


class MissingLimitError(ConfigError):
    """Limits are not published, and no default is stated.

    Attributes:
        count: How many limits are missing.
        unpublished: Number of NMIs among the sites that have no envelope.
    """

    def __init__(self, count: int, unpublished: int = 0) -> None:
        noun = "limit is" if count == 1 else "limits are"
        nmis = "1 NMI has" if unpublished == 1 else f"{unpublished} NMIs have"
        reason = f"; {nmis} no envelope at this level" if unpublished else ""
        super().__init__(f"{count} {noun} not published, and no default is stated{reason}")
        self.count = count
        self.unpublished = unpublished


class LevelMismatchError(EvidenceError):
    """The envelopes have no site of the requested level.

    Attributes:
        level: The requested level.
    """

    def __init__(self, level: str) -> None:
        super().__init__(
            f"the envelopes have no limits of application level {level}, and limits of one level "
            "do not bind offers of the other (Part C §6.3 field 4)"
        )
        self.level = level


@dataclass(frozen=True, repr=False)
class ActiveLimits:
    """Active power limits of sites in chosen intervals. Its repr shows no NMI.

    Attributes:
        nmis: NMI of each site.
        exports: Shape (sites, n), int32 W ≥ 0 or `NO_LIMIT`.
        imports: Shape (sites, n), int32 W ≤ 0 or `NO_LIMIT`.
        unpublished: Number of sites without an envelope.
    """

    nmis: tuple[str, ...]
    exports: Int32s
    imports: Int32s
    unpublished: int = 0

    @property
    def missing(self) -> int:
        """Number of limits that are not published, exports and imports counted apart."""
        return int((self.exports == NO_LIMIT).sum() + (self.imports == NO_LIMIT).sum())


class LimitTable:
    """Active power limits of one application level, by site and interval.

    Args:
        envelopes: Published envelopes of any levels.
        level: ``NMI`` or ``Flex``.

    Raises:
        LevelMismatchError: If the envelopes have no site of the level.
    """

    def __init__(self, envelopes: EnvelopeTable, level: str) -> None:
        self._envelopes = envelopes.at_level(LEVELS[level])
        if not self._envelopes.site_count:
            raise LevelMismatchError(level)
        self.nmis = tuple(name.decode() for name in self._envelopes.nmis.tolist())
        self._site_of = {nmi: number for number, nmi in enumerate(self.nmis)}

    def active(self, starts: Ints, nmis: Sequence[str] | None = None) -> ActiveLimits:
        """Return the limits of sites in intervals.

        Args:
            starts: Interval starts, UTC seconds, shape (n,); there is no limit outside the horizon.
            nmis: Sites, in order; one that is not published has no limit. Default: all.
        """
        names = self.nmis if nmis is None else tuple(nmis)
        site = np.array([self._site_of.get(nmi, -1) for nmi in names], dtype=np.intp)
        interval, rest = np.divmod(
            np.asarray(starts, dtype=np.int64) - self._envelopes.horizon_start, INTERVAL_S
        )
        is_inside = (rest == 0) & (interval >= 0) & (interval < self._envelopes.interval_count)
        row, column = np.nonzero((site >= 0)[:, None] & is_inside[None, :])
        both = np.full((2, len(names), len(interval)), NO_LIMIT, dtype=np.int32)
        for kind in (EXPORT, IMPORT):
            both[kind, row, column] = self._envelopes.limits[site[row], kind, interval[column]]
        return ActiveLimits(names, both[EXPORT], both[IMPORT], int((site < 0).sum()))


def fill_missing(limits: ActiveLimits, default: DefaultLimits | None) -> ActiveLimits:
    """Put the stated defaults where no limit is published.

    Raises:
        MissingLimitError: If limits are missing for which no default is stated.
    """
    if not limits.missing:
        return limits
    stated = default or DefaultLimits()
    filled = replace(
        limits,
        exports=_filled(limits.exports, stated.export_w),
        imports=_filled(limits.imports, stated.import_w),
    )
    if filled.missing:
        raise MissingLimitError(filled.missing, filled.unpublished)
    return filled


def _filled(limits: Int32s, default: int | None) -> Int32s:
    return limits if default is None else np.where(limits == NO_LIMIT, np.int32(default), limits)


def portfolio_limits(limits: ActiveLimits) -> tuple[Int64s, Int64s]:
    """Return the export and import limits of a portfolio: sums over its sites, watts, shape (n,).

    Raises:
        MissingLimitError: If a limit is missing.
    """
    filled = fill_missing(limits, None)
    return filled.exports.sum(axis=0, dtype=np.int64), filled.imports.sum(axis=0, dtype=np.int64)
