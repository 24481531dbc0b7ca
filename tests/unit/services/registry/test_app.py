"""Requests for a snapshot or a salt that the registry serves or rejects."""

import json
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from oepnode.errors import DigestMismatch, DocumentFault, EvidenceError, FatalError
from oepnode.services.registry.app import RequestHandler
from oepnode.services.registry.store import RegistryStore
from tests.support.fake_chain import FakeClock
from tests.support.registry_requests import (
    OPERATOR,
    SALT,
    SNAPSHOT,
    WORKER,
    a_request,
    access_log,
    address,
    ask,
    opened,
    rejection,
    snapshot_bytes,
)

NMI = "6305000001"


# --- served --------------------------------------------------------------------------------------


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


# --- rejected ------------------------------------------------------------------------------------


async def test_an_unpublished_snapshot_is_rejected(
    handler: RequestHandler, clock: FakeClock
) -> None:
    rejected = await rejection(handler, a_request(clock, snapshot_digest=b"\x00" * 32))
    assert (rejected.status, rejected.code) == (404, "snapshot.unknown")


async def test_a_recipient_that_is_not_a_key_is_rejected(
    handler: RequestHandler, clock: FakeClock
) -> None:
    with pytest.raises(EvidenceError, match="not a usable key of kind x25519"):
        await ask(handler, a_request(clock, recipient=b"\x00" * 32))


async def test_a_damaged_salt_is_not_served(
    handler: RequestHandler, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "registry" / "salts" / sha256(SALT).hexdigest()).write_bytes(b"\x00" * 32)
    with pytest.raises(FatalError):
        await ask(handler, a_request(clock))


# --- publishing ----------------------------------------------------------------------------------


def test_publishing_again_changes_nothing(registry: RegistryStore) -> None:
    first = registry.publish(SNAPSHOT, SALT, 1.0)
    other = snapshot_bytes("2026-11-21T00:00:00+10:00")
    later = registry.publish(other, SALT, 2.0, reuse_salt=True)
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
