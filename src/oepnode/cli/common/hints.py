"""The option that settles an error of the client, which itself knows no options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from oepnode.client.edge.boffers.load import NoBofferError, RulesRejectedError, SeveralBoffersError
from oepnode.client.edge.envelopes import KeyMissingError, KeyNotUsedError
from oepnode.domain.edge.constraining.constrain import PortfolioUnknownError, PostEnvelopeError
from oepnode.domain.edge.constraining.limits import MissingLimitError
from oepnode.errors import ConfigError, OepError

EDGE_HINTS: Final[dict[type[OepError], str]] = {}

HINTS: Final[dict[type[Exception], str]] = {
    KeyMissingError: "name your key file with --key",
    KeyNotUsedError: "leave out --key",
    PortfolioUnknownError: "name the file of its NMIs with --portfolio",
    PostEnvelopeError: "--post-envelopes allows it",
    MissingLimitError: "state a default with --default-export-kw and --default-import-kw, or leave "
    "intervals beyond the envelopes as they are with --covered",
    NoBofferError: "change --duid, --nmi, --level or --date",
    SeveralBoffersError: "choose one with --duid, --nmi, --level or --date",
}
"""Error → change that the user can make."""


@contextmanager
def option_hints() -> Iterator[None]:
    """Add the option to errors of the client that an option settles.

    Raises:
        ConfigError: For an error of `HINTS`.
    """
    from oepnode.cli.common import output

    try:
        yield
    except RulesRejectedError as exc:
        output.note(
            f"{exc.name}: {exc.reason}; nothing is computed or written (--skip-rejected goes on "
            "without what is rejected, --allow-rejected with it)"
        )
        raise
    except tuple(HINTS) as exc:
        hint = next(hint for kind, hint in HINTS.items() if isinstance(exc, kind))
        raise ConfigError(f"{exc}: {hint}") from exc
