"""The Python library of aggregators, auditors and analysts: one function owns each journey.

Every function returns a frozen value, prints nothing, and raises one of the error families of
``oepnode.errors``. The command line is built on it. Source: ``docs/python.md``.

Example:
    >>> from oepnode.client import ChainTarget, RoundSelector, verify_bundle    # doctest: +SKIP
    >>> chain = ChainTarget("http://localhost:8545", "0x5fbd…")                 # doctest: +SKIP
    >>> bundle = verify_bundle("round-3.oepb", "A1.json", RoundSelector(chain)) # doctest: +SKIP
    >>> telemetry = load_telemetry("telemetry.parquet")                         # doctest: +SKIP
    >>> assess_telemetry(telemetry, load_envelopes("e.json")).conforms          # doctest: +SKIP
"""

from __future__ import annotations

from oepnode.client.answers import to_json
from oepnode.client.audits import (
    ArchivedInputs,
    EndReport,
    EquivocationReport,
    InputFiles,
    MemberReport,
    OpeningNotFoundError,
    ReplayReport,
    RevealReport,
    RoundAudit,
    SiteCounts,
    audit_round,
    replay_round,
)
from oepnode.client.bundles import (
    Attempt,
    BundleCheck,
    BundleReport,
    FailedCheck,
    FetchedBundle,
    bundle_limits,
    check_bundle,
    fetch_bundle,
    verify_bundle,
)
from oepnode.client.chain import ChainNotNamedError, ChainTarget
from oepnode.client.edge.assessments import assess_telemetry
from oepnode.client.edge.boffers.clearing import clear_boffers
from oepnode.client.edge.boffers.comparison import compare_boffers
from oepnode.client.edge.boffers.constraining import (
    check_constrained,
    constrain_boffers,
    write_constrained,
)
from oepnode.client.edge.boffers.load import (
    load_accepted,
    load_boffers,
    validate_boffers,
    write_boffers,
)
from oepnode.client.edge.boffers.pictures import draw_constrained, draw_supply_curve
from oepnode.client.edge.boffers.prices import load_prices
from oepnode.client.edge.boffers.selection import BofferChoice
from oepnode.client.edge.boffers.supply_curves import supply_curve
from oepnode.client.edge.envelope_comparison import compare_envelopes
from oepnode.client.edge.envelopes import (
    load_both_envelopes,
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
from oepnode.client.edge.targets import Targets
from oepnode.client.keys import AggregatorIdError, KeyFileError, KeyPair, create_key_pair
from oepnode.client.proofs import (
    CutProof,
    SiteCheck,
    SiteReport,
    check_site_proof,
    cut_site_proof,
    site_limits,
    verify_site_proof,
)
from oepnode.client.rounds import (
    FinalRound,
    RoundNotNamedError,
    RoundReport,
    RoundSelector,
    RoundStateError,
    final_round,
    list_rounds,
)
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.quantities import DefaultLimits, Feed
from oepnode.domain.rounds.bundle import BundleError, VerifiedBundle
from oepnode.domain.rounds.site_proof import SiteProofError, VerifiedSite

__all__ = [
    "AggregatorIdError",
    "ArchivedInputs",
    "Attempt",
    "BofferChoice",
    "BundleCheck",
    "BundleError",
    "BundleReport",
    "ChainNotNamedError",
    "ChainTarget",
    "CutProof",
    "DefaultLimits",
    "EndReport",
    "EquivocationReport",
    "FailedCheck",
    "Feed",
    "FetchedBundle",
    "FinalRound",
    "InputFiles",
    "KeyFileError",
    "KeyPair",
    "MemberReport",
    "OpeningNotFoundError",
    "ReplayReport",
    "RevealReport",
    "RoundAudit",
    "RoundNotNamedError",
    "RoundReport",
    "RoundSelector",
    "RoundStateError",
    "SiteCheck",
    "SiteCounts",
    "SiteProofError",
    "SiteReport",
    "Targets",
    "Tolerance",
    "VerifiedBundle",
    "VerifiedSite",
    "assess_telemetry",
    "audit_round",
    "bundle_limits",
    "check_bundle",
    "check_constrained",
    "check_site_proof",
    "clear_boffers",
    "compare_boffers",
    "compare_envelopes",
    "constrain_boffers",
    "create_key_pair",
    "cut_site_proof",
    "draw_band",
    "draw_constrained",
    "draw_envelope",
    "draw_headroom",
    "draw_supply_curve",
    "fetch_bundle",
    "final_round",
    "list_rounds",
    "load_accepted",
    "load_boffers",
    "load_both_envelopes",
    "load_cleared",
    "load_dispatch",
    "load_envelopes",
    "load_forecast",
    "load_portfolio",
    "load_prices",
    "load_telemetry",
    "replay_round",
    "score_forecast",
    "select_nmi",
    "site_limits",
    "supply_curve",
    "to_json",
    "validate_boffers",
    "validate_dispatch",
    "validate_envelopes",
    "validate_forecast",
    "validate_telemetry",
    "verify_bundle",
    "verify_site_proof",
    "view_envelopes",
    "write_boffers",
    "write_constrained",
    "write_limits",
]
