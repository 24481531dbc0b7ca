"""Sealed content against the vectors and the reference, and every way to damage it."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from oepnode.adapters.crypto import chunks, hpke, sealing
from oepnode.adapters.crypto.chunks import CHUNK_SIZE, ChunkError
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.errors import EvidenceError
from tests.reference import sealing as reference

KEYS = {kind: PrivateKey(kind, bytes(range(32))) for kind in KeyKind}
INFO = b"oep1 test"
VECTORS = json.loads(
    (Path(__file__).parents[4] / "docs" / "spec" / "vectors" / "sealing.json").read_text()
)
BLOCK = CHUNK_SIZE + chunks.TAG_SIZE
kinds = pytest.mark.parametrize("kind", list(KeyKind))


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def encrypted(size: int) -> list[bytes]:
    return list(chunks.encrypt(bytes.fromhex(VECTORS["contentKey"]), [content(size)]))


def fault_of(pieces: list[bytes]) -> str:
    with pytest.raises(ChunkError) as caught:
        list(chunks.decrypt(bytes.fromhex(VECTORS["contentKey"]), pieces))
    return caught.value.fault


@pytest.mark.parametrize("case", VECTORS["chunks"])
def test_chunks_of_the_vectors(case: dict[str, Any]) -> None:
    got = encrypted(case["contentSize"])
    assert [chunk[-16:].hex() for chunk in got] == case["tags"]
    assert sum(map(len, got)) == case["encryptedSize"]
    assert chunks.encrypted_size(case["contentSize"]) == case["encryptedSize"]


@pytest.mark.parametrize("case", VECTORS["damaged"])
def test_damaged_chunks_of_the_vectors(case: dict[str, Any]) -> None:
    whole = encrypted(case["contentSize"])
    assert fault_of([whole[index] for index in case["chunks"]]) == case["fault"]


@pytest.mark.parametrize("case", VECTORS["composed"], ids=lambda case: case["what"])
def test_composed_chunks_of_the_vectors(case: dict[str, Any]) -> None:
    key = bytes.fromhex(VECTORS["contentKey"])
    made = [
        reference.encrypt_chunk(key, c["number"], c["isLast"], content(c["contentSize"]))
        for c in case["chunks"]
    ]
    assert [chunk[-16:].hex() for chunk in made] == [c["tag"] for c in case["chunks"]]
    assert fault_of(made) == case["fault"]


@pytest.mark.parametrize("case", VECTORS["altered"], ids=lambda case: case["what"])
def test_altered_chunks_of_the_vectors(case: dict[str, Any]) -> None:
    assert fault_of([bytes.fromhex(case["encrypted"])]) == case["fault"]


@pytest.mark.parametrize("case", VECTORS["sealed"])
def test_sealed_content_of_the_vectors(case: dict[str, Any]) -> None:
    key = PrivateKey(KeyKind(case["kind"]), bytes.fromhex(case["privateKey"]))
    assert key.public_key.hex() == case["publicKey"]
    sealed, info = bytes.fromhex(case["sealed"]), bytes.fromhex(case["info"])
    assert sealing.open_whole(key, sealed, info).hex() == case["content"]
    assert len(sealed) == sealing.sealed_size(key.kind, len(case["content"]) // 2)


@kinds
@given(
    size=st.sampled_from([0, 1, 1000, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE]),
    cut=st.integers(1, 3 * CHUNK_SIZE),
)
def test_the_reference_opens_what_is_sealed_in_any_pieces(
    kind: KeyKind, size: int, cut: int
) -> None:
    data, key = content(size), KEYS[kind]
    sealed = b"".join(sealing.seal(key.public_key, [data[:cut], b"", data[cut:]], INFO))
    assert reference.open_sealed(kind.code, key.secret, sealed, INFO)[1] == data
    pieces = [sealed[at : at + cut] for at in range(0, len(sealed), cut)]
    assert b"".join(sealing.open_sealed(key, pieces, INFO)) == data


@kinds
def test_one_byte_at_a_time(kind: KeyKind) -> None:
    key = KEYS[kind]
    sealed = sealing.seal_whole(key.public_key, content(CHUNK_SIZE + 5), INFO)
    pieces = (sealed[at : at + 1] for at in range(len(sealed)))
    assert b"".join(sealing.open_sealed(key, pieces, INFO)) == content(CHUNK_SIZE + 5)


@kinds
@given(data=st.data())
def test_any_bit_of_sealed_content(kind: KeyKind, data: st.DataObject) -> None:
    sealed = bytearray(sealing.seal_whole(KEYS[kind].public_key, content(50), INFO))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(EvidenceError):
        sealing.open_whole(KEYS[kind], bytes(sealed), INFO)


@kinds
def test_any_length_but_its_own(kind: KeyKind) -> None:
    sealed = sealing.seal_whole(KEYS[kind].public_key, content(50), INFO)
    for size in range(len(sealed)):
        with pytest.raises(EvidenceError, match=r"truncated|not sealed content|cut|does not open"):
            sealing.open_whole(KEYS[kind], sealed[:size], INFO)
    with pytest.raises(EvidenceError, match="added"):
        sealing.open_whole(KEYS[kind], sealed + b"\x00", INFO)


def test_damage_inside_chunks() -> None:
    whole = encrypted(3 * CHUNK_SIZE)
    assert fault_of([whole[0], whole[1][:-1] + b"\x00", whole[2]]) == "changed"
    assert fault_of([whole[0], whole[1], whole[2][:100]]) == "changed"
    assert fault_of([whole[0], whole[1], whole[2][:10]]) == "truncated"
    assert fault_of([*whole, b"\x00"]) == "extended"


def test_an_empty_chunk_after_others_is_a_second_encoding() -> None:
    key = bytes.fromhex(VECTORS["contentKey"])
    aead = ChaCha20Poly1305(key)
    open_end = [
        aead.encrypt(bytes(12), content(CHUNK_SIZE), None),
        aead.encrypt(bytes(10) + b"\x01\x01", b"", None),
    ]
    assert fault_of(open_end) == "extended"


def test_key_and_info_must_be_those_of_the_sealing() -> None:
    for kind, key in KEYS.items():
        sealed = sealing.seal_whole(key.public_key, b"x", INFO)
        other = next(k for k in KeyKind if k is not kind)
        with pytest.raises(EvidenceError, match="another kind of key"):
            sealing.open_whole(KEYS[other], sealed, INFO)
        with pytest.raises(EvidenceError, match="does not open with this key"):
            sealing.open_whole(PrivateKey(kind, b"\x07" * 32), sealed, INFO)
        with pytest.raises(EvidenceError, match="does not open with this key"):
            sealing.open_whole(key, sealed, INFO + b"2")


@pytest.mark.parametrize("key", [b"", b"\x00" * 32, b"\x00" * 33, b"\xff" * 1216])
def test_public_keys_that_are_not_usable(key: bytes) -> None:
    with pytest.raises(EvidenceError, match="public key"):
        sealing.seal(key, [b"x"], INFO)


def test_the_same_content_is_never_sealed_the_same() -> None:
    key = KEYS[KeyKind.HYBRID].public_key
    assert sealing.seal_whole(key, b"x", INFO) != sealing.seal_whole(key, b"x", INFO)


def test_memory_does_not_grow_with_the_content() -> None:
    key, piece = KEYS[KeyKind.HYBRID], bytes(100_000)
    tracemalloc.start()
    sealed = sealing.seal(key.public_key, (piece for _ in range(300)), INFO)
    size = sum(map(len, sealing.open_sealed(key, sealed, INFO)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 30_000_000
    assert peak < 2_000_000


def test_a_private_key_shows_its_kind_alone() -> None:
    key = KEYS[KeyKind.HYBRID]
    assert repr(key) == "PrivateKey(mlkem768-x25519)"
    assert key != KEYS[KeyKind.X25519]
    assert len({key, PrivateKey(KeyKind.HYBRID, bytes(range(32)))}) == 1
    with pytest.raises(ValueError, match="32 bytes"):
        PrivateKey(KeyKind.X25519, b"x" * 31)


def test_the_size_of_a_message() -> None:
    for kind, key in KEYS.items():
        assert len(hpke.seal_message(key.public_key, b"12345", INFO)) == hpke.message_size(kind, 5)
