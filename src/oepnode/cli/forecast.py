"""``oepnode forecast``: validate forecasts, and score them.

Prints NMIs, to whoever has the forecasts already. Source: Part C §5, HLD §4.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec import UNSET, structs
from rich.text import Text

from oepnode.cli.common import acknowledgements, output
from oepnode.cli.common import edge_options as options
from oepnode.cli.common.cells import figure, kilo
from oepnode.cli.common.exits import EVIDENCE
from oepnode.cli.common.output import MOST_ROWS, JsonFlag, RowsOption
from oepnode.client.edge.forecasts import Against, ForecastScore, load_cleared, score_forecast
from oepnode.client.edge.submissions import load_forecast, load_telemetry, validate_forecast
from oepnode.client.values import counted
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
UnitOption = Annotated[
    str | None,
    typer.Option(
        "--duid",
        help="DUID whose telemetry is used; others are left out. Default: the one of the file.",
    ),
]
AgainstOption = Annotated[
    Against,
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
    duid: UnitOption = None,
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
    if file is None and cleared is None:
        raise ConfigError("nothing to score: name a file of forecasts, --cleared or both")
    measured = load_telemetry(telemetry, duid=duid)
    if duid is not None and measured.duid is None:
        raise ConfigError(f"--duid chooses telemetry of a DUID, and {telemetry} is of NMIs")
    forecast = None if file is None else load_forecast(file)
    score = score_forecast(
        measured,
        forecast,
        cleared=None if cleared is None else load_cleared(cleared),
        against=against,
        tolerance=options.tolerance_of(tolerance_w, tolerance_percent),
    )
    output.print_notes((*measured.notes, *(() if forecast is None else forecast.notes)))
    output.print_notes(score.notes)
    if as_json:
        output.print_json(score)
    else:
        output.print_table(_COLUMNS, _lines(score, rows))
        _print_more(score, rows)
    if not score.is_scored:
        raise typer.Exit(EVIDENCE)


def _lines(score: ForecastScore, rows: int) -> Iterator[tuple[object, ...]]:
    """The Boffer, the unit, all NMIs, and the NMIs of the largest RMSE."""
    named = (("Boffer", score.boffer), ("unit", score.unit), ("all NMIs", score.all_nmis))
    for name, total in named:
        if total is not UNSET:
            yield name, *_cells(structs.asdict(total))
    if score.worst_sites is not None:
        for row in score.worst_sites.head(rows).iter_rows(named=True):
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
        kilo(score["bias_w"], 3, is_signed=True),
        kilo(score["mae_w"], 3),
        kilo(score["rmse_w"], 3),
        figure(f"{score['within']:.1%}", "" if score["within"] >= _GOOD else "yellow"),
        kilo(score["worst_w"], 3),
    )
