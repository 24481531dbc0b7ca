from __future__ import annotations

import pytest

from oepnode.domain.rounds.recipient_keys import KeyKind, kind_of, parse_public_key


@pytest.mark.parametrize(("size", "kind"), [(32, KeyKind.X25519), (1216, KeyKind.HYBRID)])
def test_the_length_gives_the_kind(size: int, kind: KeyKind) -> None:
    key = b"\xab" * size
    assert kind_of(key) is kind
    assert parse_public_key(key.hex()) == parse_public_key(key.hex().upper()) == key
    assert kind.public_size == size


@pytest.mark.parametrize(
    "text",
    ["", "ab", "ab" * 31, "ab" * 33, "ab" * 1184, "ab" * 1248, "a" * 63, "0x" + "ab" * 31, "é" * 64]
    + ["ab" * 32 + "\n", " " + "ab" * 32],
)
def test_other_texts_are_rejected_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"64 hex digits .x25519. or 2432 hex digits") as caught:
        parse_public_key(text)
    assert not text.strip() or text not in str(caught.value)
