"""Permission to read a round's inputs: the checks of a signed request, through the registry.

Source: docs/services.md, "Who may read".
"""

from hashlib import sha256
from typing import Any

import pytest

from oepnode.adapters.crypto.request_signature import sign_request
from oepnode.errors import TransportError
from oepnode.services.common.http import Rejection
from oepnode.services.registry.app import RequestHandler
from oepnode.services.registry.store import RegistryStore
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeClock, InMemoryChain
from tests.support.registry_requests import (
    LATER,
    OPERATOR,
    SALT,
    STRANGER,
    WINDOW_S,
    WORKER,
    a_request,
    access_log,
    address,
    ask,
    opened,
    rejection,
    snapshot_bytes,
)


async def test_a_rotated_worker_gets_the_inputs_of_a_round_that_its_operator_is_in(
    handler: RequestHandler, clock: FakeClock, blockchain: InMemoryChain
) -> None:
    blockchain.rotate_signer(OPERATOR, address(STRANGER))
    assert opened(await ask(handler, a_request(clock), STRANGER)) == SALT


async def test_a_replay_is_rejected(
    handler: RequestHandler, clock: FakeClock, registry: RegistryStore
) -> None:
    request = a_request(clock)
    signature = sign_request(WORKER, request, CHAIN_ID, CONTRACT)
    await handler.answer(request, signature)
    with pytest.raises(Rejection) as rejected:
        await handler.answer(request, signature)
    assert (rejected.value.status, rejected.value.code) == (409, "nonce.used")
    assert len(access_log(registry)) == 1


async def test_a_nonce_is_used_up_for_every_other_request_too(
    handler: RequestHandler, clock: FakeClock
) -> None:
    await ask(handler, a_request(clock))
    rejected = await rejection(handler, a_request(clock, what="snapshot"))
    assert rejected.code == "nonce.used"


async def test_a_replay_after_the_window_is_rejected_by_time(
    handler: RequestHandler, clock: FakeClock
) -> None:
    request = a_request(clock)
    await ask(handler, request)
    clock.time += 3 * WINDOW_S
    await ask(handler, a_request(clock, nonce=b"\x0a" * 32))  # lets old nonces be forgotten
    rejected = await rejection(handler, request)
    assert (rejected.status, rejected.code) == (401, "request.time")


async def test_a_used_nonce_stays_used_when_the_clock_is_set_back(
    handler: RequestHandler, clock: FakeClock
) -> None:
    request = a_request(clock)
    await ask(handler, request)
    clock.time += WINDOW_S + 30
    await ask(handler, a_request(clock, nonce=b"\x0a" * 32))
    clock.time -= 40
    assert (await rejection(handler, request)).code == "nonce.used"


@pytest.mark.parametrize("off_s", [-WINDOW_S - 1, WINDOW_S + 1, -(10**9)])
async def test_a_wrong_time_is_rejected(
    handler: RequestHandler, clock: FakeClock, off_s: int
) -> None:
    rejected = await rejection(handler, a_request(clock, issued_at=int(clock.now()) + off_s))
    assert (rejected.status, rejected.code) == (401, "request.time")


@pytest.mark.parametrize("off_s", [-WINDOW_S, WINDOW_S])
async def test_the_edge_of_the_window_is_inside(
    handler: RequestHandler, clock: FakeClock, off_s: int
) -> None:
    assert await ask(handler, a_request(clock, issued_at=int(clock.now()) + off_s))


async def test_a_stranger_is_rejected_and_uses_up_nothing(
    handler: RequestHandler, clock: FakeClock, registry: RegistryStore
) -> None:
    rejected = await rejection(handler, a_request(clock), STRANGER)
    assert (rejected.status, rejected.code) == (403, "worker.unknown")
    assert access_log(registry) == []
    assert await ask(handler, a_request(clock))  # the same nonce still works for the worker


async def test_a_removed_worker_is_rejected_even_for_a_round_it_was_in(
    handler: RequestHandler, clock: FakeClock, blockchain: InMemoryChain
) -> None:
    blockchain.remove_member(OPERATOR)
    rejected = await rejection(handler, a_request(clock))
    assert (rejected.status, rejected.code) == (403, "worker.unknown")


async def test_a_rotated_key_is_rejected(
    handler: RequestHandler, clock: FakeClock, blockchain: InMemoryChain
) -> None:
    blockchain.rotate_signer(OPERATOR, address(STRANGER))
    assert (await rejection(handler, a_request(clock))).code == "worker.unknown"


async def test_a_worker_that_came_later_is_rejected(
    handler: RequestHandler, clock: FakeClock, blockchain: InMemoryChain
) -> None:
    blockchain.add_member(LATER, address(STRANGER))
    rejected = await rejection(handler, a_request(clock), STRANGER)
    assert (rejected.status, rejected.code) == (403, "worker.not_in_electorate")


@pytest.mark.parametrize(
    "domain", [{"chain_id": CHAIN_ID + 1}, {"contract": b"\x11" * 20}], ids=["chain", "contract"]
)
async def test_another_chain_or_contract_is_rejected(
    handler: RequestHandler, clock: FakeClock, domain: dict[str, Any]
) -> None:
    rejected = await rejection(handler, a_request(clock), **domain)
    assert (rejected.status, rejected.code) == (401, "signature.invalid")


async def test_a_malformed_signature_is_rejected(handler: RequestHandler, clock: FakeClock) -> None:
    with pytest.raises(Rejection) as rejected:
        await handler.answer(a_request(clock), b"\xff" * 65)
    assert (rejected.value.status, rejected.value.code) == (401, "signature.invalid")


async def test_a_round_that_does_not_use_the_snapshot_is_rejected(
    handler: RequestHandler, clock: FakeClock, registry: RegistryStore
) -> None:
    other = snapshot_bytes("2026-11-21T00:00:00+10:00")
    registry.publish(other, SALT, clock.now(), reuse_salt=True)
    rejected = await rejection(handler, a_request(clock, snapshot_digest=sha256(other).digest()))
    assert (rejected.status, rejected.code) == (409, "round.other_snapshot")


@pytest.mark.parametrize("number", [2, 2**63 - 1])
async def test_a_round_that_does_not_exist_is_rejected(
    handler: RequestHandler, clock: FakeClock, number: int
) -> None:
    rejected = await rejection(handler, a_request(clock, round=number))
    assert (rejected.status, rejected.code) == (404, "round.unknown")


async def test_without_a_chain_nothing_is_served(
    handler: RequestHandler, clock: FakeClock, blockchain: InMemoryChain, registry: RegistryStore
) -> None:
    blockchain.is_down = True
    with pytest.raises(TransportError):
        await ask(handler, a_request(clock))
    assert access_log(registry) == []
