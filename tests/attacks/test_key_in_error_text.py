"""A node's error text carries the operator's key to a public page.

Who: nobody on purpose: providers repeat the requested URL, with its key, in their errors. The text
stood in the worker's error, and so on its status page.

What stops it now: an error of a node leaves ``adapters/chain/rpc.py`` as a code; its text goes to
the log, without the parts of the URL that may be secret (``adapters/http/redact.py``).

What remains: a secret that is not part of the URL, and that the provider puts into its text, is in
the log; it never is in a message.
"""

from __future__ import annotations

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from oepnode.adapters.chain import rpc
from oepnode.adapters.chain.quorum import open_quorum
from oepnode.config import ChainSettings
from oepnode.errors import OepError
from tests.attacks.support.lying_node import serving

KEY = "APIKEY-4711"


async def answer(request: web.Request) -> web.Response:
    text = f"rate limit of key {KEY} reached: https://rpc.test/v3/{KEY}?user=PASSWORD\n\x1b[2J"
    error = {"code": -32005, "message": text, "data": {"see": f"https://rpc.test/{KEY}"}}
    return web.json_response({"jsonrpc": "2.0", "id": 1, "error": error})


async def message_and_log() -> tuple[str, str]:
    with capture_logs() as log:
        async with serving(answer) as url:
            place = url.removeprefix("http://")
            settings = ChainSettings(
                rpc_urls=(f"http://user:PASSWORD@{place}/v3/{KEY}",),
                chain_id=246,
                contract="0x" + "11" * 20,
            )
            quorum = open_quorum(settings)
            try:
                with pytest.raises(OepError) as caught:
                    await quorum.check()
            finally:
                await quorum.close()
    return str(caught.value), str(log)


async def test_a_message_has_the_code_and_the_log_no_key() -> None:
    message, log = await message_and_log()
    assert "error -32005" in message
    assert "rate limit" not in message
    assert "rate limit of key … reached" in log
    for secret in (KEY, "PASSWORD", "\\x1b", "\\n"):
        assert secret not in message
        assert secret not in log


async def test_without_redaction_the_log_has_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "redacted_text", lambda text, _: text)
    _, log = await message_and_log()
    assert KEY in log
