"""``oepnode sender``, ``registry`` and ``relay`` as a user types them, over real HTTP."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from oepnode.cli.common import serving
from oepnode.cli.main import app
from oepnode.config import SenderSettings
from tests.integration.services.conftest import Sample
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain, InMemoryChain

OPERATORS = f'operators = ["0x{"71" * 20}"]\n'
CHAIN_TABLE = f"""
[chain]
rpc_urls = ["http://127.0.0.1:1"]
chain_id = {CHAIN_ID}
contract = "0x{CONTRACT.hex()}"
"""


class ClosableChain(FakeChain):
    """The chain in memory, as a connection that ends with its service."""

    async def close(self) -> None:
        pass


async def run(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, list(words))


async def test_a_document_is_published_and_its_round_opened(
    sender_url: str, sender_settings: SenderSettings, sample: Sample, blockchain: InMemoryChain
) -> None:
    document = sample.folder / sample.summary.envelope_file
    words = ["sender", "publish", str(document), "--url", sender_url]
    words += ["--token-file", str(sender_settings.token_file)]
    done = await run(*words, "--registry", sample.snapshot_digest.hex(), "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert (printed["digest"], printed["round"]) == (sample.digest.hex(), 1)
    assert printed["facts"]["intervals"] == 6
    assert set(blockchain.rounds) == {1}
    again = await run(*words)
    assert again.exit_code == 0
    assert sample.digest.hex() in again.output


@pytest.mark.parametrize("case", ["faulty", "token", "registry", "file", "nobody"])
async def test_each_failure_has_its_exit_code(
    sender_url: str,
    sender_settings: SenderSettings,
    sample: Sample,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    monkeypatch.setattr("oepnode.adapters.http.client.FIRST_WAIT_S", 0.001)
    faulty = tmp_path / "faulty.json"
    faulty.write_bytes(sample.document.replace(b'"PRE"', b'"NOW"'))
    wrong = tmp_path / "wrong-token"
    wrong.write_text("a-token-of-somebody-else")
    wrong.chmod(0o600)
    good, token = str(sample.folder / sample.summary.envelope_file), sender_settings.token_file
    arguments, code = {
        "faulty": ([str(faulty), "--url", sender_url, "--token-file", str(token)], 1),
        "token": ([good, "--url", sender_url, "--token-file", str(wrong)], 1),
        "registry": ([good, "--url", sender_url, "--token-file", str(token), "--registry", "1"], 2),
        "file": ([str(tmp_path / "none"), "--url", sender_url, "--token-file", str(token)], 2),
        "nobody": ([good, "--url", "http://127.0.0.1:1", "--token-file", str(token)], 3),
    }[case]
    done = await run("sender", "publish", *arguments)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["sender", "registry", "relay"])
def test_a_service_prints_where_it_listens_and_stops_cleanly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def connect(*_: object, **__: object) -> ClosableChain:
        return ClosableChain(InMemoryChain())

    honest = serving.announcer

    def announcer(as_json: bool) -> Callable[[str, str], None]:
        announce = honest(as_json)

        def announce_and_stop(public_url: str, operator_url: str) -> None:
            announce(public_url, operator_url)
            os.kill(os.getpid(), signal.SIGTERM)

        return announce_and_stop

    monkeypatch.setattr("oepnode.wiring.services.connect", connect)
    monkeypatch.setattr("oepnode.wiring.services.connect_reader", connect)
    monkeypatch.setattr(serving, "announcer", announcer)
    for file, text in (("token", "a-token-of-the-publisher"), ("key", "11" * 32)):
        (tmp_path / file).write_text(text)
        (tmp_path / file).chmod(0o600)
    more = {
        "sender": f'key_file = "key"\ntoken_file = "token"\n{OPERATORS}',
        "registry": OPERATORS,
        "relay": 'key_file = "key"\n',
    }[name]
    config = tmp_path / "settings.toml"
    config.write_text(f'data_dir = "data"\n{more}{CHAIN_TABLE}')
    done: Any = CliRunner().invoke(app, [name, "serve", "--config", str(config), "--json"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    urls = json.loads(lines[0])
    assert set(urls) == {"listening", "status"}
    assert all(url.startswith("http://127.0.0.1:") for url in urls.values())
    assert len(set(urls.values())) == 2


@pytest.mark.parametrize("name", ["sender", "registry", "relay"])
def test_a_service_without_settings_ends_with_2(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(app, [name, "serve", "--config", str(tmp_path / "none.toml")])
    assert done.exit_code == 2
    assert "none.toml" in done.output
