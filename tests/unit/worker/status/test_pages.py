"""The pages for a worker's operator, rendered and requested without a network."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from msgspec.structs import replace

from oepnode.worker.status.pages import add_status_pages, render
from oepnode.worker.status.view import RoundLine, WorkerStatus

LINE = RoundLine(
    round=12,
    phase="final",
    horizon="2026-11-20T04:00:00+10:00, 288 intervals",
    mine="matched",
    root="11" * 32,
    final_root="11" * 32,
    votes=5,
    members=5,
    sites=301,
    partitions=4,
    unassigned_nmis=4,
    seconds=1.62,
    detail="",
)
STATUS = WorkerStatus(
    version="0.1.0",
    operator="0x" + "aa" * 20,
    signer="0x" + "bb" * 20,
    chain_id=246,
    contract="0x" + "cc" * 20,
    head_block=99,
    head_time="2026-11-20T18:00:00+10:00",
    chain_error="",
    sender_error="",
    rounds=[LINE],
)


class View:
    """A worker's view with a status that tests set."""

    def __init__(self, status: WorkerStatus = STATUS) -> None:
        self._status = status

    def status(self) -> WorkerStatus:
        return self._status


async def ask(view: View, path: str, method: str = "GET") -> tuple[int, str, str]:
    app = web.Application()
    add_status_pages(app, view)
    app.freeze()
    request = make_mocked_request(method, path, app=app)
    match = await app.router.resolve(request)
    request._match_info = match
    match.add_app(app)
    try:
        answer = await match.handler(request)
    except Exception as exc:  # aiohttp raises its rejections
        return getattr(exc, "status", 500), "", ""
    assert isinstance(answer, web.Response)
    text = (answer.text or "") if answer.body else ""
    return answer.status, answer.content_type, text


def test_the_page_shows_the_round() -> None:
    page = render(STATUS)
    for text in ("301", "5 of 5", "288 intervals", "matched", "1.6", "11" * 8):
        assert text in page
    assert 'class="bad"' not in page


def test_another_final_root_is_highlighted() -> None:
    wrong = replace(LINE, final_root="22" * 32, mine="voted for another root")
    assert 'class="bad"' in render(replace(STATUS, rounds=[wrong]))


def test_the_page_escapes_what_it_shows() -> None:
    evil = replace(LINE, detail="<script>alert(1)</script>", mine="<b>")
    page = render(replace(STATUS, rounds=[evil], chain_error="<i>"))
    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>" not in page


def test_a_worker_without_rounds_shows_a_note() -> None:
    empty = replace(STATUS, rounds=[], head_block=None, head_time="")
    assert "No round yet" in render(empty)
    assert "not read yet" in render(empty)


async def test_status_is_json() -> None:
    status, kind, text = await ask(View(), "/v1/status")
    assert (status, kind) == (200, "application/json")
    assert '"unassigned_nmis":4' in text


@pytest.mark.parametrize("path", [f"/v1/rounds/3/bundles/{'ab' * 32}", "/nothing"])
async def test_bundles_are_on_the_public_listener_alone(path: str) -> None:
    assert (await ask(View(), path))[0] == 404


async def test_the_page_is_read_only() -> None:
    assert (await ask(View(), "/", "POST"))[0] == 405
