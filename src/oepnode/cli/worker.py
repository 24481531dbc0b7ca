"""``oepnode worker``: run a worker, check its surroundings, look at one that runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from oepnode.cli.common.output import JsonFlag, print_facts, print_json, print_table
from oepnode.config import WorkerSettings, load
from oepnode.errors import ConfigError, OepError, TransportError

if TYPE_CHECKING:
    from oepnode.adapters.http.relay import HttpRelay
    from oepnode.ports import ChainReader

app = typer.Typer(help="Run a worker, and look after it.", no_args_is_help=True)

Config = Annotated[Path, typer.Option("--config", help="Settings file (TOML).")]


@app.command()
def run(config: Config, as_json: JsonFlag = False) -> None:
    """Follow the chain, vote, and serve sealed bundles until stopped."""
    from oepnode.adapters import logs
    from oepnode.wiring import run_worker

    logs.configure()
    asyncio.run(run_worker(load(WorkerSettings, config), announcer(as_json)))


def announcer(as_json: bool) -> Callable[[str], None]:
    """Prints the URL that a program listens on, as one line."""

    def announce(url: str) -> None:
        typer.echo(json.dumps({"listening": url}) if as_json else f"Listening on {url}")

    return announce


@app.command()
def check(config: Config, as_json: JsonFlag = False) -> None:
    """Check key, chain, membership, fee money, sender, registry, relay; exit 0 if all are fine."""
    lines = asyncio.run(_check(load(WorkerSettings, config)))
    if as_json:
        print_json(lines)
    else:
        marks = {True: "fine", False: "NOT FINE"}
        rows = [(line["check"], marks[line["fine"]], line["what"]) for line in lines]
        print_table(("check", "", "what"), rows)
    if not all(line["fine"] for line in lines):
        raise typer.Exit(2)


async def _check(settings: WorkerSettings) -> list[dict[str, Any]]:
    from oepnode.wiring import worker_parts

    found: list[dict[str, Any]] = []

    def note(name: str, fine: bool, what: str) -> None:
        found.append({"check": name, "fine": fine, "what": what})

    try:
        async with worker_parts(settings) as parts:
            chain = parts.chain
            head = await chain.head()
            note("chain", True, f"chain {chain.chain_id}, block {head.number}")
            member = await chain.member_of_signer(chain.signer)
            enrolled = member is not None and "0x" + member.operator.hex() == settings.operator
            note(
                "membership",
                enrolled,
                "the signer votes for this operator"
                if enrolled
                else f"the signer 0x{chain.signer.hex()} holds no seat of {settings.operator}; "
                "have an administrator add this worker, or set operator and key_file",
            )
            balance = await chain.balance_wei(chain.signer)
            money = f"{balance / 1e18:.6f} of the chain's currency"
            if not balance and parts.relay is not None:
                money += "; the relay pays for ballots, nobody for abstentions and reveals"
            note("fee money", balance > 0 or parts.relay is not None, money)
            for name, ask in (("sender", parts.sender.latest), ("registry", _latest(parts))):
                try:
                    note(name, True, "answers" if await ask() else "answers, has nothing yet")
                except OepError as exc:
                    note(name, False, str(exc))
            if parts.relay is not None:
                await _check_relay(parts.relay, chain, note)
    except (ConfigError, OepError) as exc:
        note("chain", False, str(exc))
    return found


async def _check_relay(
    relay: HttpRelay, chain: ChainReader, note: Callable[[str, bool, str], None]
) -> None:
    try:
        await relay.check(chain.chain_id, chain.contract)
        note("relay", True, "takes ballots for this contract")
    except OepError as exc:
        note("relay", False, str(exc))


def _latest(parts: Any) -> Any:  # noqa: ANN401 - wiring.WorkerParts, imported only when used
    return parts.registry.latest_digest


@app.command()
def status(
    url: Annotated[str, typer.Argument(help="Where the worker listens.")], as_json: JsonFlag = False
) -> None:
    """Show what a running worker says of itself."""
    from oepnode.adapters.http.probe import get
    from oepnode.worker.status.view import WorkerStatus

    try:
        body = get(url.rstrip("/") + "/v1/status", timeout_s=10)
        answer = msgspec.to_builtins(msgspec.json.decode(body, type=WorkerStatus))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise TransportError(f"{url}: what answers there is no worker of oepnode") from exc
    if as_json:
        print_json(answer)
        return
    rounds = answer.pop("rounds")
    print_facts({name.replace("_", " "): value for name, value in answer.items() if value})
    columns = ("round", "phase", "mine", "votes", "members", "sites", "final_root")
    print_table(columns, [[line[name] for name in columns] for line in rounds])
