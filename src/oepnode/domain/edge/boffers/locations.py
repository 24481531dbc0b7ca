"""Locations of findings on Boffers, and their severity.

A day of a Boffer knows its path in a JSON document or in a file of rows; rules name its rows, bands
and fields only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from oepnode.domain.edge.boffers import gate_closure, rules
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.edge.validation.violation import Violation

_CAUTIONS: Final = rules.CAUTIONS | gate_closure.CAUTIONS
_COLUMNS: Final = {
    "bandAvail": "avail",
    "bofferSummationLevel": "level",
    "duid": "identity",
    "fixedLoad": "fixed_load",
    "maxAvailGen": "max_avail_gen",
    "maxAvailLoad": "max_avail_load",
    "periodId": "period",
    "submissionDateTime": "submitted_us",
    "tradingDate": "trading_date",
}
"""Names of fields in a file of rows, where they differ."""


def note_all(day: BofferDay, violations: Iterable[Violation], log: FindingLog) -> None:
    """Note each broken rule of a day, as a fault or as a caution."""
    for violation in violations:
        note(path_of(day, violation), violation, log)


def note(path: str, violation: Violation, log: FindingLog) -> None:
    """Note a broken rule at a path."""
    put = log.caution if violation.code in _CAUTIONS else log.business
    put(violation.code, path, violation.section, violation.message, violation.value)


def path_of(day: BofferDay, violation: Violation) -> str:
    """Return the path of a violation in a day."""
    path = day.bid_path if violation.row is None else day.path(violation.row)
    if violation.field == "prices":
        path = day.bid_path
    name = violation.field or ("bandAvail" if violation.band is not None else "")
    path = field_path(day, path, name) if name else path
    return path if violation.band is None else f"{path}[{violation.band - 1}]"


def field_path(day: BofferDay, path: str, name: str) -> str:
    """Return a field's path, by the name that it has in JSON or in a file of rows."""
    return f"{path}.{_COLUMNS.get(name, name) if day.is_rows else name}"
