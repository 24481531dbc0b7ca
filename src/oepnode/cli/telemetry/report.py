"""Tables and verdict of ``oepnode telemetry conformance``.

Prints NMIs, to whoever has the telemetry already.
"""

from __future__ import annotations

from typing import Any, Final

from rich.text import Text

from oepnode.cli.common import output
from oepnode.cli.common.cells import figure, kilo, more
from oepnode.client.edge.assessments import Assessment
from oepnode.client.edge.coverage import CoverageReport
from oepnode.client.edge.levels import (
    BREACH_COLUMNS,
    IN_DOUBT,
    STATED,
    LevelAssessment,
    worst_breaches,
    worst_sites,
)
from oepnode.client.edge.targets import TargetAssessment, worst_targets
from oepnode.client.values import counted

_WORDS: Final = {"conflicting": "in conflict", "not_judged": "not judged", **STATED}
"""Words of the counts of minutes."""

_SITES: Final = (
    "NMI",
    "intervals in breach",
    "export min",
    "import min",
    "worst export kW",
    "worst import kW",
    "beyond kWh",
    "missing min",
    "in doubt min",
)
_BREACHES: Final = (
    "NMI",
    "interval ending",
    "minutes",
    "beyond export kW",
    "beyond import kW",
    "export limit kW",
    "import limit kW",
)
_TARGETS: Final = ("interval ending", "target kW", "actual kW", "deviation kW", "verdict")


def print_assessment(assessment: Assessment, rows: int) -> None:
    """Print the tables of an assessment, and the verdict."""
    for level in assessment.levels:
        _print_level(level)
        _print_sites(level, rows)
        _print_breaches(assessment, level, rows)
    if assessment.targets is not None:
        _print_targets(assessment.targets, rows)
    if assessment.coverage is not None:
        _print_unmeasured(assessment.coverage, rows)
    output.say(_verdict(assessment), "bold green" if assessment.conforms else "bold red")


# --- verdict -------------------------------------------------------------------------------------


def _verdict(assessment: Assessment) -> str:
    """The last line: the verdict, missing telemetry, and the minutes left out or in doubt."""
    conforms, coverage = assessment.conforms, assessment.coverage
    verdict = "conforms" if conforms else "does not conform"
    if conforms is None:
        verdict = "incomplete" if assessment.is_judged else "not judged"
    missing = "" if coverage is None else _missing(coverage)
    parts = [f"{verdict}: {missing}" if missing else verdict]
    if coverage is not None and not coverage.expected_by and coverage.unmeasured_nmis:
        parts.append(
            f"{coverage.unmeasured_nmis} of {counted(coverage.nmis, 'NMI')} of the document not "
            "measured (--portfolio says which must be)"
        )
    left_out = ", ".join(
        f"{count} {_WORDS.get(name, name)}"
        for name, count in assessment.left_out_minutes.items()
        if count
    )
    return "; ".join(parts + [f"minutes: {left_out}"] * bool(left_out))


def _missing(coverage: CoverageReport) -> str:
    """Missing telemetry in words; empty where nothing is missing."""
    parts = []
    if coverage.expected_by and coverage.unmeasured_nmis:
        nmis = counted(coverage.nmis, "NMI")
        parts.append(f"{coverage.unmeasured_nmis} of {nmis} not measured")
    if coverage.lacking_intervals:
        intervals = counted(coverage.lacking_intervals, "interval")
        parts.append(f"{intervals} of measured NMIs not fully measured")
    if coverage.nmis_without_envelope:
        parts.append(f"{counted(coverage.nmis_without_envelope, 'NMI')} without an envelope")
    return ", ".join(parts)


def _print_unmeasured(coverage: CoverageReport, rows: int) -> None:
    names = coverage.unmeasured or ()
    rest = len(names) - rows
    if names:
        named = ", ".join(names[:rows]) + (f" and {rest} more; --json prints all" * (rest > 0))
        output.say(f"not measured: {named}", "yellow")


# --- envelopes -----------------------------------------------------------------------------------


def _print_level(level: LevelAssessment) -> None:
    share = level.breach_intervals / max(level.judged_intervals, 1)
    counts = level.minutes
    facts = {
        f"level {level.level}": f"{level.measured_nmis} of {counted(level.nmis, 'NMI')} measured, "
        f"{counted(counts['readings'], 'minute')}, {level.missing_minutes} missing, "
        f"{counts['duplicates']} duplicate, {counts['conflicting']} in conflict",
        "judged": f"{counted(level.judged_intervals, 'interval')} of NMIs",
        "in breach": f"{level.breach_intervals} ({share:.3%}); "
        f"{counted(counts['export_minutes'], 'minute')} beyond the export limit, "
        f"{counts['import_minutes']} beyond the import limit, {kilo(level.beyond_wh, 3)} kWh",
        "in doubt": ", ".join(f"{words} {counts[name]}" for name, words in STATED.items())
        + f" (minutes); defaults in {counts['defaulted']}",
        "not judged": f"{counted(level.foreign_rows, 'minute')} of "
        f"{counted(level.foreign_nmis, 'NMI')} without an envelope, "
        f"{level.outside_rows} outside the horizon, {counts['unlimited']} without a limit",
    }
    output.print_facts(facts)


def _print_sites(level: LevelAssessment, rows: int) -> None:
    """NMIs in breach or in doubt, the worst first."""
    sites = worst_sites(level)
    if sites.height and rows:
        output.print_table(_SITES, map(_site_cells, sites.head(rows).iter_rows(named=True)))
    if sites.height > rows:
        rest = counted(sites.height - rows, "more NMI")
        output.say(f"… and {rest} in breach or in doubt; --json prints all", "dim")


def _site_cells(site: dict[str, Any]) -> tuple[object, ...]:
    minutes, breaches = site["minutes"], site["breach_intervals"]
    doubts = [f"{minutes[name]} {_WORDS[name]}" for name in IN_DOUBT if minutes[name]]
    return (
        site["nmi"],
        figure(str(breaches), "bold red" if breaches else ""),
        minutes["export_minutes"],
        minutes["import_minutes"],
        kilo(site["worst_export_w"]),
        kilo(site["worst_import_w"]),
        kilo(site["beyond_wh"], 3),
        site["missing_minutes"],
        ", ".join(doubts) or "–",
    )


def _print_breaches(assessment: Assessment, level: LevelAssessment, rows: int) -> None:
    """Intervals in breach, those that went furthest first."""
    breaches = worst_breaches(assessment.intervals, level.level, rows)
    amounts = BREACH_COLUMNS[2:]
    cells = [
        (row["nmi"], row["interval_end"], row["minutes"], *(kilo(row[name]) for name in amounts))
        for row in breaches.iter_rows(named=True)
    ]
    if cells:
        output.print_table(_BREACHES, cells)
    if level.breach_intervals > len(cells):
        rest = counted(level.breach_intervals - len(cells), "more interval")
        output.say(f"… and {rest} in breach; --json or --out prints all", "dim")


# --- targets -------------------------------------------------------------------------------------


def _print_targets(targets: TargetAssessment, rows: int) -> None:
    """Number of targets per verdict, and those that were missed most."""
    verdicts = ", ".join(f"{count} {name}" for name, count in targets.verdicts.items())
    count = counted(targets.intervals.height, "target")
    output.print_facts({"dispatch": f"{count} of {targets.duid}: {verdicts}"})
    missed = worst_targets(targets)
    if missed.height and rows:
        output.print_table(_TARGETS, map(_target_cells, missed.head(rows).iter_rows(named=True)))
        more(missed.height, rows, "target")


def _target_cells(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        row["interval_end"],
        kilo(row["target_w"]),
        kilo(row["actual_w"]),
        kilo(row["deviation_w"], is_signed=True),
        Text(row["verdict"], "red"),
    )
