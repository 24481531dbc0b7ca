"""The limits that bind an offer: of one site, or of a portfolio, interval by interval.

Guarantees: limits of one application level only; nothing is filled in silently: a limit that is not
published stays `NO_LIMIT` until `fill_missing` is told what holds in its place, and says how often.

Leaves out: reactive limits, which bind no offer. A verified bundle does not tell a limit that was
never published from one of an interval in which another aggregator holds the NMI.

Source: Part C §6.3 (oeApplicationLevel, limits), §4.3 fields 5 and 6 ("or use default values").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT, EnvelopeTable
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.envelope_form import LEVELS
from oepnode.errors import EvidenceError


class MissingLimitError(EvidenceError):
    """Limits are not published, and no default is stated.

    Attributes:
        count: How many limits are missing.
    """

    def __init__(self, count: int) -> None:
        noun = "limit is" if count == 1 else "limits are"
        super().__init__(f"{count} {noun} not published, and no default is stated")
        self.count = count


class LevelMismatchError(EvidenceError):
    """An envelope has no site of the level asked for.

    Attributes:
        wanted: The level asked for.
    """

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"the envelope has no limits of application level {wanted}, and limits of one level do "
            "not bind offers of the other (Part C §6.3 field 4)"
        )
        self.wanted = wanted


@dataclass(frozen=True, slots=True)
class DefaultLimits:
    """What holds at a site where no limit is published.

    Attributes:
        export_w: Watts ≥ 0.
        import_w: Watts ≤ 0.

    Raises:
        ValueError: If a limit has the other sign.
    """

    export_w: int
    import_w: int

    def __post_init__(self) -> None:
        if self.export_w < 0 or self.import_w > 0:
            raise ValueError("a default export limit is not negative, an import limit not positive")


@dataclass(frozen=True, repr=False)
class ActiveLimits:
    """Active power limits of sites in chosen intervals. Its repr shows no NMI.

    Attributes:
        nmis: NMI of each site.
        exports: Shape (sites, n), int32 W ≥ 0 or `NO_LIMIT`.
        imports: Shape (sites, n), int32 W ≤ 0 or `NO_LIMIT`.
    """

    nmis: tuple[str, ...]
    exports: npt.NDArray[np.int32]
    imports: npt.NDArray[np.int32]

    @property
    def missing(self) -> int:
        """Limits that are not published, exports and imports counted apart."""
        return int((self.exports == NO_LIMIT).sum() + (self.imports == NO_LIMIT).sum())


class LimitTable:
    """Active power limits of one application level, to be asked for sites and intervals.

    Args:
        envelopes: As published, of any levels.
        level: ``NMI`` or ``Flex``.

    Raises:
        LevelMismatchError: If the envelopes have no site of the level.
    """

    def __init__(self, envelopes: EnvelopeTable, level: str) -> None:
        found = envelopes.at_level(LEVELS[level])
        if not found.site_count:
            raise LevelMismatchError(level)
        self._envelopes = found
        self.nmis = tuple(name.decode() for name in found.nmis.tolist())
        self._place = {nmi: number for number, nmi in enumerate(self.nmis)}

    def active(self, starts: npt.NDArray[Any], nmis: Sequence[str] | None = None) -> ActiveLimits:
        """Limits of sites in intervals.

        Args:
            starts: Interval starts, UTC seconds, shape (n,); outside the horizon is no limit.
            nmis: Which sites, in order; one that is not published has no limit. Default: all.
        """
        wanted = self.nmis if nmis is None else tuple(nmis)
        site = np.array([self._place.get(nmi, -1) for nmi in wanted], dtype=np.intp)
        interval, rest = np.divmod(
            np.asarray(starts, dtype=np.int64) - self._envelopes.horizon_start, INTERVAL_S
        )
        is_inside = (rest == 0) & (interval >= 0) & (interval < self._envelopes.interval_count)
        row, column = np.nonzero((site >= 0)[:, None] & is_inside[None, :])
        both = np.full((2, len(wanted), len(interval)), NO_LIMIT, dtype=np.int32)
        for kind in (EXPORT, IMPORT):
            both[kind, row, column] = self._envelopes.limits[site[row], kind, interval[column]]
        return ActiveLimits(wanted, both[EXPORT], both[IMPORT])


def fill_missing(limits: ActiveLimits, default: DefaultLimits | None) -> ActiveLimits:
    """Put the stated default where no limit is published.

    Raises:
        MissingLimitError: If limits are missing and no default is stated.
    """
    if not limits.missing:
        return limits
    if default is None:
        raise MissingLimitError(limits.missing)
    exports, imports = limits.exports.copy(), limits.imports.copy()
    exports[exports == NO_LIMIT] = default.export_w
    imports[imports == NO_LIMIT] = default.import_w
    return replace(limits, exports=exports, imports=imports)


def portfolio_limits(
    limits: ActiveLimits,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Export and import limits of a portfolio: the sums over its sites, watts, shape (n,).

    Raises:
        MissingLimitError: If one is missing.
    """
    filled = fill_missing(limits, None)
    return filled.exports.sum(axis=0, dtype=np.int64), filled.imports.sum(axis=0, dtype=np.int64)
