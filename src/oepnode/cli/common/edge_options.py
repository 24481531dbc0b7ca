"""Options that the commands of the EDGE datasets share, and their values."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import Struct

from oepnode.client import DefaultLimits, Feed, Tolerance
from oepnode.client.chain import ChainTarget
from oepnode.client.edge.envelopes import LoadedEnvelopes, load_envelopes
from oepnode.client.rounds import RoundSelector
from oepnode.client.values import parse_amount, parse_date, parse_nmi
from oepnode.domain.nem.quantities import KW, ImportSign, Profile
from oepnode.errors import ConfigError

_MAX_W: Final = 2**31 - 1
_FUZZ: Final = 1e-9
"""How far ten times a percentage may be from a whole number: binary fractions."""


# --- files ---------------------------------------------------------------------------------------

SUBMISSION_FORMS: Final = "JSON or NDJSON, a Parquet file, or a folder of Parquet files."
TelemetryFile = Annotated[Path, typer.Argument(metavar="TELEMETRY", help=SUBMISSION_FORMS)]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", help="File for the picture, .svg or .png.")
]
TableOutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Also write every row to this file, .csv or .parquet."),
]

# --- envelopes -----------------------------------------------------------------------------------

EnvelopeOption = Annotated[
    Path,
    typer.Option(
        "--envelope",
        help="Envelopes: a document (JSON, NDJSON), limits from 'aggregator verify' (Parquet, "
        "CSV), or your bundle from 'aggregator fetch' with --key.",
    ),
]
EnvelopeKeyOption = Annotated[
    Path | None, typer.Option("--key", help="Your key file, where the envelopes are a bundle.")
]
EnvelopeTokensOption = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        help="Your token list, where the bundle is of a blind round: a file from 'aggregator "
        "tokens', or the NMI registry's URL.",
    ),
]
ProfileOption = Annotated[
    Profile, typer.Option("--profile", help="wide, or edge: Decimal(4,2) as Part C has it.")
]
ImportSignOption = Annotated[
    ImportSign,
    typer.Option("--import-sign", help="canonical (imports ≤ 0) or magnitude (written ≥ 0)."),
]
DefaultExportOption = Annotated[
    str | None,
    typer.Option("--default-export-kw", help="Export limit of a site where none is published, kW."),
]
DefaultImportOption = Annotated[
    str | None,
    typer.Option("--default-import-kw", help="Likewise for imports, kW ≤ 0, as -5."),
]

# --- selection -----------------------------------------------------------------------------------

DuidOption = Annotated[
    str | None,
    typer.Option(
        "--duid",
        help="DUID whose targets and DUID telemetry are used; others are left out. Default: the "
        "one that the files are of.",
    ),
]
DateOption = Annotated[
    str | None,
    typer.Option(
        "--date",
        help="Trading day (yyyy-mm-dd) to be covered completely: gaps at its ends count as well.",
    ),
]

# --- tolerance -----------------------------------------------------------------------------------


def _to_one_decimal(percent: float) -> float:
    permille = percent * 10
    if not math.isfinite(percent) or abs(permille - round(permille)) > _FUZZ:
        raise typer.BadParameter("a percentage has at most one decimal, as 2.5")
    return percent


ToleranceWOption = Annotated[
    int, typer.Option("--tolerance-w", min=0, max=_MAX_W, help="Tolerance in watts.")
]
TolerancePercentOption = Annotated[
    float,
    typer.Option(
        "--tolerance-percent",
        min=0,
        max=100,
        callback=_to_one_decimal,
        help="Tolerance in percent, to one decimal; the larger of the two counts.",
    ),
]
TargetToleranceWOption = Annotated[
    int,
    typer.Option(
        "--target-tolerance-w", min=0, max=_MAX_W, help="Tolerance of dispatch targets in watts."
    ),
]
TargetTolerancePercentOption = Annotated[
    float,
    typer.Option(
        "--target-tolerance-percent",
        min=0,
        max=100,
        callback=_to_one_decimal,
        help="Tolerance of dispatch targets in percent, to one decimal.",
    ),
]


# --- values --------------------------------------------------------------------------------------


def tolerance_of(watts: int, percent: float, minutes: int = 1, missing: int = 0) -> Tolerance:
    """A tolerance from the options."""
    return Tolerance(watts=watts, permille=round(percent * 10), minutes=minutes, missing=missing)


def selector_of(
    rpc: list[str] | None, contract: str | None, chain_id: int | None, round_state: Path | None
) -> RoundSelector:
    """The round of a bundle, and where its final result is read."""
    return RoundSelector(ChainTarget(rpc, contract, chain_id), round_state)


class EnvelopeInput(Struct, frozen=True):
    """Envelopes that a command reads.

    Attributes:
        path: The file; None where there is none.
        key: Key file of a bundle.
        selector: Round of a bundle.
        feed: How a document is written.
        tokens: Token list of a bundle of a blind round.
    """

    path: Path | None
    key: Path | None
    selector: RoundSelector
    feed: Feed
    tokens: str | None = None

    def load(self) -> LoadedEnvelopes | None:
        """The envelopes, if a file was named; errors as in `load_envelopes`."""
        if self.path is None:
            return None
        return load_envelopes(
            self.path,
            key=self.key,
            selector=self.selector,
            feed=self.feed,
            tokens=self.tokens,
        )


def feed_of(profile: Profile, import_sign: ImportSign) -> Feed:
    """How a document is written."""
    return Feed(profile=profile, import_sign=import_sign)


def nmi_of(text: str | None) -> str | None:
    """The NMI of ``--nmi``, without its checksum.

    Raises:
        ConfigError: If it is not one.
    """
    return None if text is None else parse_nmi(text, "--nmi")


def date_of(text: str | None) -> date | None:
    """The trading day of ``--date``.

    Raises:
        ConfigError: If it is not one.
    """
    return None if text is None else parse_date(text, "--date")


def default_limits(export_kw: str | None, import_kw: str | None) -> DefaultLimits | None:
    """Limits that apply where none is published; None where none are stated.

    Raises:
        ConfigError: If one is not a number of kW, has the wrong sign, or is stated alone.
    """
    export = None if export_kw is None else parse_amount(export_kw, "--default-export-kw", KW)
    import_ = None if import_kw is None else parse_amount(import_kw, "--default-import-kw", KW)
    if (export or 0) < 0 or (import_ or 0) > 0:
        raise ConfigError(
            "--default-export-kw must not be negative, --default-import-kw not positive"
        )
    if (export is None) != (import_ is None):
        raise ConfigError("--default-export-kw and --default-import-kw go together")
    return None if export is None else DefaultLimits(export, import_)
