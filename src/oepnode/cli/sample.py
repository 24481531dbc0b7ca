"""``oepnode sample``: an envelope document, a registry snapshot, its salt and private keys."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from msgspec import to_builtins

from oepnode.cli.common.output import JsonFlag, print_facts, print_json, progress_bars
from oepnode.errors import ConfigError

_SUMS = ("telemetry_rows", "breach_intervals", "forecast_rows", "targets_off", "offers_over")


class DocumentFormat(StrEnum):
    """Form of the envelope document."""

    JSON = "json"
    NDJSON = "ndjson"


def sample(
    out: Annotated[Path, typer.Option(help="New or empty folder.")],
    nmis: Annotated[int, typer.Option(help="Number of NMIs.")] = 300,
    aggregators: Annotated[int, typer.Option(help="Number of aggregators.")] = 3,
    intervals: Annotated[int, typer.Option(help="Dispatch intervals from 04:00.")] = 288,
    day: Annotated[str, typer.Option("--date", help="Trading day.")] = "2026-11-20",
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 1,
    unassigned: Annotated[int, typer.Option(help="NMIs without an aggregator.")] = 4,
    flex: Annotated[float, typer.Option(help="Share of NMIs at level Flex, 0 to 1.")] = 0.0,
    format_: Annotated[
        DocumentFormat, typer.Option("--format", help="One array, or one record per line.")
    ] = DocumentFormat.JSON,
    edge: Annotated[
        bool,
        typer.Option(
            "--edge",
            help="Also write telemetry, forecasts, Boffers, dispatch targets and POST envelopes.",
        ),
    ] = False,
    breaches: Annotated[
        float,
        typer.Option(help="With --edge: share of NMIs' intervals with a breach, 0 to 1."),
    ] = 0.002,
    as_json: JsonFlag = False,
) -> None:
    """Write sample data. Its salt and keys follow from the seed: use them for trials only."""
    from oepnode.demo.edge_sample.plan import EdgePlan
    from oepnode.demo.edge_sample.write import write_edge
    from oepnode.demo.sample.plan import SamplePlan
    from oepnode.demo.sample.write import write_sample

    plan = SamplePlan(
        nmis=nmis,
        aggregators=aggregators,
        intervals=intervals,
        day=_date(day),
        seed=seed,
        unassigned=unassigned,
        flex=flex,
        format="ndjson" if format_ is DocumentFormat.NDJSON else "json",
    )
    edge_plan = EdgePlan(plan, breaches)
    with progress_bars() as progress:
        facts = to_builtins(write_sample(plan, out, progress))
        if edge:
            facts["edge"] = to_builtins(write_edge(edge_plan, out, progress))
    if as_json:
        print_json(facts)
    else:
        if edge:
            counts = {
                name: sum(n.values()) for name, n in facts.pop("edge").items() if name in _SUMS
            }
            facts |= {f"edge_{name}": count for name, count in counts.items()}
        print_facts({"folder": out} | facts)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise ConfigError(f"--date must be yyyy-mm-dd, received {text!r}") from exc
