"""``oepnode telemetry``: validate measurements, and hold them against envelopes and targets.

Prints NMIs, to whoever has the telemetry already. Source: Part C §4, HLD §4.3 to §4.5.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import typer
from msgspec import Struct
from rich.text import Text

from oepnode.cli import acknowledgements, envelope_input, output, received
from oepnode.cli.cells import figure, kilo
from oepnode.cli.chain import (
    ChainIdOption,
    ContractOption,
    RoundChoice,
    RoundStateOption,
    RpcOption,
    Where,
)
from oepnode.cli.envelope_input import EnvelopeKeyOption, ImportSignOption, ProfileOption
from oepnode.cli.exits import EVIDENCE
from oepnode.cli.output import LEVEL_NAMES, JsonFlag
from oepnode.cli.received import DayOption, UnitOption
from oepnode.domain.edge.conformance import (
    COUNTS,
    NO_HEADROOM,
    VERDICTS,
    Defaults,
    DispatchConformance,
    EnvelopeCheck,
    EnvelopeConformance,
    Tolerance,
)
from oepnode.domain.edge.published import Envelopes
from oepnode.domain.envelope import LEVELS
from oepnode.domain.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nmi import parse as parse_nmi
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(
    no_args_is_help=True,
    help="Telemetry: check a submission, hold it against envelopes and dispatch targets.",
)

File = Annotated[
    Path,
    typer.Argument(
        metavar="TELEMETRY", help="JSON or NDJSON, a Parquet file, or a folder of Parquet files."
    ),
]
ToleranceWOption = Annotated[
    int, typer.Option("--tolerance-w", min=0, help="Watts that are still taken as conforming.")
]
TolerancePercentOption = Annotated[
    float,
    typer.Option(
        "--tolerance-percent",
        min=0,
        max=100,
        help="Percent, to one decimal; the larger of the two counts.",
    ),
]

_ROWS: Final = 20
_COLUMNS: Final = (
    "NMI",
    "intervals in breach",
    "export min",
    "import min",
    "worst export kW",
    "worst import kW",
    "beyond kWh",
    "missing min",
    "stated wrongly min",
)
_FLAGS: Final = ("misstated", "stale", "unknown", "unapplied", "premature")


def tolerance_of(watts: int, percent: float, minutes: int = 1) -> Tolerance:
    """A tolerance from the options; percent to one decimal."""
    return Tolerance(watts=watts, permille=round(percent * 10), minutes=minutes)


# --- validate ------------------------------------------------------------------------------------


@app.command()
def validate(
    file: File,
    day: DayOption = None,
    profile: ProfileOption = "wide",
    as_json: JsonFlag = False,
) -> None:
    """Check telemetry of NMIs or of a DUID: system and transaction acknowledgement.

    Gaps, doubled minutes, clock jumps and daylight-saving hours are told with their places. Exit
    code 1 if refused.
    """
    feed = envelope_input.feed_of(profile, "canonical")
    found = received.read_telemetry(file, received.day_of(day), feed)
    acknowledgements.report(found, as_json=as_json)


# --- conformance ---------------------------------------------------------------------------------


class _Pictures(Struct, frozen=True):
    band: Path | None
    heat: Path | None
    nmi: str | None


@app.command()
def conformance(
    file: File,
    envelope: Annotated[
        Path | None,
        typer.Option(
            "--envelope",
            help="Envelopes that were applied: a document, limits from 'aggregator verify', or "
            "your bundle with --key.",
        ),
    ] = None,
    dispatch: Annotated[
        Path | None, typer.Option("--dispatch", help="Dispatch instructions of the DUID.")
    ] = None,
    step: Annotated[
        int, typer.Option("--step", help="Step of participation; targets bind in 2 and 3.")
    ] = 3,
    identity: UnitOption = None,
    summation: Annotated[
        str,
        typer.Option("--summation", help="What the targets sum up: NMI, or Flex (HLD App. H)."),
    ] = "NMI",
    tolerance_w: ToleranceWOption = 0,
    tolerance_percent: TolerancePercentOption = 0.0,
    target_tolerance_w: Annotated[
        int, typer.Option("--target-tolerance-w", min=0, help="The same for dispatch targets.")
    ] = 0,
    target_tolerance_percent: Annotated[
        float,
        typer.Option(
            "--target-tolerance-percent", min=0, max=100, help="The same for dispatch targets."
        ),
    ] = 0.0,
    breach_minutes: Annotated[
        int,
        typer.Option(
            "--breach-minutes", min=1, max=5, help="Minutes in breach that make an interval one."
        ),
    ] = 1,
    default_export_kw: Annotated[
        float | None,
        typer.Option("--default-export-kw", help="Export limit where none is published."),
    ] = None,
    default_import_kw: Annotated[
        float | None,
        typer.Option("--default-import-kw", help="Import limit where none is published, ≤ 0."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Picture of the worst NMI's day, or of --nmi: .svg or .png."),
    ] = None,
    heatmap: Annotated[
        Path | None,
        typer.Option("--heatmap", help="Picture of headroom per NMI and interval."),
    ] = None,
    nmi: Annotated[str | None, typer.Option("--nmi", help="NMI of the picture.")] = None,
    rows: Annotated[
        int, typer.Option("--rows", min=0, help="Most rows of a table; --json has all.")
    ] = _ROWS,
    key: EnvelopeKeyOption = None,
    round_state: RoundStateOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    profile: ProfileOption = "wide",
    import_sign: ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """Hold telemetry against the envelopes that were applied, and against dispatch targets.

    Each measurement is judged by the envelope whose submission timestamp it states; one outside
    its envelope, or outside the tolerance of its target, gives exit code 1, and so does telemetry
    of which nothing could be judged.
    """
    pictures = _Pictures(plot, heatmap, None if nmi is None else parse_nmi(nmi))
    _check_options(envelope, dispatch, pictures, step, summation)
    if identity is not None and dispatch is None:
        raise ConfigError("--id says whose dispatch targets are meant: it goes with --dispatch")
    tolerance = tolerance_of(tolerance_w, tolerance_percent, breach_minutes)
    defaults = _defaults(default_export_kw, default_import_kw)
    facts: dict[str, Any] = {"telemetry": file.name}
    reports: list[EnvelopeConformance] = []
    telemetry = received.measured(file, identity)
    if envelope is not None:
        choice = RoundChoice(Where(rpc, contract, chain_id), round_state)
        feed = envelope_input.feed_of(profile, import_sign)
        envelopes, source = envelope_input.read(envelope, key, choice, feed)
        source.note_warnings()
        facts["envelope"] = source.text
        if "nmi" not in telemetry.columns:
            raise ConfigError("envelopes hold for NMIs, and this is telemetry of a DUID")
        reports = _against_envelopes(telemetry, envelopes, tolerance, defaults)
        facts["levels"] = [_level_facts(report) for report in reports]
    targets, duid = None, ""
    if dispatch is not None:
        allowed = tolerance_of(target_tolerance_w, target_tolerance_percent)
        orders, duid = _orders(telemetry, dispatch, identity)
        targets = _against_targets(telemetry, orders, step, summation, allowed)
        facts["dispatch"] = {"duid": duid} | _dispatch_facts(targets, step, summation)
    _draw(pictures, telemetry, reports, tolerance, defaults)
    verdicts = [] if envelope is None else [_all_levels(reports)]
    verdicts += [] if targets is None else [targets.conforms]
    conforms = False if False in verdicts else None if None in verdicts else True
    facts["conforms"] = conforms
    if as_json:
        output.print_json(facts)
    else:
        for report in reports:
            _print_report(report, rows)
        if targets is not None:
            _print_targets(targets, duid, rows)
        output.say(_verdict(conforms, reports), "bold green" if conforms else "bold red")
    if not conforms:
        raise typer.Exit(EVIDENCE)


def _check_options(
    envelope: Path | None, dispatch: Path | None, pictures: _Pictures, step: int, summation: str
) -> None:
    if envelope is None and dispatch is None:
        raise ConfigError("name what to hold against: --envelope, --dispatch or both")
    if envelope is None and (pictures.band or pictures.heat):
        raise ConfigError("the pictures show envelopes: name them with --envelope")
    if dispatch is not None and step not in {2, 3}:
        raise ConfigError(
            "--step is 2 or 3 with --dispatch: in step 1 no response to a target is required "
            "(HLD §4.3); 'forecast accuracy' is the report of step 1"
        )
    if summation not in LEVELS:
        raise ConfigError(f"--summation is NMI or Flex, received {summation!r}")
    from oepnode.adapters import plots

    for path in (pictures.band, pictures.heat):
        if path is not None:
            plots.check(path)


def _defaults(export_kw: float | None, import_kw: float | None) -> Defaults:
    try:
        return Defaults(
            None if export_kw is None else round(export_kw * 1000),
            None if import_kw is None else round(import_kw * 1000),
        )
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc


def _against_envelopes(
    telemetry: pl.DataFrame, envelopes: Envelopes, tolerance: Tolerance, defaults: Defaults
) -> list[EnvelopeConformance]:
    """A report per application level that has envelopes."""
    reports = []
    for level in np.unique(envelopes.levels).tolist():
        check = EnvelopeCheck(envelopes, level, tolerance, defaults)
        check.add(telemetry)
        reports.append(check.report())
    return reports


def _all_levels(reports: list[EnvelopeConformance]) -> bool | None:
    """Whether no level has a breach; None where nothing was judged at any."""
    judged = [report.conforms for report in reports if report.conforms is not None]
    return all(judged) if judged else None


def _orders(telemetry: pl.DataFrame, file: Path, wanted: str | None) -> tuple[pl.DataFrame, str]:
    """The targets of the unit that is judged, and its DUID.

    Raises:
        DocumentFault: If they are of several DUIDs and none is named, or of another one than the
            telemetry.
    """
    from oepnode.domain.edge import one_unit

    targets, duid = received.of_unit(received.read_dispatch(file), file, wanted)
    if "duid" in telemetry.columns:
        one_unit.check_same("dispatch instruction", duid, telemetry["duid"][0], "telemetry")
    return targets, duid


def _against_targets(
    telemetry: pl.DataFrame,
    targets: pl.DataFrame,
    step: int,
    summation: str,
    tolerance: Tolerance,
) -> DispatchConformance:
    from oepnode.domain.edge import aggregate
    from oepnode.domain.edge.conformance import check_dispatch

    if "duid" in telemetry.columns:
        unit = aggregate.from_frame(telemetry)
    else:
        sums = aggregate.UnitSums()
        sums.add(telemetry)
        unit = sums.unit()
        lacking = int((~unit.is_whole).sum())
        if lacking:
            output.note(
                f"{lacking} minutes are the sum of fewer than {unit.most_nmis} NMIs: a gap, or an "
                "NMI that came or went"
            )
    flow = unit.flow_w("NMI" if summation == "NMI" else "Flex")
    ends, wanted = targets["interval_end"].to_numpy(), targets["target_w"].to_numpy()
    try:
        return check_dispatch(unit.minute, flow, ends, wanted, step, tolerance)
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc


# --- facts ---------------------------------------------------------------------------------------


def _level_facts(report: EnvelopeConformance) -> dict[str, Any]:
    envelopes = report.envelopes
    judged = report.judged
    level = LEVEL_NAMES[envelopes.levels[0]] if envelopes.site_count else "NMI"
    return {
        "level": level,
        "tolerance": {
            "watts": report.tolerance.watts,
            "permille": report.tolerance.permille,
            "minutes": report.tolerance.minutes,
        },
        "rows": report.rows,
        "foreign_rows": report.foreign_rows,
        "foreign_nmis": report.foreign_nmis,
        "outside_rows": report.outside_rows,
        "nmis": envelopes.site_count,
        "measured_nmis": int(report.measured.sum()),
        "judged_intervals": int(judged.sum()),
        "breach_intervals": int(report.is_breach.sum()),
        "missing_minutes": int(report.missing.sum()),
        "beyond_wh": int(report.beyond_watt_minutes.sum()) // 60,
        "minutes": {name: int(values.sum()) for name, values in report.counts.items()},
        "sites": [_site_facts(report, site) for site in np.flatnonzero(report.measured).tolist()],
        "intervals": _interval_facts(report),
    }


def _site_facts(report: EnvelopeConformance, site: int) -> dict[str, Any]:
    headroom = int(report.headroom_w[site].min())
    return {
        "nmi": report.envelopes.nmis[site].decode(),
        "judged_intervals": int(report.judged[site].sum()),
        "breach_intervals": int(report.breach_intervals[site]),
        "worst_export_w": int(report.worst_export_w[site]),
        "worst_import_w": int(report.worst_import_w[site]),
        "beyond_wh": int(report.beyond_wh[site]),
        "least_headroom_w": None if headroom == NO_HEADROOM else headroom,
        "expected_minutes": int(report.expected[site]),
        "missing_minutes": int(report.missing[site]),
        "minutes": {name: int(report.counts[name][site]) for name in COUNTS},
    }


def _interval_facts(report: EnvelopeConformance) -> list[dict[str, Any]]:
    judged, breach = report.judged.sum(axis=0), report.is_breach.sum(axis=0)
    least = report.headroom_w.min(axis=0, initial=NO_HEADROOM)
    start = report.envelopes.horizon_start
    return [
        {
            "interval_end": format_nem(start + INTERVAL_S * (place + 1)),
            "judged_nmis": int(judged[place]),
            "breach_nmis": int(breach[place]),
            "least_headroom_w": None if least[place] == NO_HEADROOM else int(least[place]),
        }
        for place in range(report.envelopes.interval_count)
    ]


def _dispatch_facts(targets: DispatchConformance, step: int, summation: str) -> dict[str, Any]:
    return {
        "step": step,
        "summation": summation,
        "verdicts": {name: targets.count(place) for place, name in enumerate(VERDICTS)},
        "intervals": [
            {
                "interval_end": format_nem(int(targets.interval_end[i])),
                "target_w": int(targets.target_w[i]),
                "actual_w": int(targets.actual_w[i]) if targets.verdict[i] < 3 else None,
                "deviation_w": int(targets.deviation_w[i]) if targets.verdict[i] < 3 else None,
                "verdict": VERDICTS[targets.verdict[i]],
            }
            for i in range(len(targets.target_w))
        ],
    }


# --- verdict -------------------------------------------------------------------------------------


def _verdict(conforms: bool | None, reports: list[EnvelopeConformance]) -> str:
    """The last line: the verdict, and how many minutes it leaves out or is in doubt of."""
    told = "not judged" if conforms is None else "conforms" if conforms else "does not conform"
    judged = _minutes([r.counts["readings"] - r.counts["unlimited"] for r in reports], reports)
    counted = {
        "not judged": max((report.rows for report in reports), default=0) - judged,
        "missing": _minutes([report.missing for report in reports], reports),
        "misstated": _minutes([report.counts["misstated"] for report in reports], reports),
    }
    left = ", ".join(f"{count} {name}" for name, count in counted.items() if count)
    return f"{told}; minutes: {left}" if left else told


def _minutes(
    columns: list[npt.NDArray[np.int64]],
    reports: list[EnvelopeConformance],
) -> int:
    """Sum over NMIs, each with the most of its levels: a minute counts once."""
    most: dict[bytes, int] = {}
    for column, report in zip(columns, reports, strict=True):
        for nmi, count in zip(report.envelopes.nmis.tolist(), column.tolist(), strict=True):
            most[nmi] = max(most.get(nmi, 0), count)
    return sum(most.values())


# --- tables --------------------------------------------------------------------------------------


def _print_report(report: EnvelopeConformance, rows: int) -> None:
    facts = _level_facts(report)
    share = facts["breach_intervals"] / max(facts["judged_intervals"], 1)
    counted = facts["minutes"]
    output.print_facts(
        {
            f"level {facts['level']}": f"{facts['measured_nmis']} of {facts['nmis']} NMIs "
            f"measured, {counted['readings']} minutes, {facts['missing_minutes']} missing, "
            f"{counted['duplicates']} doubled",
            "judged": f"{facts['judged_intervals']} intervals of NMIs",
            "in breach": f"{facts['breach_intervals']} ({share:.3%}); "
            f"{counted['export_minutes']} minutes beyond the export limit, "
            f"{counted['import_minutes']} beyond the import limit, "
            f"{facts['beyond_wh'] / 1000:.2f} kWh",
            "applied": ", ".join(f"{name} {counted[name]}" for name in _FLAGS)
            + f" (minutes); defaults in {counted['defaulted']}",
            "not judged": f"{facts['foreign_rows']} minutes of {facts['foreign_nmis']} NMIs "
            f"without an envelope, {facts['outside_rows']} outside the horizon, "
            f"{counted['unlimited']} without a limit",
        }
    )
    order = np.argsort(-report.breach_intervals, kind="stable")
    worst = [site for site in order.tolist() if report.breach_intervals[site]][:rows]
    if not worst:
        return
    sites = (_site_cells(_site_facts(report, site)) for site in worst)
    output.print_table(_COLUMNS, sites)
    more = int((report.breach_intervals > 0).sum()) - len(worst)
    if more > 0:
        output.say(f"… and {more} more NMIs with breaches; --json has all", "dim")


def _site_cells(site: dict[str, Any]) -> tuple[object, ...]:
    minutes = site["minutes"]
    return (
        site["nmi"],
        figure(str(site["breach_intervals"]), "bold red"),
        minutes["export_minutes"],
        minutes["import_minutes"],
        kilo(site["worst_export_w"]),
        kilo(site["worst_import_w"]),
        kilo(site["beyond_wh"], 3),
        site["missing_minutes"],
        minutes["misstated"],
    )


def _print_targets(targets: DispatchConformance, duid: str, rows: int) -> None:
    told = ", ".join(f"{targets.count(place)} {name}" for place, name in enumerate(VERDICTS))
    output.print_facts({"dispatch": f"{len(targets.target_w)} targets of {duid}: {told}"})
    off = np.flatnonzero(targets.verdict != 0)
    order = off[np.argsort(-np.abs(targets.deviation_w[off]), kind="stable")][:rows]
    if not len(order):
        return
    output.print_table(
        ("interval ending", "target kW", "actual kW", "deviation kW", "verdict"),
        (
            (
                format_nem(int(targets.interval_end[i])),
                kilo(int(targets.target_w[i])),
                kilo(int(targets.actual_w[i])),
                figure(f"{targets.deviation_w[i] / 1000:+.2f}"),
                Text(VERDICTS[targets.verdict[i]], "red"),
            )
            for i in order.tolist()
        ),
    )
    if len(off) > len(order):
        output.say(f"… and {len(off) - len(order)} more; --json has all", "dim")


# --- pictures ------------------------------------------------------------------------------------


def _draw(
    pictures: _Pictures,
    telemetry: pl.DataFrame,
    reports: list[EnvelopeConformance],
    tolerance: Tolerance,
    defaults: Defaults,
) -> None:
    if pictures.band is None and pictures.heat is None:
        return
    from oepnode.adapters import plot_envelope, plots

    measured = [report for report in reports if report.measured.any()]
    if not measured:
        raise ConfigError("no picture: none of the NMIs with an envelope was measured")
    if pictures.heat is not None:
        report = measured[0]
        sites = np.flatnonzero(report.measured)
        figure = plot_envelope.headroom_map(
            "Headroom to the operating envelope",
            f"{_date(report)}, {len(sites)} NMIs",
            report.envelopes.horizon_start,
            [report.envelopes.nmis[site].decode() for site in sites.tolist()],
            report.headroom_w[sites],
        )
        plots.save(figure, pictures.heat)
        output.say(f"picture in {pictures.heat}", "green", err=True)
    if pictures.band is not None:
        _draw_band(pictures, telemetry, measured, tolerance, defaults)


def _draw_band(
    pictures: _Pictures,
    telemetry: pl.DataFrame,
    measured: list[EnvelopeConformance],
    tolerance: Tolerance,
    defaults: Defaults,
) -> None:
    from oepnode.adapters import plot_envelope, plots
    from oepnode.domain.edge.conformance import trace

    assert pictures.band is not None  # noqa: S101 - said by the caller
    report, site = _site_of(measured, pictures.nmi)
    envelopes = report.envelopes
    name, level = envelopes.nmis[site].decode(), int(envelopes.levels[site])
    found = trace(envelopes, name, telemetry, level, tolerance, defaults)
    upper, lower = (envelopes.limits[site, kind].copy() for kind in (0, 1))
    interval = (found.minute - envelopes.horizon_start - 1) // INTERVAL_S
    upper[interval], lower[interval] = found.export_w, found.import_w
    flow = "active power" if level == 0 else "controlled generation and load"
    allowed = " or ".join(
        [f"{tolerance.watts} W"] * bool(tolerance.watts or not tolerance.permille)
        + [f"{tolerance.permille / 10:g} %"] * bool(tolerance.permille)
    )
    minutes = int(found.is_breach.sum())
    figure = plot_envelope.envelope_band(
        f"NMI {name}: {flow} and operating envelope",
        f"{_date(report)}, {len(found.minute)} minutes, {minutes} in breach; tolerance {allowed}",
        envelopes.horizon_start,
        upper,
        lower,
        plot_envelope.Measured(found.minute, found.flow_w, found.is_breach, f"{flow}, 1 minute"),
    )
    plots.save(figure, pictures.band)
    output.say(f"picture in {pictures.band}", "green", err=True)


def _site_of(
    measured: list[EnvelopeConformance], nmi: str | None
) -> tuple[EnvelopeConformance, int]:
    """The NMI asked for, or the one with the most intervals in breach."""
    if nmi is None:
        report = max(measured, key=lambda found: int(found.breach_intervals.max(initial=0)))
        candidates = np.where(report.measured, report.breach_intervals, -1)
        return report, int(candidates.argmax())
    for report in measured:
        places = np.flatnonzero((report.envelopes.nmis == nmi.encode()) & report.measured)
        if len(places):
            return report, int(places[0])
    raise ConfigError("--nmi: that NMI has no envelope here, or was not measured")


def _date(report: EnvelopeConformance) -> str:
    return f"from {format_nem(report.envelopes.horizon_start)[:16].replace('T', ' ')}"
