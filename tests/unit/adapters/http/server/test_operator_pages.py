"""Metrics and health for a program's operator, requested without a network."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from prometheus_client import CollectorRegistry, Counter

from oepnode.adapters.http.server.operator_pages import operator_application


async def ask(problem: str, path: str, method: str = "GET") -> tuple[int, str, str]:
    metrics = CollectorRegistry()
    Counter("oepnode_things", "Things", registry=metrics).inc(3)
    app = operator_application(metrics, lambda: problem)
    app.freeze()
    request = make_mocked_request(method, path, app=app)
    match = await app.router.resolve(request)
    try:
        answer = await match.handler(request)
    except web.HTTPException as exc:
        return exc.status, "", ""
    assert isinstance(answer, web.Response)
    assert isinstance(answer.body, bytes)
    return answer.status, answer.headers["Content-Type"], answer.body.decode()


async def test_metrics_are_prometheus_text() -> None:
    status, kind, text = await ask("", "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "oepnode_things_total 3.0" in text.splitlines()


@pytest.mark.parametrize(
    ("problem", "expected"), [("", (200, "ok\n")), ("no node", (503, "no node\n"))]
)
async def test_health_is_a_word_or_the_reason(problem: str, expected: tuple[int, str]) -> None:
    status, _, text = await ask(problem, "/healthz")
    assert (status, text) == expected


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/metrics", 405), ("POST", "/healthz", 405), ("GET", "/v1/rounds", 404)],
)
async def test_nothing_else_is_there(method: str, path: str, status: int) -> None:
    assert (await ask("", path, method))[0] == status
