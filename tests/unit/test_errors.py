"""Errors of the package: what their texts show, and what they withhold."""

from __future__ import annotations

import pytest

from oepnode.errors import location_of


def test_an_internal_error_is_located_without_its_message() -> None:
    with pytest.raises(ValueError, match="6305800001") as raised:
        int("x6305800001")
    location = location_of(raised.value)
    assert location.startswith("ValueError at test_errors.py:")
    assert "6305800001" not in location


def test_an_error_that_was_never_raised_has_its_type_only() -> None:
    assert location_of(ValueError("x")) == "ValueError"
