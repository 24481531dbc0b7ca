"""Measures how long an enrolled worker waits under a flood; started by ``benchmarks/flood``.

How it is measured:

- A chain (Anvil), the sender's gateway, the registry and four workers run as in the demo, in
  processes that may open 1,024 files each (`flood_world`). Attackers run in processes of their own
  on the same machine and address, one for each listener, and open again what is closed.
- A wait is that of a fresh connection with a signed request for the salt, to the answer opened
  and checked. Its signature and key pair, about 1 ms, are part of it.
- ``idle`` are connections without a byte, ``slow`` send a byte a second, half of them in the header
  and half in a body; both to the registry, the gateway and every worker's public pages at once.
- ``strangers`` are requests to the registry and the gateway, signed by keys of nobody.
- ``all on X`` is all of it at once on one listener. Meanwhile a document is published, and its
  round is watched.
- ``everything`` is all of it on all listeners at once, with a dozen attackers on the cores that
  also serve: the limit of the machine, printed for comparison and held to nothing.
- The client of the measurement shares the machine with the attackers, so its waits are those of
  two busy cores as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from eth_account import Account
from eth_account.signers.local import LocalAccount
from msgspec import Struct, to_builtins
from rich.console import Console
from rich.table import Table

from oepnode.adapters.clock import SystemClock
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.demo.devnet import CHAIN_ID, account
from oepnode.demo.processes import Child
from oepnode.domain.rounds.onchain import parse_address
from oepnode.domain.rounds.signed_requests import (
    DocumentRequest,
    RegistryRequest,
    encode_authorization,
    encode_request,
)

LONGEST_S = 1.0
FIRST_SIGNER = 2
STRANGERS = 20
TIMES = 20
PAUSE_S = 0.25
START_S = 120
ROUND_S = 300
_RECIPIENT = b"\x09" * 32


class Waits(Struct, frozen=True):
    """Waits under one load, in seconds."""

    load: str
    median: float
    longest: float
    failed: int


class Load(NamedTuple):
    """What is flooded, and with what.

    Attributes:
        name: As printed.
        kinds: Kinds of attackers.
        targets: Names of listeners; all of them where it is empty.
        is_limit: Whether the load is more than the machine serves.
    """

    name: str
    kinds: tuple[str, ...]
    targets: tuple[str, ...] = ()
    is_limit: bool = False


ALL = ("idle", "slow", "strangers")
LOADS = (
    Load("none", ()),
    Load("idle", ("idle",)),
    Load("slow", ("slow",)),
    Load("strangers", ("strangers",)),
    *(Load(f"all on {name}", ALL, (name,)) for name in ("registry", "sender", "worker-1")),
    Load("everything", ALL, is_limit=True),
)


class World:
    """The processes that are flooded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        command = [sys.executable, "-m", "benchmarks.flood_world", str(folder / "world")]
        self._process = subprocess.Popen(  # noqa: S603 - a module of this project
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        facts = self._read()
        self.urls: dict[str, str] = facts["urls"]
        self.contract = parse_address(facts["contract"])
        self.snapshot = bytes.fromhex(facts["registry_digest"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the world ended early; see {self._folder}")
        value: dict[str, Any] = json.loads(line)
        return value

    def ask(self, line: str) -> dict[str, Any]:
        """What the world answers to a line."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End the world."""
        self._process.communicate(timeout=START_S)

    def signer(self, of: LocalAccount) -> RequestSigner:
        """Signs an account's requests."""
        return RequestSigner(of, CHAIN_ID, self.contract, SystemClock(), 2**20, timeout_s=10)


async def waits(world: World, load: str, round_number: int) -> Waits:
    """Waits of the first worker for the salt of a round."""
    taken, failed = [], 0
    for _ in range(TIMES):
        client = HttpRegistry(world.urls["registry"], world.signer(account(FIRST_SIGNER)))
        start = time.monotonic()
        try:
            await client.salt(round_number, world.snapshot)
        except Exception as exc:  # counted, and said
            failed += 1
            Console(stderr=True).print(f"{load}: {type(exc).__name__}: {exc}")
        finally:
            taken.append(time.monotonic() - start)
            await client.close()
        await asyncio.sleep(PAUSE_S)
    return Waits(load, statistics.median(taken), max(taken), failed)


@contextmanager
def crowd(folder: Path, name: str, *words: str) -> Iterator[None]:
    """Attackers in a process of their own."""
    command = [sys.executable, "-m", "tests.attacks.support.crowd", *words]
    child = Child(name, command, folder / f"{name}.log")
    try:
        child.announcement()
        yield
    finally:
        child.kill()


@contextmanager
def flood(world: World, folder: Path, load: Load, sizes: dict[str, int]) -> Iterator[None]:
    """A flood on some listeners."""
    with ExitStack() as stack:
        for kind in load.kinds:
            for name in load.targets or tuple(world.urls):
                url = world.urls[name]
                files = strangers(world, folder, name) if kind == "strangers" else []
                if kind != "strangers" or files:
                    words = [kind, str(sizes[kind]), url, *map(str, files)]
                    stack.enter_context(crowd(folder, f"{kind}-{name}", *words))
        yield


def strangers(world: World, folder: Path, service: str) -> list[Path]:
    """Requests to a service, signed by keys of nobody; none for a worker."""
    files = []
    for number in range(STRANGERS if service in {"registry", "sender"} else 0):
        path = folder / f"{service}-{number}"
        path.write_bytes(_request(world.signer(Account.create()), service, world.snapshot))
        files.append(path)
    return files


def _request(of: RequestSigner, service: str, digest: bytes) -> bytes:
    if service == "registry":
        salt = RegistryRequest("salt", 1, digest, _RECIPIENT, *of.last_fields())
        body = encode_request(salt, of.sign(salt))
        head = f"POST /v1/requests HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body
    document = DocumentRequest(1, digest, *of.last_fields())
    header = encode_authorization(document, of.sign(document))
    path = f"/v1/documents/{digest.hex()}"
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\n\r\n".encode()


def until_over(world: World, number: int) -> str:
    """The phase in which a round ends."""
    deadline = time.monotonic() + ROUND_S
    phase = ""
    while time.monotonic() < deadline:
        phase = str(world.ask(str(number))["report"]["phase"])
        if phase not in {"voting", "revealing"}:
            return phase
        time.sleep(1)
    return phase


def measure(folder: Path, sizes: dict[str, int]) -> tuple[list[Waits], dict[str, str]]:
    """Waits under each load, and how the rounds under all kinds at once ended."""
    world = World(folder)
    measured, phases = [], {}
    try:
        number = int(world.ask("publish")["round"])
        until_over(world, number)
        for load in LOADS:
            with flood(world, folder, load, sizes):
                measured.append(asyncio.run(waits(world, load.name, number)))
                print(measured[-1], file=sys.stderr, flush=True)
                if load.kinds == ALL and not load.is_limit:
                    phases[load.name] = until_over(world, int(world.ask("publish")["round"]))
        return measured, phases
    finally:
        world.close()


def show(measured: Sequence[Waits], phases: dict[str, str], sizes: dict[str, int]) -> None:
    """Print all figures."""
    table = Table(title="An enrolled worker's wait for a salt, in seconds")
    for heading in ("load", "median", "longest", "failed"):
        table.add_column(heading, justify="left" if heading == "load" else "right")
    for one in measured:
        table.add_row(one.load, f"{one.median:.3f}", f"{one.longest:.3f}", str(one.failed))
    console = Console()
    console.print(
        f"{sizes['idle']} idle and {sizes['slow']} slow connections to each listener, "
        f"{sizes['strangers']} requests/s of strangers to registry and sender, "
        "1,024 files a process"
    )
    console.print(table)
    for load, phase in phases.items():
        console.print(f"round under {load}: {phase}")


def main() -> int:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks/flood")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--connections", type=int, default=2_000, help="of each kind, a listener")
    parser.add_argument("--requests-per-s", type=int, default=400, help="of strangers, a service")
    options = parser.parse_args()
    sizes = dict.fromkeys(("idle", "slow"), options.connections)
    sizes["strangers"] = options.requests_per_s
    with tempfile.TemporaryDirectory(prefix="flood-") as folder:
        measured, phases = measure(Path(folder), sizes)
    show(measured, phases, sizes)
    if options.json:
        value = {"sizes": sizes, "waits": to_builtins(measured), "rounds": phases}
        options.json.write_text(json.dumps(value, indent=2) + "\n")
    limits = {load.name for load in LOADS if load.is_limit}
    held = [one for one in measured if one.load not in limits]
    is_kept = all(one.longest < LONGEST_S and not one.failed for one in held)
    return 0 if is_kept and set(phases.values()) == {"final"} else 1


if __name__ == "__main__":
    sys.exit(main())
