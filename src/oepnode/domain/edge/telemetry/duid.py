"""Whose data it is: a document of one DUID, and documents that belong together.

Guarantees: rows of another unit are never judged as one's own; which units were found is named in
the rejection. Leaves out NMIs: telemetry of NMIs does not say which DUID they are of.

Source: HLD §4.2.1 (a DUID is an aggregator's whole portfolio), Part C §1.1 (Dispatch Target).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import polars as pl

from oepnode.domain.documents.faults import show_value
from oepnode.errors import DocumentFault, Finding

_MAY_BE_NMI: Final = re.compile(r"[0-9A-HJ-NP-Z]{10,11}", re.ASCII)
_SHOWN: Final = 5


def only(frame: pl.DataFrame, wanted: str | None, what: str) -> tuple[pl.DataFrame, str]:
    """The rows of one DUID, and which it is.

    Args:
        frame: Rows with a column ``duid``.
        wanted: The DUID whose rows are meant; None where the rows are of one.
        what: Name of the document for the rejection.

    Raises:
        DocumentFault: ``duid.mixed`` where none is named and there are several, ``duid.absent``
            where the one that is named has no row.
    """
    names = sorted(frame["duid"].cast(pl.String).unique().to_list())
    if wanted is None:
        if len(names) != 1:
            message = "rows of several DUIDs are not one unit's: say which is meant (HLD §4.2.1)"
            raise DocumentFault(what, [Finding("$.duid", "duid.mixed", message, _all(names))])
        return frame, names[0]
    if wanted not in names:
        message = f"no row is of {_named(wanted)} (HLD §4.2.1)"
        raise DocumentFault(what, [Finding("$.duid", "duid.absent", message, _all(names))])
    return (frame if len(names) == 1 else frame.filter(pl.col("duid") == wanted)), wanted


def check_same(what: str, found: str, expected: str, other: str) -> None:
    """Hold two documents to one DUID.

    Args:
        what: Name of the document that is rejected.
        found: Its DUID.
        expected: DUID of the other document.
        other: Name of the other document.

    Raises:
        DocumentFault: ``duid.mismatch``, naming both.
    """
    if found == expected:
        return
    message = (
        f"a unit is judged by what is its own, and the {other} is of {_named(expected)} (HLD "
        "§4.2.1, Part C §1.1 Dispatch Target)"
    )
    raise DocumentFault(what, [Finding("$.duid", "duid.mismatch", message, _named(found))])


def _all(names: Iterable[str]) -> str:
    shown = [_named(name) for name in names]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _named(duid: str) -> str:
    return show_value(duid) if _MAY_BE_NMI.fullmatch(duid) else duid
