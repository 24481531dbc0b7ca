"""Listening, announcing and stopping."""

import asyncio
import os
import signal

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from oepnode.adapters.http.client import HttpClient
from oepnode.adapters.http.server.serving import Listener, listening, serve
from oepnode.config import HttpSettings
from oepnode.errors import ConfigError, TransportError
from oepnode.services.common.http import errors_as_json, json_response, read_body


def application() -> web.Application:
    async def hello(_: web.Request) -> web.Response:
        return json_response({"hello": 1})

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await read_body(request, 100))

    app = web.Application(middlewares=[errors_as_json])
    app.add_routes([web.get("/", hello), web.post("/", echo)])
    return app


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_stopped(number: signal.Signals) -> None:
    closed: list[bool] = []

    async def on_cleanup(_: web.Application) -> None:
        closed.append(True)

    app = application()
    app.on_cleanup.append(on_cleanup)
    announced: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.create_task(serve(announced.put_nowait, Listener(app, HttpSettings())))
    url = await asyncio.wait_for(announced.get(), 10)
    assert URL(url).port
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert await response.json() == {"hello": 1}
    os.kill(os.getpid(), number)
    await asyncio.wait_for(task, 10)
    assert closed == [True]
    client = HttpClient(url, timeout_s=1)
    with pytest.raises(TransportError):
        await client.get("/", "hello", 1)
    await client.close()


async def test_a_taken_port_is_a_usage_error() -> None:
    async with listening(application(), HttpSettings()) as url:
        port = URL(url).port
        assert port
        with pytest.raises(ConfigError, match=r"http\.port"):
            await serve(lambda _: None, Listener(application(), HttpSettings(port=port)))


async def test_a_silent_client_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oepnode.services.common.http.READ_DEADLINE_S", 0.05)
    monkeypatch.setattr("oepnode.adapters.http.server.serving._SHUTDOWN_S", 0.1)
    async with listening(application(), HttpSettings()) as url:
        parts = URL(url)
        assert parts.host and parts.port
        reader, writer = await asyncio.open_connection(parts.host, parts.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf")
        head = await asyncio.wait_for(reader.readline(), 10)
        assert head.startswith(b"HTTP/1.1 408")
        writer.close()
