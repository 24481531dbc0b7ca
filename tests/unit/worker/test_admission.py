"""The bound on rounds that are computed in an hour."""

import pytest
from msgspec.structs import replace

from oepnode.errors import TransportError
from oepnode.ports import LatestEnvelope
from oepnode.worker.admission import Admission
from oepnode.worker.state import RoundState
from oepnode.worker.transition import begin
from tests.support.fake_chain import FakeClock
from tests.support.fake_services import FakeSender
from tests.support.rounds import ELECTORATE, MEMBERS, context, opened


def state(number: int, digest: bytes = b"\x11" * 32) -> RoundState:
    of = replace(opened(number), envelope_digest=digest)
    return begin(context(number), of, ELECTORATE, MEMBERS[0].operator)[0]


def newest(number: int | None, digest: bytes = b"\x11" * 32) -> LatestEnvelope:
    return LatestEnvelope(digest, None, 0, 6, 1, number)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
def admission(clock: FakeClock, sender: FakeSender) -> Admission:
    return Admission(clock, sender, 2)


async def test_rounds_within_the_bound_are_admitted(admission: Admission) -> None:
    assert [await admission.admits(state(n)) for n in (1, 2, 3)] == [True, True, False]


async def test_a_round_counts_once(admission: Admission) -> None:
    assert [await admission.admits(state(n)) for n in (1, 1, 1, 2)] == [True] * 4


async def test_after_an_hour_there_is_room_again(admission: Admission, clock: FakeClock) -> None:
    for number in (1, 2):
        assert await admission.admits(state(number))
    clock.time += 3599
    assert not await admission.admits(state(3))
    clock.time += 1
    assert await admission.admits(state(4))


async def test_a_clock_set_back_leaves_no_bound_for_ever(
    admission: Admission, clock: FakeClock
) -> None:
    for number in (1, 2):
        assert await admission.admits(state(number))
    clock.time -= 86_400
    assert await admission.admits(state(3))


async def test_the_round_that_the_sender_names_is_admitted(
    admission: Admission, sender: FakeSender
) -> None:
    for number in (1, 2):
        await admission.admits(state(number))
    sender.newest = newest(4)
    assert not await admission.admits(state(3))
    assert await admission.admits(state(4))
    assert not await admission.admits(state(4 + 1))


async def test_a_round_of_another_document_is_not_the_one_that_is_named(
    admission: Admission, sender: FakeSender
) -> None:
    for number in (1, 2):
        await admission.admits(state(number))
    sender.newest = newest(3, b"\x22" * 32)
    assert not await admission.admits(state(3))


async def test_without_a_named_round_the_first_of_the_document_is_admitted(
    admission: Admission, sender: FakeSender
) -> None:
    for number in (1, 2):
        await admission.admits(state(number))
    sender.newest = newest(None, b"\x22" * 32)
    assert await admission.admits(state(3, b"\x22" * 32))
    assert not await admission.admits(state(4, b"\x22" * 32))


async def test_a_sender_that_is_down_names_nothing(
    admission: Admission, sender: FakeSender
) -> None:
    for number in (1, 2):
        await admission.admits(state(number))
    sender.is_down = True
    with pytest.raises(TransportError):
        await sender.latest()
    assert not await admission.admits(state(3))
