"""``oepnode envelope``: validate, show and compare operating envelopes.

Prints NMIs, to whoever has the envelopes already. Source: Part C §6.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import structs

from oepnode.cli.common import acknowledgements, output
from oepnode.cli.common import edge_options as options
from oepnode.cli.common.cells import energy, kilo, more
from oepnode.cli.common.chain import ChainIdOption, ContractOption, RoundStateOption, RpcOption
from oepnode.cli.common.output import MOST_ROWS, JsonFlag, RowsOption
from oepnode.client import Timing
from oepnode.client.edge.envelope_comparison import EnvelopeComparison, SiteDay, compare_envelopes
from oepnode.client.edge.envelopes import (
    EnvelopeView,
    LoadedEnvelopes,
    SiteEnvelope,
    interval_ends,
    load_both_envelopes,
    load_envelopes,
    select_nmi,
    validate_envelopes,
    view_envelopes,
    write_limits,
)
from oepnode.client.edge.pictures import draw_envelope, require_picture
from oepnode.client.edge.tables import TABLE_SUFFIXES, require_suffix
from oepnode.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True,
    help="Operating envelopes: validate a document, show it, compare POST with PRE.",
)

DocumentFile = Annotated[Path, typer.Argument(metavar="DOCUMENT", help="JSON or NDJSON.")]
EnvelopesFile = Annotated[
    Path,
    typer.Argument(
        metavar="ENVELOPES",
        help="A document (JSON, NDJSON), limits from 'aggregator verify' (Parquet, CSV), or your "
        "bundle with --key.",
    ),
]
PreFile = Annotated[Path, typer.Argument(metavar="PRE", help="PRE envelopes, in any form.")]
PostFile = Annotated[Path, typer.Argument(metavar="POST", help="POST envelopes, in any form.")]
TimingOption = Annotated[
    Timing | None, typer.Option("--timing", help="Reject any other: PRE or POST.")
]
NmiOption = Annotated[str | None, typer.Option("--nmi", help="Only this NMI.")]
NmiPlotOption = Annotated[
    Path | None,
    typer.Option("--plot", help="Picture of one NMI's band, .svg or .png; needs --nmi."),
]
LimitsOutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="File for the limits: .csv or .parquet. With their submissions where known, "
        "superseded ones included.",
    ),
]

_SHOWN: Final = (
    "NMI",
    "level",
    "timing",
    "intervals",
    "least export kW",
    "most export kW",
    "least import kW",
    "most import kW",
    "rows superseded",
)
_AMOUNTS: Final = {
    "export room kWh": "export_room_wh",
    "import room kWh": "import_room_wh",
    "export excess kWh": "export_excess_wh",
    "import excess kWh": "import_excess_wh",
    "largest room kW": "largest_room_w",
}


@app.command()
def validate(
    file: DocumentFile,
    timing: TimingOption = None,
    profile: options.ProfileOption = "wide",
    import_sign: options.ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """Validate an envelope document: system and transaction acknowledgement.

    Every fault is reported in one pass, with its location, the rule and the value. Exit code 1 if
    rejected.
    """
    feed = options.feed_of(profile, import_sign)
    result = validate_envelopes(file, timing=timing, feed=feed)
    acknowledgements.report(result, as_json=as_json)


# --- show ----------------------------------------------------------------------------------------


@app.command()
def show(
    file: EnvelopesFile,
    nmi: NmiOption = None,
    plot: NmiPlotOption = None,
    out: LimitsOutOption = None,
    rows: RowsOption = MOST_ROWS,
    key: options.EnvelopeKeyOption = None,
    tokens: options.EnvelopeTokensOption = None,
    round_state: RoundStateOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    profile: options.ProfileOption = "wide",
    import_sign: options.ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """Show the limits: a line per site, or with --nmi a line per interval. Amounts are kW."""
    chosen = options.nmi_of(nmi)
    _check_files(nmi, plot, out)
    selector = options.selector_of(rpc, contract, chain_id, round_state)
    feed = options.feed_of(profile, import_sign)
    envelopes = load_envelopes(file, key=key, selector=selector, feed=feed, tokens=tokens)
    output.print_notes(envelopes.notes)
    if chosen is not None:
        envelopes = select_nmi(envelopes, chosen)
    view = view_envelopes(envelopes, with_limits=nmi is not None)
    if as_json:
        output.print_json(view)
    else:
        _print_view(view, envelopes, rows)
    if plot is not None:
        if len(view.sites) > 1:
            output.note("the NMI has two application levels; the picture shows level NMI")
        draw_envelope(envelopes, plot)
        output.say(f"picture in {plot}", "green", err=True)
    if out is not None:
        count = write_limits(out, envelopes)
        output.say(f"{count} rows in {out}", "green", err=True)


def _check_files(nmi: str | None, plot: Path | None, out: Path | None) -> None:
    if plot is not None:
        if nmi is None:
            raise ConfigError("a picture shows one NMI: name it with --nmi")
        require_picture(plot)
    if out is not None:
        require_suffix(out, *TABLE_SUFFIXES)


def _print_view(view: EnvelopeView, envelopes: LoadedEnvelopes, rows: int) -> None:
    output.say(view.source, "dim")
    output.print_table(_SHOWN, map(_site_cells, view.sites[:rows]))
    more(len(view.sites), rows, "site")
    ends = interval_ends(envelopes.table)
    for site in view.sites:
        if isinstance(site.import_w.limits, tuple) and isinstance(site.export_w.limits, tuple):
            limits = zip(ends, site.import_w.limits, site.export_w.limits, strict=True)
            lines = ((end, site.level, kilo(low), kilo(high)) for end, low, high in limits)
            output.print_table(("interval ending", "level", "import kW", "export kW"), lines)


def _site_cells(site: SiteEnvelope) -> tuple[object, ...]:
    return (
        site.nmi,
        site.level,
        site.timing or "–",
        max(site.export_w.intervals, site.import_w.intervals),
        kilo(site.export_w.least),
        kilo(site.export_w.most),
        kilo(site.import_w.least),
        kilo(site.import_w.most),
        site.superseded_rows,
    )


# --- compare -------------------------------------------------------------------------------------


@app.command()
def compare(
    pre: PreFile,
    post: PostFile,
    rows: RowsOption = MOST_ROWS,
    key: options.EnvelopeKeyOption = None,
    tokens: options.EnvelopeTokensOption = None,
    round_state: RoundStateOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    profile: options.ProfileOption = "wide",
    import_sign: options.ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """Compare POST with PRE: how much larger the limits could have been, in kWh a trading day.

    Room is what POST has above PRE; excess is where PRE promised more than the network had. Limits
    of only one of them are counted, not compared. --key opens a bundle among the two; --profile and
    --import-sign are of both documents.
    """
    selector = options.selector_of(rpc, contract, chain_id, round_state)
    feed = options.feed_of(profile, import_sign)
    sides = load_both_envelopes(pre, post, key=key, selector=selector, feed=feed, tokens=tokens)
    for envelopes in sides:
        output.print_notes(envelopes.notes)
    comparison = compare_envelopes(*sides)
    if as_json:
        output.print_json(comparison)
    else:
        _print_comparison(comparison, rows)


def _print_comparison(comparison: EnvelopeComparison, rows: int) -> None:
    ordered = sorted(comparison.sites, key=lambda s: -(s.export_room_wh + s.import_room_wh))
    columns = ("NMI", "level", "trading day", *_AMOUNTS)
    output.print_table(columns, map(_day_cells, ordered[:rows]))
    more(len(ordered), rows, "line")
    total = comparison.total
    amounts = structs.asdict(total).items()
    kwh = {name: energy(value, 1) for name, value in amounts if name.endswith("_wh")}
    output.say(
        f"{total.sites} sites: POST could have given {kwh['export_room_wh']} more export and "
        f"{kwh['import_room_wh']} more import; PRE promised {kwh['export_excess_wh']} and "
        f"{kwh['import_excess_wh']} that the network did not have",
        "bold",
    )
    if total.only_in_pre or total.only_in_post:
        output.note(f"{total.only_in_pre} sites are in PRE only, {total.only_in_post} in POST only")
    if total.intervals_only_in_pre or total.intervals_only_in_post:
        output.note(
            "not compared: intervals of sites with a limit in PRE only "
            f"({total.intervals_only_in_pre}) and in POST only ({total.intervals_only_in_post})"
        )


def _day_cells(day: SiteDay) -> tuple[object, ...]:
    amounts = structs.asdict(day)
    return day.nmi, day.level, day.day.isoformat(), *(kilo(amounts[n]) for n in _AMOUNTS.values())
