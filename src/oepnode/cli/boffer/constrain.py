"""``oepnode boffer constrain``: Boffers held to operating envelopes.

Source: Part C §6.1 and §6.3 (envelopes constrain Boffers), HLD §4.3 to §4.5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.text import Text

from oepnode.adapters.plots import figure as plots
from oepnode.cli.boffer import pictures
from oepnode.cli.boffer.offers import (
    AllowRejectedFlag,
    BofferFile,
    IdOption,
    LevelOption,
    Offers,
    OwnDateOption,
    SkipRejectedFlag,
    apply_rejection_policy,
    by_offerer,
    choice_of,
    counted,
    energy,
    interval_end,
    offerer_of,
    require_schema_valid,
    watts_of,
)
from oepnode.cli.common import envelope_input, output
from oepnode.cli.common.chain import (
    ChainIdOption,
    ChainTarget,
    ContractOption,
    RoundSelector,
    RoundStateOption,
    RpcOption,
)
from oepnode.cli.common.envelope_input import (
    EnvelopeKeyOption,
    EnvelopeOption,
    ImportSignOption,
    ProfileOption,
)
from oepnode.cli.common.exits import EVIDENCE
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.portfolio import read_portfolio
from oepnode.domain.edge.boffers import validate as boffer_check
from oepnode.domain.edge.boffers.frame import to_frame
from oepnode.domain.edge.boffers.json_format import write_boffers
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.constraining.constrain import (
    ConstrainedDay,
    PortfolioUnknownError,
    PostEnvelopeError,
)
from oepnode.domain.edge.constraining.constrain import (
    constrain as constrain_days,
)
from oepnode.domain.edge.constraining.limits import MissingLimitError
from oepnode.domain.edge.constraining.trim import QUANTITIES
from oepnode.domain.edge.timeseries.energy import energy_wh
from oepnode.domain.nem.nem_time import PERIODS_PER_DAY, parse_timestamp
from oepnode.domain.nem.quantities import DefaultLimits
from oepnode.errors import ConfigError

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
_ONE_PORTFOLIO: Final = frozenset({"bundle", "limits"})
"""Kinds of envelopes whose sites are one aggregator's."""

_OUT: Final = frozenset({".json", ".ndjson", ".parquet"})
_TRIMS: Final = ("unit", "interval end", "period", "quantity", "offered kW", "kept kW")


def constrain(
    file: BofferFile,
    envelope: EnvelopeOption,
    key: EnvelopeKeyOption = None,
    round_state: RoundStateOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    profile: ProfileOption = "wide",
    import_sign: ImportSignOption = "canonical",
    portfolio: Annotated[
        Path | None,
        typer.Option(
            "--portfolio",
            help="File with the NMIs of the DUID, one a line. Needed for a DUID where --envelope "
            "is a document, which has the sites of every aggregator; default is all sites of a "
            "bundle, or of limits from 'aggregator verify'.",
        ),
    ] = None,
    default_export: Annotated[
        str | None,
        typer.Option("--default-export", help="kW that a site may export where no limit is given."),
    ] = None,
    default_import: Annotated[
        str | None,
        typer.Option("--default-import", help="Likewise for imports, kW ≤ 0, as -5."),
    ] = None,
    covered: Annotated[
        bool,
        typer.Option(
            "--covered", help="Leave intervals outside the envelopes' horizon as they are offered."
        ),
    ] = False,
    post_envelopes: Annotated[
        bool,
        typer.Option(
            "--post-envelopes",
            help="Hold PRE Boffers to POST envelopes, worked out after their intervals, as well.",
        ),
    ] = False,
    identity: IdOption = None,
    level: LevelOption = None,
    on: OwnDateOption = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only check: exit code 1 where an interval breaches."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File for the constrained Boffers, .json, .ndjson or .parquet."),
    ] = None,
    submitted: Annotated[
        str | None,
        typer.Option("--submitted", help="submissionDateTime of what is written to --out."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw the curve as offered and as it may stand, .svg or .png."),
    ] = None,
    period: Annotated[
        int | None,
        typer.Option(
            "--period",
            min=1,
            max=PERIODS_PER_DAY,
            help="Period of the picture; default is the one that is cut most.",
        ),
    ] = None,
    skip_rejected: SkipRejectedFlag = False,
    allow_rejected: AllowRejectedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Hold Boffers to operating envelopes, and say what was trimmed.

    The Boffer of an NMI is held to that NMI's envelope, the Boffer of a DUID to the sum over its
    NMIs, each at its own level (NMI or Flex). A document of envelopes has the sites of every
    aggregator: a DUID's are then named with --portfolio. Bands that would clear last go first: the
    outermost from the break between load and generation. Limits that are not published need a
    stated default. Boffers that the rules reject, as offered or as they would be written, give exit
    code 1, and no file is written.
    """
    _check_targets(out, plot, is_check=check)
    default = _default(default_export, default_import)
    submitted_us = None if submitted is None else _instant(submitted)
    wanted = None if portfolio is None else _portfolio(portfolio)
    at = RoundSelector(ChainTarget(rpc, contract, chain_id), round_state)
    feed = envelope_input.feed_of(profile, import_sign)
    envelopes, source = envelope_input.read(envelope, key, at, feed)
    choice = choice_of(identity, level, on)
    offers = require_schema_valid(file, allow_rejected=allow_rejected, skip_rejected=skip_rejected)
    chosen = by_offerer(offers.days, choice)
    days = [
        day for mine in chosen.values() for day in mine if choice.on in {None, day.trading_date}
    ]
    if not days:
        raise ConfigError("no Boffer of the file is of this --date")
    with _options_named():
        found = constrain_days(
            days,
            envelopes,
            wanted,
            default,
            is_covered_only=covered,
            is_portfolio=source.kind in _ONE_PORTFOLIO,
            is_post_allowed=post_envelopes,
        )
    source.note_warnings()
    results = None
    if out is not None:
        held = [item.constrained(submitted_us) for item in found]
        results = _judged(held, out, allow_rejected=allow_rejected)
        _write(held, out)
    told = [offers] if results is None else [offers, results]
    if plot is not None:
        picture = pictures.held_picture(found, period)
        pictures.draw(picture, plot, is_rejected=any(part.is_rejected for part in told))
    if as_json:
        answers = [None if part is None else part.facts() for part in (offers, results)]
        head = dict(zip(("transaction", "constrainedTransaction"), answers, strict=True))
        output.print_json(head | _facts(found, source))
    else:
        _print(found, source, is_check=check)
        _print_verdict(found, out, is_check=check, is_rejected=any(p.is_rejected for p in told))
        for part in told:
            part.say()
    if check and any(item.result.before.count for item in found):
        raise typer.Exit(EVIDENCE)


@contextmanager
def _options_named() -> Iterator[None]:
    """What only an option can settle is an error that names it."""
    try:
        yield
    except PortfolioUnknownError as exc:
        raise ConfigError(f"{exc}: name the file of its NMIs with --portfolio") from exc
    except PostEnvelopeError as exc:
        raise ConfigError(f"{exc}: --post-envelopes does it all the same") from exc
    except MissingLimitError as exc:
        raise ConfigError(
            f"{exc}: state what a site may do then with --default-export and --default-import, or "
            "leave intervals beyond the envelopes alone with --covered"
        ) from exc


def _check_targets(out: Path | None, plot: Path | None, *, is_check: bool) -> None:
    """Reject files that could not be written, before any work."""
    if is_check and out is not None:
        raise ConfigError("--check writes nothing: leave out --out")
    if out is not None and out.suffix.lower() not in _OUT:
        raise ConfigError(f"{out}: --out ends in .json, .ndjson or .parquet")
    if plot is not None:
        plots.check(plot)


def _portfolio(file: Path) -> list[str]:
    found = sorted(read_portfolio(file))
    if not found:
        raise ConfigError(f"--portfolio: {file} names no NMI")
    return found


def _default(export: str | None, import_: str | None) -> DefaultLimits | None:
    if export is None and import_ is None:
        return None
    if export is None or import_ is None:
        raise ConfigError("--default-export and --default-import go together")
    try:
        return DefaultLimits(
            watts_of(export, "--default-export"), watts_of(import_, "--default-import")
        )
    except ValueError as exc:
        raise ConfigError(f"--default-export, --default-import: {exc}") from exc


def _instant(text: str) -> int:
    try:
        return parse_timestamp(text).total_micros
    except ValueError as exc:
        raise ConfigError(f"--submitted: {exc}") from exc


def _judged(days: Sequence[BofferDay], out: Path, *, allow_rejected: bool) -> Offers:
    """What the rules say of the Boffers that are about to be written."""
    found = boffer_check.check_days(days, message_id=out.name)
    return apply_rejection_policy(found, out.name, allow_rejected=allow_rejected)


def _write(days: Sequence[BofferDay], out: Path) -> None:
    if out.suffix.lower() == ".parquet":
        output.write_frame(to_frame(days), output.Format.PARQUET, out)
        return
    output.write_file(out, write_boffers(days, ndjson=out.suffix.lower() == ".ndjson"))


# --- reports -------------------------------------------------------------------------------------


def _cuts(item: ConstrainedDay) -> tuple[int, int]:
    """Load and generation beyond the limits, as energy; both ≥ 0."""
    before = item.result.before
    return energy_wh(before.over_import), energy_wh(before.over_export)


def _print(found: list[ConstrainedDay], source: envelope_input.Source, *, is_check: bool) -> None:
    output.say(f"envelope: {source.text}", "dim")
    rows = []
    for item in found[: output.TABLE_ROWS]:
        load, generation = _cuts(item)
        breaches = item.result.before.count
        rows.append(
            (
                item.day.identity,
                item.day.level,
                item.sites,
                item.day.trading_date.isoformat(),
                len(item.day.periods),
                Text(str(breaches), style="bold red" if breaches else "green", justify="right"),
                Text(energy(load), justify="right"),
                Text(energy(generation), justify="right"),
            )
        )
    output.print_table(_SUMMARY, rows)
    if len(found) > len(rows):
        output.say(f"… and {len(found) - len(rows)} more Boffers; --json has all", "dim")
    defaults = sum(item.defaults for item in found)
    if defaults:
        verb = "is" if defaults == 1 else "are"
        told = f"{counted(defaults, 'limit')} {verb} not published"
        output.note(f"{told}; the stated default holds there")
    outside = sum(item.outside for item in found)
    if outside:
        verbs = ("lies", "stays") if outside == 1 else ("lie", "stay")
        told = f"{counted(outside, 'interval')} {verbs[0]} outside the envelopes"
        output.note(f"{told} and {verbs[1]} as offered")
    if not is_check:
        _print_trims(found)


def _print_verdict(
    found: list[ConstrainedDay], out: Path | None, *, is_check: bool, is_rejected: bool
) -> None:
    mark, style = ("!", "bold yellow") if is_rejected else ("✓", "bold green")
    breaches = sum(item.result.before.count for item in found)
    noun, was = ("interval breaches", "was") if breaches == 1 else ("intervals breach", "were")
    if not breaches:
        output.say(f"{mark} no interval breaches its envelope", style)
    elif is_check:
        output.say(f"✗ {breaches} {noun} the envelope", "bold red")
    else:
        where = f"; constrained Boffers in {out}" if out is not None else ""
        output.say(f"{mark} {breaches} {noun} the envelope and {was} trimmed{where}", style)


def _print_trims(found: list[ConstrainedDay]) -> None:
    total = sum(len(item.result.changes) for item in found)
    rows: list[tuple[object, ...]] = []
    for item in found:
        for row, what, offered, kept in item.result.changes.tolist():
            if len(rows) == output.TABLE_ROWS:
                break
            period = int(item.day.periods[row])
            rows.append(
                (
                    item.day.identity,
                    interval_end(item.day.trading_date, period),
                    period,
                    QUANTITIES[what],
                    output.kw(offered),
                    output.kw(kept),
                )
            )
    if rows:
        output.print_table(_TRIMS, rows)
    if total > len(rows):
        output.say(f"… and {total - len(rows)} more quantities; --json has all", "dim")


def _facts(found: list[ConstrainedDay], source: envelope_input.Source) -> dict[str, Any]:
    return {
        "envelope": {"kind": source.kind, "file": source.file, "text": source.text},
        "breaches": sum(item.result.before.count for item in found),
        "defaultsUsed": sum(item.defaults for item in found),
        "intervalsOutside": sum(item.outside for item in found),
        "offers": [_day_facts(item) for item in found],
    }


def _day_facts(item: ConstrainedDay) -> dict[str, Any]:
    load, generation = _cuts(item)
    before, day = item.result.before, item.day
    return offerer_of(day).facts() | {
        "tradingDate": day.trading_date.isoformat(),
        "nmisSummed": item.sites,
        "intervals": len(day.periods),
        "breaches": before.count,
        "loadCut_wh": load,
        "generationCut_wh": generation,
        "defaultsUsed": item.defaults,
        "intervalsOutside": item.outside,
        "breachingIntervals": [
            {
                "periodId": int(day.periods[row]),
                "intervalEnd": interval_end(day.trading_date, int(day.periods[row])),
                "exportLimit_w": int(item.exports[row]),
                "importLimit_w": int(item.imports[row]),
                "overExport_w": int(before.over_export[row]),
                "overImport_w": int(before.over_import[row]),
            }
            for row in np.flatnonzero(before.is_breach).tolist()
        ],
        "trims": [
            {
                "periodId": int(day.periods[row]),
                "quantity": QUANTITIES[what],
                "offered_w": offered,
                "kept_w": kept,
            }
            for row, what, offered, kept in item.result.changes.tolist()
        ],
    }
