"""The round context: 60 bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import ConfigError

CONTEXT = RoundContext(31337, bytes(range(20)), 7)


def test_a_context_is_60_bytes() -> None:
    encoded = CONTEXT.encode()
    assert encoded == (31337).to_bytes(32) + bytes(range(20)) + (7).to_bytes(8)
    most = RoundContext(2**256 - 1, b"\xff" * 20, 2**64 - 1)
    assert most.encode() == b"\xff" * 60
    assert RoundContext(0, bytes(20), 0).encode() == bytes(60)


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": -1},
        {"chain_id": 2**256},
        {"number": -1},
        {"number": 2**64},
        {"contract": bytes(19)},
        {"contract": bytes(21)},
        {"contract": b""},
    ],
)
def test_a_context_that_does_not_fit_is_rejected(change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(CONTEXT, **change)  # type: ignore[arg-type]
