"""Hostile clients in a process of their own.

    python -m tests.attacks.support.crowd KIND COUNT URL [BODY_FILE …]

``KIND`` is idle (connections without a byte), slow (a byte a second: half of them in the header,
half in the body of a request) or strangers (``COUNT`` requests a second with the bodies of the
files, in turn). Connections that the server closes are opened again. Prints a line of JSON once
all have been opened, or the first second is over.
"""

import asyncio
import itertools
import json
import resource
import sys
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

_BYTE_S = 1.0
_AGAIN_S = 1.0
_HEADER = b"GET /healthz HTTP/1.1\r\nHost: target\r\nX-Slow: " + b"x" * 4000
_BODY = b"POST /v1/requests HTTP/1.1\r\nHost: target\r\nContent-Length: 1000\r\n\r\n"
_BALLOT = _BODY.replace(b"/v1/requests", b"/v1/ballots")


async def _connection(host: str, port: int, kind: str, number: int, opened: list[int]) -> None:
    """Keep one connection open, however often it is closed."""
    head, rest = (
        (_BODY if number % 4 == 1 else _BALLOT, b"x" * 999) if number % 2 else (b"", _HEADER)
    )
    is_counted = False
    while True:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(20):
                reader, writer = await asyncio.open_connection(host, port)
            if not is_counted:
                opened.append(number)
                is_counted = True
            try:
                if kind == "idle":
                    await reader.read(1)
                else:
                    writer.write(head)
                    for byte in rest:
                        writer.write(bytes([byte]))
                        await writer.drain()
                        await asyncio.sleep(_BYTE_S)
            finally:
                writer.close()
        await asyncio.sleep(_AGAIN_S)


async def _connections(kind: str, count: int, host: str, port: int) -> None:
    opened: list[int] = []
    tasks = [
        asyncio.create_task(_connection(host, port, kind, number, opened))
        for number in range(count)
    ]
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            while len(opened) < count:
                await asyncio.sleep(0.05)
    print(json.dumps({"opened": len(opened)}), flush=True)
    await asyncio.gather(*tasks)


async def _post(host: str, port: int, data: bytes) -> None:
    """Send a request, and leave when the answer begins or after a second."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(data)
                await reader.read(100)
            finally:
                writer.close()


async def _strangers(rate: int, host: str, port: int, requests: list[bytes]) -> None:
    loop = asyncio.get_running_loop()
    start, tasks = loop.time(), set()
    for number, data in enumerate(itertools.cycle(requests)):
        if number == rate:
            print(json.dumps({"sent": number}), flush=True)
        task = asyncio.create_task(_post(host, port, data))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await asyncio.sleep(max(0.0, start + number / rate - loop.time()))


def main(kind: str, count: str, url: str, *files: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    if kind == "strangers":
        requests = [Path(file).read_bytes() for file in files]
        asyncio.run(_strangers(int(count), host, port, requests))
    else:
        asyncio.run(_connections(kind, int(count), host, port))


if __name__ == "__main__":
    main(*sys.argv[1:])
