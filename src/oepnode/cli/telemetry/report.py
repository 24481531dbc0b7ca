"""What ``oepnode telemetry conformance`` prints: facts for JSON, tables and the verdict.

Prints NMIs, to whoever has the telemetry already.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rich.text import Text

from oepnode.cli import output
from oepnode.cli.cells import figure, kilo
from oepnode.cli.output import LEVEL_NAMES
from oepnode.domain.edge.conformance import (
    COUNTS,
    NO_HEADROOM,
    VERDICTS,
    DispatchConformance,
    EnvelopeConformance,
)
from oepnode.domain.nem_time import INTERVAL_S, format_nem

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


def verdict(conforms: bool | None, reports: list[EnvelopeConformance]) -> str:
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


def print_level(report: EnvelopeConformance, rows: int) -> None:
    """Print a report on one application level, with its worst NMIs."""
    facts = level_facts(report)
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


def print_targets(targets: DispatchConformance, duid: str, rows: int) -> None:
    """Print a report on dispatch targets, with those that were missed most."""
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
