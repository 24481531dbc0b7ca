"""Measures how long an enrolled worker waits under a flood; started by ``benchmarks/flood``.

How it is measured:

- A chain (Anvil), the sender's gateway, the registry, a relay and four workers run as in the demo,
  in processes that may open 1,024 files each (`flood_world`). Attackers run in processes of their
  own on the same machine and address, one for each listener and kind, and open again what is
  closed.
- A wait is that of a fresh connection with a signed request for the salt, to the answer opened
  and checked. Its signature and key pair, about 1 ms, are part of it.
- ``idle`` are connections without a byte, ``slow`` send a byte a second, half of them in the header
  and half in a body; both to the registry, the gateway, the relay and every worker's public pages
  at once.
- ``strangers`` are requests to the registry, the gateway and the relay, signed by keys of nobody.
- ``all on X`` is all of it at once on one listener, ``everything`` on all listeners at once. During
  each of them a document is published, the waits are those of its round, and the round is watched.
- ``everything`` is repeated with attackers that come again sooner than after 5 seconds. Those rows
  show where the machine's limit is; they are held to nothing. Neither is the load with attackers at
  the servers' priority, which is measured where ``--load`` names it: there are twice as many
  attacking processes as servers, so what it shows is how a machine shares its cores.

What it does not show: the attackers stand for other people's machines, so they run at the lowest
priority and take no time from the servers by their mere number. Their connections and requests a
second, as they got through, are printed beside the waits: an attacker that got no time is a milder
one than its row says.
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

from msgspec import Struct, to_builtins
from rich.console import Console
from rich.table import Table

from benchmarks.flood_requests import SERVICES, Inputs, write_requests
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.demo.devnet import account
from oepnode.demo.processes import Child, end_on_signals
from oepnode.domain.rounds.onchain import parse_address
from tests.attacks.support.crowd import AGAIN_S

LONGEST_S = 1.0
FIRST_SIGNER = 2
TIMES = 20
PAUSE_S = 0.25
START_S = 120
ROUND_S = 300
POLL_S = 5.0
"""Between looks at the round: each is a command, which takes a second of a core."""


class Load(NamedTuple):
    """What is flooded, and with what.

    Attributes:
        name: As printed.
        kinds: Kinds of attackers.
        targets: Names of listeners; all of them where it is empty.
        again_s: Seconds until a closed connection is opened again.
        is_held: Whether the limits of this page apply to it.
        is_yielding: Whether the attackers run at the lowest priority.
    """

    name: str
    kinds: tuple[str, ...]
    targets: tuple[str, ...] = ()
    again_s: float = AGAIN_S
    is_held: bool = True
    is_yielding: bool = True


ALL = ("idle", "slow", "strangers")
LOADS = (
    Load("nothing", ()),
    Load("idle", ("idle",)),
    Load("slow", ("slow",)),
    Load("strangers", ("strangers",)),
    *(Load(f"all on {name}", ALL, (name,)) for name in ("registry", "sender", "relay", "worker-1")),
    Load("everything", ALL),
    *(
        Load(f"everything, again after {after_s:g} s", ALL, again_s=after_s, is_held=False)
        for after_s in (2.0, 1.0, 0.5)
    ),
    Load("everything, at the servers' priority", ALL, is_held=False, is_yielding=False),
)


class Measured(Struct, frozen=True):
    """Waits under one load, in seconds, and how its round ended.

    Attributes:
        load: Name of the load.
        is_held: Whether the limits apply to it.
        median: Median of the waits.
        longest: Longest wait.
        failed: Requests that failed.
        opened_per_s: Connections that attackers opened in a second, without those of strangers.
        requests_per_s: Requests of strangers in a second.
        round: The phase in which the round ended, or why there was none; empty without a round.
    """

    load: str
    is_held: bool
    median: float
    longest: float
    failed: int
    opened_per_s: float
    requests_per_s: float
    round: str

    @property
    def is_kept(self) -> bool:
        """Whether every wait was short and the round became final."""
        return self.longest < LONGEST_S and not self.failed and self.round in {"", "final"}


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
        self.last_round = 0

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

    def publish(self) -> str:
        """Publish a document and open its round; returns the error, or nothing."""
        answer = self.ask("publish")
        self.last_round = int(answer.get("round", self.last_round))
        return str(answer.get("error", ""))

    def until_over(self) -> str:
        """The phase in which the last round ends."""
        deadline = time.monotonic() + ROUND_S
        phase = ""
        while time.monotonic() < deadline:
            report = self.ask(str(self.last_round))["report"]
            phase = str(report["phase"]) if report else "unknown"
            if phase not in {"voting", "revealing", "unknown"}:
                return phase
            time.sleep(POLL_S)
        return phase

    def close(self) -> None:
        """End the world."""
        self._process.communicate(timeout=START_S)

    def inputs(self, round_number: int) -> Inputs:
        """What requests of a round are for."""
        return Inputs(self.contract, self.snapshot, round_number)


async def waits(world: World, load: str) -> tuple[list[float], int]:
    """Waits of the first worker for the salt of the last round, and the number that failed."""
    taken, failed = [], 0
    signer = world.inputs(world.last_round).signer(account(FIRST_SIGNER))
    for _ in range(TIMES):
        client = HttpRegistry(world.urls["registry"], signer)
        start = time.monotonic()
        try:
            await client.salt(world.last_round, world.snapshot)
        except Exception as exc:  # counted, and said
            failed += 1
            Console(stderr=True).print(f"{load}: {type(exc).__name__}: {exc}")
        finally:
            taken.append(time.monotonic() - start)
            await client.close()
        await asyncio.sleep(PAUSE_S)
    return taken, failed


class Crowds:
    """Attackers, each in a process of its own; ended on leaving the context.

    Attributes:
        per_s: Connections opened in a second by each kind, known once they have ended.
    """

    def __init__(self) -> None:
        self.per_s: dict[str, float] = {}

    @contextmanager
    def attack(
        self, world: World, folder: Path, load: Load, sizes: dict[str, int]
    ) -> Iterator[None]:
        """Flood the listeners of a load."""
        with ExitStack() as stack:
            for kind in load.kinds:
                for name in load.targets or tuple(world.urls):
                    if kind != "strangers":
                        files: list[Path] = []
                    elif name in SERVICES:
                        files = write_requests(folder, name, world.inputs(world.last_round + 1))
                    else:
                        continue
                    words = [kind, str(sizes[kind]), world.urls[name], *map(str, files)]
                    words += ["--again-s", str(load.again_s)]
                    words += [] if load.is_yielding else ["--keep-priority"]
                    stack.enter_context(self._crowd(folder, f"{kind}-{name}", words))
            yield

    @contextmanager
    def _crowd(self, folder: Path, name: str, words: list[str]) -> Iterator[None]:
        command = [sys.executable, "-m", "tests.attacks.support.crowd", *words]
        child = Child(name, command, folder / f"{name}.log")
        try:
            child.announcement()
            yield
        finally:
            child.stop()
            ended = json.loads(child.last_message())
            per_s = ended["opened"] / ended["seconds"]
            self.per_s[words[0]] = self.per_s.get(words[0], 0.0) + per_s


def measure(world: World, folder: Path, load: Load, sizes: dict[str, int]) -> Measured:
    """Waits under a load; for all kinds at once with a round, which is published meanwhile."""
    crowds, ended = Crowds(), ""
    with crowds.attack(world, folder, load, sizes):
        error = world.publish() if load.kinds == ALL else ""
        taken, failed = asyncio.run(waits(world, load.name))
        if load.kinds == ALL:
            ended = error or world.until_over()
    strangers = crowds.per_s.pop("strangers", 0.0)
    return Measured(
        load.name,
        load.is_held,
        statistics.median(taken),
        max(taken),
        failed,
        round(sum(crowds.per_s.values())),
        round(strangers),
        ended,
    )


def measure_all(folder: Path, sizes: dict[str, int], names: Sequence[str]) -> list[Measured]:
    """Waits under each load."""
    world = World(folder)
    measured = []
    try:
        if error := world.publish():
            raise SystemExit(error)
        world.until_over()
        for load in LOADS:
            if load.name in names if names else load.is_yielding:
                measured.append(measure(world, folder, load, sizes))
                print(measured[-1], file=sys.stderr, flush=True)
        return measured
    finally:
        world.close()


def show(measured: Sequence[Measured], sizes: dict[str, int]) -> None:
    """Print all figures."""
    table = Table(title="An enrolled worker's wait for a salt, in seconds")
    for heading in ("load", "median", "longest", "failed", "opened/s", "requests/s", "round"):
        table.add_column(heading, justify="left" if heading in {"load", "round"} else "right")
    for one in measured:
        attack = [f"{one.opened_per_s:.0f}", f"{one.requests_per_s:.0f}"]
        waited = [f"{one.median:.3f}", f"{one.longest:.3f}", str(one.failed)]
        table.add_row(one.load if one.is_held else f"({one.load})", *waited, *attack, one.round)
    console = Console()
    console.print(
        f"{sizes['idle']} idle and {sizes['slow']} slow connections to each listener, opened "
        f"again {AGAIN_S:g} s after they were closed; {sizes['strangers']} requests/s of strangers "
        "to each service; 1,024 files a process. Attackers share the machine at the lowest "
        "priority: opened/s and requests/s are what they got through. Rows in parentheses are held "
        "to nothing."
    )
    console.print(table)


def main() -> int:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(prog="benchmarks/flood")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--connections", type=int, default=2_000, help="of each kind, a listener")
    parser.add_argument("--requests-per-s", type=int, default=400, help="of strangers, a service")
    parser.add_argument(
        "--load",
        action="append",
        choices=[load.name for load in LOADS],
        help="measure this load only; may be repeated",
    )
    options = parser.parse_args()
    end_on_signals()
    sizes = dict.fromkeys(("idle", "slow"), options.connections)
    sizes["strangers"] = options.requests_per_s
    with tempfile.TemporaryDirectory(prefix="flood-") as folder:
        measured = measure_all(Path(folder), sizes, options.load or ())
    show(measured, sizes)
    if options.json:
        value = {"sizes": sizes, "loads": to_builtins(measured)}
        options.json.write_text(json.dumps(value, indent=2) + "\n")
    return 0 if all(one.is_kept for one in measured if one.is_held) else 1


if __name__ == "__main__":
    sys.exit(main())
