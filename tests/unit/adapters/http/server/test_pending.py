"""When a connection goes to HTTP, and when its request's rest is waited for."""

import pytest

from oepnode.adapters.http.server.pending import is_body_to_come, is_for_http

HEADER = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("read", "is_for"),
    [
        (b"G", False),
        (HEADER, False),
        (HEADER + b"\r", False),
        (HEADER + b"\r\n", True),
        (b"GET / HTTP/1.1\n\n", True),
        (b"\r\n", True),
        (b"\x16\x03\x01", True),
        (b"GET /" + b"x" * 2**14, True),
    ],
)
def test_what_http_can_answer_goes_to_http(read: bytes, is_for: bool) -> None:
    assert is_for_http(read) is is_for


@pytest.mark.parametrize(
    ("fields", "body", "is_to_come"),
    [
        (b"", b"", False),
        (b"Content-Length: 5\r\n", b"", True),
        (b"content-length:5\r\n", b"hell", True),
        (b"Content-Length: 5\r\n", b"hello", False),
        (b"Content-Length: 5\r\n", b"hello GET", False),
        (b"Content-Length: 0\r\n", b"", False),
        (b"Content-Length: 16384\r\n", b"", True),
        (b"Content-Length: 16385\r\n", b"", False),
        (b"Content-Length: 99999999999999999999\r\n", b"", False),
        (b"Content-Length: -5\r\n", b"", False),
        (b"X-Content-Length: 5\r\n", b"", False),
        (b"Content-Length: 5\r\nExpect: 100-continue\r\n", b"", False),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"", False),
    ],
)
def test_a_small_body_is_waited_for(fields: bytes, body: bytes, is_to_come: bool) -> None:
    assert is_body_to_come(HEADER + fields + b"\r\n" + body) is is_to_come


def test_a_header_that_is_incomplete_has_no_body() -> None:
    assert not is_body_to_come(HEADER + b"Content-Length: 5\r\n")
