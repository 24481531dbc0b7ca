"""``oepnode envelope``: validate, show and compare operating envelopes.

Prints NMIs, to whoever has the envelopes already. Source: Part C §6.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import typer

from oepnode.adapters.plots import envelope as plot_envelope
from oepnode.adapters.plots import figure as plots
from oepnode.cli.common import acknowledgements, envelope_input, output, received
from oepnode.cli.common.cells import kilo
from oepnode.cli.common.chain import (
    ChainIdOption,
    ContractOption,
    RoundStateOption,
    RpcOption,
)
from oepnode.cli.common.envelope_input import (
    EnvelopeKeyOption,
    ImportSignOption,
    LimitsOutOption,
    ProfileOption,
)
from oepnode.cli.common.output import MOST_ROWS, JsonFlag, RowsOption
from oepnode.client.chain import ChainTarget
from oepnode.client.limits import LEVEL_NAMES, TIMING_NAMES
from oepnode.client.rounds import RoundSelector
from oepnode.domain.edge.envelopes.pre_post import Comparison
from oepnode.domain.edge.envelopes.pre_post import compare as compare_envelopes
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT, EnvelopeTable
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nem.nmi import parse as parse_nmi
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True,
    help="Operating envelopes: check a document, look at it, set POST beside PRE.",
)

Source = Annotated[
    Path,
    typer.Argument(
        metavar="ENVELOPES",
        help="A document (JSON, NDJSON), limits from 'aggregator verify' (Parquet, CSV), or your "
        "bundle with --key.",
    ),
]
NmiOption = Annotated[str | None, typer.Option("--nmi", help="Only this NMI.")]

_SHOWN: Final = (
    "NMI",
    "level",
    "timing",
    "intervals",
    "least export kW",
    "most export kW",
    "least import kW",
    "most import kW",
    "rows replaced",
)
_COMPARED: Final = (
    "NMI",
    "level",
    "trading day",
    "export room kWh",
    "import room kWh",
    "export excess kWh",
    "import excess kWh",
    "largest room kW",
)


# --- validate ------------------------------------------------------------------------------------


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(metavar="DOCUMENT", help="JSON or NDJSON.")],
    timing: Annotated[
        str | None, typer.Option("--timing", help="Reject any other: PRE or POST.")
    ] = None,
    profile: ProfileOption = "wide",
    import_sign: ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """Check an envelope document: system and transaction acknowledgement. Exit code 1 if rejected.

    Every fault is told in one pass, with its place, the rule and what was found.
    """
    from oepnode.domain.edge.envelopes import validate as envelope_check

    if timing not in {None, "PRE", "POST"}:
        raise ConfigError(f"--timing is PRE or POST, received {timing!r}")
    data = received.read_json(file, "envelope document")
    feed = envelope_input.feed_of(profile, import_sign)
    found = envelope_check.validate(data, feed, timing=timing)  # type: ignore[arg-type]
    acknowledgements.report(found, as_json=as_json)


# --- show ----------------------------------------------------------------------------------------


@app.command()
def show(
    file: Source,
    nmi: NmiOption = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Picture of one NMI's band, .svg or .png; needs --nmi."),
    ] = None,
    out: LimitsOutOption = None,
    rows: RowsOption = MOST_ROWS,
    key: EnvelopeKeyOption = None,
    round_state: RoundStateOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    profile: ProfileOption = "wide",
    import_sign: ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """Show the limits: a line per site, or with --nmi a line per interval. Amounts are kW."""
    if plot is not None:
        if nmi is None:
            raise ConfigError("a picture shows one NMI: name it with --nmi")
        plots.check(plot)
    if out is not None:
        envelope_input.check_limits_file(out)
    choice = RoundSelector(ChainTarget(rpc, contract, chain_id), round_state)
    feed = envelope_input.feed_of(profile, import_sign)
    envelopes, source = envelope_input.read(file, key, choice, feed)
    source.note_warnings()
    if nmi is not None:
        envelopes = pick(envelopes, nmi)
    if as_json:
        sites = [_site(envelopes, i, whole=nmi is not None) for i in range(envelopes.site_count)]
        output.print_json({"source": source.text, "sites": sites})
    else:
        output.say(source.text, "dim")
        _print_sites(envelopes, rows)
        if nmi is not None:
            _print_intervals(envelopes)
    if plot is not None:
        _plot_band(envelopes, plot)
    if out is not None:
        envelope_input.write_limits(out, envelopes, source)


def pick(envelopes: EnvelopeTable, nmi: str) -> EnvelopeTable:
    """The envelopes of one NMI.

    Raises:
        ConfigError: If it has none here.
    """
    found = envelopes.select([parse_nmi(nmi)])
    if not found.site_count:
        raise ConfigError("that NMI has no envelope here")
    return found


def _site(envelopes: EnvelopeTable, site: int, *, whole: bool) -> dict[str, Any]:
    timing = int(envelopes.timings[site])
    facts: dict[str, Any] = {
        "nmi": envelopes.nmis[site].decode(),
        "level": LEVEL_NAMES[envelopes.levels[site]],
        "timing": TIMING_NAMES[timing] if timing < len(TIMING_NAMES) else None,
        "objective": envelopes.objectives[site] or None,
        "superseded_rows": int(
            (envelopes.superseded.cell // envelopes.interval_count == site).sum()
        ),
    }
    for name, kind in (("export_w", EXPORT), ("import_w", IMPORT)):
        limits = envelopes.limits[site, kind]
        known = limits[limits != NO_LIMIT]
        facts[name] = {
            "intervals": len(known),
            "least": _extreme(known, least=True),
            "most": _extreme(known, least=False),
        }
        if whole:
            facts[name]["limits"] = [None if v == NO_LIMIT else v for v in limits.tolist()]
    if whole:
        facts["horizon_start"] = format_nem(envelopes.horizon_start)
    return facts


def _extreme(limits: npt.NDArray[np.int32], *, least: bool) -> int | None:
    """The limit of least or of most magnitude."""
    if not len(limits):
        return None
    sizes = np.abs(limits.astype(np.int64))
    return int(limits[sizes.argmin() if least else sizes.argmax()])


def _print_sites(envelopes: EnvelopeTable, rows: int) -> None:
    lines = []
    for site in range(min(rows, envelopes.site_count)):
        facts = _site(envelopes, site, whole=False)
        export, import_ = facts["export_w"], facts["import_w"]
        lines.append(
            (
                facts["nmi"],
                facts["level"],
                facts["timing"] or "–",
                max(export["intervals"], import_["intervals"]),
                kilo(export["least"]),
                kilo(export["most"]),
                kilo(import_["least"]),
                kilo(import_["most"]),
                facts["superseded_rows"],
            )
        )
    output.print_table(_SHOWN, lines)
    if envelopes.site_count > rows:
        output.say(f"… and {envelopes.site_count - rows} more sites; --json has all", "dim")


def _print_intervals(envelopes: EnvelopeTable) -> None:
    for site in range(envelopes.site_count):
        export, import_ = envelopes.limits[site, EXPORT], envelopes.limits[site, IMPORT]
        told = [
            (
                format_nem(envelopes.horizon_start + INTERVAL_S * (i + 1)),
                LEVEL_NAMES[envelopes.levels[site]],
                kilo(int(import_[i])),
                kilo(int(export[i])),
            )
            for i in range(envelopes.interval_count)
        ]
        output.print_table(("interval ending", "level", "import kW", "export kW"), told)


def _plot_band(envelopes: EnvelopeTable, plot: Path) -> None:
    if envelopes.site_count > 1:
        output.note("the NMI has two application levels; the picture shows level NMI")
    level = LEVEL_NAMES[envelopes.levels[0]]
    figure = plot_envelope.envelope_band(
        f"Operating envelope of NMI {envelopes.nmis[0].decode()}",
        f"level {level}, {envelopes.interval_count} dispatch intervals",
        envelopes.horizon_start,
        envelopes.limits[0, EXPORT],
        envelopes.limits[0, IMPORT],
    )
    plots.save(figure, plot)
    output.say(f"picture in {plot}", "green", err=True)


# --- compare -------------------------------------------------------------------------------------


@app.command()
def compare(
    pre: Annotated[Path, typer.Argument(metavar="PRE", help="PRE envelopes, in any form.")],
    post: Annotated[Path, typer.Argument(metavar="POST", help="POST envelopes, in any form.")],
    rows: RowsOption = MOST_ROWS,
    key: EnvelopeKeyOption = None,
    round_state: RoundStateOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    profile: ProfileOption = "wide",
    import_sign: ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """How much larger the limits could have been: POST beside PRE, in kWh a trading day.

    Room is what POST has above PRE; excess is where PRE promised more than the network had. What
    only one of them has is counted, not compared. With --key, a bundle among the two is opened;
    --profile and --import-sign hold for both documents.
    """
    choice = RoundSelector(ChainTarget(rpc, contract, chain_id), round_state)
    feed = envelope_input.feed_of(profile, import_sign)
    sides = []
    for file in (pre, post):
        own_key = key if envelope_input.is_bundle(file) else None
        envelopes, source = envelope_input.read(file, own_key, choice, feed)
        source.note_warnings()
        sides.append(envelopes)
    found = compare_envelopes(*sides)
    sites, total = _site_days(found), _total(found)
    if as_json:
        for place in range(len(found.nmis)):
            sites[place * len(found.days)] |= _site_difference(found, place)
        start = format_nem(found.horizon_start)
        output.print_json({"horizon_start": start, "total": total, "sites": sites})
        return
    _print_comparison(sites, total, rows)


def _site_days(found: Comparison) -> list[dict[str, Any]]:
    """Of each site, its days in turn."""
    room, excess = found.daily_wh(found.room_w), found.daily_wh(found.excess_w)
    return [
        {
            "nmi": found.nmis[site].decode(),
            "level": LEVEL_NAMES[found.levels[site]],
            "day": day.isoformat(),
            "export_room_wh": int(room[site, EXPORT, place]),
            "import_room_wh": int(room[site, IMPORT, place]),
            "export_excess_wh": int(excess[site, EXPORT, place]),
            "import_excess_wh": int(excess[site, IMPORT, place]),
            "largest_room_w": int(found.room_w[site][:, found.day == place].max()),
            "intervals": int(found.is_compared[site][:, found.day == place].any(axis=0).sum()),
        }
        for site in range(len(found.nmis))
        for place, day in enumerate(found.days)
    ]


def _total(found: Comparison) -> dict[str, int]:
    """The same over all sites and days, and what only one side has."""
    room, excess = found.daily_wh(found.room_w), found.daily_wh(found.excess_w)
    return {
        "sites": len(found.nmis),
        "intervals": int(found.is_compared.any(axis=1).sum()),
        "export_room_wh": int(room[:, EXPORT].sum()),
        "import_room_wh": int(room[:, IMPORT].sum()),
        "export_excess_wh": int(excess[:, EXPORT].sum()),
        "import_excess_wh": int(excess[:, IMPORT].sum()),
        "only_in_pre": found.pre_only,
        "only_in_post": found.post_only,
        "intervals_only_in_pre": int(found.pre_only_intervals.sum()),
        "intervals_only_in_post": int(found.post_only_intervals.sum()),
    }


def _site_difference(found: Comparison, site: int) -> dict[str, Any]:
    """Differences of a site by direction and interval, null where one side has no limit."""
    pairs = zip(found.difference_w[site].tolist(), found.is_compared[site].tolist(), strict=True)
    return {
        "difference_w": [
            [watts if is_both else None for watts, is_both in zip(*pair, strict=True)]
            for pair in pairs
        ],
        "intervals_only_in_pre": int(found.pre_only_intervals[site]),
        "intervals_only_in_post": int(found.post_only_intervals[site]),
    }


def _print_comparison(sites: list[dict[str, Any]], total: dict[str, int], rows: int) -> None:
    ordered = sorted(sites, key=lambda s: -(s["export_room_wh"] + s["import_room_wh"]))
    told = [
        (
            site["nmi"],
            site["level"],
            site["day"],
            *(
                kilo(site[name])
                for name in (
                    "export_room_wh",
                    "import_room_wh",
                    "export_excess_wh",
                    "import_excess_wh",
                    "largest_room_w",
                )
            ),
        )
        for site in ordered[:rows]
    ]
    output.print_table(_COMPARED, told)
    if len(ordered) > rows:
        output.say(f"… and {len(ordered) - rows} more lines; --json has all", "dim")
    energy = {name: f"{total[name] / 1000:.1f} kWh" for name in total if name.endswith("_wh")}
    output.say(
        f"{total['sites']} sites: POST could have given {energy['export_room_wh']} more export and "
        f"{energy['import_room_wh']} more import; PRE promised {energy['export_excess_wh']} and "
        f"{energy['import_excess_wh']} that the network did not have",
        "bold",
    )
    if total["only_in_pre"] or total["only_in_post"]:
        output.note(
            f"{total['only_in_pre']} sites stand in PRE only, {total['only_in_post']} in POST only"
        )
    if total["intervals_only_in_pre"] or total["intervals_only_in_post"]:
        output.note(
            "not compared: intervals of sites with a limit in PRE only "
            f"({total['intervals_only_in_pre']}) and in POST only "
            f"({total['intervals_only_in_post']})"
        )
