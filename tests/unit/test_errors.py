"""Errors of the package: locations shown, and texts withheld."""

from __future__ import annotations

import pytest

from oepnode.domain.rounds.onchain import parse_address
from oepnode.errors import location_of


def test_an_internal_error_is_located_in_the_package_without_its_message() -> None:
    with pytest.raises(ValueError, match="an address must be") as raised:
        parse_address("6305800001")
    file, _, line = location_of(raised.value).partition(":")
    assert file == "domain/rounds/onchain.py"
    assert line.isdecimal()


def test_an_error_from_outside_the_package_has_no_location() -> None:
    assert location_of(ValueError("x")) == "unknown"
