"""Mandatory prices and quantities of Boffers, by step and by kind.

Part C §3.3 prints ``prices`` (field 5.2) and ``bandAvail`` (field 5.3.2) as not mandatory, and
self-dispatch needs neither: in step 2 a fixed load is all there is (HLD §4.4). They are mandatory
where the offer consists of them: in steps 1 and 3, and for sites, whose Boffers have no fixed load.
A quantity in a band always needs a price (HLD §4.6 (4)).

Leaves out their values, which ``json_format`` and ``rules`` check.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from oepnode.domain.edge.boffers.bands import present
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.boffers.participation import ParticipationStep
from oepnode.domain.edge.validation.violation import Violation

_CODE: Final = "field.missing"
_SITE: Final = ("Part C §3.1", "the Boffer of a site offers price/quantity pairs")
_STEPS: Final = {
    ParticipationStep.VISIBILITY: ("HLD §4.3", "step 1 offers price/quantity pairs"),
    ParticipationStep.SCHEDULED: (
        "HLD §4.5",
        "step 3 offers price/quantity pairs, at prices that are locked",
    ),
}


def check_required_fields(day: BofferDay, step: int | None) -> Iterator[Violation]:
    """Yield mandatory prices and quantities that the Boffer lacks.

    Args:
        day: One trading day.
        step: 1, 2 or 3; None checks only rules of every step.
    """
    yield from check_prices(day, step)
    yield from check_quantities(day, step)


def check_prices(day: BofferDay, step: int | None) -> Iterator[Violation]:
    """Check that sites, steps 1 and 3, and bands with a quantity have prices."""
    if day.has_prices or day.is_price_broken:
        return
    required = _required(day, step)
    if required is not None:
        section, reason = required
        yield Violation(_CODE, section, f"{reason}: prices are mandatory there", field="prices")
    elif day.avail.any():
        message = "each band is a price/quantity pair: prices are mandatory with quantities"
        yield Violation(_CODE, "HLD §4.6 (4)", message, field="prices")


def check_quantities(day: BofferDay, step: int | None) -> Iterator[Violation]:
    """Check that sites, step 1, and step 3 without a fixed load have quantities."""
    required = _required(day, step)
    if required is None:
        return
    section, reason = required
    lacks = ~day.states_bands
    if day.kind == "DUID" and step == ParticipationStep.SCHEDULED:
        lacks &= ~present(day.fixed_load, len(lacks))
        reason = "step 3 offers price/quantity pairs or a fixed load"
    for row in np.flatnonzero(lacks).tolist():
        message = f"{reason}: bandAvail is mandatory here"
        yield Violation(_CODE, section, message, row, field="bandAvail")


def _required(day: BofferDay, step: int | None) -> tuple[str, str] | None:
    """Section and reason where price/quantity pairs are mandatory."""
    if day.kind == "NMI":
        return _SITE
    return None if step is None else _STEPS.get(ParticipationStep(step))
