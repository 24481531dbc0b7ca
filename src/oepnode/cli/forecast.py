"""``oepnode forecast``: validate forecasts, and say how good they were.

Prints NMIs, to whoever has the forecasts already. Source: Part C §5, HLD §4.3.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import typer
from rich.text import Text

from oepnode.adapters.storage import parquet as parquet_files
from oepnode.cli.common import acknowledgements, output, received
from oepnode.cli.common.cells import figure
from oepnode.cli.common.exits import EVIDENCE
from oepnode.cli.common.output import MOST_ROWS, JsonFlag, RowsOption
from oepnode.cli.common.received import DayOption
from oepnode.cli.common.tolerance import TolerancePercentOption, ToleranceWOption, tolerance_of
from oepnode.domain.edge.forecasts.accuracy import Accuracy, Actuals, Score
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.nem_time import parse_grid_instant
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

_COLUMNS: Final = ("", "intervals", "bias kW", "MAE kW", "RMSE kW", "within", "worst kW")
_GOOD: Final = 0.9
"""Share within the tolerance below which a line is marked."""


@app.command()
def validate(file: File, day: DayOption = None, as_json: JsonFlag = False) -> None:
    """Check uncontrolled forecasts of NMIs: system and transaction acknowledgement.

    Exit code 1 if rejected.
    """
    found = received.read_forecast(file, received.day_of(day))
    acknowledgements.report(found, as_json=as_json)


@app.command()
def accuracy(
    telemetry: Annotated[Path, typer.Option("--telemetry", help="What was measured, in any form.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FORECAST]",
            help="Uncontrolled forecasts: JSON or NDJSON, a Parquet file or a folder of them.",
        ),
    ] = None,
    cleared: Annotated[
        Path | None,
        typer.Option(
            "--cleared",
            help="What the unit's Boffer clears, from 'boffer clear --out': in step 1 the Boffer "
            "is the unit's forecast.",
        ),
    ] = None,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            help="end: the measurement at an interval's end; mean: the mean of its minutes. For "
            "uncontrolled forecasts.",
        ),
    ] = "end",
    tolerance_w: ToleranceWOption = 100,
    tolerance_percent: TolerancePercentOption = 10.0,
    rows: RowsOption = MOST_ROWS,
    as_json: JsonFlag = False,
) -> None:
    """How good forecasts were, per NMI and for the whole unit: the report of step 1.

    The error is forecast − actual. For uncontrolled forecasts the actual is the flow at the
    connection point without controlled generation and load. Bias, MAE and RMSE are kW. Exit code 1
    if there is nothing to score.
    """
    from oepnode.domain.edge.forecasts.accuracy import accuracy as score_forecast

    if against not in {"end", "mean"}:
        raise ConfigError(f"--against is end or mean, received {against!r}")
    if file is None and cleared is None:
        raise ConfigError("name what to score: a file of forecasts, --cleared or both")
    measured = received.load_telemetry(telemetry)
    if file is not None and "nmi" not in measured.columns:
        raise ConfigError("forecasts are of NMIs, and this is telemetry of a DUID")
    tolerance = tolerance_of(tolerance_w, tolerance_percent)
    facts: dict[str, Any] = {}
    lines: list[tuple[object, ...]] = []
    if cleared is not None:
        offered, unmeasured = _score_offer(cleared, measured, tolerance)
        facts["boffer"] = _score_facts(offered) | {"unmeasured": unmeasured}
        lines.append(("Boffer", *_cells(offered)))
        if unmeasured:
            output.note(f"{unmeasured} intervals of the Boffer have no measurement")
    is_scored = cleared is None or offered.count > 0
    found: Accuracy | None = None
    if file is not None:
        forecast = received.require_schema_valid(received.read_forecast(file), file)
        found = score_forecast(forecast, _actuals(measured, against), tolerance)
        facts |= _facts(found, against)
        lines += _lines(found, rows)
        is_scored &= found.all_sites.count > 0
        if not found.all_sites.count:
            output.note("no forecast has a measurement at its interval: nothing to score")
    if as_json:
        output.print_json(facts)
    else:
        output.print_table(_COLUMNS, lines)
        if found is not None:
            _print_rest(found, rows)
    if not is_scored:
        raise typer.Exit(EVIDENCE)


def _score_offer(file: Path, measured: pl.DataFrame, tolerance: Tolerance) -> tuple[Score, int]:
    """Score what 'boffer clear --out' wrote against the unit's telemetry."""
    from oepnode.domain.edge.forecasts.accuracy import score_offer
    from oepnode.domain.edge.telemetry import aggregate
    from oepnode.domain.edge.telemetry import duid as one_unit

    ends, watts, level, offerer = _read_cleared(file)
    if "duid" in measured.columns:
        one_unit.check_same("what a Boffer clears", offerer, measured["duid"][0], "telemetry")
        unit = aggregate.from_frame(measured)
    else:
        sums = aggregate.UnitSums()
        sums.add(measured)
        unit = sums.unit()
    return score_offer(ends, watts, unit, "Flex" if level == "Flex" else "NMI", tolerance)


def _read_cleared(
    file: Path,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], str, str]:
    """Interval ends, watts, summation level and name of one unit's cleared quantities."""
    import polars as pl

    try:
        is_parquet = parquet_files.is_parquet(file)
        frame = parquet_files.read_rows(file) if is_parquet else pl.read_csv(file)
        names = (pl.col("unit").cast(pl.String), pl.col("level").cast(pl.String))
        told = frame.select(*names, "interval_end", pl.col("cleared_w").cast(pl.Int64))
        ends = [parse_grid_instant(str(text)).seconds for text in told["interval_end"]]
    except (pl.exceptions.PolarsError, ValueError) as exc:
        raise ConfigError(f"{file}: not what 'boffer clear --out' writes") from exc
    units = told.select("unit", "level").unique()
    if units.height != 1 or len(set(ends)) < len(ends):
        raise ConfigError(f"{file}: one unit at one level has one quantity an interval (--id)")
    watts = told["cleared_w"].to_numpy()
    unit, level = units.row(0)
    return np.array(ends, dtype=np.int64), np.asarray(watts, dtype=np.int64), level, unit


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


def _lines(found: Accuracy, rows: int) -> list[tuple[object, ...]]:
    sites = found.sites
    order = np.argsort(-sites.rmse_w, kind="stable")[:rows].tolist()
    lines: list[tuple[object, ...]] = [
        ("unit", *_cells(found.unit)),
        ("all NMIs", *_cells(found.all_sites)),
    ]
    for i in order:
        score = Score(
            int(sites.count[i]),
            float(sites.bias_w[i]),
            float(sites.mae_w[i]),
            float(sites.rmse_w[i]),
            float(sites.within[i]),
            int(sites.worst_w[i]),
        )
        lines.append((sites.nmis[i], *_cells(score)))
    return lines


def _print_rest(found: Accuracy, rows: int) -> None:
    if len(found.sites.nmis) > rows:
        more = len(found.sites.nmis) - rows
        output.say(f"… and {more} more NMIs, of less RMSE; --json has all", "dim")
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
