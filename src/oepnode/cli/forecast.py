"""``oepnode forecast``: validate forecasts, and say how good they were.

Prints NMIs, to whoever has the forecasts already. Source: Part C §5, HLD §4.3.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer
from rich.text import Text

from oepnode.cli import acknowledgements, output, received
from oepnode.cli.cells import figure
from oepnode.cli.output import JsonFlag
from oepnode.cli.received import DayOption
from oepnode.cli.telemetry import TolerancePercentOption, ToleranceWOption, tolerance_of
from oepnode.domain.edge.accuracy import Accuracy, Actuals, Score
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(
    no_args_is_help=True, help="Uncontrolled forecasts: check them, and say how good they were."
)

File = Annotated[
    Path,
    typer.Argument(
        metavar="FORECAST", help="JSON or NDJSON, a Parquet file, or a folder of Parquet files."
    ),
]

_ROWS: Final = 20
_GOOD: Final = 0.9
"""Share within the tolerance below which a line is marked."""


@app.command()
def validate(file: File, day: DayOption = None, as_json: JsonFlag = False) -> None:
    """Check uncontrolled forecasts of NMIs: system and transaction acknowledgement.

    Exit code 1 if refused.
    """
    found = received.read_forecast(file, received.day_of(day))
    acknowledgements.report(found, as_json=as_json)


@app.command()
def accuracy(
    file: File,
    telemetry: Annotated[
        Path, typer.Option("--telemetry", help="What was measured: NMI telemetry in any form.")
    ],
    against: Annotated[
        str,
        typer.Option(
            "--against",
            help="end: the measurement at an interval's end; mean: the mean of its minutes.",
        ),
    ] = "end",
    tolerance_w: ToleranceWOption = 100,
    tolerance_percent: TolerancePercentOption = 10.0,
    rows: Annotated[
        int, typer.Option("--rows", min=0, help="Most rows of the table; --json has all.")
    ] = _ROWS,
    as_json: JsonFlag = False,
) -> None:
    """How good forecasts were, per NMI and for the whole unit: the report of step 1.

    The error is forecast − actual, where the actual is the flow at the connection point without
    controlled generation and load. Bias, MAE and RMSE are kW.
    """
    from oepnode.domain.edge.accuracy import accuracy as score_forecast

    if against not in {"end", "mean"}:
        raise ConfigError(f"--against is end or mean, received {against!r}")
    forecast = received.usable(received.read_forecast(file), file)
    measured = received.usable(received.read_telemetry(telemetry), telemetry)
    if "nmi" not in measured.columns:
        raise ConfigError("forecasts are of NMIs, and this is telemetry of a DUID")
    found = score_forecast(
        forecast,
        _actuals(measured, against),
        tolerance_of(tolerance_w, tolerance_percent),
    )
    if not found.all_sites.count:
        output.note("no forecast has a measurement at its interval: nothing to score")
    if as_json:
        output.print_json(_facts(found, against))
        return
    _print(found, rows)


def _actuals(measured: pl.DataFrame, against: str) -> pl.DataFrame:
    actuals = Actuals("mean" if against == "mean" else "end")
    actuals.add(measured)
    return actuals.frame()


def _facts(found: Accuracy, against: str) -> dict[str, Any]:
    sites = found.sites
    return {
        "against": against,
        "all_nmis": _score_facts(found.all_sites),
        "unit": _score_facts(found.unit),
        "unmeasured_forecasts": found.unmeasured,
        "unforecast_intervals": found.unforecast,
        "late_forecasts": found.late,
        "sites": [
            {
                "nmi": nmi,
                "count": int(sites.count[place]),
                "bias_w": round(float(sites.bias_w[place]), 3),
                "mae_w": round(float(sites.mae_w[place]), 3),
                "rmse_w": round(float(sites.rmse_w[place]), 3),
                "within": round(float(sites.within[place]), 6),
                "worst_w": int(sites.worst_w[place]),
            }
            for place, nmi in enumerate(sites.nmis)
        ],
    }


def _score_facts(score: Score) -> dict[str, Any]:
    values = {"bias_w": score.bias_w, "mae_w": score.mae_w, "rmse_w": score.rmse_w}
    facts: dict[str, Any] = {"count": score.count}
    facts |= {name: None if math.isnan(v) else round(v, 3) for name, v in values.items()}
    facts["within"] = None if math.isnan(score.within) else round(score.within, 6)
    facts["worst_w"] = score.worst_w
    return facts


def _print(found: Accuracy, rows: int) -> None:
    sites = found.sites
    order = np.argsort(-sites.rmse_w, kind="stable")[:rows].tolist()
    columns = ("", "intervals", "bias kW", "MAE kW", "RMSE kW", "within", "worst kW")
    lines = [("unit", *_cells(found.unit)), ("all NMIs", *_cells(found.all_sites))]
    lines += [
        (
            sites.nmis[i],
            *_cells(
                Score(
                    int(sites.count[i]),
                    float(sites.bias_w[i]),
                    float(sites.mae_w[i]),
                    float(sites.rmse_w[i]),
                    float(sites.within[i]),
                    int(sites.worst_w[i]),
                )
            ),
        )
        for i in order
    ]
    output.print_table(columns, lines)
    if len(sites.nmis) > rows:
        output.say(f"… and {len(sites.nmis) - rows} more NMIs, of less RMSE; --json has all", "dim")
    left = {
        "forecasts without a measurement": found.unmeasured,
        "measured intervals without a forecast": found.unforecast,
        "forecasts submitted after their interval had begun": found.late,
    }
    for text, count in left.items():
        if count:
            output.note(f"{count} {text}")


def _cells(score: Score) -> tuple[Text, ...]:
    if not score.count:
        return (figure("0"), *(figure("–", "dim") for _ in range(5)))
    return (
        figure(str(score.count)),
        figure(f"{score.bias_w / 1000:+.3f}"),
        figure(f"{score.mae_w / 1000:.3f}"),
        figure(f"{score.rmse_w / 1000:.3f}"),
        figure(f"{score.within:.1%}", "" if score.within >= _GOOD else "yellow"),
        figure(f"{score.worst_w / 1000:.3f}"),
    )
