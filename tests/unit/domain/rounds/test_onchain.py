"""Values that the chain reports."""

from __future__ import annotations

import pytest

from oepnode.domain.rounds.onchain import parse_address


@pytest.mark.parametrize("text", ["0x" + "aB" * 20, "ab" * 20, "0x" + "AB" * 20])
def test_an_address_is_read_in_any_case_with_or_without_its_prefix(text: str) -> None:
    assert parse_address(text) == b"\xab" * 20


@pytest.mark.parametrize(
    "text", ["", "0x", "0x" + "ab" * 19, "0x" + "ab" * 21, "0x" + "ag" * 20, " " + "ab" * 20]
)
def test_anything_else_is_not_an_address(text: str) -> None:
    with pytest.raises(ValueError, match="an address is 0x and 40 hex digits"):
        parse_address(text)
