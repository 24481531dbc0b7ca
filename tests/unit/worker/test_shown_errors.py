"""Errors as a worker's pages show them."""

import pytest

from oepnode.errors import ConflictError, DigestMismatch, OepError, TransportError
from oepnode.worker.shown_errors import shown_error

TAIL = "; the log has the details"


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (TransportError("http://node/key-1234: down"), "no usable response"),
        (TransportError("not paid", code="fee.unpaid"), "no usable response (fee.unpaid)"),
        (ConflictError("no", code="worker.unknown"), "rejected (worker.unknown)"),
        (DigestMismatch("document", b"\x01" * 32, b"\x02" * 32), "wrong data"),
        (OepError("something"), "internal error"),
    ],
)
def test_an_error_is_shown_by_kind_and_code(error: OepError, shown: str) -> None:
    assert shown_error(error) == shown + TAIL


@pytest.mark.parametrize("code", ["<script>", "key 1234", "a" * 49, "über"])
def test_a_code_that_is_no_name_is_not_shown(code: str) -> None:
    assert shown_error(ConflictError("no", code=code)) == "rejected" + TAIL
