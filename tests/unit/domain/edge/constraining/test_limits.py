"""Limits that bind an offer, and defaults for missing ones."""

from __future__ import annotations

import numpy as np
import pytest

from oepnode.domain.edge.constraining.limits import (
    LevelMismatchError,
    LimitTable,
    MissingLimitError,
    fill_missing,
    portfolio_limits,
)
from oepnode.domain.edge.envelopes.table import EnvelopeTable, no_history
from oepnode.domain.nem.quantities import NO_LIMIT, DefaultLimits
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from oepnode.errors import ConfigError

START = 1_000_200
A, B, C = "6305000001", "6305000002", "6305000003"


def envelopes() -> EnvelopeTable:
    """A with both levels, B with the NMI level only; three intervals, B's second not published."""
    limits = np.full((3, 4, 3), NO_LIMIT, dtype=np.int32)
    limits[:, 0] = [[1000] * 3, [2000] * 3, [3000, NO_LIMIT, 3000]]
    limits[:, 1] = [[-100] * 3, [-200] * 3, [-300, NO_LIMIT, -300]]
    return EnvelopeTable(
        nmis=np.array([A, A, B], dtype="S10"),
        levels=np.array([0, 1, 0], dtype=np.uint8),
        timings=np.zeros(3, dtype=np.uint8),
        objectives=("",) * 3,
        horizon_start=START,
        limits=limits,
        submitted_us=np.full((3, 3), NO_SUBMISSION, dtype=np.int64),
        superseded=no_history(),
    )


def test_limits_of_one_level_do_not_bind_the_other() -> None:
    active = LimitTable(envelopes(), "Flex").active(np.array([START]))
    assert active.nmis == (A,)
    assert active.exports.tolist() == [[2000]]
    with pytest.raises(LevelMismatchError) as raised:
        LimitTable(envelopes().at_level(1), "NMI")
    assert raised.value.level == "NMI"
    assert A not in str(raised.value)


def test_sites_and_intervals_come_in_the_requested_order() -> None:
    table = LimitTable(envelopes(), "NMI")
    assert table.nmis == (A, B)
    active = table.active(np.array([START + 600, START]), [B, C, A])
    assert active.nmis == (B, C, A)
    assert active.exports.tolist() == [[3000, 3000], [NO_LIMIT, NO_LIMIT], [1000, 1000]]
    assert active.imports.tolist() == [[-300, -300], [NO_LIMIT, NO_LIMIT], [-100, -100]]
    assert active.missing == 4


@pytest.mark.parametrize("start", [START - 300, START + 900, START + 1])
def test_outside_the_horizon_and_off_its_grid_there_is_no_limit(start: int) -> None:
    active = LimitTable(envelopes(), "NMI").active(np.array([start]), [A])
    assert active.exports.tolist() == [[NO_LIMIT]]


def test_missing_limits_need_a_stated_default() -> None:
    active = LimitTable(envelopes(), "NMI").active(np.array([START, START + 300]), [A, B])
    with pytest.raises(MissingLimitError, match="2 limits are not published") as raised:
        fill_missing(active, None)
    assert raised.value.count == 2
    filled = fill_missing(active, DefaultLimits(1500, -1600))
    assert filled.exports.tolist() == [[1000, 1000], [3000, 1500]]
    assert filled.imports.tolist() == [[-100, -100], [-300, -1600]]
    assert active.missing == 2, "the original stays as it was"
    assert fill_missing(filled, None) is filled


@pytest.mark.parametrize(("export_w", "import_w"), [(-1, 0), (0, 1)])
def test_default_limits_have_the_signs_of_limits(export_w: int, import_w: int) -> None:
    with pytest.raises(ConfigError, match="default"):
        DefaultLimits(export_w, import_w)


def test_a_portfolio_is_bound_by_the_sum_over_its_sites() -> None:
    active = LimitTable(envelopes(), "NMI").active(np.array([START, START + 300]))
    with pytest.raises(MissingLimitError):
        portfolio_limits(active)
    exports, imports = portfolio_limits(fill_missing(active, DefaultLimits(0, 0)))
    assert exports.tolist() == [4000, 1000]
    assert imports.tolist() == [-400, -100]


def test_sums_over_a_portfolio_do_not_overflow() -> None:
    many = envelopes()
    many.limits[:, 0] = 2**31 - 1
    many.limits[:, 1] = -(2**31) + 1
    exports, imports = portfolio_limits(LimitTable(many, "NMI").active(np.array([START])))
    assert (exports.tolist(), imports.tolist()) == ([2 * (2**31 - 1)], [-2 * (2**31 - 1)])


def test_no_nmi_shows_in_the_repr() -> None:
    active = LimitTable(envelopes(), "NMI").active(np.array([START]))
    assert A not in repr(active)
