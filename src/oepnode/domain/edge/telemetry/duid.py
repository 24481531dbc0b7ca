"""Selects the rows of one DUID, and checks that documents are of the same one.

Guarantees: rows of another unit are never taken for those of the chosen one; a rejection names the
units of the document. Leaves out NMIs: telemetry of NMIs does not state their DUID.

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


class SeveralDuidsError(DocumentFault):
    """The rows are of several DUIDs, and none is chosen."""


def only(frame: pl.DataFrame, chosen: str | None, what: str) -> tuple[pl.DataFrame, str]:
    """Return the rows of one DUID, and its name.

    Args:
        frame: Rows with a column ``duid``.
        chosen: The DUID; None where all rows must be of one.
        what: Name of the document for the rejection.

    Raises:
        SeveralDuidsError: ``duid.mixed``, for several DUIDs where none is chosen.
        DocumentFault: ``duid.absent``, where the one that is chosen has no row.
    """
    names = sorted(frame["duid"].cast(pl.String).unique().to_list())
    if chosen is None:
        if len(names) != 1:
            message = "the rows are of several DUIDs: choose one (HLD §4.2.1)"
            raise SeveralDuidsError(what, [Finding("$.duid", "duid.mixed", message, _all(names))])
        return frame, names[0]
    if chosen not in names:
        message = f"no row is of DUID {_named(chosen)} (HLD §4.2.1)"
        raise DocumentFault(what, [Finding("$.duid", "duid.absent", message, _all(names))])
    return (frame if len(names) == 1 else frame.filter(pl.col("duid") == chosen)), chosen


def check_same(what: str, duid: str, expected: str, other: str) -> None:
    """Check that two documents are of the same DUID.

    Args:
        what: Name of the document that is rejected.
        duid: Its DUID.
        expected: DUID of the other document.
        other: Name of the other document.

    Raises:
        DocumentFault: ``duid.mismatch``, naming both.
    """
    if duid == expected:
        return
    message = (
        f"both must be of the same DUID, and the {other} is of {_named(expected)} (HLD §4.2.1, "
        "Part C §1.1 Dispatch Target)"
    )
    raise DocumentFault(what, [Finding("$.duid", "duid.mismatch", message, _named(duid))])


def _all(names: Iterable[str]) -> str:
    texts = [_named(name) for name in names]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def _named(duid: str) -> str:
    return show_value(duid) if _MAY_BE_NMI.fullmatch(duid) else duid
