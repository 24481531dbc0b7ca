"""A worker that has left links later rounds of a snapshot whose salt it was given.

Who: a former operator. The keys of every round follow from the snapshot's salt and the public
context of the round, so whoever was given the salt once computes the keys, and so the pseudonyms,
of all later rounds that use the same snapshot, without asking anybody. Beside that, the registry
used to publish ``saltDigest``, ``asOf`` and ``size`` of the newest snapshot: with the snapshot N
in hand, 684 guesses found the one NMI that had moved in N+1 from its digest on chain.

What stops it now: after a worker has left, a new snapshot with a new salt (``registry publish
--new-salt``) gives it keys that it does not know; the registry checks once a minute whether
somebody who is no worker any more was granted a salt in use, warns in its log, says so in its
health, and ``registry status`` exits with 1 (``services/registry/departed.py``). Only the digest
of a snapshot is public, and a nonce in each snapshot makes it worthless for guesses.

What remains: the registry serves on, because a round must not fail when a worker leaves; the
network has to act on the warning. Rounds before the new snapshot stay linkable to the former
worker.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest
import structlog

from oepnode.adapters.http.registry import HttpRegistry
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.snapshot_salts import with_fields
from oepnode.domain.rounds.pseudonyms import round_key
from oepnode.services.registry import departed
from oepnode.services.registry.store import RegistryStore
from tests.attacks.support.round_services import RoundServices, operator, round_services
from tests.support.fake_chain import CHAIN_ID, CONTRACT
from tests.support.round_world import REGISTRY, SALT

LEAVING = 2
NEW_SALT = sha256(b"a new salt").digest()
LATER = RoundContext(CHAIN_ID, CONTRACT, 99)


@pytest.fixture
async def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RoundServices]:
    monkeypatch.setattr(departed, "CHECK_EVERY_S", 0.05)
    async with round_services(tmp_path) as world:
        yield world


async def salt_of(services: RoundServices, index: int, number: int) -> bytes:
    """The salt that a member asks for in a round."""
    opened = await services.opened(number)
    registry = HttpRegistry(services.registry_url, services.request_signer(index))
    try:
        return await registry.salt(number, opened.registry_digest)
    finally:
        await registry.close()


async def former_workers_with_salt(services: RoundServices, expected: int) -> None:
    """Wait until the registry's health says so."""
    async with asyncio.timeout(5), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{services.registry_url}/healthz") as response:
                if (await response.json())["formerWorkersWithSalt"] == expected:
                    return
            await asyncio.sleep(0.02)


async def test_the_registry_warns_until_a_new_salt_is_published(
    services: RoundServices, tmp_path: Path
) -> None:
    number = await services.publish()
    await salt_of(services, LEAVING, number)
    await former_workers_with_salt(services, 0)
    with structlog.testing.capture_logs() as logs:
        services.blockchain.remove_member(operator(LEAVING))
        await former_workers_with_salt(services, 1)
    (warning,) = (line for line in logs if line["event"] == "salt_known_to_former_workers")
    assert warning["operators"] == [operator(LEAVING).hex()]
    assert SALT.hex() not in str(logs)
    assert await salt_of(services, 0, number) == SALT  # the others' round goes on

    store = RegistryStore(tmp_path / "registry")
    store.publish(with_fields(REGISTRY, NEW_SALT, NEW_SALT), NEW_SALT, 2.0)
    store.close()
    await former_workers_with_salt(services, 1)  # the newest round still has the old one
    services.blockchain.forget_rounds()
    await former_workers_with_salt(services, 0)


async def test_a_new_salt_ends_what_the_former_worker_can_link(services: RoundServices) -> None:
    known = await salt_of(services, LEAVING, await services.publish())
    services.blockchain.remove_member(operator(LEAVING))
    assert round_key(known, LATER) != round_key(NEW_SALT, LATER)


async def test_without_a_new_salt_the_attack_succeeds(services: RoundServices) -> None:
    known = await salt_of(services, LEAVING, await services.publish())
    services.blockchain.remove_member(operator(LEAVING))
    assert round_key(known, LATER) == round_key(SALT, LATER)


async def test_nothing_public_confirms_a_guess_of_the_snapshot(services: RoundServices) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{services.registry_url}/v1/snapshots/latest") as response,
    ):
        assert set(await response.json()) == {"digest"}


def test_without_a_nonce_the_moved_nmi_is_found_by_guessing() -> None:
    """The former worker's guesses: every assignment of snapshot N moved to every aggregator."""
    moved = json.loads(REGISTRY)
    moved["assignments"][3]["aggregator"] = "A3"
    salted = json.dumps(moved | {"saltDigest": sha256(NEW_SALT).hexdigest()}).encode()

    def guesses(salt_digest: str) -> set[bytes]:
        before = json.loads(REGISTRY) | {"saltDigest": salt_digest}
        found = set()
        for line in range(len(before["assignments"])):
            for name in ("A1", "A2", "A3"):
                guess = json.loads(json.dumps(before))
                guess["assignments"][line]["aggregator"] = name
                found.add(sha256(json.dumps(guess).encode()).digest())
        return found

    published = sha256(NEW_SALT).hexdigest()  # as `latest` said it before
    assert sha256(salted).digest() in guesses(published)
    fresh = with_fields(salted, nonce=sha256(b"random").digest())
    assert sha256(fresh).digest() not in guesses(published)
