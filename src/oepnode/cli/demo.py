"""``oepnode demo``: the whole round on this machine, with nothing pretended."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from oepnode.errors import ConfigError

if TYPE_CHECKING:
    from oepnode.demo.play import Report, RoundReport
    from oepnode.demo.stage import Plan, Stage

_WIDTH = 100
_RELAYED_VOTE_S = 120
"""Long enough that a worker leaves it to the relay."""


def demo(
    workers: Annotated[int, typer.Option(min=1, max=50, help="How many workers.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How many rounds.")] = 1,
    byzantine: Annotated[int, typer.Option(min=0, help="How many of the workers lie.")] = 0,
    nmis: Annotated[int, typer.Option(min=10, help="Connection points of the sample.")] = 300,
    vote_window: Annotated[int, typer.Option(min=2, help="Seconds to vote.")] = 12,
    reveal_window: Annotated[int, typer.Option(min=2, help="Seconds to reveal.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample data.")] = 1,
    relay: Annotated[
        bool,
        typer.Option(
            "--relay",
            help="A relay brings the ballots; all workers but the first have no gas. The vote "
            f"takes {_RELAYED_VOTE_S} seconds then, or more, unless all have voted.",
        ),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the summary to this file.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Keep everything here; by default nothing is kept."),
    ] = None,
) -> None:
    """Run workers, sender, registry, aggregators and auditor on a local chain."""
    from oepnode.demo.stage import Plan

    if byzantine > workers:
        raise ConfigError(f"--byzantine {byzantine} is more than --workers {workers}")
    if folder is not None and folder.exists() and not _is_empty_folder(folder):
        raise ConfigError(f"--folder {folder} is not an empty folder")
    if json_file is not None and not json_file.resolve().parent.is_dir():
        raise ConfigError(f"--json {json_file}: there is no folder {json_file.resolve().parent}")
    place = folder or Path(tempfile.mkdtemp(prefix="oepnode-demo-"))
    vote_window = max(vote_window, _RELAYED_VOTE_S) if relay else vote_window
    plan = Plan(place.resolve(), workers, byzantine, nmis, vote_window, reveal_window, seed, relay)
    console = Console(width=None if Console().is_terminal else _WIDTH, highlight=False)
    # However it is ended, the processes that were started are stopped.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        report = _run(plan, rounds, console)
    finally:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)
    _summary(report, console)
    if folder is not None:
        console.print(f"Everything is kept in {folder}: logs, databases, sealed bundles.")
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    if not report.ok:
        raise typer.Exit(1)


def _is_empty_folder(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def _run(plan: Plan, rounds: int, console: Console) -> Report:
    from oepnode.demo import play
    from oepnode.demo.revision import revise
    from oepnode.demo.stage import Stage

    started = time.monotonic()
    report = play.Report()
    tell = _teller(console)
    with Stage(plan) as stage:
        _set_up(stage, console)
        report.workers = [
            {"name": p.name, "operator": "0x" + p.operator.hex(), "lies": p.is_lying}
            for p in stage.players
        ]
        for place in range(rounds):
            envelope = revise(stage.inputs / "envelope.json", place)
            console.print(f"\n[bold]Round {place + 1}[/bold]")
            report.rounds.append(play.play_round(stage, envelope, tell))
        report.without_gas = play.voted_without_gas(stage, report.rounds)
        if report.without_gas:
            tell("relay", f"{', '.join(report.without_gas)} voted and have no gas")
        console.print("\n[bold]Aggregators and auditor[/bold]")
        report.aggregators = play.verify_as_aggregators(stage, report.rounds)
        for aggregator in report.aggregators:
            tell(aggregator.id, _verdict(aggregator.verified, aggregator.sites, aggregator.problem))
        for line in report.rounds:
            if line.status == "finalised":
                line.replayed = play.replay_as_auditor(stage, line)
                tell("auditor", _replay(line))
        report.unassigned_nmis = play.observe(stage, report.rounds)
    report.found_out = sorted({name for line in report.rounds for name in line.mismatched})
    report.ok = _is_ok(report, plan)
    report.seconds = round(time.monotonic() - started, 2)
    return report


def _set_up(stage: Stage, console: Console) -> None:
    acts: tuple[tuple[str, Callable[[], str]], ...] = (
        ("chain", stage.start_chain),
        ("contract", stage.deploy_contract),
        ("sample", stage.make_sample),
        ("services", stage.start_services),
        ("workers", stage.start_workers),
    )
    plan = stage.plan
    console.print(
        f"[bold]oepnode demo[/bold]: {plan.workers} workers, {plan.byzantine} of them lying, "
        f"{plan.nmis} connection points\n"
    )
    tell = _teller(console)
    for name, act in acts:
        tell(name, act())


def _teller(console: Console) -> Callable[[str, str], None]:
    def tell(label: str, line: str) -> None:
        console.print(f"  [dim]{label:<10}[/dim] {line}")

    return tell


def _verdict(verified: bool, sites: int, problem: str) -> str:
    if verified:
        return f"[green]verified[/green] its {sites} sites against the chain"
    return f"[red]not verified[/red]{': ' + problem if problem else ': no final round'}"


def _replay(line: RoundReport) -> str:
    if line.replayed:
        return f"[green]replayed[/green] round {line.round} to the root on chain"
    return f"[red]did not reach[/red] the root of round {line.round}"


def _is_ok(report: Report, plan: Plan) -> bool:
    liars = {str(worker["name"]) for worker in report.workers if worker["lies"]}
    return (
        all(line.status == "finalised" and line.replayed for line in report.rounds)
        and all(aggregator.verified for aggregator in report.aggregators)
        and bool(report.aggregators)
        and set(report.found_out) == liars
        and len(liars) == plan.byzantine
    )


def _summary(report: Report, console: Console) -> None:
    table = Table(title="\nSummary", title_justify="left", title_style="bold", box=None)
    for name in ("round", "status", "quorum", "matched", "other root", "abstained", "seconds"):
        table.add_column(name, justify="right" if name in ("round", "seconds") else "left")
    for line in report.rounds:
        colour = "green" if line.status == "finalised" else "red"
        table.add_row(
            str(line.round),
            f"[{colour}]{line.status}[/{colour}]",
            f"{line.quorum} of {line.members}",
            ", ".join(line.matched) or "–",
            f"[red]{', '.join(line.mismatched)}[/red]" if line.mismatched else "–",
            ", ".join(f"{name} ({line.reasons[name]})" for name in line.abstained) or "–",
            f"{line.seconds:.1f}",
        )
    console.print(table)
    console.print()
    for line in report.rounds:
        if line.root:
            console.print(f"  root of round {line.round}: {line.root}")
    verified = sum(aggregator.verified for aggregator in report.aggregators)
    console.print(f"  aggregators verified: {verified} of {len(report.aggregators)}")
    if report.unassigned_nmis is not None:
        console.print(
            f"  connection points without an aggregator: {report.unassigned_nmis}, "
            "kept in the unassigned partition"
        )
    if report.found_out:
        console.print(f"  [red]found out[/red]: {', '.join(report.found_out)} voted another root")
    colour, word = ("green", "all is well") if report.ok else ("red", "not all is well")
    console.print(f"  [{colour}]{word}[/{colour}], {report.seconds:.0f} s in all")
