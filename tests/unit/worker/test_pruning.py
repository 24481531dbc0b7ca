"""Which rounds' bundles are deleted."""

from oepnode.worker.pruning import KeptRound, deletable

DAY_S = 86_400.0
NOW = 1_795_000_200.0
OVER = int(NOW) - 10 * 86_400 // 300 * 300


def kept(number: int, days_old: float, start: int = OVER, count: int = 288) -> KeptRound:
    return KeptRound(number, NOW - days_old * DAY_S, start, count)


def chosen(*rounds: KeptRound, keep_rounds: int = 1, now: float = NOW) -> list[int]:
    return sorted(deletable(rounds, now, keep_rounds, 2 * DAY_S))


def test_old_rounds_beyond_those_to_keep_are_deleted() -> None:
    rounds = [kept(1, 5), kept(2, 4), kept(3, 3)]
    assert chosen(*rounds) == [1, 2]
    assert chosen(*rounds, keep_rounds=2) == [1]
    assert chosen(*rounds, keep_rounds=3) == []


def test_a_young_round_is_kept_whatever_its_number() -> None:
    assert chosen(kept(1, 1), kept(2, 5), kept(3, 5), kept(4, 1)) == [2, 3]


def test_a_round_of_a_horizon_to_come_is_kept() -> None:
    coming = int(NOW) // 300 * 300
    assert chosen(kept(1, 5, coming), kept(2, 4), kept(3, 3)) == [2]


def test_a_round_that_newer_ones_replace_interval_by_interval_is_deleted() -> None:
    coming = int(NOW) // 300 * 300
    replacing = [kept(2, 4, coming, 2), kept(3, 4, coming + 600, 2)]
    assert chosen(kept(1, 5, coming, 4), *replacing, kept(4, 3)) == [1]
    assert chosen(kept(1, 5, coming, 5), *replacing, kept(4, 3)) == []


def test_an_interval_that_has_begun_is_still_to_come() -> None:
    begun = int(NOW) // 300 * 300
    now = float(begun + 299)
    assert chosen(kept(1, 5, begun, 1), kept(2, 3), now=now) == []
    assert chosen(kept(1, 5, begun, 1), kept(2, 3), now=now + 1) == [1]


def test_a_round_that_is_unknown_here_is_deleted_by_age_and_count() -> None:
    unknown = KeptRound(1, NOW - 5 * DAY_S, 0, 0)
    assert chosen(unknown, kept(2, 3)) == [1]
    assert chosen(unknown, kept(2, 3), keep_rounds=2) == []


def test_a_clock_that_is_set_back_deletes_nothing() -> None:
    assert chosen(kept(1, 5), kept(2, 3), now=NOW - 30 * DAY_S) == []
