"""Which connections make room for others, and which have waited too long."""

import pytest

from oepnode.adapters.http.server.connections import Connections, Stage, counted_address
from oepnode.adapters.http.server.limits import Limits

LIMITS = Limits(connections=32, per_address=8, proxies=frozenset({"proxy"}))


class FakeConnection:
    def __init__(self, pool: Connections, address: str, stage: Stage, since: float) -> None:
        self.address = address
        self.stage = stage
        self.since = since
        self.is_aborted = False
        pool.add(self)

    def abort(self) -> None:
        self.is_aborted = True


class World:
    """Connections, and a clock."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.pool = Connections(LIMITS, lambda: self.time)
        self.opened: list[FakeConnection] = []

    def open(
        self, count: int, address: str = "", stage: Stage = Stage.SILENT, age: float = 0.0
    ) -> list[FakeConnection]:
        new = [
            FakeConnection(self.pool, address or f"a{len(self.opened) + n}", stage, self.time - age)
            for n in range(count)
        ]
        self.opened += new
        return new

    def closed(self) -> list[FakeConnection]:
        return [one for one in self.opened if one.is_aborted]


@pytest.fixture
def world() -> World:
    return World()


def test_there_is_room_up_to_the_limit(world: World) -> None:
    world.open(31)
    assert world.pool.admit("new")
    assert world.closed() == []


def test_the_oldest_that_has_sent_nothing_makes_room(world: World) -> None:
    working = world.open(10, stage=Stage.WORKING)
    idle = world.open(10, stage=Stage.IDLE, age=100)
    (old,) = world.open(1, age=5)
    world.open(11, age=1)
    assert world.pool.admit("new")
    assert old.is_aborted
    assert not any(one.is_aborted for one in working + idle)
    assert len(world.pool) < 32


def test_the_address_with_the_most_connections_gives_way(world: World) -> None:
    quiet = world.open(24, age=100)
    greedy = world.open(8, "greedy", age=1)
    assert world.pool.admit("new")
    assert world.closed() and set(world.closed()) <= set(greedy)
    assert not any(one.is_aborted for one in quiet)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        (Stage.SILENT, Stage.HEADER),
        (Stage.HEADER, Stage.IDLE),
        (Stage.IDLE, Stage.BODY),
        (Stage.BODY, Stage.MOVING),
        (Stage.MOVING, Stage.WORKING),
    ],
)
def test_the_lower_stage_gives_way(world: World, lower: Stage, higher: Stage) -> None:
    kept = world.open(16, stage=higher, age=3)
    world.open(16, stage=lower, age=2)
    assert world.pool.admit("new")
    assert world.closed()
    assert not any(one.is_aborted for one in kept)


@pytest.mark.parametrize("stage", [Stage.SILENT, Stage.HEADER, Stage.BODY])
def test_a_client_that_has_just_come_stays_and_slow_ones_give_way(
    world: World, stage: Stage
) -> None:
    slow = world.open(16, stage=Stage.BODY, age=2)
    fresh = world.open(16, stage=stage)
    for _ in range(10):
        assert world.pool.admit("new")
        world.open(1, stage=stage)
    assert any(one.is_aborted for one in slow)
    assert not any(one.is_aborted for one in fresh)


def test_a_body_that_arrives_fast_outlasts_those_that_have_just_come(world: World) -> None:
    moving = world.open(16, stage=Stage.MOVING, age=100)
    world.open(16)
    for _ in range(4):
        assert world.pool.admit("new")
        world.open(2)
    assert not any(one.is_aborted for one in moving)


def test_of_those_that_have_just_come_the_oldest_gives_way(world: World) -> None:
    (old,) = world.open(1, age=0.9)
    world.open(31, age=0.1)
    assert world.pool.admit("new")
    assert old.is_aborted
    assert len(world.closed()) == 2


def test_a_long_request_gives_way_last_and_a_fresh_one_never(world: World) -> None:
    fresh = world.open(31, stage=Stage.WORKING, age=4)
    (long,) = world.open(1, stage=Stage.WORKING, age=6)
    assert world.pool.admit("new")
    assert world.closed() == [long]
    world.open(1, stage=Stage.WORKING)
    assert not world.pool.admit("another")
    assert not any(one.is_aborted for one in fresh)


def test_a_complete_header_is_not_closed_before_its_request_begins(world: World) -> None:
    ready = world.open(31, stage=Stage.READY, age=0.9)
    (silent,) = world.open(1)
    assert world.pool.admit("new")
    assert world.closed() == [silent]
    world.open(1, stage=Stage.READY)
    assert not world.pool.admit("another")
    world.time += 0.2  # nothing began: HTTP waits for more, as it does within a header
    assert world.pool.admit("another")
    assert any(one.is_aborted for one in ready)


def test_one_that_moved_on_since_they_were_ranked_is_not_closed(world: World) -> None:
    moving, *_ = world.open(32, stage=Stage.HEADER, age=5)
    moving.since -= 1
    other = world.opened[1]
    other.since -= 2
    assert world.pool.admit("new")
    assert {moving, other} == set(world.closed())
    following = sorted(world.opened[2:], key=id)[:2]
    following[0].stage = Stage.WORKING
    following[1].since = world.time
    world.open(2, stage=Stage.WORKING)
    assert world.pool.admit("new")
    assert not any(one.is_aborted for one in following)
    assert len(world.closed()) == 4


def test_the_address_with_the_most_is_looked_up_each_time(world: World) -> None:
    more = world.open(16, "more", age=5)
    most = world.open(16, "most", age=9)
    world.pool.remove(more.pop())
    world.open(1)
    for _ in range(4):
        assert world.pool.admit("new")
        world.open(2)
    closed = world.closed()
    assert 2 <= sum(one in most for one in closed) <= 6
    assert 2 <= sum(one in more for one in closed) <= 6


def test_what_came_after_a_ranking_is_found_later(world: World) -> None:
    world.open(32, stage=Stage.WORKING)
    assert not world.pool.admit("new")
    world.pool.remove(world.opened[0])
    (silent,) = world.open(1, age=2)
    assert world.pool.admit("new")
    assert world.closed() == [silent]


@pytest.mark.parametrize("stage", [Stage.IDLE, Stage.MOVING])
def test_idle_connections_are_not_closed_by_the_dozen(world: World, stage: Stage) -> None:
    world.open(32, stage=stage)
    assert world.pool.admit("new")
    assert len(world.closed()) == 1


def test_one_address_has_its_own_limit(world: World) -> None:
    busy = world.open(8, "one", stage=Stage.WORKING)
    assert not world.pool.admit("one")
    assert world.pool.admit("another")
    busy[0].stage = Stage.IDLE
    assert world.pool.admit("one")
    assert world.closed() == [busy[0]]


def test_a_proxy_has_only_the_limit_in_total(world: World) -> None:
    world.open(31, "proxy", stage=Stage.WORKING)
    assert world.pool.admit("proxy")


def test_what_is_removed_counts_no_longer(world: World) -> None:
    for one in world.open(8, "one", stage=Stage.WORKING):
        world.pool.remove(one)
        world.pool.remove(one)
    assert len(world.pool) == 0
    assert world.pool.admit("one")


@pytest.mark.parametrize(
    ("stage", "allowed_s"),
    [
        (Stage.SILENT, LIMITS.silent_s),
        (Stage.HEADER, LIMITS.header_s),
        (Stage.READY, LIMITS.header_s),
        (Stage.IDLE, LIMITS.idle_s),
        (Stage.BODY, LIMITS.request_s),
        (Stage.MOVING, LIMITS.request_s),
        (Stage.WORKING, LIMITS.request_s),
    ],
)
def test_each_stage_has_its_deadline(world: World, stage: Stage, allowed_s: float) -> None:
    (one,) = world.open(1, stage=stage, age=allowed_s)
    assert world.pool.close_expired() == 0
    world.time += 0.1
    assert world.pool.close_expired() == 1
    assert one.is_aborted
    assert len(world.pool) == 0


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::1", "::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_ipv6_counts_by_network(host: str, counted: str) -> None:
    assert counted_address(host) == counted
