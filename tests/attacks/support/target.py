"""A service in a process that may open 1,024 files, with the chain in memory.

    python -m tests.attacks.support.target SERVICE FOLDER [WITHOUT]

``SERVICE`` is sender, registry, relay or worker (its public pages). ``WITHOUT`` takes a mend out,
so that a test can see the attack succeed: ``bounds`` serves as aiohttp does by itself; ``order``
verifies every signature, whoever signed, in Python.
"""

import asyncio
import json
import os
import resource
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from aiohttp import web
from eth_account import Account

from oepnode.adapters import logs
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.http.server.serving import Listener, serve
from oepnode.config import (
    ChainSettings,
    HttpSettings,
    RegistrySettings,
    RelaySettings,
    SenderSettings,
)
from oepnode.domain.rounds.inputs.registry_snapshot import snapshot_json
from oepnode.domain.rounds.onchain import Member, Policy
from oepnode.services.common.known_signers import KnownSigners
from oepnode.services.registry import app as registry
from oepnode.services.registry.store import RegistryStore
from oepnode.services.relay import app as relay
from oepnode.services.sender import app as sender
from oepnode.worker.status.public_pages import public_application
from tests.contract_model import rounds
from tests.contract_model.rounds import HORIZON_UNIT_S
from tests.support.fake_chain import (
    CHAIN_ID,
    CONTRACT,
    REQUESTER,
    FakeChain,
    FakeClock,
    InMemoryChain,
)
from tests.support.stored_documents import put_document

OPEN_FILES = 1024
WORKER = Account.from_key(b"\x01" * 32)
OPERATOR = b"\x71" * 20
SALT = bytes(range(32))
SNAPSHOT = json.dumps(
    snapshot_json("2026-11-20T00:00:00+10:00", sha256(SALT).digest(), [], [], b"\x04" * 32)
).encode()
DIGEST = sha256(SNAPSHOT).digest()
DOCUMENT = b"[]" * 5000
DOCUMENT_DIGEST = sha256(DOCUMENT).digest()
BUNDLE = b"sealed" * 5000
ROUND = 1
_CHAIN = ChainSettings(
    rpc_urls=("http://127.0.0.1:1",), chain_id=CHAIN_ID, contract="0x" + CONTRACT.hex()
)
_OPERATORS = ("0x" + OPERATOR.hex(),)


class _RealTime(FakeClock):
    def now(self) -> float:
        return SystemClock().now()


def blockchain() -> InMemoryChain:
    """A chain with two workers, and a voting round of the snapshot and the document."""
    blocks = InMemoryChain(_RealTime())
    blocks.set_policy(Policy(2, 3, vote_window_s=3600, reveal_window_s=60, rules_version=1))
    blocks.add_member(b"\x72" * 20, b"\x7b" * 20)
    blocks.add_member(OPERATOR, bytes.fromhex(WORKER.address[2:]))
    horizon = (1_795_000_200 // HORIZON_UNIT_S, 6)
    blocks.apply(REQUESTER, rounds.open_round, horizon, DOCUMENT_DIGEST, DIGEST)
    return blocks


def registry_settings(folder: Path, operators: tuple[str, ...]) -> RegistrySettings:
    """A registry with the round's snapshot and salt."""
    store = RegistryStore(folder)
    store.publish(SNAPSHOT, SALT, 0.0)
    store.close()
    return RegistrySettings(chain=_CHAIN, data_dir=folder, operators=operators)


def sender_settings(folder: Path, operators: tuple[str, ...]) -> SenderSettings:
    """A gateway with the round's document."""
    token = folder / "token"
    token.write_text("a-token-of-the-publisher")
    token.chmod(0o600)
    put_document(folder / "data", DOCUMENT)
    return SenderSettings(
        chain=_CHAIN,
        data_dir=folder / "data",
        key_file=folder / "key",
        token_file=token,
        operators=operators,
    )


def _registry(folder: Path) -> web.Application:
    settings = registry_settings(folder, _OPERATORS)
    return registry.application(settings, FakeChain(blockchain()), SystemClock())


def _sender(folder: Path) -> web.Application:
    settings = sender_settings(folder, _OPERATORS)
    return sender.application(settings, FakeChain(blockchain(), REQUESTER), SystemClock())


def _relay(folder: Path) -> web.Application:
    settings = RelaySettings(
        chain=_CHAIN, data_dir=folder / "data", key_file=folder / "key", batch_after_s=3600
    )
    return relay.application(settings, FakeChain(blockchain()))


class _Shelf:
    """What a worker's public pages show: that it is well, and one sealed bundle."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "bundle"
        self._file.write_bytes(BUNDLE)

    def is_healthy(self) -> bool:
        return True

    def bundle(self, round_number: int, name: str) -> Path | None:
        return self._file if round_number == ROUND else None


def _worker(folder: Path) -> web.Application:
    return public_application(_Shelf(folder))


SERVICES: dict[str, Callable[[Path], web.Application]] = {
    "registry": _registry,
    "sender": _sender,
    "relay": _relay,
    "worker": _worker,
}


async def _everybody(_: KnownSigners, signer: bytes) -> Member | None:
    return Member(0, OPERATOR, signer)


async def _serve_plainly(app: web.Application, announce: Callable[[str], None]) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    # A queue as long as the crowd: what a full one drops, its idle clients never send again.
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    announce(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await asyncio.Event().wait()


def _announce(url: str) -> None:
    print(json.dumps({"listening": url}), flush=True)


def main(service: str, folder: str, without: str = "") -> None:
    logs.configure()
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    if without == "order":
        os.environ["ECC_BACKEND_CLASS"] = "eth_keys.backends.NativeECCBackend"
        setattr(KnownSigners, "find", _everybody)  # noqa: B010 - a test takes it out

    async def run() -> None:
        app = SERVICES[service](Path(folder))
        if without == "bounds":
            await _serve_plainly(app, _announce)
        else:
            await serve(_announce, Listener(app, HttpSettings()))

    asyncio.run(run())


if __name__ == "__main__":
    main(*sys.argv[1:])
