from __future__ import annotations

import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.adapters.storage import input_archive
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.computation import Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.errors import EvidenceError

PRIVATE = PrivateKey(KeyKind.HYBRID, bytes(range(32)))
PUBLIC = PRIVATE.public_key
CONTEXT = RoundContext(31337, b"\x11" * 20, 3)
SALT = bytes(range(32))
FEED = Feed("edge", "magnitude")


def sealed(envelope: bytes = b"[1]" * 50, registry: bytes = b"{}") -> bytes:
    return b"".join(
        input_archive.seal_inputs(PUBLIC, CONTEXT, Inputs(envelope, registry, SALT, FEED))
    )


def reject(plaintext: bytes, word: str) -> None:
    message = sealing.seal_whole(PUBLIC, plaintext, b"oep1 inputs" + CONTEXT.encode())
    with pytest.raises(EvidenceError, match=word):
        input_archive.open_inputs(PRIVATE, message, CONTEXT)


def packed(body: bytes, envelope: int, registry: int, head: bytes = b"OEPI\x01\x00\x00") -> bytes:
    return head + SALT + envelope.to_bytes(8) + registry.to_bytes(8) + body


@given(
    st.binary(max_size=300),
    st.binary(max_size=300),
    st.sampled_from(["wide", "edge"]),
    st.sampled_from(["canonical", "magnitude"]),
)
def test_sealed_inputs_are_opened_unchanged(
    envelope: bytes, registry: bytes, profile: Any, sign: Any
) -> None:
    feed = Feed(profile, sign)
    inputs = Inputs(envelope, registry, SALT, feed)
    message = b"".join(input_archive.seal_inputs(PUBLIC, CONTEXT, inputs))
    assert input_archive.open_inputs(PRIVATE, message, CONTEXT) == inputs


def test_only_for_this_key_and_this_round() -> None:
    for key, context in [
        (PrivateKey(KeyKind.HYBRID, b"\x07" * 32), CONTEXT),
        (PrivateKey(KeyKind.X25519, bytes(range(32))), CONTEXT),
        (PRIVATE, RoundContext(31337, b"\x11" * 20, 4)),
        (PRIVATE, RoundContext(1, b"\x11" * 20, 3)),
    ]:
        with pytest.raises(EvidenceError, match="does not open"):
            input_archive.open_inputs(key, sealed(), context)


@given(st.data())
def test_any_bit_counts(data: st.DataObject) -> None:
    message = bytearray(sealed())
    bit = data.draw(st.integers(0, len(message) * 8 - 1))
    message[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EvidenceError):
        input_archive.open_inputs(PRIVATE, bytes(message), CONTEXT)


def test_malformed_archives() -> None:
    body = zlib.compress(b"abcd")
    reject(b"", "cut short")
    reject(packed(body, 2, 2, b"OEPX\x01\x00\x00"), "not an archive")
    reject(packed(body, 2, 2, b"OEPI\x02\x00\x00"), "not an archive")
    reject(packed(body, 2, 2, b"OEPI\x01\x02\x00"), "not an archive")
    reject(packed(body, 2, 2, b"OEPI\x01\x00\x02"), "not an archive")
    reject(packed(b"junk", 2, 2), "does not unpack")
    reject(packed(body, 2, 1), "lengths")
    reject(packed(body, 2, 3), "lengths")
    reject(packed(body[:-1], 2, 2), "lengths")
    reject(packed(body + b"x", 2, 2), "lengths")


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    reject(packed(bomb, 1 << 40, 0), "states more")
    reject(packed(bomb, 10, 10), "lengths")


def test_inputs_too_large_to_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_archive, "MAX_INPUTS", 10)
    with pytest.raises(EvidenceError, match="at most 10"):
        sealed()
