"""``oepnode forecast``: validate forecasts, and score them.

Prints NMIs, to whoever has the forecasts already. Source: Part C §5, HLD §4.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec import UNSET, UnsetType, structs
from rich.text import Text

from oepnode.cli.common import acknowledgements, output
from oepnode.cli.common import edge_options as options
from oepnode.cli.common.cells import counted, figure, print_notes
from oepnode.cli.common.exits import EVIDENCE
from oepnode.cli.common.output import MOST_ROWS, JsonFlag, RowsOption
from oepnode.client.answers import json_value
from oepnode.client.edge.forecasts import ForecastScore, load_cleared, score_forecast
from oepnode.client.edge.submissions import load_forecast, load_telemetry, validate_forecast
from oepnode.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True, help="Uncontrolled forecasts: validate them, and score them."
)

ForecastFile = Annotated[Path, typer.Argument(metavar="FORECAST", help=options.SUBMISSION_FORMS)]
ScoredFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FORECAST]", help=f"Uncontrolled forecasts: {options.SUBMISSION_FORMS}"
    ),
]
MeasuredOption = Annotated[Path, typer.Option("--telemetry", help="Measurements, in any form.")]
ClearedOption = Annotated[
    Path | None,
    typer.Option(
        "--cleared",
        help="Quantities that the unit's Boffer clears, from 'boffer clear --out': in step 1 "
        "the Boffer is the unit's forecast.",
    ),
]
AgainstOption = Annotated[
    str,
    typer.Option(
        "--against",
        help="end: the measurement at an interval's end; mean: the mean of its minutes. For "
        "uncontrolled forecasts.",
    ),
]

_COLUMNS: Final = ("", "intervals", "bias kW", "MAE kW", "RMSE kW", "within", "worst kW")
_GOOD: Final = 0.9
"""Share within the tolerance below which a line is marked."""


@app.command()
def validate(
    file: ForecastFile, date: options.DateOption = None, as_json: JsonFlag = False
) -> None:
    """Validate uncontrolled forecasts of NMIs: system and transaction acknowledgement.

    Exit code 1 if rejected.
    """
    result = validate_forecast(file, date=options.date_of(date))
    acknowledgements.report(result, as_json=as_json)


@app.command()
def accuracy(
    telemetry: MeasuredOption,
    file: ScoredFile = None,
    cleared: ClearedOption = None,
    against: AgainstOption = "end",
    tolerance_w: options.ToleranceWOption = 100,
    tolerance_percent: options.TolerancePercentOption = 10.0,
    rows: RowsOption = MOST_ROWS,
    as_json: JsonFlag = False,
) -> None:
    """Score forecasts per NMI and for the unit: the report of step 1.

    The error is forecast − actual. For uncontrolled forecasts the actual is the flow at the
    connection point without controlled generation and load. Bias, MAE and RMSE are kW. Exit code 1
    if there is nothing to score.
    """
    options.one_of("--against", against, "end", "mean")
    if file is None and cleared is None:
        raise ConfigError("nothing to score: name a file of forecasts, --cleared or both")
    measured = load_telemetry(telemetry)
    forecast = None if file is None else load_forecast(file)
    score = score_forecast(
        measured,
        forecast,
        cleared=None if cleared is None else load_cleared(cleared),
        against="mean" if against == "mean" else "end",
        tolerance=options.tolerance_of(tolerance_w, tolerance_percent),
    )
    print_notes((*measured.notes, *(() if forecast is None else forecast.notes)))
    print_notes(_remarks(score))
    if as_json:
        output.print_json(json_value(score))
    else:
        output.print_table(_COLUMNS, _lines(score, rows))
        _print_more(score, rows)
    if not score.is_scored:
        raise typer.Exit(EVIDENCE)


def _remarks(score: ForecastScore) -> Iterator[str]:
    """Sentences on forecasts and measurements that were not scored."""
    if score.boffer is not UNSET and score.boffer.unmeasured:
        yield f"{score.boffer.unmeasured} intervals of the Boffer have no measurement"
    if score.all_nmis is not UNSET and not score.all_nmis.count:
        yield "no forecast has a measurement at its interval: nothing to score"
    counts: dict[str, int | UnsetType] = {
        "forecasts without a measurement": score.unmeasured_forecasts,
        "measured intervals without a forecast": score.unforecast_intervals,
        "forecasts submitted after their interval had begun": score.late_forecasts,
    }
    yield from (f"{count} {noun}" for noun, count in counts.items() if count)


def _lines(score: ForecastScore, rows: int) -> Iterator[tuple[object, ...]]:
    """The Boffer, the unit, all NMIs, and the NMIs of the largest RMSE."""
    named = (("Boffer", score.boffer), ("unit", score.unit), ("all NMIs", score.all_nmis))
    for name, total in named:
        if total is not UNSET:
            yield name, *_cells(structs.asdict(total))
    if score.sites is not UNSET:
        worst = score.sites.sort("rmse_w", descending=True, maintain_order=True).head(rows)
        for row in worst.iter_rows(named=True):
            yield row["nmi"], *_cells(row)


def _print_more(score: ForecastScore, rows: int) -> None:
    if score.sites is not UNSET and score.sites.height > rows:
        rest = counted(score.sites.height - rows, "more NMI")
        output.say(f"… and {rest}, with a smaller RMSE; --json prints all", "dim")


def _cells(score: dict[str, Any]) -> tuple[Text, ...]:
    if not score["count"]:
        return (figure("0"), *(figure("–", "dim") for _ in range(5)))
    return (
        figure(str(score["count"])),
        figure(f"{score['bias_w'] / 1000:+.3f}"),
        figure(f"{score['mae_w'] / 1000:.3f}"),
        figure(f"{score['rmse_w'] / 1000:.3f}"),
        figure(f"{score['within']:.1%}", "" if score["within"] >= _GOOD else "yellow"),
        figure(f"{score['worst_w'] / 1000:.3f}"),
    )
