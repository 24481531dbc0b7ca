"""Random days of Boffers."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
from hypothesis import strategies as st

from oepnode.domain.edge.boffers.model import BofferDay, make_day
from oepnode.domain.nem.quantities import NO_LIMIT
from tests.support.edge_documents import NMI

DAY = date(2026, 11, 20)
watts = st.integers(0, 10_000_000)


@st.composite
def boffer_days(draw: st.DrawFn) -> BofferDay:
    kind = draw(st.sampled_from(["NMI", "DUID"]))
    count = draw(st.integers(1, 4))
    signs = np.repeat([-1, 1], 10)
    rows = [np.array(draw(st.lists(watts, min_size=20, max_size=20))) * signs for _ in range(count)]
    none = st.just(NO_LIMIT)
    limit = st.lists(none | watts, min_size=count, max_size=count)
    extra: dict[str, Any] = {}
    if kind == "DUID":
        extra = {
            "max_avail_gen": draw(limit),
            "max_avail_load": [w if w == NO_LIMIT else -w for w in draw(limit)],
            "fixed_load": draw(limit),
        }
    prices = st.lists(st.integers(-100_000, 2_000_000), min_size=20, max_size=20)
    is_priced = draw(st.booleans())
    periods = st.lists(st.integers(1, 288), min_size=count, max_size=count, unique=True)
    return make_day(
        NMI if kind == "NMI" else "UNIT1",
        DAY,
        draw(prices) if is_priced else None,
        rows if is_priced else draw(st.sampled_from([None, np.zeros((count, 20), np.int32)])),
        periods=draw(periods),
        level=draw(st.sampled_from(["NMI", "Flex"])),
        timing="PRE" if kind == "DUID" else draw(st.sampled_from(["PRE", "POST"])),
        kind=kind,  # type: ignore[arg-type]
        submitted_us=draw(st.integers(0, 4 * 10**15)),
        accumulated=draw(st.booleans()),
        **extra,
    )
