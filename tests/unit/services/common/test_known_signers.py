"""Members in memory: strangers lead to few reads of the chain, and new members are found."""

import asyncio

import pytest

from oepnode.domain.rounds.onchain import Member
from oepnode.errors import TransportError
from oepnode.services.common.known_signers import REFRESH_S, KnownSigners

MEMBERS = [Member(index, bytes([index]) * 20, bytes([0x80 + index]) * 20) for index in range(3)]
STRANGER = b"\x99" * 20


class World:
    """A chain that counts its reads, and a clock."""

    def __init__(self) -> None:
        self.members = MEMBERS[:2]
        self.reads = 0
        self.fault: TransportError | None = None
        self.time = 0.0
        self.known = KnownSigners(self._load, lambda: self.time)

    async def _load(self) -> list[Member]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        return list(self.members)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_member_is_found_with_one_read(world: World) -> None:
    for member in MEMBERS[:2]:
        assert await world.known.find(member.signer) == member
    world.time += 1000
    assert await world.known.find(MEMBERS[0].signer) == MEMBERS[0]
    assert world.reads == 1


async def test_many_strangers_lead_to_one_read(world: World) -> None:
    strangers = [bytes([number]) * 20 for number in range(50, 100)]
    found = await asyncio.gather(*(world.known.find(stranger) for stranger in strangers))
    assert set(found) == {None}
    for stranger in strangers:
        assert await world.known.find(stranger) is None
    assert world.reads == 1


async def test_a_new_member_is_found_after_a_moment(world: World) -> None:
    assert await world.known.find(MEMBERS[2].signer) is None
    world.members = MEMBERS
    assert await world.known.find(MEMBERS[2].signer) is None
    world.time += REFRESH_S
    assert await world.known.find(MEMBERS[2].signer) == MEMBERS[2]
    assert world.reads == 2


async def test_a_rotated_signer_is_unknown_after_the_next_read(world: World) -> None:
    assert await world.known.find(MEMBERS[0].signer) == MEMBERS[0]
    world.members = MEMBERS[1:]
    world.time += REFRESH_S
    assert await world.known.find(STRANGER) is None
    assert await world.known.find(MEMBERS[0].signer) is None


async def test_without_a_chain_known_members_are_found_and_others_wait(world: World) -> None:
    assert await world.known.find(MEMBERS[0].signer) == MEMBERS[0]
    world.fault = TransportError("the node does not answer")
    world.time += REFRESH_S
    assert await world.known.find(MEMBERS[1].signer) == MEMBERS[1]
    results = await asyncio.gather(
        *(world.known.find(STRANGER) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(result, TransportError) for result in results)
    assert world.reads == 2
    world.fault = None
    assert await world.known.find(STRANGER) is None


async def test_a_client_that_leaves_stops_nobody_elses_read(world: World) -> None:
    first = asyncio.create_task(world.known.find(MEMBERS[0].signer))
    second = asyncio.create_task(world.known.find(MEMBERS[1].signer))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == MEMBERS[1]
