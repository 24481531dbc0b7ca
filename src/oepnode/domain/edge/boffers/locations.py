"""Where a finding on a Boffer stands, and on which pile it goes.

A day of a Boffer knows its place in a JSON document or in a file of rows; rules speak of its rows,
bands and fields only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from oepnode.domain.edge.boffers import gate_closure as gate
from oepnode.domain.edge.boffers import rules as boffer_rules
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.edge.validation.violation import Violation

_CAUTIONS: Final = boffer_rules.CAUTIONS | gate.CAUTIONS
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


def file_all(day: BofferDay, found: Iterable[Violation], log: FindingLog) -> None:
    """Note each broken rule of a day, as a fault or as a caution."""
    for broken in found:
        put(place_of(day, broken), broken, log)


def put(path: str, broken: Violation, log: FindingLog) -> None:
    """Note a broken rule at a place."""
    note = log.caution if broken.code in _CAUTIONS else log.business
    note(broken.code, path, broken.section, broken.message, broken.value)


def place_of(day: BofferDay, broken: Violation) -> str:
    """The place of what a rule found in a day."""
    path = day.bid_path if broken.row is None else day.path(broken.row)
    if broken.field == "prices":
        path = day.bid_path
    name = broken.field or ("bandAvail" if broken.band is not None else "")
    path = field_place(day, path, name) if name else path
    return path if broken.band is None else f"{path}[{broken.band - 1}]"


def field_place(day: BofferDay, path: str, name: str) -> str:
    """A field's place, by the name that it has in JSON or in a file of rows."""
    return f"{path}.{_COLUMNS.get(name, name) if day.is_rows else name}"
