"""Starts and stops the demo's processes: chain, sender, registry, relay and workers.

Layout of the folder, for inspection afterwards:

| path | content |
|---|---|
| ``inputs/`` | the sample: envelope, snapshot, salt, aggregators' keys; it contains NMIs |
| ``sender/``, ``registry/``, ``relay/`` | the services' settings, documents and databases |
| ``blinding.key``, ``blinded/`` | in blind mode: the key, the blinded snapshot, token lists |
| ``worker-N/`` | a worker's settings, database, sealed bundles and sealed inputs |
| ``network.key.json`` | the key with which the network signs documents and snapshots |
| ``auditor.key.json`` | the auditor's key, which opens sealed inputs |
| ``logs/`` | log of every process |
| ``observed/`` | workers' status, all metrics, rounds, the chain |
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from eth_account.signers.local import LocalAccount

from oepnode.adapters.chain import deploy
from oepnode.adapters.chain.contract import checksum_address, connect
from oepnode.adapters.storage.files import write_whole
from oepnode.client.keys import create_key_pair, load_key_pair
from oepnode.config import ChainSettings
from oepnode.demo.devnet import CHAIN_ID, Devnet, account, free_port
from oepnode.demo.processes import Child, run_command, starting
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Policy, parse_address
from oepnode.errors import TransportError

_ADMIN: Final = 0
_REQUESTER: Final = 1
_FIRST_SIGNER: Final = 2
_FIRST_OPERATOR: Final = 1_000
_REGISTRY: Final = 900
_COMMAND_S: Final = 300


@dataclass(frozen=True)
class Plan:
    """Plan of a demo.

    Attributes:
        folder: Folder for all files.
        workers: Number of workers.
        byzantine: Number of workers that lie.
        nmis: Connection points of the sample.
        vote_window_s: Seconds to vote.
        reveal_window_s: Seconds to reveal.
        seed: Seed of the sample.
        relay: Whether a relay casts the ballots, and all workers except the first have no gas
            money. The first one needs some, because the relay does not pay for reveals.
        blind: Whether workers get tokens in the place of NMIs.
    """

    folder: Path
    workers: int = 5
    byzantine: int = 0
    nmis: int = 300
    vote_window_s: int = 12
    reveal_window_s: int = 12
    seed: int = 1
    relay: bool = False
    blind: bool = False


@dataclass(frozen=True)
class Player:
    """A worker of the demo.

    Attributes:
        name: Its name.
        operator: 20 bytes.
        url: URL of its public listener.
        status_url: URL of its operator's listener.
        is_lying: Whether it lies.
    """

    name: str
    operator: bytes
    url: str
    status_url: str
    is_lying: bool


class Stage:
    """The demo's processes, which are stopped on leaving the context."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.players: list[Player] = []
        self.contract = ""
        self.start_block = 0
        self.sender_url = ""
        self.registry_url = ""
        self.relay_url = ""
        self.service_status_urls: dict[str, str] = {}
        self.registry_digest = ""
        self.document_key = ""
        self.devnet: Devnet
        self.children: dict[str, Child] = {}

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in reversed(self.children.values()):
            child.stop()
        if hasattr(self, "devnet"):
            self.devnet.stop()

    # --- paths -----------------------------------------------------------------------------------

    @property
    def inputs(self) -> Path:
        """The sample's folder."""
        return self.plan.folder / "inputs"

    @property
    def blinded(self) -> Path:
        """The blinded snapshot with its token lists."""
        return self.plan.folder / "blinded"

    @property
    def blinding_key(self) -> Path:
        """The blinding key, which sender and registry share."""
        return self.plan.folder / "blinding.key"

    @property
    def signing_key(self) -> Path:
        """The key with which the network signs documents and snapshots."""
        return self.plan.folder / "network.key.json"

    @property
    def auditor_key(self) -> Path:
        """The auditor's key file."""
        return self.plan.folder / "auditor.key.json"

    def worker_folder(self, player: Player) -> Path:
        """A worker's folder."""
        return self.plan.folder / player.name

    def log(self, name: str) -> Path:
        """A process's log."""
        return self.plan.folder / "logs" / f"{name}.log"

    # --- steps, in their order -------------------------------------------------------------------

    def start_chain(self) -> str:
        """Start Anvil; returns a line to print."""
        self.devnet = Devnet(self.log("anvil"), accounts=self._relay_account + 1)
        return f"Anvil on {self.devnet.url}, chain id {CHAIN_ID}"

    def deploy_contract(self) -> str:
        """Deploy the contract and enrol the workers; returns a line to print."""
        self.players = [self._player(index) for index in range(self.plan.workers)]
        asyncio.run(self._deploy())
        if not self.plan.relay:
            return f"{self.contract}, {len(self.players)} workers enrolled"
        for player in self.players[1:]:
            self.devnet.rpc("anvil_setBalance", self._signer(player).address, "0x0")
        return f"{self.contract}, {len(self.players)} workers enrolled, all but one without gas"

    def _player(self, index: int) -> Player:
        return Player(
            name=f"worker-{index + 1}",
            operator=parse_address(account(_FIRST_OPERATOR + index).address),
            url=f"http://127.0.0.1:{free_port()}",
            status_url=f"http://127.0.0.1:{free_port()}",
            is_lying=index >= self.plan.workers - self.plan.byzantine,
        )

    async def _deploy(self) -> None:
        admin = account(_ADMIN)
        policy = Policy(
            vote_window_s=self.plan.vote_window_s, reveal_window_s=self.plan.reveal_window_s
        )
        owner = parse_address(admin.address)
        nodes = ChainSettings(
            rpc_urls=(self.devnet.url,), chain_id=CHAIN_ID, contract="0x" + "00" * 20
        )
        deployed = await deploy.deploy(nodes, admin, owner, policy)
        self.contract = checksum_address(deployed.address)
        self.start_block = deployed.block
        chain = await connect(self.chain_settings, admin)
        try:
            workers = [
                (checksum_address(player.operator), self._signer(player).address, player.url)
                for player in self.players
            ]
            await chain.transact("addWorkers", workers)
            role = await chain.role_code("REQUESTER_ROLE")
            await chain.transact("grantRole", role, account(_REQUESTER).address)
        finally:
            await chain.close()

    def make_sample(self) -> str:
        """Write the sample and the auditor's key; returns a line to print."""
        sample = self.command(
            "sample",
            "--out", str(self.inputs),
            "--nmis", str(self.plan.nmis),
            "--seed", str(self.plan.seed),
            "--json",
        )  # fmt: skip
        create_key_pair(self.auditor_key)
        return (
            f"{sample['nmis']} NMIs, {sample['aggregators']} aggregators, "
            f"{sample['intervals']} intervals"
        )

    def blind_snapshot(self) -> str:
        """Blind the registry's snapshot; returns a line to print."""
        blinded = self.command(
            "registry", "blind", str(self.inputs / "registry.json"),
            "--new-key", str(self.blinding_key),
            "--out", str(self.blinded),
            "--json",
        )  # fmt: skip
        return (
            f"{blinded['nmis']} NMIs of the registry replaced by tokens; "
            f"{len(blinded['token_lists'])} token lists, each sealed to its aggregator"
        )

    def start_services(self) -> str:
        """Start the sender's gateway, the NMI registry and a relay; returns a line to print."""
        published = self.blinded if self.plan.blind else self.inputs
        tokens = ["--tokens", str(self.blinded / "tokens")] if self.plan.blind else []
        self.document_key = self.command(
            "sender", "keygen", "--out", str(self.signing_key), "--json"
        )["public_key"]
        self.registry_digest = self.command(
            "registry", "publish", str(published / "registry.json"), *tokens,
            "--signature", self.sign("registry", published / "registry.json"),
            "--snapshot-key", self.document_key,
            "--salt-file", str(self.inputs / "salt"),
            "--data-dir", str(self.plan.folder / "registry" / "data"),
            "--json",
        )["digest"]  # fmt: skip
        self._write_key("registry", _REGISTRY)
        self.registry_url = self._serve(
            "registry",
            {
                "data_dir": "data",
                "grants_key_file": "key",
                "snapshot_key": self.document_key,
                "operators": self._admitted(),
            },
        )
        self._write_key("sender", _REQUESTER)
        token = self.plan.folder / "sender" / "token"
        write_whole(token, secrets.token_hex(32).encode())
        settings: dict[str, Any] = {
            "data_dir": "data",
            "key_file": "key",
            "token_file": "token",
            "operators": self._admitted(),
        }
        if self.plan.blind:
            settings["blinding_key_file"] = str(self.blinding_key)
        else:
            settings["document_key"] = self.document_key
        self.sender_url = self._serve("sender", settings)
        urls = f"sender on {self.sender_url}, registry on {self.registry_url}"
        if not self.plan.relay:
            return urls
        self._write_key("relay", self._relay_account)
        self.relay_url = self._serve("relay", {"data_dir": "data", "key_file": "key"})
        return f"{urls}, relay on {self.relay_url}"

    def _admitted(self) -> list[str]:
        """Operators with their signers, as sender and registry admit them."""
        return [
            f"{checksum_address(player.operator)}={self._signer(player).address}"
            for player in self.players
        ]

    def start_workers(self) -> str:
        """Start the workers; returns a line to print."""
        started = [self.start_worker(player) for player in self.players]
        for child in started:
            child.announcement()
        return f"{len(self.players)} processes, {self.plan.byzantine} of them lying"

    def start_worker(self, player: Player) -> Child:
        """Start or restart one worker; its database is kept."""
        config = self.configure_worker(player)
        honest = ["-m", "oepnode", "worker", "run", "--json"]
        module = ["-m", "oepnode.demo.byzantine"] if player.is_lying else honest
        return self._start(player.name, [*module, "--config", str(config)])

    def configure_worker(self, player: Player) -> Path:
        """Write a worker's key and settings; returns the settings file."""
        self._write_key(player.name, _FIRST_SIGNER + self.players.index(player))
        settings = {
            "data_dir": "data",
            "key_file": "key",
            "operator": checksum_address(player.operator),
            "sender_url": self.sender_url,
            "registry_url": self.registry_url,
            "follow_interval_s": 0.5,
            "reveal_turn_s": 2,
            "archive_key": load_key_pair(self.auditor_key).public_key.hex(),
        }
        settings["documents.registry_key"] = self.document_key
        if not self.plan.blind:  # the gateway blinds documents, after they were signed
            settings["documents.sender_key"] = self.document_key
        if self.relay_url:
            settings["relay.url"] = self.relay_url
        settings["status.port"] = _port_of(player.status_url)
        port = _port_of(player.url)
        return self._write_settings(player.name, settings, port)

    def without_gas(self) -> list[str]:
        """Names of the workers whose signer has no balance."""
        balances = {
            player.name: self.devnet.rpc("eth_getBalance", self._signer(player).address, "latest")
            for player in self.players
        }
        return [name for name, balance in balances.items() if not int(balance, 16)]

    def publish(self, envelope: Path) -> int:
        """Publish an envelope document and open a round with it; returns the round's number."""
        signature = [] if self.plan.blind else ["--signature", self.sign("sender", envelope)]
        receipt = self.command(
            "sender", "publish", str(envelope), *signature,
            "--url", self.sender_url,
            "--token-file", str(self.plan.folder / "sender" / "token"),
            "--registry", self.registry_digest,
            "--json",
        )  # fmt: skip
        return int(receipt["round"])

    def sign(self, group: str, document: Path) -> str:
        """Sign a document with the network's key; returns the statement's file."""
        words = ("sign", str(document), "--key", str(self.signing_key), "--json")
        return str(self.command(group, *words)["file"])

    # --- commands --------------------------------------------------------------------------------

    @property
    def grant_options(self) -> list[str]:
        """Command-line options for the grant lists of sender and registry."""
        urls = ["--grants", self.sender_url, "--grants", self.registry_url]
        return [*urls, "--registry-signer", account(_REGISTRY).address]

    @property
    def chain_options(self) -> list[str]:
        """Command-line options for node and contract."""
        return ["--rpc", self.devnet.url, "--contract", self.contract]

    @property
    def chain_settings(self) -> ChainSettings:
        """Settings of the chain, as the processes have them."""
        return ChainSettings(**self._chain())

    def command(self, *words: str) -> Any:  # noqa: ANN401 - any JSON value
        """Run an ``oepnode`` command as a user would, and return the JSON that it prints.

        Raises:
            TransportError: If it fails; the message is the command's.
        """
        code, value, errors = self.attempt(*words)
        if code != 0:
            last = errors.strip().splitlines()[-1] if errors.strip() else "no message"
            raise TransportError(f"oepnode {words[0]} {words[1]} ended with {code}: {last}")
        return value

    def attempt(self, *words: str) -> tuple[int, Any, str]:
        """Run an ``oepnode`` command; returns exit code, JSON (with ``--json``) and messages."""
        done = run_command([sys.executable, "-m", "oepnode", *words], _COMMAND_S)
        with self.log("commands").open("a") as log:
            log.write(done.stderr)
        has_json = "--json" in words and bool(done.stdout.strip())
        return done.returncode, json.loads(done.stdout) if has_json else None, done.stderr

    # --- helpers ---------------------------------------------------------------------------------

    @property
    def _relay_account(self) -> int:
        return _FIRST_SIGNER + self.plan.workers

    def _signer(self, player: Player) -> LocalAccount:
        return account(_FIRST_SIGNER + self.players.index(player))

    def _chain(self) -> dict[str, Any]:
        return {
            "rpc_urls": [self.devnet.url],
            "chain_id": CHAIN_ID,
            "contract": self.contract,
            "start_block": self.start_block,
        }

    def _serve(self, name: str, settings: dict[str, Any]) -> str:
        config = self._write_settings(name, settings, 0)
        child = self._start(
            name, ["-m", "oepnode", name, "serve", "--config", str(config), "--json"]
        )
        urls = child.announcement()
        self.service_status_urls[name] = urls["status"]
        return str(urls["listening"])

    def _start(self, name: str, words: list[str]) -> Child:
        with starting():
            self.children[name] = Child(name, [sys.executable, *words], self.log(name))
        return self.children[name]

    def _write_key(self, name: str, index: int) -> None:
        key = self.plan.folder / name / "key"
        write_whole(key, account(index).key.hex().encode())

    def _write_settings(self, name: str, settings: dict[str, Any], port: int) -> Path:
        path = self.plan.folder / name / "settings.toml"
        lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        lines += ["", "[http]", f"port = {port}", "", "[chain]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in self._chain().items()]
        write_whole(path, ("\n".join(lines) + "\n").encode())
        return path


def _port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def reason_name(code: int) -> str:
    """The name of an abstention's reason."""
    try:
        return Reason(code).label
    except ValueError:
        return f"reason {code}"
