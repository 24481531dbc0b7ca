"""Precedence of final rounds (rules-v1 section 14)."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.rounds.precedence import RoundHorizon, spans_in_force
from oepnode.errors import ConfigError
from tests.reference.precedence import round_in_force

START = 1_795_132_800
STEP = 300


def horizon(number: int, at: int, count: int) -> RoundHorizon:
    return RoundHorizon(number, START + at * STEP, count)


def test_the_highest_number_that_covers_an_interval() -> None:
    rounds = [horizon(1, 0, 6), horizon(2, 2, 2), horizon(3, 5, 4)]
    assert spans_in_force(rounds) == (
        horizon(1, 0, 2),
        horizon(2, 2, 2),
        horizon(1, 4, 1),
        horizon(3, 5, 4),
    )


def test_no_round() -> None:
    assert spans_in_force([]) == ()


def test_one_round_twice_is_one_and_with_two_horizons_is_rejected() -> None:
    assert spans_in_force([horizon(1, 0, 2), horizon(1, 0, 2)]) == (horizon(1, 0, 2),)
    with pytest.raises(ConfigError, match="one horizon"):
        spans_in_force([horizon(1, 0, 2), horizon(1, 0, 3)])


@given(
    places=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20)), max_size=12),
    seed=st.integers(0, 2**32),
)
def test_it_matches_the_reference_in_every_interval(
    places: list[tuple[int, int]], seed: int
) -> None:
    rounds = [horizon(number, *place) for number, place in enumerate(places, 1)]
    spans = spans_in_force(random.Random(seed).sample(rounds, len(rounds)))
    final = [(r.number, r.start, r.interval_count) for r in rounds]
    for at in range(-1, 52):
        start = START + at * STEP
        covering = [span.number for span in spans if span.start <= start < span.end]
        assert covering == [n for n in [round_in_force(final, start)] if n is not None]
    for before, after in pairwise(spans):
        assert before.end <= after.start
        assert before.end < after.start or before.number != after.number
