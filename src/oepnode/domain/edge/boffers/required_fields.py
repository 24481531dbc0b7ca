"""Whether a Boffer states the prices and quantities that are asked of it.

Part C §3.3 prints ``prices`` (field 5.2) and ``bandAvail`` (field 5.3.2) as not mandatory, and who
dispatches itself needs neither: in step 2 a fixed load is all there is (HLD §4.4). They are asked
for where the offer is made of them: in steps 1 and 3, and of sites, whose Boffers know no fixed
load. A quantity in a band is never without a price (HLD §4.6 (4)).

Leaves out what they have to be, which are the form's rules and those of ``boffer_rules``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.boffers.participation import ParticipationStep
from oepnode.domain.edge.clearing.clear import present
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


def check_stated(day: BofferDay, step: int | None) -> Iterator[Violation]:
    """Prices and quantities that the Boffer lacks and should have.

    Args:
        day: One trading day.
        step: 1, 2 or 3; None asks for what goes without a step.
    """
    yield from check_prices(day, step)
    yield from check_quantities(day, step)


def check_prices(day: BofferDay, step: int | None) -> Iterator[Violation]:
    """Prices are stated by sites, in steps 1 and 3, and where a band holds a quantity."""
    if day.has_prices or day.is_price_broken:
        return
    asked = _asked(day, step)
    if asked is not None:
        section, why = asked
        yield Violation(_CODE, section, f"{why}: prices are mandatory there", field="prices")
    elif day.avail.any():
        message = "each band is a price/quantity pair: prices are mandatory beside quantities"
        yield Violation(_CODE, "HLD §4.6 (4)", message, field="prices")


def check_quantities(day: BofferDay, step: int | None) -> Iterator[Violation]:
    """Quantities are stated by sites, in step 1, and in step 3 where there is no fixed load."""
    asked = _asked(day, step)
    if asked is None:
        return
    section, why = asked
    lacks = ~day.states_bands
    if day.kind == "DUID" and step == ParticipationStep.SCHEDULED:
        lacks &= ~present(day.fixed_load, len(lacks))
        why = "step 3 offers price/quantity pairs or a fixed load"
    for row in np.flatnonzero(lacks).tolist():
        yield Violation(
            _CODE, section, f"{why}: bandAvail is mandatory here", row, field="bandAvail"
        )


def _asked(day: BofferDay, step: int | None) -> tuple[str, str] | None:
    """Section and reason where price/quantity pairs are asked for."""
    if day.kind == "NMI":
        return _SITE
    return None if step is None else _STEPS.get(ParticipationStep(step))
