"""The rules of conformance once more, as a plain loop over rows: slow, short and obvious.

The benchmark compares the columnar code with it, and the tests check the columnar code against its
results. Nothing here is shared with ``oepnode.domain.edge`` but the shape of the input.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Limits = tuple[int | None, int | None]


@dataclass
class Published:
    """Envelopes of one level.

    ``versions``: per NMI and interval start, (submitted µs or None, export, import).
    """

    start: int
    end: int
    versions: dict[tuple[str, int], list[tuple[int | None, int | None, int | None]]]

    @property
    def nmis(self) -> set[str]:
        """All NMIs with an envelope."""
        return {nmi for nmi, _ in self.versions}


@dataclass
class Outcome:
    """Results of the loop, keyed by NMI or by (NMI, interval start)."""

    counts: dict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )
    headroom: dict[tuple[str, int], int] = field(default_factory=dict)
    breaches: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    beyond: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    worst: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    foreign: int = 0
    outside: int = 0


def check(
    rows: Iterable[Mapping[str, Any]],
    published: Published,
    *,
    other_level: Published | None = None,
    flex: bool = False,
    watts: int = 0,
    permille: int = 0,
    default_export: int | None = None,
    default_import: int | None = None,
) -> Outcome:
    """Assess telemetry row by row; ``other_level`` is the other level's envelopes."""
    outcome = Outcome()
    nmis = published.nmis
    envelopes = {key: _Cell(key[1], versions) for key, versions in published.versions.items()}
    others = {
        key: _Cell(key[1], versions)
        for key, versions in (other_level.versions if other_level else {}).items()
    }
    knows = any(cell.force is not None for cell in envelopes.values())
    nothing = _Cell(0, [])
    once, doubled = _by_minute(rows)
    for (nmi, minute), row in once.items():
        times = len(doubled.get((nmi, minute), ())) or 1
        if nmi not in nmis:
            outcome.foreign += times
            continue
        if not published.start < minute <= published.end:
            outcome.outside += times
            continue
        counts = outcome.counts[nmi]
        counts["readings"] += times
        if times > 1:
            counts["duplicates"] += times - 1
            settled = _settle(doubled[nmi, minute])
            if settled is None:
                counts["conflicting"] += 1
                continue
            row = settled  # noqa: PLW2901
        start = (minute - 1) // 300 * 300
        export, import_ = envelopes.get((nmi, start), nothing).applied(row, knows, counts)
        stated = (row["export_limit_w"], row["import_limit_w"])
        if (export is not None and stated[0] != export) or (
            import_ is not None and stated[1] != import_
        ):
            other = others.get((nmi, start), nothing).limits(row["envelope_submitted_us"])
            if other == (None, None) or any(
                limit not in {None, claimed} for limit, claimed in zip(other, stated, strict=True)
            ):
                counts["wrong_limits_stated"] += 1
        if export is None or import_ is None:
            counts["defaulted"] += 1
            if export is None:
                export = stated[0] if default_export is None else default_export
            if import_ is None:
                import_ = stated[1] if default_import is None else default_import
        if flex:
            flow = row["controlled_generation_w"] + row["controlled_load_w"]
        else:
            flow = row["active_power_w"]
        _assess(outcome, nmi, start, flow, (export, import_), (watts, permille))
    return outcome


def _by_minute(
    rows: Iterable[Mapping[str, Any]],
) -> tuple[
    dict[tuple[str, int], Mapping[str, Any]], dict[tuple[str, int], list[Mapping[str, Any]]]
]:
    """The first row of each NMI and minute, and all of those that occur more than once."""
    once: dict[tuple[str, int], Mapping[str, Any]] = {}
    doubled: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = (row["nmi"], row["minute"])
        first = once.setdefault(key, row)
        if first is not row:
            doubled.setdefault(key, [first]).append(row)
    return once, doubled


def _settle(rows: list[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The row that counts of several for one minute: the latest submission; None in a conflict."""
    times = [row.get("submitted_us") for row in rows]
    if None not in times:
        latest = max(time for time in times if time is not None)
        rows = [row for row in rows if row["submitted_us"] == latest]
    bare = [{name: row[name] for name in row if name != "submitted_us"} for row in rows]
    return rows[0] if all(row == bare[0] for row in bare) else None


def _assess(
    outcome: Outcome, nmi: str, start: int, flow: int, limits: Limits, tolerance: tuple[int, int]
) -> None:
    export, import_ = limits
    if export is None and import_ is None:
        outcome.counts[nmi]["unlimited"] += 1
        return
    least: int | None = None
    for name, limit, sign in (("export_minutes", export, 1), ("import_minutes", import_, -1)):
        if limit is None:
            continue
        room = sign * (limit - flow)
        least = room if least is None or room < least else least
        if -room > max(tolerance[0], abs(limit) * tolerance[1] // 1000):
            outcome.counts[nmi][name] += 1
            outcome.breaches[nmi, start] += 1
            outcome.beyond[nmi] -= room
            outcome.worst[nmi, name] = max(outcome.worst[nmi, name], -room)
    key = (nmi, start)
    if least is not None and (key not in outcome.headroom or least < outcome.headroom[key]):
        outcome.headroom[key] = least


class _Cell:
    """Publications for one NMI and interval, by submission."""

    __slots__ = ("by_time", "force", "last_limits")

    def __init__(
        self, start: int, versions: list[tuple[int | None, int | None, int | None]]
    ) -> None:
        timed = sorted((v for v in versions if v[0] is not None), key=lambda v: v[0] or 0)
        in_time = [v for v in timed if (v[0] or 0) <= start * 1_000_000]
        self.by_time = {v[0]: (v[1], v[2]) for v in timed}
        self.force = (in_time[-1] if in_time else timed[0])[0] if timed else None
        self.last_limits: Limits = versions[-1][1:] if versions else (None, None)

    def applied(self, row: Mapping[str, Any], knows: bool, counts: dict[str, int]) -> Limits:
        """Export and import limit of the envelope that was applied."""
        stated = row["envelope_submitted_us"]
        if self.force is None:
            if stated is not None and knows:
                counts["unknown_envelope"] += 1
            return self.last_limits
        if stated is None:
            counts["no_envelope_stated"] += 1
            return self.by_time[self.force]
        limits = self.by_time.get(stated)
        if limits is None:
            counts["unknown_envelope"] += 1
            return self.by_time[self.force]
        if stated < self.force:
            counts["superseded_envelope"] += 1
        if stated > row["minute"] * 1_000_000:
            counts["future_envelope"] += 1
        return limits

    def limits(self, stated: int | None) -> Limits:
        """Export and import limit of the submission that is stated, or else of the one in force."""
        if self.force is None:
            return self.last_limits
        return self.by_time.get(stated, self.by_time[self.force])


# --- validation ----------------------------------------------------------------------------------

_NMI = frozenset("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ")
_AT_LEAST_0 = ("controlled_generation_w", "energy_stored_wh", "export_limit_w")
_AT_MOST_0 = ("controlled_load_w", "import_limit_w")
_REQUIRED = ("active_power_w", *_AT_LEAST_0, *_AT_MOST_0)
_OPTIONAL = ("reactive_export_limit_var", "reactive_import_limit_var")


def validate(rows: Iterable[Mapping[str, Any]], day_start: int) -> dict[str, int]:
    """Count broken rules of Part C §4.3 and of time, row by row.

    Args:
        rows: Telemetry of NMIs in the document's order.
        day_start: 04:00 of the trading day that each NMI should cover, UTC seconds.
    """
    outcome: dict[str, int] = defaultdict(int)
    last: dict[str, int] = {}
    seen: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        nmi, minute = row["nmi"], row["minute"]
        _validate_form(row, outcome)
        submitted, envelope = row["submitted_us"], row["envelope_submitted_us"]
        if submitted is not None and submitted < minute * 1_000_000:
            outcome["submitted_early"] += 1
        if envelope is not None and envelope > minute * 1_000_000:
            outcome["envelope_later"] += 1
        if not day_start < minute <= day_start + 86_400:
            outcome["outside"] += 1
        if minute in seen[nmi]:
            outcome["duplicate"] += 1
        elif minute < last.get(nmi, minute):
            outcome["jump"] += 1
        seen[nmi].add(minute)
        last[nmi] = minute
    for minutes in seen.values():
        inside = sum(1 for minute in minutes if day_start < minute <= day_start + 86_400)
        outcome["missing"] += 1440 - inside
    return {rule: count for rule, count in outcome.items() if count}


def _validate_form(row: Mapping[str, Any], outcome: dict[str, int]) -> None:
    nmi = row["nmi"]
    if len(nmi) != 10 or not _NMI.issuperset(nmi):
        outcome["nmi"] += 1
    if row["minute"] % 60:
        outcome["grid"] += 1
    for name in _REQUIRED:
        value = row[name]
        if value is None or not -(2**31) < value < 2**31:
            outcome["form"] += 1
        elif (name in _AT_LEAST_0 and value < 0) or (name in _AT_MOST_0 and value > 0):
            outcome["sign"] += 1
    for name in _OPTIONAL:
        value = row[name]
        if value is not None and not -(2**31) < value < 2**31:
            outcome["form"] += 1
