"""The public pages of a worker, requested without a network."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from oepnode.worker.status.public_pages import public_application


class View:
    """A worker's public view with a health that tests set."""

    def __init__(self, *, healthy: bool = True) -> None:
        self._healthy = healthy
        self.requested: list[tuple[int, str]] = []

    def is_healthy(self) -> bool:
        return self._healthy

    def bundle(self, round_number: int, name: str) -> Path | None:
        self.requested.append((round_number, name))
        return None


async def ask(view: View, path: str, method: str = "GET") -> tuple[int, str]:
    app = public_application(view)
    app.freeze()
    request = make_mocked_request(method, path, app=app)
    match = await app.router.resolve(request)
    request._match_info = match
    match.add_app(app)
    try:
        answer = await match.handler(request)
    except web.HTTPException as exc:
        return exc.status, ""
    assert isinstance(answer, web.Response)
    return answer.status, answer.text or ""


@pytest.mark.parametrize(
    ("healthy", "expected"), [(True, (200, "ok\n")), (False, (503, "failing\n"))]
)
async def test_health_is_one_word(healthy: bool, expected: tuple[int, str]) -> None:
    assert await ask(View(healthy=healthy), "/healthz") == expected


async def test_an_unknown_bundle_is_a_404_with_its_reason() -> None:
    view = View()
    status, text = await ask(view, f"/v1/rounds/3/bundles/{'ab' * 32}")
    assert (status, view.requested) == (404, [(3, "ab" * 32)])
    assert "bundle.unknown" in text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/rounds/x/bundles/" + "ab" * 32,
        "/v1/rounds/3/bundles/../../key",
        "/nothing",
        "/",
        "/v1/status",
        "/metrics",
    ],
)
async def test_other_paths_reach_nothing(path: str) -> None:
    view = View()
    assert (await ask(view, path))[0] == 404
    assert view.requested == []


async def test_the_listener_is_read_only() -> None:
    assert (await ask(View(), "/healthz", "POST"))[0] == 405
