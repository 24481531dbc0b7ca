"""A node of the chain that lies: it passes requests on to a real one, and changes some answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from eth_abi.abi import decode, encode
from eth_utils.abi import function_signature_to_4byte_selector, get_abi_output_types

from oepnode.adapters.chain import artefact

Answer = dict[str, Any]
Lie = Callable[[Answer, Answer], Answer]
"""(request, honest answer) → answer."""


def honest(_: Answer, answer: Answer) -> Answer:
    return answer


class LyingNode:
    """A node that tells a lie, or the truth while `lie` is `honest`.

    Attributes:
        url: Its URL, with a key in its path as of a provider.
        requests: Methods of the requests that it received.
        wait_s: Time after which it answers.
    """

    def __init__(self, behind: str, lie: Lie = honest) -> None:
        self.lie = lie
        self.url = ""
        self.requests: list[str] = []
        self.wait_s = 0.0
        self._behind = behind

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.requests.append(body["method"])
        async with (
            aiohttp.ClientSession() as session,
            session.post(self._behind, json=body) as response,
        ):
            answer = await response.json()
        await asyncio.sleep(self.wait_s)
        return web.json_response(self.lie(body, answer))


@asynccontextmanager
async def lying_node(behind: str, lie: Lie = honest) -> AsyncIterator[LyingNode]:
    """A running node, in front of the real one at ``behind``."""
    node = LyingNode(behind, lie)
    async with serving(node.answer) as url:
        node.url = url + "/v3/APIKEY-of-an-operator"
        yield node


@asynccontextmanager
async def serving(
    answer: Callable[[web.Request], Any],
) -> AsyncIterator[str]:
    """A server on a free port that answers every request with a handler."""
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


# --- lies ----------------------------------------------------------------------------------------


def of(method: str, change: Callable[[Any], Any]) -> Lie:
    """Changes the results of a method."""

    def lie(request: Answer, answer: Answer) -> Answer:
        if request["method"] != method or answer.get("result") is None:
            return answer
        return answer | {"result": change(answer["result"])}

    return lie


def of_view(name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Lie:
    """Changes fields of the struct that a view of the contract returns, or of each of a list."""
    (function,) = [
        item
        for item in artefact.consensus()["abi"]
        if item["type"] == "function" and item["name"] == name
    ]
    (types,) = [get_abi_output_types(function)]
    inputs = ",".join(item["type"] for item in function["inputs"])
    selector = "0x" + function_signature_to_4byte_selector(f"{name}({inputs})").hex()
    fields = [component["name"] for component in function["outputs"][0].get("components", [])]

    def changed(struct: tuple[Any, ...]) -> tuple[Any, ...]:
        values = change(dict(zip(fields, struct, strict=True)))
        return tuple(values[field] for field in fields)

    def lie(request: Answer, answer: Answer) -> Answer:
        is_asked = request["method"] == "eth_call" and (
            request["params"][0].get("data", "").startswith(selector)
        )
        if not is_asked or "result" not in answer:
            return answer
        (value,) = decode(types, bytes.fromhex(answer["result"][2:]))
        is_list = types[0].endswith("[]")
        forged = encode(types, [[changed(one) for one in value] if is_list else changed(value)])
        return answer | {"result": "0x" + forged.hex()}

    return lie


def with_number(ahead: int) -> Callable[[Answer], Answer]:
    """A block with another number and hash than it has."""

    def change(block: Answer) -> Answer:
        number = int(block["number"], 16) + ahead
        return block | {"number": hex(number), "hash": "0x" + "de" * 32}

    return change
