"""Requests for a snapshot or a salt that the registry serves or rejects."""

import json
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oepnode.adapters.crypto import hpke
from oepnode.adapters.crypto.request_signature import sign_request
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.registry_snapshot import snapshot_json
from oepnode.domain.rounds.signed_requests import RegistryRequest, seal_info
from oepnode.errors import DigestMismatch, DocumentFault, EvidenceError, FatalError, TransportError
from oepnode.services.common.http import Rejection
from oepnode.services.registry.app import RequestHandler
from oepnode.services.registry.store import RegistryStore
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain, FakeClock, InMemoryChain

SALT = bytes(range(32))
WINDOW_S = 120
WORKER = Account.from_key(b"\x01" * 32)
STRANGER = Account.from_key(b"\x02" * 32)
OPERATOR = b"\x71" * 20
KEY = b"\x05" * 32
RECIPIENT = hpke.public_key_of(KEY)
NMI = "6305000001"


def snapshot_bytes(as_of: str = "2026-11-20T00:00:00+10:00", salt: bytes = SALT) -> bytes:
    assignments: list[tuple[str, str, str, str | None]] = []
    return json.dumps(snapshot_json(as_of, sha256(salt).digest(), [], assignments)).encode()


SNAPSHOT = snapshot_bytes()
DIGEST = sha256(SNAPSHOT).digest()


def address(account: LocalAccount) -> bytes:
    return bytes.fromhex(account.address[2:])


@pytest.fixture
async def handler(
    chain: FakeChain, blockchain: InMemoryChain, clock: FakeClock, registry: RegistryStore
) -> RequestHandler:
    """A worker in the electorate of round 1, which uses the published snapshot."""
    registry.publish(SNAPSHOT, SALT, clock.now())
    blockchain.add_member(OPERATOR, address(WORKER))
    await chain.open_round(1_795_000_200, 6, b"\x0e" * 32, DIGEST)
    return RequestHandler(chain, clock, registry, WINDOW_S)


def a_request(clock: FakeClock, **changes: Any) -> RegistryRequest:
    values: dict[str, Any] = {
        "what": "salt",
        "round": 1,
        "snapshot_digest": DIGEST,
        "recipient": RECIPIENT,
        "nonce": b"\x09" * 32,
        "issued_at": int(clock.now()),
    }
    return RegistryRequest(**(values | changes))


async def ask(
    handler: RequestHandler,
    request: RegistryRequest,
    account: LocalAccount = WORKER,
    chain_id: int = CHAIN_ID,
    contract: bytes = CONTRACT,
) -> bytes:
    return await handler.answer(request, sign_request(account, request, chain_id, contract))


async def rejection(*arguments: Any, **named: Any) -> Rejection:
    with pytest.raises(Rejection) as rejected:
        await ask(*arguments, **named)
    return rejected.value


def access_log(registry: RegistryStore) -> list[tuple[Any, ...]]:
    with registry._index.transaction() as db:
        return db.execute("SELECT operator, signer, round, what FROM access_log").fetchall()


def opened(sealed: bytes, what: Any = "salt", round_number: int = 1) -> bytes:
    context = RoundContext(CHAIN_ID, CONTRACT, round_number)
    return hpke.open_sealed(KEY, sealed, seal_info(what, context, DIGEST))


# -- served -------------------------------------------------------------------------------------


async def test_a_worker_gets_the_salt_sealed(
    handler: RequestHandler, clock: FakeClock, registry: RegistryStore
) -> None:
    sealed = await ask(handler, a_request(clock))
    assert SALT not in sealed
    assert opened(sealed) == SALT
    assert access_log(registry) == [(OPERATOR, address(WORKER), 1, "salt")]


async def test_a_worker_gets_the_snapshot_sealed(handler: RequestHandler, clock: FakeClock) -> None:
    sealed = await ask(handler, a_request(clock, what="snapshot"))
    assert SNAPSHOT[:30] not in sealed
    assert opened(sealed, "snapshot") == SNAPSHOT


async def test_a_response_opens_for_its_purpose_and_round_only(
    handler: RequestHandler, clock: FakeClock
) -> None:
    sealed = await ask(handler, a_request(clock))
    with pytest.raises(EvidenceError):
        opened(sealed, "snapshot")
    with pytest.raises(EvidenceError):
        opened(sealed, round_number=2)


async def test_a_rotated_worker_gets_the_inputs_of_a_round_that_its_operator_is_in(
    handler: RequestHandler, clock: FakeClock, blockchain: InMemoryChain
) -> None:
    blockchain.rotate_signer(OPERATOR, address(STRANGER))
    assert opened(await ask(handler, a_request(clock), STRANGER)) == SALT


# -- rejected -----------------------------------------------------------------------------------


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
    blockchain.add_member(b"\x72" * 20, address(STRANGER))
    rejected = await rejection(handler, a_request(clock), STRANGER)
    assert (rejected.status, rejected.code) == (403, "worker.not_in_electorate")


@pytest.mark.parametrize(
    "domain", [{"chain_id": CHAIN_ID + 1}, {"contract": b"\x11" * 20}], ids=["chain", "contract"]
)
async def test_another_chain_or_contract_is_rejected(
    handler: RequestHandler, clock: FakeClock, domain: dict[str, Any]
) -> None:
    rejected = await rejection(handler, a_request(clock), **domain)
    assert (rejected.status, rejected.code) == (403, "worker.unknown")


async def test_a_malformed_signature_is_rejected(handler: RequestHandler, clock: FakeClock) -> None:
    with pytest.raises(Rejection) as rejected:
        await handler.answer(a_request(clock), b"\xff" * 65)
    assert (rejected.value.status, rejected.value.code) == (401, "signature.invalid")


async def test_an_unpublished_snapshot_is_rejected(
    handler: RequestHandler, clock: FakeClock
) -> None:
    rejected = await rejection(handler, a_request(clock, snapshot_digest=b"\x00" * 32))
    assert (rejected.status, rejected.code) == (404, "snapshot.unknown")


async def test_a_round_that_does_not_use_the_snapshot_is_rejected(
    handler: RequestHandler, clock: FakeClock, registry: RegistryStore
) -> None:
    other = snapshot_bytes("2026-11-21T00:00:00+10:00")
    registry.publish(other, SALT, clock.now())
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


async def test_a_recipient_that_is_not_a_key_is_rejected(
    handler: RequestHandler, clock: FakeClock
) -> None:
    with pytest.raises(EvidenceError, match="X25519"):
        await ask(handler, a_request(clock, recipient=b"\x00" * 32))


async def test_a_damaged_salt_is_not_served(
    handler: RequestHandler, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "registry" / "salts" / sha256(SALT).hexdigest()).write_bytes(b"\x00" * 32)
    with pytest.raises(FatalError):
        await ask(handler, a_request(clock))


# -- publishing --------------------------------------------------------------------------------


def test_publishing_again_changes_nothing(registry: RegistryStore) -> None:
    first = registry.publish(SNAPSHOT, SALT, 1.0)
    later = registry.publish(snapshot_bytes("2026-11-21T00:00:00+10:00"), SALT, 2.0)
    assert registry.publish(SNAPSHOT, SALT, 3.0) == first
    assert registry.latest() == later
    assert registry.count() == 2


def test_the_salt_is_for_its_owner_only(registry: RegistryStore, tmp_path: Path) -> None:
    registry.publish(SNAPSHOT, SALT, 1.0)
    path = tmp_path / "registry" / "salts" / sha256(SALT).hexdigest()
    assert path.read_bytes() == SALT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("salt", [b"\x00" * 32, SALT[:31], b""])
def test_another_salt_is_rejected_and_nothing_stored(registry: RegistryStore, salt: bytes) -> None:
    with pytest.raises(DigestMismatch):
        registry.publish(SNAPSHOT, salt, 1.0)
    assert registry.latest() is None


def test_a_snapshot_with_a_fault_is_rejected_and_nothing_stored(
    registry: RegistryStore, tmp_path: Path
) -> None:
    with pytest.raises(DocumentFault):
        registry.publish(SNAPSHOT.replace(b"asOf", b"asof"), SALT, 1.0)
    assert registry.latest() is None
    assert list((tmp_path / "registry" / "salts").iterdir()) == []


def test_the_index_contains_no_nmi(registry: RegistryStore, tmp_path: Path) -> None:
    value = json.loads(SNAPSHOT)
    value["aggregators"] = [{"id": "a", "name": "A", "publicKey": "07" * 32}]
    value["assignments"] = [
        {"nmi": NMI, "aggregator": "a", "from": "2026-11-20T04:00:00+10:00", "to": None}
    ]
    registry.publish(json.dumps(value).encode(), SALT, 1.0)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "registry").glob("index.sqlite*"))
    assert NMI.encode() not in stored and SALT not in stored
