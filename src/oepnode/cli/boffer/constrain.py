"""``oepnode boffer constrain``: Boffers constrained to operating envelopes.

Source: Part C §6.1 and §6.3 (envelopes constrain Boffers), HLD §4.3 to §4.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec import Struct

from oepnode.cli.boffer import shared
from oepnode.cli.common import edge_options as options
from oepnode.cli.common import output
from oepnode.cli.common.cells import energy, figure, more
from oepnode.cli.common.chain import ChainIdOption, ContractOption, RoundStateOption, RpcOption
from oepnode.cli.common.exits import EVIDENCE
from oepnode.cli.common.output import JsonFlag
from oepnode.client.edge.boffers.constraining import (
    ConstrainedBoffers,
    ConstrainedOffer,
    constrain_boffers,
    write_constrained,
)
from oepnode.client.edge.boffers.load import BOFFER_SUFFIXES
from oepnode.client.edge.boffers.pictures import draw_constrained
from oepnode.client.edge.envelopes import load_envelopes
from oepnode.client.edge.pictures import require_picture
from oepnode.client.edge.tables import load_portfolio, require_suffix
from oepnode.client.values import counted, parse_instant
from oepnode.domain.nem.nem_time import PERIODS_PER_DAY
from oepnode.errors import ConfigError

UnitPortfolioOption = Annotated[
    Path | None,
    typer.Option(
        "--portfolio",
        help="File with the NMIs of the DUID, one per line. Needed for a DUID where --envelope is "
        "a document, which has the sites of every aggregator; default is all sites of a bundle, or "
        "of limits from 'aggregator verify'.",
    ),
]
CoveredFlag = Annotated[
    bool,
    typer.Option(
        "--covered", help="Leave intervals outside the envelopes' horizon as they are offered."
    ),
]
PostEnvelopesFlag = Annotated[
    bool,
    typer.Option(
        "--post-envelopes",
        help="Constrain PRE Boffers to POST envelopes as well, which are worked out after their "
        "intervals.",
    ),
]
CheckFlag = Annotated[
    bool, typer.Option("--check", help="Only check: exit code 1 where an interval breaches.")
]
BofferOutOption = Annotated[
    Path | None,
    typer.Option("--out", help="File for the constrained Boffers, .json, .ndjson or .parquet."),
]
SubmittedOption = Annotated[
    str | None, typer.Option("--submitted", help="submissionDateTime of what is written to --out.")
]
CutPlotOption = Annotated[
    Path | None,
    typer.Option("--plot", help="Draw the curve as offered and as constrained, .svg or .png."),
]
CutPeriodOption = Annotated[
    int | None,
    typer.Option(
        "--period",
        min=1,
        max=PERIODS_PER_DAY,
        help="Period of the picture; default is the one that is cut most.",
    ),
]

_SUMMARY: Final = (
    "unit",
    "level",
    "NMIs",
    "date",
    "intervals",
    "breach",
    "load cut",
    "generation cut",
)
_TRIMS: Final = ("unit", "interval end", "period", "quantity", "offered kW", "kept kW")


class Outputs(Struct, frozen=True):
    """Files that are written, and how the report is printed."""

    out: Path | None
    submitted_us: int | None
    plot: Path | None
    period: int | None
    is_check: bool
    as_json: bool


def constrain(
    file: shared.BofferFile,
    envelope: options.EnvelopeOption,
    key: options.EnvelopeKeyOption = None,
    tokens: options.EnvelopeTokensOption = None,
    round_state: RoundStateOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    profile: options.ProfileOption = "wide",
    import_sign: options.ImportSignOption = "canonical",
    portfolio: UnitPortfolioOption = None,
    default_export_kw: options.DefaultExportOption = None,
    default_import_kw: options.DefaultImportOption = None,
    covered: CoveredFlag = False,
    post_envelopes: PostEnvelopesFlag = False,
    duid: shared.DuidOption = None,
    nmi: shared.NmiOption = None,
    level: shared.LevelOption = None,
    date: shared.OwnDateOption = None,
    check: CheckFlag = False,
    out: BofferOutOption = None,
    submitted: SubmittedOption = None,
    plot: CutPlotOption = None,
    period: CutPeriodOption = None,
    skip_rejected: shared.SkipRejectedFlag = False,
    allow_rejected: shared.AllowRejectedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Constrain Boffers to operating envelopes, and report the trims.

    The Boffer of an NMI is constrained to that NMI's envelope, the Boffer of a DUID to the sum over
    its NMIs, each at its own level (NMI or Flex). Bands that would clear last are trimmed first:
    the outermost from the break between load and generation. Limits that are not published need a
    default. Boffers that the rules reject, as offered or as constrained, give exit code 1, and no
    file is written.
    """
    outputs = Outputs(out, _instant(submitted), plot, period, check, as_json)
    _check_outputs(outputs)
    default = options.default_limits(default_export_kw, default_import_kw)
    selector = options.selector_of(rpc, contract, chain_id, round_state)
    feed = options.feed_of(profile, import_sign)
    result = constrain_boffers(
        shared.load(file, allow_rejected=allow_rejected, skip_rejected=skip_rejected),
        load_envelopes(envelope, key=key, selector=selector, feed=feed, tokens=tokens),
        choice=shared.choice_of(duid, nmi, level, date),
        portfolio=None if portfolio is None else load_portfolio(portfolio),
        default=default,
        is_covered_only=covered,
        is_post_allowed=post_envelopes,
    )
    output.print_notes(result.envelopes.notes)
    if out is not None:
        with shared.rejection_note("nothing is written (--allow-rejected writes them)"):
            result = write_constrained(
                out, result, submitted_us=outputs.submitted_us, allow_rejected=allow_rejected
            )
    if plot is not None:
        draw_constrained(result, plot, period=period)
    _print(result, outputs)


def _check_outputs(outputs: Outputs) -> None:
    """Reject options without effect and files that could not be written, before any work."""
    if outputs.is_check and outputs.out is not None:
        raise ConfigError("--check writes nothing: leave out --out")
    if outputs.submitted_us is not None and outputs.out is None:
        raise ConfigError("--submitted is the time of what is written: it goes with --out")
    if outputs.period is not None and outputs.plot is None:
        raise ConfigError("--period names the period of the picture: it goes with --plot")
    if outputs.out is not None:
        require_suffix(outputs.out, *BOFFER_SUFFIXES)
    if outputs.plot is not None:
        require_picture(outputs.plot)


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_instant(text, "--submitted")


# --- report --------------------------------------------------------------------------------------


def _print(result: ConstrainedBoffers, outputs: Outputs) -> None:
    if outputs.as_json:
        output.print_json(result.report())
    else:
        _print_offers(result)
        if not outputs.is_check:
            _print_trims(result)
        _print_verdict(result, outputs)
        shared.print_rejected(result.boffers)
        if result.result is not None:
            shared.print_rejected(result.result)
    if outputs.is_check and result.breaches:
        raise typer.Exit(EVIDENCE)


def _print_offers(result: ConstrainedBoffers) -> None:
    output.say(f"envelope: {result.envelopes.text}", "dim")
    offers = result.offers
    output.print_table(_SUMMARY, map(_offer_cells, offers[: output.TABLE_ROWS]))
    more(len(offers), output.TABLE_ROWS, "Boffer")
    defaults, outside = result.defaults_used, result.intervals_outside
    if defaults:
        verb = "is" if defaults == 1 else "are"
        output.note(f"{counted(defaults, 'limit')} {verb} not published; the default applies there")
    if outside:
        verbs = ("lies", "stays") if outside == 1 else ("lie", "stay")
        intervals = counted(outside, "interval")
        output.note(f"{intervals} {verbs[0]} outside the envelopes and {verbs[1]} as offered")


def _offer_cells(offer: ConstrainedOffer) -> tuple[object, ...]:
    return (
        offer.identity,
        offer.level,
        offer.summed_nmis,
        offer.trading_date.isoformat(),
        offer.intervals,
        figure(str(offer.breaches), "bold red" if offer.breaches else "green"),
        figure(energy(offer.load_cut_wh)),
        figure(energy(offer.generation_cut_wh)),
    )


def _print_trims(result: ConstrainedBoffers) -> None:
    rows = list(islice(_trims(result), output.TABLE_ROWS))
    if rows:
        output.print_table(_TRIMS, rows)
    more(sum(offer.trims.height for offer in result.offers), len(rows), "trim")


def _trims(result: ConstrainedBoffers) -> Iterator[tuple[object, ...]]:
    for offer in result.offers:
        for row in offer.trims.iter_rows(named=True):
            yield offer.identity, *_trim_cells(row)


def _trim_cells(row: dict[str, Any]) -> tuple[object, ...]:
    amounts = output.kw(row["offered_w"]), output.kw(row["kept_w"])
    return row["interval_end"], row["period"], row["quantity"], *amounts


def _print_verdict(result: ConstrainedBoffers, outputs: Outputs) -> None:
    mark, style = ("!", "bold yellow") if result.is_rejected else ("✓", "bold green")
    breaches = result.breaches
    noun, was = ("interval breaches", "was") if breaches == 1 else ("intervals breach", "were")
    if not breaches:
        output.say(f"{mark} no interval breaches its envelope", style)
    elif outputs.is_check:
        output.say(f"✗ {breaches} {noun} the envelope", "bold red")
    else:
        where = "" if outputs.out is None else f"; constrained Boffers in {outputs.out}"
        output.say(f"{mark} {breaches} {noun} the envelope and {was} trimmed{where}", style)
