"""What ``oepnode telemetry conformance`` prints: facts for JSON, tables and the verdict.

Prints NMIs, to whoever has the telemetry already.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rich.text import Text

from oepnode.cli.common import output
from oepnode.cli.common.cells import counted, figure, kilo
from oepnode.cli.common.output import LEVEL_NAMES
from oepnode.cli.telemetry import intervals
from oepnode.cli.telemetry.coverage import MissingTelemetry
from oepnode.domain.edge.dispatch.conformance import VERDICTS, DispatchConformance
from oepnode.domain.edge.telemetry.assessment import COUNTS, NO_HEADROOM, EnvelopeConformance
from oepnode.domain.edge.timeseries.energy import rounded_wh
from oepnode.domain.edge.timeseries.tolerance import MINUTE_S
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem

_COLUMNS: Final = (
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
_FLAGS: Final = (
    "wrong_limits_stated",
    "superseded_envelope",
    "unknown_envelope",
    "no_envelope_stated",
    "future_envelope",
)
_DOUBTS: Final = ("conflicting", *_FLAGS)


# --- facts ---------------------------------------------------------------------------------------


def level_facts(report: EnvelopeConformance) -> dict[str, Any]:
    """A report on one application level, for JSON."""
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
        "beyond_wh": int(rounded_wh(report.beyond_watt_minutes.sum(), MINUTE_S)),
        "minutes": {name: int(values.sum()) for name, values in report.counts.items()},
        "sites": [
            _site_facts(report, site)
            for site in np.flatnonzero(report.measured | report.in_portfolio).tolist()
        ],
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
        "breaching_intervals": intervals.breaching(report, site),
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


def dispatch_facts(targets: DispatchConformance, step: int, summation: str) -> dict[str, Any]:
    """A report on dispatch targets, for JSON."""
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


def verdict(
    conforms: bool | None, reports: list[EnvelopeConformance], lacking: MissingTelemetry | None
) -> str:
    """The last line: the verdict, what is lacking, and the minutes left out or in doubt."""
    told = "not judged" if conforms is None else "conforms" if conforms else "does not conform"
    if conforms is None and any(report.judged.any() for report in reports):
        told = "incomplete"
    parts = [told + (f": {lacking.told()}" if lacking and lacking.told() else "")]
    if lacking is not None and lacking.of_document():
        parts.append(lacking.of_document())
    doubts = {name: _count(name, reports) for name in _FLAGS}
    minutes = {
        "not judged": _not_judged(reports),
        "missing": _minutes([report.missing for report in reports], reports),
    } | doubts
    left = ", ".join(f"{count} {_words(name)}" for name, count in minutes.items() if count)
    return "; ".join(parts + [f"minutes: {left}"] * bool(left))


def _not_judged(reports: list[EnvelopeConformance]) -> int:
    """Minutes received that were held against no limit at any level, copies left out.

    A copy at an NMI without an envelope is not looked into.
    """
    names = ("duplicates", "conflicting", "unlimited")
    judged = [
        report.counts["readings"] - sum(report.counts[name] for name in names) for report in reports
    ]
    rows = max((report.rows for report in reports), default=0)
    return rows - _minutes(judged, reports) - _count("duplicates", reports)


def _count(name: str, reports: list[EnvelopeConformance]) -> int:
    return _minutes([report.counts[name] for report in reports], reports)


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


def print_level(report: EnvelopeConformance, rows: int) -> None:
    """Print a report on one application level, with its worst NMIs."""
    facts = level_facts(report)
    share = facts["breach_intervals"] / max(facts["judged_intervals"], 1)
    counts = facts["minutes"]
    output.print_facts(
        {
            f"level {facts['level']}": f"{facts['measured_nmis']} of "
            f"{counted(facts['nmis'], 'NMI')} measured, {counted(counts['readings'], 'minute')}, "
            f"{facts['missing_minutes']} missing, {counts['duplicates']} doubled, "
            f"{counts['conflicting']} in conflict",
            "judged": f"{counted(facts['judged_intervals'], 'interval')} of NMIs",
            "in breach": f"{facts['breach_intervals']} ({share:.3%}); "
            f"{counted(counts['export_minutes'], 'minute')} beyond the export limit, "
            f"{counts['import_minutes']} beyond the import limit, "
            f"{kilo(facts['beyond_wh'], 3)} kWh",
            "applied": ", ".join(f"{_words(name)} {counts[name]}" for name in _FLAGS)
            + f" (minutes); defaults in {counts['defaulted']}",
            "not judged": f"{counted(facts['foreign_rows'], 'minute')} of "
            f"{counted(facts['foreign_nmis'], 'NMI')} "
            f"without an envelope, {facts['outside_rows']} outside the horizon, "
            f"{counts['unlimited']} without a limit",
        }
    )
    _print_sites(report, rows)
    _print_breaches(report, rows)


def _print_sites(report: EnvelopeConformance, rows: int) -> None:
    """NMIs in breach or in doubt, the worst first."""
    doubts = np.sum([report.counts[name] for name in _DOUBTS], axis=0)
    order = np.lexsort((-doubts, -report.breach_intervals))
    listed = order[(report.breach_intervals + doubts)[order] > 0]
    if len(listed) and rows:
        shown = (_site_cells(_site_facts(report, site)) for site in listed[:rows].tolist())
        output.print_table(_COLUMNS, shown)
    if len(listed) > rows:
        more = counted(len(listed) - rows, "more NMI")
        output.say(f"… and {more} in breach or in doubt; --json has all", "dim")


def _print_breaches(report: EnvelopeConformance, rows: int) -> None:
    """Intervals in breach, those that went furthest first."""
    cells = []
    for site, interval in intervals.worst(report, rows):
        facts = intervals.breach(report, site, interval)
        minutes = facts["minutes"]
        amounts = (kilo(facts[name]) for name in intervals.AMOUNTS)
        nmi = report.envelopes.nmis[site].decode()
        cells.append((nmi, facts["interval_end"], minutes, *amounts))
    if cells:
        output.print_table(_BREACHES, cells)
    total = int(report.is_breach.sum())
    if total > len(cells):
        more = counted(total - len(cells), "more interval")
        output.say(f"… and {more} in breach; --json or --out has all", "dim")


def _site_cells(site: dict[str, Any]) -> tuple[object, ...]:
    minutes = site["minutes"]
    doubts = ", ".join(f"{minutes[name]} {_words(name)}" for name in _DOUBTS if minutes[name])
    return (
        site["nmi"],
        figure(str(site["breach_intervals"]), "bold red" if site["breach_intervals"] else ""),
        minutes["export_minutes"],
        minutes["import_minutes"],
        kilo(site["worst_export_w"]),
        kilo(site["worst_import_w"]),
        kilo(site["beyond_wh"], 3),
        site["missing_minutes"],
        doubts or "–",
    )


def print_lacking(lacking: MissingTelemetry, rows: int) -> None:
    """Name the NMIs that should have been measured."""
    if not lacking.names or not lacking.coverage.held_by:
        return
    more = len(lacking.names) - rows
    named = ", ".join(lacking.names[:rows]) + (f" and {more} more; --json has all" * (more > 0))
    output.say(f"not measured: {named}", "yellow")


def print_targets(targets: DispatchConformance, duid: str, rows: int) -> None:
    """Print a report on dispatch targets, with those that were missed most."""
    told = ", ".join(f"{targets.count(place)} {name}" for place, name in enumerate(VERDICTS))
    output.print_facts(
        {"dispatch": f"{counted(len(targets.target_w), 'target')} of {duid}: {told}"}
    )
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


def _words(name: str) -> str:
    return name.replace("_", " ")
