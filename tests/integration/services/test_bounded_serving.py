"""Connections over real sockets: room, deadlines, headers, and a process without descriptors."""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
import structlog
from aiohttp import web
from yarl import URL

from oepnode.adapters.http.server import acceptor, serving, sockets
from oepnode.adapters.http.server.limits import Limits
from oepnode.adapters.http.server.serving import listening
from oepnode.config import HttpSettings
from oepnode.services.common.http import errors_as_json, json_response, read_body

GIVE_UP_S = 10.0
WORK_S = 0.4
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def application() -> web.Application:
    async def hello(_: web.Request) -> web.Response:
        return json_response({"hello": 1})

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await read_body(request, 100))

    async def upload(request: web.Request) -> web.Response:
        return json_response({"size": len(await read_body(request, 2**24))})

    async def work(_: web.Request) -> web.Response:
        await asyncio.sleep(WORK_S)
        return json_response({"worked": 1})

    app = web.Application(middlewares=[errors_as_json], client_max_size=2**24)
    app.add_routes([web.get("/", hello), web.post("/", echo), web.post("/upload", upload)])
    app.router.add_get("/work", work)
    return app


@pytest.fixture(autouse=True)
def every_connection_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program bounds connections by itself, as where the system keeps none of the silent."""
    monkeypatch.setattr(sockets, "answers_when_full", lambda: False)


class Client:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self, data: bytes = GET) -> bytes:
        """The header that comes back for these bytes; its body is read as well."""
        self.writer.write(data)
        async with asyncio.timeout(GIVE_UP_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            size = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
            await self.reader.readexactly(int(size))
            return head

    async def answer_line(self, data: bytes) -> bytes:
        """The first line that comes back for these bytes, and the blank one after it."""
        self.writer.write(data)
        async with asyncio.timeout(1):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def is_closed(self, within_s: float = GIVE_UP_S) -> bool:
        """Whether the server closes it in time."""
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(within_s):
                return await self.reader.read(1) == b""
        return self.reader.at_eof() or self.reader.exception() is not None


@asynccontextmanager
async def server(
    monkeypatch: pytest.MonkeyPatch, limits: Limits
) -> AsyncIterator[tuple[str, AsyncExitStack]]:
    """A server with these limits; yields its URL, and a stack that closes the clients."""
    monkeypatch.setattr(serving, "limits_of", lambda *_: limits)
    monkeypatch.setattr(serving, "_SWEEP_S", 0.05)
    async with listening(application(), HttpSettings()) as url, AsyncExitStack() as clients:
        yield url, clients


async def connect(url: str, clients: AsyncExitStack) -> Client:
    parts = URL(url)
    assert parts.host and parts.port
    reader, writer = await asyncio.open_connection(parts.host, parts.port)
    clients.callback(writer.close)
    return Client(reader, writer)


async def test_a_new_connection_gets_in_past_silent_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, Limits(connections=16, per_address=16)) as (url, clients):
        silent = [await connect(url, clients) for _ in range(40)]
        asking = await connect(url, clients)
        assert (await asking.answer()).startswith(b"HTTP/1.1 200")
        assert await silent[0].is_closed()
        assert not await silent[-1].is_closed(0.2)


@pytest.mark.parametrize(
    ("sent", "limits"),
    [
        (b"", Limits(silent_s=0.2)),
        (GET[:20], Limits(header_s=0.2)),
        (GET, Limits(idle_s=0.2)),
    ],
    ids=["silent", "header", "idle"],
)
async def test_a_connection_that_waits_too_long_is_closed(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, limits: Limits
) -> None:
    async with server(monkeypatch, limits) as (url, clients):
        client = await connect(url, clients)
        client.writer.write(sent)
        async with asyncio.timeout(GIVE_UP_S):
            while await client.reader.read(1000):
                pass


async def test_a_request_in_pieces_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    async with server(monkeypatch, Limits()) as (url, clients):
        client = await connect(url, clients)
        for place in range(0, len(request), 5):
            client.writer.write(request[place : place + 5])
            await asyncio.sleep(0.005)
        assert (await client.answer(b"")).startswith(b"HTTP/1.1 200")
        assert (await client.answer()).startswith(b"HTTP/1.1 200")


async def test_two_requests_at_once_are_both_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, Limits()) as (url, clients):
        client = await connect(url, clients)
        assert (await client.answer(2 * GET)).startswith(b"HTTP/1.1 200")
        assert (await client.answer(b"")).startswith(b"HTTP/1.1 200")


async def test_a_client_that_waits_to_be_asked_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    async with server(monkeypatch, Limits()) as (url, clients):
        client = await connect(url, clients)
        assert (await client.answer_line(head)).startswith(b"HTTP/1.1 100")
        assert (await client.answer(b"hello")).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02", b"GET / HTTP/1.1\nHost: x\n\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 2**15],
    ids=["tls", "newlines", "endless"],
)
async def test_what_is_no_request_is_answered_at_once(
    monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    async with server(monkeypatch, Limits()) as (url, clients):
        client = await connect(url, clients)
        assert b" 400 Bad Request\r\n" in await client.answer_line(data)


async def test_a_header_that_http_does_not_see_has_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with server(monkeypatch, Limits(header_s=0.2)) as (url, clients):
        client = await connect(url, clients)
        client.writer.write(b"\r\n\r\n")
        assert await client.is_closed(2)


@pytest.mark.parametrize(("waits_s", "is_served"), [(5.0, True), (0.0, False)])
async def test_where_all_are_at_work_a_new_connection_waits(
    monkeypatch: pytest.MonkeyPatch, waits_s: float, is_served: bool
) -> None:
    monkeypatch.setattr(acceptor, "_FULL_S", waits_s)
    async with server(monkeypatch, Limits(connections=4, per_address=4)) as (url, clients):
        working = [await connect(url, clients) for _ in range(4)]
        answers = [
            asyncio.create_task(one.answer(GET.replace(b"/", b"/work", 1))) for one in working
        ]
        await asyncio.sleep(WORK_S / 4)
        late = await connect(url, clients)
        if is_served:
            assert (await late.answer()).startswith(b"HTTP/1.1 200")
        else:
            assert await late.is_closed(WORK_S / 4)
        done = await asyncio.gather(*answers)
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in done)


async def test_requests_get_in_past_a_rush_of_silent_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, Limits(connections=16, per_address=16)) as (url, clients):
        silent = [connect(url, clients) for _ in range(300)]
        asking = [await connect(url, clients) for _ in range(8)]
        rush = asyncio.gather(*silent)
        answers = await asyncio.gather(*(client.answer() for client in asking))
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        await rush


@pytest.mark.parametrize(("chunk", "is_read"), [(2**16, True), (2**8, False)], ids=["fast", "slow"])
async def test_a_document_that_arrives_fast_is_read_during_a_rush(
    monkeypatch: pytest.MonkeyPatch, chunk: int, is_read: bool
) -> None:
    async with server(monkeypatch, Limits(connections=16, per_address=16)) as (url, clients):
        publisher = await connect(url, clients)
        size = 25 * chunk
        publisher.writer.write(
            b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
        )
        with suppress(ConnectionError):
            for _ in range(25):
                publisher.writer.write(b"x" * chunk)
                await publisher.writer.drain()
                for _ in range(4):
                    await connect(url, clients)
                await asyncio.sleep(0.06)
        if is_read:
            assert (await publisher.answer(b"")).startswith(b"HTTP/1.1 200")
        else:
            assert await publisher.is_closed()


async def test_stopping_closes_those_that_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AsyncExitStack() as clients:
        async with server(monkeypatch, Limits()) as (url, _):
            client = await connect(url, clients)
            partial = await connect(url, clients)
            partial.writer.write(GET[:10])
            await asyncio.sleep(0.05)
        assert await client.is_closed(1)
        assert await partial.is_closed(1)


def test_a_system_without_the_option_hands_over_everything() -> None:
    with socket.socket() as listener:
        assert not sockets.defer_silent(listener, "TCP_NO_SUCH_OPTION")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        assert not sockets.defer_silent(other)


@pytest.mark.skipif(not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="no such option here")
def test_the_option_is_set_where_the_system_has_it() -> None:
    with socket.socket() as listener:
        assert sockets.defer_silent(listener)
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT) > 0


@pytest.mark.skipif(
    not (hasattr(socket, "TCP_DEFER_ACCEPT") and sockets.answers_when_full()),
    reason="this system hands over every connection at once",
)
async def test_the_system_keeps_silent_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "answers_when_full", lambda: True)
    monkeypatch.setattr(sockets, "_DEFER_S", 1)
    monkeypatch.setattr(sockets, "_BACKLOG", 64)
    limits = Limits(connections=16, per_address=16, silent_s=0.1)
    async with server(monkeypatch, limits) as (url, clients):
        silent = await connect(url, clients)
        late = await connect(url, clients)
        assert not await silent.is_closed(0.5)  # five times its deadline, which has not begun
        assert (await late.answer()).startswith(b"HTTP/1.1 200")
        assert (await (await connect(url, clients)).answer()).startswith(b"HTTP/1.1 200")
        assert await silent.is_closed()
        for _ in range(200):  # more than the queue
            await connect(url, clients)
        assert (await (await connect(url, clients)).answer()).startswith(b"HTTP/1.1 200")


async def test_a_body_in_single_bytes_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oepnode.services.common.http.READ_DEADLINE_S", 0.5)
    async with server(monkeypatch, Limits()) as (url, clients):
        client = await connect(url, clients)
        client.writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n")

        async def trickle() -> None:
            with suppress(ConnectionError):
                for _ in range(90):
                    client.writer.write(b"x")
                    await asyncio.sleep(0.1)

        sending = asyncio.create_task(trickle())
        assert (await client.answer(b"")).startswith(b"HTTP/1.1 408")
        sending.cancel()


async def test_an_address_has_a_rate_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    async with server(monkeypatch, Limits(requests_per_s=0.001, burst=3)) as (url, clients):
        client = await connect(url, clients)
        answers = [(await client.answer())[:12] for _ in range(4)]
        assert answers == [b"HTTP/1.1 200"] * 3 + [b"HTTP/1.1 429"]
        head = await (await connect(url, clients)).answer()
        assert b"Retry-After: 1\r\n" in head


async def test_a_proxy_has_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(requests_per_s=0.001, burst=1, proxies=frozenset({"127.0.0.1"}))
    async with server(monkeypatch, limits) as (url, clients):
        client = await connect(url, clients)
        for _ in range(5):
            assert (await client.answer()).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "header",
    ["Content-Encoding", "Authorization", "Content-Length", "Content-Type", "Host"],
)
async def test_a_header_that_stands_once_is_rejected_twice(
    monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    lines = ["POST / HTTP/1.1", *(["Host: x"] if header != "Host" else []), *[f"{header}: 0"] * 2]
    data = "\r\n".join([*lines, "", ""]).encode()
    async with server(monkeypatch, Limits()) as (url, clients):
        client = await connect(url, clients)
        assert b" 400 Bad Request\r\n" in await client.answer(data)
        assert await client.is_closed()


@pytest.mark.parametrize("data", [GET, GET.replace(b"/ ", b"/x "), b"\x00\x01\r\n\r\n"])
async def test_no_response_names_a_version(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    async with server(monkeypatch, Limits()) as (url, clients):
        head = await (await connect(url, clients)).answer(data)
        assert b"Server: oepnode\r\n" in head
        assert b"aiohttp" not in head and b"Python" not in head


async def test_without_descriptors_it_waits_says_so_once_and_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = Limits(connections=10_000, per_address=10_000)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    with structlog.testing.capture_logs() as logs:
        async with server(monkeypatch, limits) as (url, clients):
            client = await connect(url, clients)
            waiting = await connect(url, clients)
            monkeypatch.setattr(acceptor, "_PAUSE_S", 0.01)
            soft = len(list(Path("/proc/self/fd").iterdir())) + 3
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            try:
                with suppress(OSError):
                    while True:
                        taken.append(os.open("/dev/null", os.O_RDONLY))
                os.close(taken.pop())  # for the client's own end
                late = await connect(url, clients)
                await asyncio.sleep(0.3)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
                for descriptor in taken:
                    os.close(descriptor)
            assert (await late.answer()).startswith(b"HTTP/1.1 200")
            assert await client.is_closed(0.5) or await waiting.is_closed(0.5)
    failures = [entry for entry in logs if entry["event"] == "accepting_failed"]
    assert len(failures) == 1
    assert failures[0]["reason"] == "Too many open files"
