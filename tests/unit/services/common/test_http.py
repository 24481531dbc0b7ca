"""Rejections as responses and in the log, which a flood does not fill."""

import json

import structlog
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from oepnode.errors import OepError, TransportError
from oepnode.services.common.http import LOGGED_AT_ONCE, Rejection, errors_as_json


async def rejected(app: web.Application, rejection: OepError) -> web.StreamResponse:
    """The response to a request to an application that is rejected."""

    async def handler(_: web.Request) -> web.StreamResponse:
        raise rejection

    return await errors_as_json(make_mocked_request("GET", "/", app=app), handler)


async def test_a_rejection_says_what_to_do() -> None:
    busy = Rejection(503, "service.busy", "too many requests", retry_after_s=2)
    response = await rejected(web.Application(), busy)
    assert isinstance(response, web.Response) and isinstance(response.body, bytes)
    assert (response.status, response.headers["Retry-After"]) == (503, "2")
    error = {"code": "service.busy", "message": "too many requests"}
    assert json.loads(response.body) == {"error": error}
    challenge = Rejection(401, "token.missing", "send a token", "Bearer")
    response = await rejected(web.Application(), challenge)
    assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_of_each_kind_a_few_are_logged() -> None:
    app = web.Application()
    with structlog.testing.capture_logs() as logs:
        for _ in range(10 * LOGGED_AT_ONCE):
            await rejected(app, Rejection(403, "worker.unknown", "no worker"))
        await rejected(app, Rejection(409, "nonce.used", "used before"))
        await rejected(web.Application(), Rejection(403, "worker.unknown", "no worker"))
    codes = [entry["code"] for entry in logs]
    assert codes == ["worker.unknown"] * LOGGED_AT_ONCE + ["nonce.used", "worker.unknown"]


async def test_a_chain_that_fails_does_not_tell_anyone_which_nodes_are_asked() -> None:
    fault = TransportError("round: 2 nodes must agree: customer-4711.rpc.test:443#1 status 502")
    with structlog.testing.capture_logs() as logs:
        response = await rejected(web.Application(), fault)
    assert isinstance(response, web.Response) and isinstance(response.body, bytes)
    assert response.status == 503
    assert b"rpc.test" not in response.body
    assert logs[0]["reason"] == str(fault)
