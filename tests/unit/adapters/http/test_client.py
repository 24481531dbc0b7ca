"""Retries, limits and translation of errors, with the network replaced."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from oepnode.adapters.http.client import (
    ATTEMPTS,
    FIRST_WAIT_S,
    Body,
    HttpClient,
    RequestRejected,
    Response,
    read_digest,
)
from oepnode.errors import ConfigError, ConflictError, TransportError


class Script:
    """Returns responses in turn, the last one repeatedly. Exceptions are raised."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, str, Body, dict[str, str], int]] = []
        self.waits: list[float] = []

    async def exchange(
        self, method: str, url: str, body: Body, headers: Mapping[str, str], limit: int
    ) -> Response:
        self.sent.append((method, url, body, dict(headers), limit))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    def client(self) -> HttpClient:
        return HttpClient("http://sender.test/", 5, self.exchange, self.wait)


class Shape(msgspec.Struct):
    n: int


async def test_a_success_is_returned_at_once() -> None:
    script = Script(Response(200, b"bytes"))
    assert await script.client().get("/v1/x", "x", 10) == b"bytes"
    assert script.sent == [("GET", "http://sender.test/v1/x", None, {}, 10)]
    assert script.waits == []


@pytest.mark.parametrize(
    "passing", [TransportError("no answer"), Response(503, b""), Response(500, b"")]
)
async def test_temporary_failures_are_retried_with_growing_waits(
    passing: Response | Exception,
) -> None:
    script = Script(passing, passing, Response(200, b"late"))
    assert await script.client().get("/", "x", 10) == b"late"
    first, second = script.waits
    assert FIRST_WAIT_S / 2 <= first <= FIRST_WAIT_S
    assert FIRST_WAIT_S * 2 <= second <= FIRST_WAIT_S * 4


async def test_attempts_are_bounded() -> None:
    script = Script(TransportError("no answer"))
    with pytest.raises(TransportError, match="no answer"):
        await script.client().get("/", "x", 10)
    assert len(script.sent) == ATTEMPTS
    assert len(script.waits) == ATTEMPTS - 1


async def test_each_attempt_has_its_own_body() -> None:
    script = Script(Response(503, b""), Response(200, b""))
    numbers = iter([b"first", b"second"])
    await script.client().send("POST", "/", "x", limit=1, body=lambda: next(numbers))
    assert [sent[2] for sent in script.sent] == [b"first", b"second"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422])
async def test_a_rejection_is_not_retried_and_has_a_reason(status: int) -> None:
    body = b'{"error": {"code": "token.wrong", "message": "the token\\u001b[31m is wrong"}}'
    script = Script(Response(status, body))
    with pytest.raises(RequestRejected) as rejected:
        await script.client().get("/", "asking", 10)
    assert isinstance(rejected.value, ConflictError)
    assert (rejected.value.status, rejected.value.code) == (status, "token.wrong")
    assert str(rejected.value) == f"asking: rejected with {status}: the token?[31m is wrong"
    assert len(script.sent) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b'{"error": 5}', b"[" * 100_000])
async def test_a_rejection_without_a_reason_is_still_a_rejection(body: bytes) -> None:
    with pytest.raises(RequestRejected, match="no reason was given"):
        await Script(Response(404, body)).client().get("/", "x", 10)


async def test_faults_are_reported() -> None:
    fault = {"path": "$.records[0].nmi", "rule": "nmi.length", "message": "ten", "value": ""}
    body = msgspec.json.encode(
        {"error": {"code": "document.faults", "message": "rejected", "faults": [fault], "more": 7}}
    )
    with pytest.raises(RequestRejected) as rejected:
        await Script(Response(422, body)).client().get("/", "x", 10)
    assert [f.code for f in rejected.value.faults] == ["nmi.length"]
    assert rejected.value.more == 7


@pytest.mark.parametrize("status", [100, 301, 302, 304, 600])
async def test_an_unexpected_status_is_a_transport_error(status: int) -> None:
    with pytest.raises(TransportError, match=str(status)):
        await Script(Response(status, b"")).client().get("/", "x", 10)


async def test_json_of_the_expected_shape_is_decoded() -> None:
    client = Script(Response(200, b'{"n": 1, "new": true}')).client()
    assert await client.get_json("/", "x", Shape) == Shape(1)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"n": "1"}', b"\xff", b"[" * 100_000])
async def test_json_of_another_shape_is_a_transport_error(body: bytes) -> None:
    with pytest.raises(TransportError, match="shape"):
        await Script(Response(200, body)).client().get_json("/", "x", Shape)


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "00" * 33])
def test_a_digest_of_another_form_is_a_transport_error(text: str) -> None:
    with pytest.raises(TransportError):
        read_digest(text, "x")


@pytest.mark.parametrize("url", ["", "sender.test", "ftp://sender.test", "file:///etc/passwd"])
def test_a_url_of_another_kind_is_rejected(url: str) -> None:
    with pytest.raises(ConfigError):
        HttpClient(url, 5)


async def test_closing_twice_is_safe(tmp_path: Path) -> None:
    client = HttpClient("http://sender.test", 5)
    await client.close()
    await client.close()
