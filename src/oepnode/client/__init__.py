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
    EndReport,
    EquivocationReport,
    MemberReport,
    OpeningNotFoundError,
    RevealReport,
    RoundAudit,
    audit_round,
)
from oepnode.client.bundles import (
    BundleCheck,
    BundleReport,
    FailedCheck,
    bundle_limits,
    check_bundle,
    check_partition,
    verify_bundle,
)
from oepnode.client.certificates import (
    CertificateReport,
    CertifiedRound,
    KnownElectorate,
    OperatorsNotNamedError,
    StatedFacts,
    verify_certificate,
)
from oepnode.client.certifying import WrittenCertificate, certify_round
from oepnode.client.chain import ChainNotNamedError, ChainTarget
from oepnode.client.conversion import ConvertedDocument, convert_document
from oepnode.client.edge.assessments import Assessment, AssessmentReport, assess_telemetry
from oepnode.client.edge.boffers.clearing import (
    ClearedBoffers,
    ClearedOffer,
    ClearingReport,
    clear_boffers,
)
from oepnode.client.edge.boffers.comparison import (
    BofferChange,
    BofferComparison,
    BothTransactions,
    compare_boffers,
)
from oepnode.client.edge.boffers.constraining import (
    ConstrainedBoffers,
    ConstrainedOffer,
    ConstrainingReport,
    EnvelopeOrigin,
    check_constrained,
    constrain_boffers,
    write_constrained,
)
from oepnode.client.edge.boffers.load import (
    LoadedBoffers,
    NoBofferError,
    RulesRejectedError,
    SeveralBoffersError,
    SkippedBoffer,
    TransactionReport,
    load_accepted,
    load_boffers,
    validate_boffers,
    write_boffers,
)
from oepnode.client.edge.boffers.pictures import draw_constrained, draw_supply_curve
from oepnode.client.edge.boffers.prices import load_prices
from oepnode.client.edge.boffers.selection import BofferChoice, Offerer
from oepnode.client.edge.boffers.supply_curves import (
    ClearedAt,
    CurveReport,
    StepReport,
    SupplyCurve,
    supply_curve,
)
from oepnode.client.edge.coverage import CoverageReport
from oepnode.client.edge.envelope_comparison import (
    ComparisonTotal,
    EnvelopeComparison,
    SiteDay,
    compare_envelopes,
)
from oepnode.client.edge.envelopes import (
    EnvelopeFormError,
    EnvelopeView,
    KeyMissingError,
    KeyNotUsedError,
    LimitRange,
    LoadedEnvelopes,
    SiteEnvelope,
    load_both_envelopes,
    load_envelopes,
    select_nmi,
    validate_envelopes,
    view_envelopes,
    write_limits,
)
from oepnode.client.edge.forecasts import (
    ClearedQuantities,
    ForecastScore,
    NotClearedQuantitiesError,
    ScoreReport,
    load_cleared,
    score_forecast,
)
from oepnode.client.edge.levels import LevelAssessment, ToleranceReport, worst_breaches, worst_sites
from oepnode.client.edge.pictures import draw_band, draw_envelope, draw_headroom
from oepnode.client.edge.rounds_in_force import (
    InForceReport,
    LimitsInForce,
    RoundSpan,
    load_limits_in_force,
)
from oepnode.client.edge.submissions import (
    Submission,
    load_dispatch,
    load_forecast,
    load_telemetry,
    validate_dispatch,
    validate_forecast,
    validate_telemetry,
)
from oepnode.client.edge.tables import load_portfolio
from oepnode.client.edge.targets import (
    NoTargetsInStepError,
    TargetAssessment,
    Targets,
    worst_targets,
)
from oepnode.client.fetching import Attempt, FetchedBundle, FetchPolicy, fetch_bundle
from oepnode.client.grants import GrantListReport, GrantSources, SignerNotNamedError
from oepnode.client.keys import (
    AggregatorIdError,
    KeyFileError,
    KeyPair,
    create_key_pair,
    load_key_pair,
)
from oepnode.client.limit_files import write_bundle_limits
from oepnode.client.proofs import (
    CutProof,
    CutProofs,
    SiteCheck,
    SiteReport,
    check_site_proof,
    cut_all_site_proofs,
    cut_site_proof,
    site_limits,
    verify_site_proof,
)
from oepnode.client.replays import (
    ArchivedInputs,
    CustodyReport,
    InputFiles,
    InputSource,
    ReplayReport,
    SiteCounts,
    replay_round,
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
from oepnode.client.tokens import (
    ReceivedTokens,
    TokensMissingError,
    TokensNotUsedError,
    TokenSource,
    get_token_list,
    load_token_list,
)
from oepnode.domain.edge.boffers.rules import Capacity, Market
from oepnode.domain.edge.boffers.validate import Context
from oepnode.domain.edge.constraining.constrain import PortfolioUnknownError, PostEnvelopeError
from oepnode.domain.edge.constraining.limits import LevelMismatchError, MissingLimitError
from oepnode.domain.edge.envelopes.publication import DocumentFacts
from oepnode.domain.edge.telemetry.duid import SeveralDuidsError
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.edge.validation.acknowledgement import (
    Acknowledgement,
    AcknowledgementReport,
    FindingReport,
    ValidationReport,
    ValidationResult,
)
from oepnode.domain.nem.choices import Level, Timing
from oepnode.domain.nem.quantities import DefaultLimits, Feed
from oepnode.domain.rounds.bundle import BundleError, VerifiedBundle, VerifiedPartition
from oepnode.domain.rounds.certificate import CertificateFault
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.domain.rounds.site_proof import SiteProofError, VerifiedSite
from oepnode.domain.rounds.token_list import TokenList, TokenListError

__all__ = [
    "Acknowledgement",
    "AcknowledgementReport",
    "AggregatorIdError",
    "ArchivedInputs",
    "Assessment",
    "AssessmentReport",
    "Attempt",
    "BofferChange",
    "BofferChoice",
    "BofferComparison",
    "BothTransactions",
    "BundleCheck",
    "BundleError",
    "BundleReport",
    "Capacity",
    "CertificateFault",
    "CertificateReport",
    "CertifiedRound",
    "ChainNotNamedError",
    "ChainTarget",
    "ClearedAt",
    "ClearedBoffers",
    "ClearedOffer",
    "ClearedQuantities",
    "ClearingReport",
    "ComparisonTotal",
    "ConstrainedBoffers",
    "ConstrainedOffer",
    "ConstrainingReport",
    "Context",
    "ConvertedDocument",
    "CoverageReport",
    "CurveReport",
    "CustodyReport",
    "CutProof",
    "CutProofs",
    "DefaultLimits",
    "DocumentFacts",
    "EndReport",
    "EnvelopeComparison",
    "EnvelopeFormError",
    "EnvelopeOrigin",
    "EnvelopeView",
    "EquivocationReport",
    "FailedCheck",
    "Feed",
    "FetchPolicy",
    "FetchedBundle",
    "FinalRound",
    "FindingReport",
    "ForecastScore",
    "GrantListReport",
    "GrantSources",
    "InForceReport",
    "InputFiles",
    "InputSource",
    "KeyFileError",
    "KeyKind",
    "KeyMissingError",
    "KeyNotUsedError",
    "KeyPair",
    "KnownElectorate",
    "Level",
    "LevelAssessment",
    "LevelMismatchError",
    "LimitRange",
    "LimitsInForce",
    "LoadedBoffers",
    "LoadedEnvelopes",
    "Market",
    "MemberReport",
    "MissingLimitError",
    "NoBofferError",
    "NoTargetsInStepError",
    "NotClearedQuantitiesError",
    "Offerer",
    "OpeningNotFoundError",
    "OperatorsNotNamedError",
    "PortfolioUnknownError",
    "PostEnvelopeError",
    "ReceivedTokens",
    "ReplayReport",
    "RevealReport",
    "RoundAudit",
    "RoundNotNamedError",
    "RoundReport",
    "RoundSelector",
    "RoundSpan",
    "RoundStateError",
    "RulesRejectedError",
    "ScoreReport",
    "SeveralBoffersError",
    "SeveralDuidsError",
    "SignerNotNamedError",
    "SiteCheck",
    "SiteCounts",
    "SiteDay",
    "SiteEnvelope",
    "SiteProofError",
    "SiteReport",
    "SkippedBoffer",
    "StatedFacts",
    "StepReport",
    "Submission",
    "SupplyCurve",
    "TargetAssessment",
    "Targets",
    "Timing",
    "TokenList",
    "TokenListError",
    "TokenSource",
    "TokensMissingError",
    "TokensNotUsedError",
    "Tolerance",
    "ToleranceReport",
    "TransactionReport",
    "ValidationReport",
    "ValidationResult",
    "VerifiedBundle",
    "VerifiedPartition",
    "VerifiedSite",
    "WrittenCertificate",
    "assess_telemetry",
    "audit_round",
    "bundle_limits",
    "certify_round",
    "check_bundle",
    "check_constrained",
    "check_partition",
    "check_site_proof",
    "clear_boffers",
    "compare_boffers",
    "compare_envelopes",
    "constrain_boffers",
    "convert_document",
    "create_key_pair",
    "cut_all_site_proofs",
    "cut_site_proof",
    "draw_band",
    "draw_constrained",
    "draw_envelope",
    "draw_headroom",
    "draw_supply_curve",
    "fetch_bundle",
    "final_round",
    "get_token_list",
    "list_rounds",
    "load_accepted",
    "load_boffers",
    "load_both_envelopes",
    "load_cleared",
    "load_dispatch",
    "load_envelopes",
    "load_forecast",
    "load_key_pair",
    "load_limits_in_force",
    "load_portfolio",
    "load_prices",
    "load_telemetry",
    "load_token_list",
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
    "verify_certificate",
    "verify_site_proof",
    "view_envelopes",
    "worst_breaches",
    "worst_sites",
    "worst_targets",
    "write_boffers",
    "write_bundle_limits",
    "write_constrained",
    "write_limits",
]
