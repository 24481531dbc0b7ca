"""Options and commands that settle an error of the client, which itself knows no command line."""

from __future__ import annotations

from typing import Final

from oepnode.client import (
    MissingLimitError,
    PortfolioUnknownError,
    PostEnvelopeError,
    SeveralDuidsError,
)
from oepnode.client.edge.boffers.load import NoBofferError, SeveralBoffersError
from oepnode.client.edge.envelopes import EnvelopeFormError, KeyMissingError, KeyNotUsedError
from oepnode.client.edge.forecasts import NotClearedQuantitiesError
from oepnode.client.edge.targets import NoTargetsInStepError
from oepnode.errors import OepError

EDGE_HINTS: Final[dict[type[OepError], str]] = {
    EnvelopeFormError: "a bundle is from 'aggregator fetch'",
    KeyMissingError: "name your key file with --key",
    KeyNotUsedError: "leave out --key",
    MissingLimitError: "state a default with --default-export-kw and --default-import-kw, or leave "
    "intervals beyond the envelopes as they are with --covered",
    NoBofferError: "change --duid, --nmi, --level or --date",
    NoTargetsInStepError: "change --step, or see 'forecast accuracy', the report of step 1",
    NotClearedQuantitiesError: "'boffer clear --out' writes them",
    PortfolioUnknownError: "name the file of its NMIs with --portfolio",
    PostEnvelopeError: "--post-envelopes allows it",
    SeveralBoffersError: "choose one with --duid, --nmi, --level or --date",
    SeveralDuidsError: "choose one with --duid",
}
"""Error → change that the user can make."""
