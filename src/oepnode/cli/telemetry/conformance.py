"""``oepnode telemetry conformance``: measurements held against envelopes and dispatch targets.

Leaves out what is printed (``report``) and drawn (``pictures``). Source: Part C §4, HLD §4.3
to §4.5.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from oepnode.adapters.plots import figure as plots
from oepnode.cli.common import envelope_input, output, received
from oepnode.cli.common.amounts import amount_of
from oepnode.cli.common.cells import counted
from oepnode.cli.common.chain import (
    ChainIdOption,
    ChainTarget,
    ContractOption,
    RoundSelector,
    RoundStateOption,
    RpcOption,
)
from oepnode.cli.common.envelope_input import EnvelopeKeyOption, ImportSignOption, ProfileOption
from oepnode.cli.common.exits import EVIDENCE
from oepnode.cli.common.output import MOST_ROWS, JsonFlag
from oepnode.cli.common.received import TelemetryFile, UnitOption
from oepnode.cli.common.tolerance import (
    TargetTolerancePercentOption,
    TargetToleranceWOption,
    TolerancePercentOption,
    ToleranceWOption,
    tolerance_of,
)
from oepnode.cli.telemetry import coverage, intervals, pictures, report
from oepnode.cli.telemetry.coverage import MissingTelemetry, PortfolioOption
from oepnode.cli.telemetry.intervals import OutOption
from oepnode.cli.telemetry.pictures import Pictures
from oepnode.domain.edge.dispatch.conformance import DispatchConformance
from oepnode.domain.edge.envelopes.table import EnvelopeTable
from oepnode.domain.edge.telemetry.assessment import EnvelopeConformance
from oepnode.domain.edge.telemetry.conformance import ConformanceChecker
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.nmi import parse as parse_nmi
from oepnode.domain.nem.quantities import KW, DefaultLimits
from oepnode.domain.rounds.inputs.envelope_form import LEVELS
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl


def conformance(
    file: TelemetryFile,
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
        int,
        typer.Option(
            "--step", min=1, max=3, help="Step of participation; targets bind in 2 and 3."
        ),
    ] = 3,
    identity: UnitOption = None,
    summation: Annotated[
        str,
        typer.Option("--summation", help="What the targets sum up: NMI, or Flex (HLD App. H)."),
    ] = "NMI",
    tolerance_w: ToleranceWOption = 0,
    tolerance_percent: TolerancePercentOption = 0.0,
    target_tolerance_w: TargetToleranceWOption = 0,
    target_tolerance_percent: TargetTolerancePercentOption = 0.0,
    breach_minutes: Annotated[
        int,
        typer.Option(
            "--breach-minutes", min=1, max=5, help="Minutes in breach that make an interval one."
        ),
    ] = 1,
    missing_minutes: Annotated[
        int,
        typer.Option(
            "--missing-minutes",
            min=0,
            max=4,
            help="Minutes of an interval that may be missing where an NMI must be measured.",
        ),
    ] = 0,
    default_export_kw: Annotated[
        str | None,
        typer.Option("--default-export-kw", help="Export limit where none is published."),
    ] = None,
    default_import_kw: Annotated[
        str | None,
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
    ] = MOST_ROWS,
    portfolio: PortfolioOption = None,
    out: OutOption = None,
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
    of which nothing could be judged, or that lacks NMIs or minutes of a bundle, of a limits file or
    of the portfolio: what was left out does not conform.
    """
    wanted = Pictures(plot, heatmap, None if nmi is None else parse_nmi(nmi))
    _check_options(envelope, dispatch, wanted, step, summation)
    _check_envelope_options(envelope, portfolio, out)
    if identity is not None and dispatch is None:
        raise ConfigError("--id says whose dispatch targets are meant: it goes with --dispatch")
    tolerance = tolerance_of(tolerance_w, tolerance_percent, breach_minutes, missing_minutes)
    defaults = _defaults(default_export_kw, default_import_kw)
    facts: dict[str, Any] = {"telemetry": file.name}
    reports: list[EnvelopeConformance] = []
    lacking: MissingTelemetry | None = None
    telemetry = received.load_telemetry(file, identity)
    if envelope is not None:
        choice = RoundSelector(ChainTarget(rpc, contract, chain_id), round_state)
        feed = envelope_input.feed_of(profile, import_sign)
        envelopes, source = envelope_input.read(envelope, key, choice, feed)
        source.note_warnings()
        facts["envelope"] = source.text
        if "nmi" not in telemetry.columns:
            raise ConfigError("envelopes hold for NMIs, and this is telemetry of a DUID")
        held = coverage.coverage_of(source, envelopes, portfolio)
        reports = _against_envelopes(telemetry, envelopes, tolerance, defaults, held.ours)
        lacking = coverage.unmeasured(reports, held)
        facts["coverage"] = lacking.facts()
        facts["levels"] = [report.level_facts(found) for found in reports]
    targets, duid = None, ""
    if dispatch is not None:
        allowed = tolerance_of(target_tolerance_w, target_tolerance_percent)
        orders, duid = _orders(telemetry, dispatch, identity)
        targets = _against_targets(telemetry, orders, step, summation, allowed)
        facts["dispatch"] = {"duid": duid} | report.dispatch_facts(targets, step, summation)
    pictures.draw(wanted, telemetry, reports, tolerance, defaults)
    if out is not None:
        intervals.write(out, reports)
    verdicts = [] if envelope is None else [_all_levels(reports)]
    verdicts += [] if targets is None else [targets.conforms]
    conforms = False if False in verdicts else None if None in verdicts else True
    facts["conforms"] = conforms
    if as_json:
        output.print_json(facts)
    else:
        for found in reports:
            report.print_level(found, rows)
        if targets is not None:
            report.print_targets(targets, duid, rows)
        if lacking is not None:
            report.print_lacking(lacking, rows)
        told = report.verdict(conforms, reports, lacking)
        output.say(told, "bold green" if conforms else "bold red")
    if not conforms:
        raise typer.Exit(EVIDENCE)


def _check_options(
    envelope: Path | None, dispatch: Path | None, wanted: Pictures, step: int, summation: str
) -> None:
    if envelope is None and dispatch is None:
        raise ConfigError("name what to hold against: --envelope, --dispatch or both")
    if envelope is None and (wanted.band or wanted.heat):
        raise ConfigError("the pictures show envelopes: name them with --envelope")
    if dispatch is not None and step not in {2, 3}:
        raise ConfigError(
            "--step is 2 or 3 with --dispatch: in step 1 no response to a target is required "
            "(HLD §4.3); 'forecast accuracy' is the report of step 1"
        )
    if summation not in LEVELS:
        raise ConfigError(f"--summation is NMI or Flex, received {summation!r}")
    for path in (wanted.band, wanted.heat):
        if path is not None:
            plots.check(path)


def _check_envelope_options(
    envelope: Path | None, portfolio: Path | None, out: Path | None
) -> None:
    if envelope is None and (portfolio is not None or out is not None):
        raise ConfigError("--portfolio and --out are about envelopes: name them with --envelope")
    if out is not None:
        intervals.check_file(out)


def _defaults(export_kw: str | None, import_kw: str | None) -> DefaultLimits:
    try:
        return DefaultLimits(
            None if export_kw is None else amount_of(export_kw, "--default-export-kw", KW),
            None if import_kw is None else amount_of(import_kw, "--default-import-kw", KW),
        )
    except ValueError as exc:
        names = "--default-export-kw, --default-import-kw"
        raise ConfigError(f"{names}: {exc}") from exc


def _against_envelopes(
    telemetry: pl.DataFrame,
    envelopes: EnvelopeTable,
    tolerance: Tolerance,
    defaults: DefaultLimits,
    ours: frozenset[str],
) -> list[EnvelopeConformance]:
    """A report per application level that has envelopes."""
    reports = []
    for level in np.unique(envelopes.levels).tolist():
        check = ConformanceChecker(envelopes, level, tolerance, defaults, ours)
        check.add(telemetry)
        reports.append(check.report())
    return reports


def _all_levels(reports: list[EnvelopeConformance]) -> bool | None:
    """Whether no level has a breach; None where nothing was judged at any, or not all of it."""
    found = {report.conforms for report in reports}
    if False in found:
        return False
    is_complete = all(report.is_complete for report in reports)
    return True if True in found and is_complete else None


def _orders(telemetry: pl.DataFrame, file: Path, wanted: str | None) -> tuple[pl.DataFrame, str]:
    """The targets of the unit that is judged, and its DUID.

    Raises:
        DocumentFault: If they are of several DUIDs and none is named, or of another one than the
            telemetry.
    """
    from oepnode.domain.edge.telemetry import duid as one_unit

    targets, duid = received.select_duid(received.read_dispatch(file), file, wanted)
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
    from oepnode.domain.edge.dispatch.conformance import check_dispatch
    from oepnode.domain.edge.telemetry import aggregate

    if "duid" in telemetry.columns:
        unit = aggregate.from_frame(telemetry)
    else:
        sums = aggregate.UnitSums()
        sums.add(telemetry)
        unit = sums.unit()
        lacking = int((~unit.is_whole).sum())
        if lacking:
            output.note(
                f"the sum of fewer than {counted(unit.most_nmis, 'NMI')} in "
                f"{counted(lacking, 'minute')}: a gap, or an NMI that came or went"
            )
    if unit.conflicting:
        output.note(
            f"{counted(unit.conflicting, 'minute')} not held against targets: measurements "
            "contradict each other"
        )
    flow = unit.flow_w("NMI" if summation == "NMI" else "Flex")
    ends, wanted = targets["interval_end"].to_numpy(), targets["target_w"].to_numpy()
    try:
        return check_dispatch(unit.minute, flow, ends, wanted, step, tolerance)
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc
