"""Days of Boffers constrained to published envelopes."""

from __future__ import annotations

import numpy as np
import pytest

from oepnode.domain.edge.boffers.gate_closure import gate_closure
from oepnode.domain.edge.constraining.constrain import (
    UNBOUND,
    PortfolioUnknownError,
    PostEnvelopeError,
    constrain,
)
from oepnode.domain.edge.constraining.limits import LevelMismatchError, MissingLimitError
from oepnode.domain.nem.nem_time import period_start
from oepnode.domain.nem.quantities import NO_LIMIT, DefaultLimits
from tests.support.boffers import avail, trims
from tests.support.constraining import BANDS, DAY, A, B, C, envelopes, offer, self_dispatched


def test_a_site_is_constrained_to_its_own_envelope() -> None:
    first, second = constrain([offer(A), offer(B)], envelopes())
    assert first.result.avail[0, [2, 12, 18]].tolist() == [-4000, 1000, 4000]
    assert second.result.avail[0, [2, 12, 18]].tolist() == [-1000, 1000, 1000]


def test_a_unit_is_constrained_to_the_sum_over_its_sites() -> None:
    (item,) = constrain([offer("UNIT1")], envelopes(), is_portfolio=True)
    assert item.sites == 2
    assert item.exports.tolist() == [7000, 7000]
    assert item.imports.tolist() == [-5000, -5000]
    assert item.result.avail[0, [2, 12, 18]].tolist() == [-5000, 1000, 6000]


def test_a_unit_is_constrained_to_its_portfolio_only() -> None:
    (item,) = constrain([offer("UNIT1")], envelopes(), [B])
    assert (item.exports.tolist(), item.sites) == ([2000, 2000], 1)


def test_the_portfolio_of_a_document_is_not_guessed() -> None:
    with pytest.raises(PortfolioUnknownError, match="2 sites") as caught:
        constrain([offer(A), offer("UNIT1")], envelopes())
    assert caught.value.sites == 2
    assert constrain([offer(A)], envelopes())[0].sites == 1


def test_part_c_6_3_field_2_post_envelopes_bind_no_pre_boffer_unless_requested() -> None:
    after = envelopes(timing=1)
    for day, portfolio in ((offer(A), None), (offer("UNIT1"), [A])):
        with pytest.raises(PostEnvelopeError):
            constrain([day], after, portfolio)
        (item,) = constrain([day], after, portfolio, is_post_allowed=True)
        assert item.exports.tolist() == [5000, 5000]
    assert constrain([offer(A, timing="POST")], after)[0].exports.tolist() == [5000, 5000]


def test_a_site_without_an_envelope_needs_a_default() -> None:
    with pytest.raises(MissingLimitError, match="4 limits"):
        constrain([offer(C)], envelopes())
    (item,) = constrain([offer("UNIT1")], envelopes(), [A, C], DefaultLimits(1500, -500))
    assert item.exports.tolist() == [6500, 6500]
    assert item.imports.tolist() == [-4500, -4500]
    assert item.defaults == 4


def test_an_interval_outside_the_horizon_needs_a_default_or_is_left_alone() -> None:
    with pytest.raises(MissingLimitError):
        constrain([offer(A, 3)], envelopes())
    (item,) = constrain([offer(A, 3)], envelopes(), default=DefaultLimits(0, 0))
    assert item.result.avail[2].any() == np.False_
    (item,) = constrain([offer(A, 3)], envelopes(), is_covered_only=True)
    assert item.outside == 1
    assert item.exports.tolist() == [5000, 5000, UNBOUND]
    assert (item.result.avail[2] == avail(BANDS)[0]).all()
    assert {row for row, *_ in trims(item.result)} == {0, 1}


def test_limits_of_the_other_level_do_not_bind() -> None:
    with pytest.raises(LevelMismatchError):
        constrain([offer(A)], envelopes(level=1))
    (item,) = constrain([offer(A, level="Flex")], envelopes(level=1))
    assert item.exports.tolist() == [5000, 5000]


def test_the_constrained_boffer_is_the_original_but_for_its_quantities() -> None:
    day = offer(A, max_avail_load=-6000, max_avail_gen=8000, submitted_us=5)
    (item,) = constrain([day], envelopes())
    held = item.constrained()
    assert held.avail.dtype == np.int32
    assert held.max_avail_load.tolist() == [-4000, -4000]
    assert held.max_avail_gen.tolist() == [5000, 5000]
    assert held.fixed_load.tolist() == [NO_LIMIT, NO_LIMIT]
    assert (held.prices == day.prices).all()
    assert (held.identity, held.submitted_us) == (A, 5)
    assert item.constrained(9).submitted_us == 9
    assert trims(constrain([held], envelopes())[0].result) == []


def test_gate_closure_of_the_day() -> None:
    assert gate_closure(DAY) == period_start(DAY, 1) - 15.5 * 3600


def test_hld_4_4_a_fixed_load_without_prices_is_constrained_and_stays_without_prices() -> None:
    (item,) = constrain([self_dispatched(-9_000)], envelopes(), is_portfolio=True)
    held = item.constrained()
    assert held.fixed_load.tolist() == [-5_000, -5_000]
    assert (held.has_prices, held.states_bands.tolist()) == (False, [False, False])
    assert {quantity for _, quantity, *_ in trims(item.result)} == {"fixedLoad"}
