"""Weak salts, and snapshots with another nonce or salt."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from oepnode.domain.rounds.inputs.snapshot_salts import (
    WeakSaltError,
    check_strength,
    has_nonce,
    is_same_but_nonce,
    with_fields,
)
from oepnode.errors import EvidenceError
from tests.support.round_world import REGISTRY as WITH_NONCE

REGISTRY = json.dumps({k: v for k, v in json.loads(WITH_NONCE).items() if k != "nonce"}).encode()
NONCE = b"\x0d" * 32
SALT = sha256(b"salt").digest()


@pytest.mark.parametrize("period", range(1, 17))
def test_a_repeated_pattern_is_weak(period: int) -> None:
    pattern = sha256(b"pattern").digest()[:period]
    with pytest.raises(WeakSaltError, match=f"pattern of {period} bytes"):
        check_strength((pattern * 32)[:32])


@pytest.mark.parametrize("salt", [SALT, SALT[:17] + SALT[:15], b"\0" * 31 + b"\1"])
def test_any_other_salt_is_accepted(salt: bytes) -> None:
    check_strength(salt)


def test_only_nonce_and_salt_digest_change() -> None:
    fresh = with_fields(REGISTRY, NONCE, SALT)
    value = json.loads(fresh)
    assert value.pop("nonce") == NONCE.hex()
    assert value.pop("saltDigest") == sha256(SALT).hexdigest()
    before = json.loads(REGISTRY)
    del before["saltDigest"]
    assert value == before
    assert has_nonce(fresh) and not has_nonce(REGISTRY)
    assert with_fields(fresh) == fresh
    assert has_nonce(WITH_NONCE) and not has_nonce(REGISTRY[:-1] + b', "nonce": null}')


def test_the_values_keep_their_spelling() -> None:
    odd = b'{"a": [1e2, "\\u0061"],  "saltDigest":"x"}'
    assert b'[1e2, "\\u0061"]' in with_fields(odd, NONCE)


def test_two_snapshots_are_the_same_but_for_their_nonces() -> None:
    fresh = with_fields(REGISTRY, NONCE)
    assert is_same_but_nonce(REGISTRY, fresh)
    assert not is_same_but_nonce(REGISTRY, with_fields(REGISTRY, NONCE, SALT))


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"1"])
def test_other_bytes_are_rejected(data: bytes) -> None:
    with pytest.raises(EvidenceError, match="not a JSON object"):
        has_nonce(data)
