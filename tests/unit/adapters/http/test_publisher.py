"""The publisher's client of the gateway, with the network replaced."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oepnode.adapters.http.client import HttpClient, Response
from oepnode.adapters.http.publisher import HttpPublisher
from oepnode.errors import ConfigError, ConflictError, DocumentFault, TransportError

DIGEST = "0b" * 32
Answer = Callable[[str, str], Response]


def acknowledgement(kind: str, code: str, *faults: dict[str, Any]) -> dict[str, Any]:
    return {
        "acknowledgement": kind,
        "message_id": "m1",
        "code": code,
        "message": "",
        "counts": {fault["code"]: 7 for fault in faults},
        "faults": faults,
        "warning_counts": {},
        "warnings": [],
    }


def message(code: str = "accepted", *faults: dict[str, Any], **more: Any) -> dict[str, Any]:
    verdict = {
        "messageId": "m1",
        "digest": DIGEST,
        "size": 2,
        "code": code,
        "busy": False,
        "system": acknowledgement("system", code, *faults),
        "transaction": acknowledgement("transaction", code),
        "facts": None,
        "round": None,
        "settled": None,
        "opening": None,
    }
    return verdict | more


def answered(body: Any, status: int = 200) -> Response:
    return Response(status, json.dumps(body).encode())


def publisher(answers: list[Response], sent: list[Any], **more: Any) -> HttpPublisher:
    async def exchange(*request: Any) -> Response:
        sent.append(request)
        return answers.pop(0)

    async def no_wait(_: float) -> None:
        pass

    client = HttpClient("http://sender.test", 5, exchange, no_wait)
    return HttpPublisher("http://sender.test", timeout_s=5, client=client, **more)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "envelope.json"
    path.write_bytes(b"[]")
    return path


async def test_a_document_is_sent_with_token_and_snapshot_and_waited_for(file: Path) -> None:
    sent: list[Any] = []
    busy = message("received", busy=True, transaction=None)
    answers = [answered(busy, 202), answered(busy), answered(message(round=3, settled=True))]
    published = await publisher(answers, sent).publish(file, "secret", b"\x0a" * 32)
    assert (published.code, published.round, published.settled) == ("accepted", 3, True)
    headers = {"Authorization": "Bearer secret"}
    url = f"http://sender.test/v1/envelopes?registry={'0a' * 32}"
    assert sent[0][:4] == ("POST", url, file, headers)
    assert [request[:2] for request in sent[1:]] == [
        ("GET", "http://sender.test/v1/messages/m1?wait=2")
    ] * 2


async def test_a_rejected_document_reports_its_faults(file: Path) -> None:
    fault = {
        "code": "document.empty",
        "path": "$",
        "rule": "Part C §6.3",
        "message": "one at least",
        "value": "",
        "count": 2,
        "caused_by": "",
    }
    answers = [answered(message("received", busy=True), 202), answered(message("rejected", fault))]
    with pytest.raises(DocumentFault) as rejected:
        await publisher(answers, []).publish(file, "t")
    (only,) = rejected.value.faults
    assert (only.code, only.path, only.section) == ("document.empty", "$", "Part C §6.3")
    assert (only.count, rejected.value.more) == (2, 5)


@pytest.mark.parametrize(
    ("code", "family"), [("chain.rejected", ConflictError), ("chain.unavailable", TransportError)]
)
async def test_a_round_that_was_not_opened_is_an_error(
    file: Path, code: str, family: type[Exception]
) -> None:
    done = message(opening={"code": code, "message": "because"})
    with pytest.raises(family, match="its round was not opened: because"):
        await publisher([answered(done, 202), answered(done)], []).publish(file, "t")


async def test_a_gateway_that_does_not_finish_is_left_alone(file: Path) -> None:
    busy = message("received", busy=True, transaction=None)
    with pytest.raises(TransportError, match="not checked within 0 s"):
        await publisher([answered(busy)] * 3, [], verdict_s=0).publish(file, "t")
    stopped = message("received", busy=False, transaction=None)
    with pytest.raises(TransportError, match="publish it again"):
        await publisher([answered(stopped)] * 2, []).publish(file, "t")


async def test_rejected_requests_are_conflicts(file: Path) -> None:
    error = {"error": {"code": "token.wrong", "message": "because"}}
    with pytest.raises(ConflictError, match="because"):
        await publisher([answered(error, 401)], []).publish(file, "t")
    with pytest.raises(ConflictError, match="because"):
        await publisher([answered(error, 401)], [], whole_bytes=1).publish(file, "t")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Location": "http://elsewhere.test/x"}, {"Location": "/v1/uploads/x"}],
    ids=["none", "elsewhere", "no offset"],
)
async def test_a_gateway_that_answers_oddly_gets_nothing(
    file: Path, headers: dict[str, str]
) -> None:
    sent: list[Any] = []
    with pytest.raises(TransportError):
        await publisher([Response(201, b"", headers)], sent, whole_bytes=1).publish(file, "t")
    assert len(sent) == 1


async def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    sent: list[Any] = []
    with pytest.raises(ConfigError, match="no such file"):
        await publisher([], sent).publish(tmp_path / "none.json", "t")
    assert sent == []
