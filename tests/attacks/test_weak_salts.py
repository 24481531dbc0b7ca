"""A registry is given a salt that is no secret.

Who: nobody in particular; a careless operator, or one who wants pseudonyms to be reversible.
Before, a salt of 32 zero bytes was published like any other, and so was yesterday's salt with
today's snapshot. With a salt that can be guessed everyone computes K_round, and the pseudonym of
every NMI in a round's public tree; with a reused one, whoever was once given it does.

What stops it now: the registry rejects a salt that repeats a pattern of 1 to 16 bytes
(``domain/rounds/inputs/snapshot_salts.py``) and one that another snapshot has
(``services/registry/store.py``), unless ``--reuse-salt`` says so. ``registry publish --new-salt``
makes one.

What remains: a salt that only looks random, such as the hash of a word, cannot be told from a
random one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.snapshot_salts import WeakSaltError
from oepnode.domain.rounds.pseudonyms import round_key
from oepnode.errors import ConflictError
from oepnode.services.registry import store as registry_store
from oepnode.services.registry.store import RegistryStore
from tests.support.registry_requests import snapshot_bytes

ZEROS = bytes(32)
WEAK = (
    ZEROS,
    b"\xff" * 32,
    b"ab" * 16,
    b"abc" * 10 + b"ab",
    bytes(range(8)) * 4,
    bytes(range(16)) * 2,
)
SALT = sha256(b"a salt that was random once").digest()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryStore]:
    store = RegistryStore(tmp_path / "registry")
    yield store
    store.close()


@pytest.mark.parametrize("salt", WEAK)
def test_a_salt_of_a_repeated_pattern_is_rejected(
    registry: RegistryStore, tmp_path: Path, salt: bytes
) -> None:
    with pytest.raises(WeakSaltError) as rejected:
        registry.publish(snapshot_bytes(salt=salt), salt, 1.0)
    assert salt.hex() not in str(rejected.value)
    assert registry.latest() is None
    assert list((tmp_path / "registry" / "salts").iterdir()) == []


def test_without_the_check_everyone_has_the_rounds_key(
    registry: RegistryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_store, "check_strength", lambda _: None)
    published = registry.publish(snapshot_bytes(salt=ZEROS), ZEROS, 1.0)
    context = RoundContext(31337, b"\xc0" * 20, 1)
    guess = next(s for s in WEAK if sha256(s).digest() == published.salt_digest)
    assert round_key(guess, context) == round_key(registry.read("salt", published), context)


def test_a_used_salt_is_rejected(registry: RegistryStore) -> None:
    first = registry.publish(snapshot_bytes(salt=SALT), SALT, 1.0)
    later = snapshot_bytes("2026-11-21T00:00:00+10:00", SALT)
    with pytest.raises(ConflictError, match="has the same salt"):
        registry.publish(later, SALT, 2.0)
    assert registry.latest() == first
    assert registry.publish(snapshot_bytes(salt=SALT), SALT, 3.0) == first  # the same again


def test_reusing_a_salt_takes_a_word(registry: RegistryStore) -> None:
    registry.publish(snapshot_bytes(salt=SALT), SALT, 1.0)
    later = snapshot_bytes("2026-11-21T00:00:00+10:00", SALT)
    registry.publish(later, SALT, 2.0, reuse_salt=True)
    assert registry.count() == 2


def test_two_snapshots_of_the_same_content_have_other_digests(tmp_path: Path) -> None:
    """An ex-reader cannot find the one NMI that moved by hashing its guesses."""
    from oepnode.client.operation.snapshots import publish_snapshot

    value = json.loads(snapshot_bytes(salt=SALT))
    value.pop("nonce", None)
    file, salt = tmp_path / "snapshot.json", tmp_path / "salt"
    file.write_text(json.dumps(value))
    salt.write_text(SALT.hex())
    salt.chmod(0o600)
    digests = {publish_snapshot(file, salt, tmp_path / name).digest for name in ("one", "two")}
    assert len(digests) == 2
    assert sha256(file.read_bytes()).hexdigest() not in digests
