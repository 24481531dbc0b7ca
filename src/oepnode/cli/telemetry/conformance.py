"""``oepnode telemetry conformance``: measurements against envelopes and dispatch targets.

The printing is ``report``. Source: Part C §4, HLD §4.3 to §4.5.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import Struct

from oepnode.cli.common import edge_options as options
from oepnode.cli.common import output
from oepnode.cli.common.chain import ChainIdOption, ContractOption, RoundStateOption, RpcOption
from oepnode.cli.common.exits import EVIDENCE
from oepnode.cli.common.output import MOST_ROWS, JsonFlag, RowsOption
from oepnode.cli.telemetry import report
from oepnode.client import DefaultLimits, Level, Tolerance
from oepnode.client.edge import pictures
from oepnode.client.edge.assessments import Assessment, assess_telemetry
from oepnode.client.edge.submissions import load_dispatch, load_telemetry
from oepnode.client.edge.tables import (
    TABLE_SUFFIXES,
    load_portfolio,
    require_suffix,
    write_table,
)
from oepnode.client.edge.targets import Targets, require_binding_step
from oepnode.client.values import counted
from oepnode.errors import ConfigError

AppliedEnvelopeOption = Annotated[
    Path | None,
    typer.Option(
        "--envelope",
        help="Envelopes that were applied: a document, limits from 'aggregator verify', or your "
        "bundle with --key.",
    ),
]
DispatchOption = Annotated[
    Path | None, typer.Option("--dispatch", help="Dispatch instructions of the DUID.")
]
StepOption = Annotated[
    int,
    typer.Option("--step", min=1, max=3, help="Step of participation; targets bind in 2 and 3."),
]
TargetLevelOption = Annotated[
    Level, typer.Option("--level", help="Level that the targets sum up: NMI, or Flex (HLD App. H).")
]
BreachMinutesOption = Annotated[
    int,
    typer.Option(
        "--breach-minutes", min=1, max=5, help="Minutes in breach that make an interval one."
    ),
]
MissingMinutesOption = Annotated[
    int,
    typer.Option(
        "--missing-minutes",
        min=0,
        max=4,
        help="Minutes of an interval that may be missing where an NMI must be measured.",
    ),
]
BandOption = Annotated[
    Path | None,
    typer.Option("--plot", help="Picture of the worst NMI's day, or of --nmi: .svg or .png."),
]
HeatmapOption = Annotated[
    Path | None, typer.Option("--heatmap", help="Picture of headroom per NMI and interval.")
]
PictureNmiOption = Annotated[str | None, typer.Option("--nmi", help="NMI of the picture.")]
PortfolioOption = Annotated[
    Path | None,
    typer.Option(
        "--portfolio",
        help="File with the NMIs that must have been measured, one per line. Default: all of a "
        "bundle or a limits file, none of a document.",
    ),
]
IntervalsOption = Annotated[
    Path | None,
    typer.Option(
        "--out", help="File with a row for each NMI and interval that was judged: .csv or .parquet."
    ),
]


_STEP: Final = 3
_LEVEL: Final = "NMI"
_FEED: Final = options.feed_of("wide", "canonical")


class Outputs(Struct, frozen=True):
    """Files that are written in addition to the report."""

    band: Path | None
    heatmap: Path | None
    nmi: str | None
    intervals: Path | None


def conformance(
    file: options.TelemetryFile,
    envelope: AppliedEnvelopeOption = None,
    dispatch: DispatchOption = None,
    step: StepOption = _STEP,
    duid: options.DuidOption = None,
    level: TargetLevelOption = _LEVEL,
    tolerance_w: options.ToleranceWOption = 0,
    tolerance_percent: options.TolerancePercentOption = 0.0,
    target_tolerance_w: options.TargetToleranceWOption = 0,
    target_tolerance_percent: options.TargetTolerancePercentOption = 0.0,
    breach_minutes: BreachMinutesOption = 1,
    missing_minutes: MissingMinutesOption = 0,
    default_export_kw: options.DefaultExportOption = None,
    default_import_kw: options.DefaultImportOption = None,
    plot: BandOption = None,
    heatmap: HeatmapOption = None,
    nmi: PictureNmiOption = None,
    rows: RowsOption = MOST_ROWS,
    portfolio: PortfolioOption = None,
    out: IntervalsOption = None,
    key: options.EnvelopeKeyOption = None,
    tokens: options.EnvelopeTokensOption = None,
    round_state: RoundStateOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    profile: options.ProfileOption = "wide",
    import_sign: options.ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """Check telemetry against the envelopes that were applied, and against dispatch targets.

    Each measurement is judged by the envelope whose submission timestamp it states. Exit code 1 if
    one lies outside its envelope or off its target, if nothing could be judged, or if NMIs or
    minutes that must have been measured are missing.
    """
    outputs = Outputs(plot, heatmap, options.nmi_of(nmi), out)
    tolerance = options.tolerance_of(
        tolerance_w, tolerance_percent, breach_minutes, missing_minutes
    )
    allowed = options.tolerance_of(target_tolerance_w, target_tolerance_percent)
    defaults = options.default_limits(default_export_kw, default_import_kw)
    if dispatch is None:
        _reject_target_options(envelope, duid, level, step, allowed)
    else:
        require_binding_step(step)
    selector = options.selector_of(rpc, contract, chain_id, round_state)
    source = options.EnvelopeInput(
        envelope, key, selector, options.feed_of(profile, import_sign), tokens
    )
    if envelope is None:
        _reject_envelope_options(source, outputs, portfolio, tolerance, defaults)
    _check_outputs(outputs)
    assessment = assess_telemetry(
        load_telemetry(file, duid=duid),
        source.load(),
        tolerance=tolerance,
        defaults=defaults,
        portfolio=None if portfolio is None else load_portfolio(portfolio),
        targets=_targets(dispatch, duid, level, step, allowed),
    )
    _print(assessment, outputs, rows, as_json=as_json)


def _targets(
    dispatch: Path | None, duid: str | None, level: Level, step: int, tolerance: Tolerance
) -> Targets | None:
    if dispatch is None:
        return None
    return Targets(load_dispatch(dispatch, duid=duid), level, step, tolerance)


def _reject_target_options(
    envelope: Path | None, duid: str | None, level: Level, step: int, tolerance: Tolerance
) -> None:
    """Reject options that have no effect without ``--dispatch``."""
    if envelope is None:
        raise ConfigError("nothing to check against: name --envelope, --dispatch or both")
    if duid is not None:
        raise ConfigError("--duid names the unit of dispatch targets: it goes with --dispatch")
    if level != _LEVEL or step != _STEP:
        raise ConfigError("--level and --step are those of dispatch targets: name --dispatch")
    if tolerance != Tolerance():
        raise ConfigError("--target-tolerance-w and --target-tolerance-percent go with --dispatch")


def _reject_envelope_options(
    source: options.EnvelopeInput,
    outputs: Outputs,
    portfolio: Path | None,
    tolerance: Tolerance,
    defaults: DefaultLimits | None,
) -> None:
    """Reject options that have no effect without ``--envelope``."""
    if source.key is not None or source.selector.state_file is not None or source.feed != _FEED:
        raise ConfigError("--key, --round-state, --profile and --import-sign go with --envelope")
    files = (outputs.band, outputs.heatmap, outputs.intervals, portfolio)
    if any(file is not None for file in files):
        raise ConfigError("--plot, --heatmap, --out and --portfolio go with --envelope")
    if tolerance != Tolerance():
        raise ConfigError(
            "--tolerance-w, --tolerance-percent, --breach-minutes and --missing-minutes go with "
            "--envelope; the tolerance of targets is --target-tolerance-w"
        )
    if defaults is not None:
        raise ConfigError("--default-export-kw and --default-import-kw go with --envelope")


def _check_outputs(outputs: Outputs) -> None:
    """Reject files that could not be written, before any work."""
    if outputs.nmi is not None and outputs.band is None:
        raise ConfigError("--nmi names the NMI of the picture: it goes with --plot")
    for picture in (outputs.band, outputs.heatmap):
        if picture is not None:
            pictures.require_picture(picture)
    if outputs.intervals is not None:
        require_suffix(outputs.intervals, *TABLE_SUFFIXES)


def _print(assessment: Assessment, outputs: Outputs, rows: int, *, as_json: bool) -> None:
    output.print_notes(assessment.notes)
    if outputs.heatmap is not None:
        pictures.draw_headroom(assessment, outputs.heatmap)
        output.say(f"picture in {outputs.heatmap}", "green", err=True)
    if outputs.band is not None:
        pictures.draw_band(assessment, outputs.band, outputs.nmi)
        output.say(f"picture in {outputs.band}", "green", err=True)
    if outputs.intervals is not None:
        write_table(outputs.intervals, assessment.intervals)
        count = counted(assessment.intervals.height, "interval")
        output.say(f"{count} of NMIs in {outputs.intervals}", "green", err=True)
    if as_json:
        output.print_json(assessment.report())
    else:
        report.print_assessment(assessment, rows)
    if not assessment.conforms:
        raise typer.Exit(EVIDENCE)
