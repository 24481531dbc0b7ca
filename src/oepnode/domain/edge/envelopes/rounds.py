"""Envelopes of several rounds as one table of the limits in force.

Guarantees: in each interval every limit is of the one round that is in force there
(``rounds.precedence``); where that round's envelopes are missing, or have no limit, there is none.
Source: rules-v1 section 14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from oepnode.domain.edge.envelopes.table import EnvelopeTable, no_history
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from oepnode.domain.rounds.precedence import RoundHorizon

_Site = tuple[bytes, int]


def combine(tables: Mapping[int, EnvelopeTable], spans: Sequence[RoundHorizon]) -> EnvelopeTable:
    """The limits in force, of verified bundles of one aggregator.

    Args:
        tables: At least one, by number of its round.
        spans: Which round is in force when, from ``precedence.spans_in_force``.

    Returns:
        A table over all their horizons. Timing and objective function of a site are those of its
        highest round.
    """
    start = min(table.horizon_start for table in tables.values())
    end = max(table.horizon_end for table in tables.values())
    meanings: dict[_Site, tuple[int, str]] = {}
    for number in sorted(tables):
        table = tables[number]
        for index, site in enumerate(_sites(table)):
            meanings[site] = (int(table.timings[index]), table.objectives[index])
    sites = sorted(meanings)
    rank = {site: index for index, site in enumerate(sites)}
    count = (end - start) // INTERVAL_S
    limits = np.full((len(sites), 4, count), NO_LIMIT, dtype=np.int32)
    for span in spans:
        if span.number in tables:
            table = tables[span.number]
            rows = [rank[site] for site in _sites(table)]
            into, out_of = (
                slice((span.start - first) // INTERVAL_S, (span.end - first) // INTERVAL_S)
                for first in (start, table.horizon_start)
            )
            limits[rows, :, into] = table.limits[:, :, out_of]
    return EnvelopeTable(
        nmis=np.array([nmi for nmi, _ in sites]),
        levels=np.array([level for _, level in sites], dtype=np.uint8),
        timings=np.array([meanings[site][0] for site in sites], dtype=np.uint8),
        objectives=tuple(meanings[site][1] for site in sites),
        horizon_start=start,
        limits=limits,
        submitted_us=np.full((len(sites), count), NO_SUBMISSION, dtype=np.int64),
        superseded=no_history(),
    )


def _sites(table: EnvelopeTable) -> list[_Site]:
    return list(zip(table.nmis.tolist(), table.levels.tolist(), strict=True))
