"""``oepnode worker``: run a worker, check its surroundings, query one that runs."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from msgspec.structs import asdict

from oepnode.cli.common import output
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.serving import Config, announcer, configure_logs
from oepnode.client.operation.worker import check_worker, worker_status
from oepnode.config import WorkerSettings, load

app = typer.Typer(help="Run a worker, and look after it.", no_args_is_help=True)


@app.command()
def run(config: Config, as_json: JsonFlag = False) -> None:
    """Follow the chain, vote, and serve sealed bundles until stopped."""
    from oepnode.wiring import run_worker

    configure_logs()
    asyncio.run(run_worker(load(WorkerSettings, config), announcer(as_json)))


@app.command()
def check(config: Config, as_json: JsonFlag = False) -> None:
    """Check folder, listeners, key, chain, windows, membership, fees, services; exit 0 if fine."""
    lines = check_worker(load(WorkerSettings, config))
    if as_json:
        output.print_json(lines)
    else:
        marks = {True: "fine", False: "NOT FINE"}
        rows = [(line.check, marks[line.fine], line.what) for line in lines]
        output.print_table(("check", "", "what"), rows)
    if not all(line.fine for line in lines):
        raise typer.Exit(2)


@app.command()
def status(
    url: Annotated[str, typer.Argument(help="URL of the worker's status listener ([status]).")],
    as_json: JsonFlag = False,
) -> None:
    """Show the status of a running worker."""
    report = worker_status(url)
    if as_json:
        output.print_json(report)
        return
    facts = asdict(report)
    rounds = facts.pop("rounds")
    output.print_facts({name.replace("_", " "): value for name, value in facts.items() if value})
    columns = ("round", "phase", "mine", "votes", "members", "sites", "final_root")
    output.print_table(columns, [[getattr(line, name) for name in columns] for line in rounds])
