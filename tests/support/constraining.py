"""Envelopes of two sites, and offers to constrain to them."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import numpy as np

from oepnode.domain.edge.boffers.model import BofferDay, make_day
from oepnode.domain.edge.envelopes.table import EnvelopeTable, no_history
from oepnode.domain.nem.nem_time import period_start
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from tests.support.boffers import avail, prices

DAY = date(2026, 11, 20)
A, B, C = "6305000001", "6305000002", "6305000003"
BANDS = {3: -6, 13: 1, 19: 7}


def envelopes(level: int = 0, timing: int = 0) -> EnvelopeTable:
    """A may export 5 kW and import 4, B 2 and 1, in periods 1 and 2."""
    limits = np.full((2, 4, 2), NO_LIMIT, dtype=np.int32)
    limits[:, 0] = [[5000, 5000], [2000, 2000]]
    limits[:, 1] = [[-4000, -4000], [-1000, -1000]]
    return EnvelopeTable(
        nmis=np.array([A, B], dtype="S10"),
        levels=np.full(2, level, dtype=np.uint8),
        timings=np.full(2, timing, dtype=np.uint8),
        objectives=("", ""),
        horizon_start=period_start(DAY, 1),
        limits=limits,
        submitted_us=np.full((2, 2), NO_SUBMISSION, dtype=np.int64),
        superseded=no_history(),
    )


def offer(identity: str, periods: int = 2, **changes: Any) -> BofferDay:
    kind: Literal["NMI", "DUID"] = "NMI" if identity.isdigit() else "DUID"
    bands = changes.pop("bands", BANDS)
    return make_day(identity, DAY, prices(), avail(bands, periods), kind=kind, **changes)


def self_dispatched(fixed_w: int, **changes: Any) -> BofferDay:
    return make_day("UNIT1", DAY, None, None, periods=[1, 2], fixed_load=fixed_w, **changes)
