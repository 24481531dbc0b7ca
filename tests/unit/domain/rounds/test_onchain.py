"""Values that the chain reports."""

from __future__ import annotations

import pytest

from oepnode.domain.rounds.onchain import parse_address, parse_bytes32


@pytest.mark.parametrize("text", ["0x" + "aB" * 20, "ab" * 20, "0x" + "AB" * 20])
def test_an_address_is_read_in_any_case_with_or_without_its_prefix(text: str) -> None:
    assert parse_address(text) == b"\xab" * 20


@pytest.mark.parametrize(
    "text", ["", "0x", "0x" + "ab" * 19, "0x" + "ab" * 21, "0x" + "ag" * 20, " " + "ab" * 20]
)
def test_anything_else_is_not_an_address(text: str) -> None:
    with pytest.raises(ValueError, match="an address must be 0x and 40 hex digits"):
        parse_address(text)


@pytest.mark.parametrize("text", ["aB" * 32, "0x" + "ab" * 32])
def test_a_root_is_read_in_any_case_with_or_without_its_prefix(text: str) -> None:
    assert parse_bytes32(text, "a root") == b"\xab" * 32


@pytest.mark.parametrize("text", ["", "0x", "ab" * 31, "ab" * 33, "ag" * 32, "ab " * 21 + "a"])
def test_anything_else_is_not_a_root(text: str) -> None:
    with pytest.raises(ValueError, match="a root must be 64 hex digits"):
        parse_bytes32(text, "a root")
