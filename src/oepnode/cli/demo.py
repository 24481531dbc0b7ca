"""``oepnode demo``: a complete round on this machine, with nothing simulated."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from oepnode.errors import ConfigError

if TYPE_CHECKING:
    from oepnode.demo.play import Report

_WIDTH = 100
_RELAYED_VOTE_S = 120
"""Long enough that a worker leaves its ballot to the relay."""


def demo(
    workers: Annotated[int, typer.Option(min=1, max=50, help="Number of workers.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Number of rounds.")] = 1,
    byzantine: Annotated[int, typer.Option(min=0, help="Number of workers that lie.")] = 0,
    nmis: Annotated[int, typer.Option(min=10, help="Connection points of the sample.")] = 300,
    vote_window: Annotated[int, typer.Option(min=2, help="Seconds to vote.")] = 12,
    reveal_window: Annotated[int, typer.Option(min=2, help="Seconds to reveal.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample data.")] = 1,
    relay: Annotated[
        bool,
        typer.Option(
            "--relay",
            help="A relay brings the ballots; all workers but the first have no gas. The vote "
            f"takes {_RELAYED_VOTE_S} seconds then, or more, unless all have voted.",
        ),
    ] = False,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind",
            help="Workers get tokens in the place of NMIs, and aggregators find their NMIs again.",
        ),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the summary to this file.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps everything; by default nothing is kept."),
    ] = None,
) -> None:
    """Run workers, sender, registry, aggregators and auditor on a local chain."""
    from oepnode.demo.processes import end_on_signals
    from oepnode.demo.run import run_demo
    from oepnode.demo.stage import Plan

    if byzantine > workers:
        raise ConfigError(f"--byzantine {byzantine} is more than --workers {workers}")
    if folder is not None and folder.exists() and not _is_empty_folder(folder):
        raise ConfigError(f"--folder {folder} is not an empty folder")
    if json_file is not None and not json_file.resolve().parent.is_dir():
        raise ConfigError(f"--json {json_file}: there is no folder {json_file.resolve().parent}")
    home = folder or Path(tempfile.mkdtemp(prefix="oepnode-demo-"))
    vote_window = max(vote_window, _RELAYED_VOTE_S) if relay else vote_window
    plan = Plan(
        home.resolve(), workers, byzantine, nmis, vote_window, reveal_window, seed, relay, blind
    )
    console = Console(width=None if Console().is_terminal else _WIDTH, highlight=False)
    # The processes that were started are stopped, however the command ends.
    end_on_signals()
    console.print(
        f"[bold]oepnode demo[/bold]: {workers} workers, {byzantine} of them lying, "
        f"{nmis} connection points\n"
    )
    try:
        report = run_demo(plan, rounds, _line_printer(console))
    finally:
        if folder is None:
            shutil.rmtree(home, ignore_errors=True)
    _summary(report, console)
    if folder is not None:
        console.print(f"Everything is kept in {folder}: logs, databases, sealed bundles.")
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    if not report.ok:
        raise typer.Exit(1)


def _is_empty_folder(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _line_printer(console: Console) -> Callable[[str, str], None]:
    def print_line(label: str, line: str) -> None:
        if not label:
            console.print(f"\n[bold]{line}[/bold]")
            return
        text = Text.assemble("  ", (f"{label:<10}", "dim"), " ", line)
        text.highlight_regex(r"\b(verified|replayed)\b", "green")
        text.highlight_regex(r"\b(not verified|did not reach)\b", "red")
        console.print(text, soft_wrap=True)

    return print_line


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
    if report.nmis_seen is not None:
        console.print(f"  NMIs that workers saw: {report.nmis_seen}")
    if report.caught:
        liars = ", ".join(report.caught)
        console.print(f"  [red]caught[/red]: {liars} voted for a different root")
    colour, word = ("green", "all checks passed") if report.ok else ("red", "not all checks passed")
    console.print(f"  [{colour}]{word}[/{colour}] in {report.seconds:.0f} s")
