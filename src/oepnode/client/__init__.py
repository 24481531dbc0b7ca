"""The Python library of aggregators, auditors and analysts: one function owns each journey.

Every function returns a frozen value, prints nothing, and raises one of the error families of
``oepnode.errors``. The command line is built on it. Source: ``docs/python.md``.

Example:
    >>> from oepnode.client import assess_telemetry, load_envelopes, load_telemetry
    >>> telemetry = load_telemetry("telemetry.parquet")                      # doctest: +SKIP
    >>> assess_telemetry(telemetry, load_envelopes("e.json")).conforms       # doctest: +SKIP
"""

from __future__ import annotations

from oepnode.client.boffers.clearing import clear_boffers
from oepnode.client.boffers.comparison import compare_boffers
from oepnode.client.boffers.constraining import check_constrained, constrain_boffers
from oepnode.client.boffers.load import (
    load_accepted,
    load_boffers,
    validate_boffers,
    write_boffers,
)
from oepnode.client.boffers.pictures import draw_constrained, draw_supply_curve
from oepnode.client.boffers.prices import load_prices
from oepnode.client.boffers.selection import BofferChoice
from oepnode.client.boffers.supply_curves import supply_curve
from oepnode.client.edge.assessments import Targets, assess_telemetry
from oepnode.client.edge.envelope_comparison import compare_envelopes
from oepnode.client.edge.envelopes import (
    load_envelopes,
    select_nmi,
    validate_envelopes,
    view_envelopes,
    write_limits,
)
from oepnode.client.edge.forecasts import load_cleared, score_forecast
from oepnode.client.edge.pictures import draw_band, draw_envelope, draw_headroom
from oepnode.client.edge.submissions import (
    load_dispatch,
    load_forecast,
    load_telemetry,
    validate_dispatch,
    validate_forecast,
    validate_telemetry,
)
from oepnode.client.edge.tables import load_portfolio
from oepnode.domain.edge.constraining.limits import DefaultLimits
from oepnode.domain.edge.timeseries.tolerance import Tolerance

__all__ = [
    "BofferChoice",
    "DefaultLimits",
    "Targets",
    "Tolerance",
    "assess_telemetry",
    "check_constrained",
    "clear_boffers",
    "compare_boffers",
    "compare_envelopes",
    "constrain_boffers",
    "draw_band",
    "draw_constrained",
    "draw_envelope",
    "draw_headroom",
    "draw_supply_curve",
    "load_accepted",
    "load_boffers",
    "load_cleared",
    "load_dispatch",
    "load_envelopes",
    "load_forecast",
    "load_portfolio",
    "load_prices",
    "load_telemetry",
    "score_forecast",
    "select_nmi",
    "supply_curve",
    "validate_boffers",
    "validate_dispatch",
    "validate_envelopes",
    "validate_forecast",
    "validate_telemetry",
    "view_envelopes",
    "write_boffers",
    "write_limits",
]
