"""Token buckets: a burst, then a rate; full buckets are forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from oepnode.adapters.http.server.token_bucket import TokenBuckets


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


def test_a_burst_then_a_rate() -> None:
    clock = Clock()
    buckets = TokenBuckets(2, 5, clock)
    assert [buckets.take("a") for _ in range(7)] == [True] * 5 + [False] * 2
    clock.time += 0.5
    assert [buckets.take("a") for _ in range(2)] == [True, False]
    assert buckets.take("b")


@given(st.lists(st.floats(0, 3), max_size=60))
def test_no_more_than_the_rate_allows(waits: list[float]) -> None:
    clock = Clock()
    buckets = TokenBuckets(2, 5, clock)
    taken = 0
    for wait in waits:
        clock.time += wait
        taken += buckets.take("a")
        assert taken <= 5 + 2 * clock.time + 1e-6


def test_many_addresses_are_forgotten_once_their_buckets_are_full() -> None:
    clock = Clock()
    buckets = TokenBuckets(1, 2, clock)
    for number in range(20_000):
        clock.time += 0.001
        assert buckets.take(str(number))
    assert len(buckets._buckets) < 10_000
