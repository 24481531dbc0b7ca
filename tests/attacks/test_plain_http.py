"""Somebody between a program and its node of the chain changes the node's answers.

Who: anyone on the path: a hotspot, a provider, a neighbour on the same network. The node itself is
honest.

Before: ``http://`` was accepted for every node. Whoever passed the packets on could forge a seat, a
root or a head, exactly like a node that lies, and needed no node for it.

What stops it now: a node on another machine must be reached by https, in the settings of every
program and in every command, before anything is sent (``config.chain.check_node_url``). Only
``allow_plain_http``, or ``OEPNODE_ALLOW_PLAIN_HTTP=1``, says that the network between is trusted.

What remains: the encryption proves the name of the node's machine, and not that the node is honest;
that is for several nodes.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from oepnode.cli.main import app
from oepnode.config import RegistrySettings, RelaySettings, SenderSettings, WorkerSettings, load
from oepnode.demo.devnet import Devnet
from oepnode.errors import ConfigError
from tests.attacks.support.chain_world import STRANGER, ChainWorld, chain_world
from tests.attacks.support.lying_node import of_view

ELSEWHERE = "http://node.elsewhere.test:8545"
CONTRACT = "0x" + "c0" * 20
OWN = {
    WorkerSettings: f'key_file = "key"\noperator = "{CONTRACT}"\n'
    'sender_url = "https://s.test"\nregistry_url = "https://r.test"\n',
    SenderSettings: f'key_file = "key"\ntoken_file = "token"\noperators = ["{CONTRACT}"]\n',
    RegistrySettings: f'operators = ["{CONTRACT}"]\n',
    RelaySettings: 'key_file = "key"\n',
}


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.__name__)
def test_no_program_starts_with_it(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    chain = f'[chain]\nrpc_urls = ["{ELSEWHERE}"]\nchain_id = 1\ncontract = "{CONTRACT}"\n'
    path.write_text(f'data_dir = "data"\n{OWN[kind]}{chain}')
    with pytest.raises(ConfigError, match="plain http to another machine; use https"):
        load(kind, path)
    path.write_text(f'data_dir = "data"\n{OWN[kind]}{chain}allow_plain_http = true\n')
    assert load(kind, path).chain.rpc_urls == (ELSEWHERE,)


@pytest.mark.parametrize("words", [("audit", "round", "1"), ("audit", "rounds")], ids=" ".join)
def test_no_command_sends_anything(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[object] = []
    real = socket.getaddrinfo

    def look_up(host: object, *rest: object, **more: object) -> object:
        looked_up.append(host)
        return real("127.0.0.1", 1, *rest[1:], **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    command = [*words, "--rpc", ELSEWHERE, "--contract", CONTRACT]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "plain http to another machine" in done.stderr
    assert looked_up == []
    CliRunner().invoke(app, command, env={"OEPNODE_ALLOW_PLAIN_HTTP": "1"})
    assert "node.elsewhere.test" in looked_up  # the same command, where it is allowed


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


async def test_without_encryption_a_changed_answer_is_believed(world: ChainWorld) -> None:
    """The path as a proxy that changes the seat of a signer; loopback stands for the network."""

    def seat(view: dict[str, object]) -> dict[str, object]:
        return view | {"operator": "0x" + STRANGER.hex()}

    first = world.workers[0].signer
    async with (
        world.three_nodes(of_view("seatOf", seat)) as (_, path, _third),
        world.reader(path.url) as reader,
    ):
        member = await reader.member_of_signer(first)
    assert member is not None and member.operator == STRANGER
