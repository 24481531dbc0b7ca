"""Envelopes as the input of a command: a document, a limits file, or an aggregator's bundle.

Which of them a file is follows from its content, not from its name. A bundle is opened and verified
against its round first, exactly as ``aggregator verify`` does, so that nothing is constrained or
judged by limits that the quorum did not agree on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from msgspec import Struct

from oepnode.cli.common import bundle_input, output
from oepnode.cli.common.chain import RoundSelector
from oepnode.domain.edge.envelopes import table as published
from oepnode.domain.edge.envelopes.table import EnvelopeTable
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.bundle import FILE_MAGIC
from oepnode.domain.rounds.inputs.envelope_document import parse_history
from oepnode.domain.rounds.inputs.envelope_form import TIMINGS
from oepnode.errors import ConfigError

EnvelopeOption = Annotated[
    Path,
    typer.Option(
        "--envelope",
        help="Envelopes: a document (JSON, NDJSON), limits from 'aggregator verify' (Parquet, "
        "CSV), or your bundle from 'aggregator fetch' with --key.",
    ),
]
LimitsOutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="File for the limits: .csv or .parquet. With their submissions where known, replaced "
        "ones included.",
    ),
]
EnvelopeKeyOption = Annotated[
    Path | None,
    typer.Option("--key", help="Your key file, where --envelope is a bundle."),
]
ProfileOption = Annotated[
    str, typer.Option("--profile", help="wide, or edge: Decimal(4,2) as Part C has it.")
]
ImportSignOption = Annotated[
    str,
    typer.Option("--import-sign", help="canonical (imports ≤ 0) or magnitude (written ≥ 0)."),
]

_MOST_BYTES: Final = 1 << 34
_PARQUET: Final = b"PAR1"


class Source(Struct, frozen=True):
    """Where envelopes came from, for reports.

    Attributes:
        kind: ``document``, of all aggregators, also where its limits come from a file of them;
            ``limits`` or ``bundle`` of one aggregator.
        file: The file's name.
        text: One line for a person.
        warnings: What was odd but allowed.
    """

    kind: str
    file: str
    text: str
    warnings: tuple[str, ...] = ()

    def note_warnings(self) -> None:
        """Tell on stderr what was odd."""
        for text in self.warnings:
            output.note(text)


def feed_of(profile: str, import_sign: str) -> Feed:
    """Settings of the feed from the options.

    Raises:
        ConfigError: For another word.
    """
    if profile not in {"wide", "edge"}:
        raise ConfigError(f"--profile is wide or edge, received {profile!r}")
    if import_sign not in {"canonical", "magnitude"}:
        raise ConfigError(f"--import-sign is canonical or magnitude, received {import_sign!r}")
    return Feed(profile=profile, import_sign=import_sign)  # type: ignore[arg-type]


def read(
    file: Path, key: Path | None, choice: RoundSelector, feed: Feed | None = None
) -> tuple[EnvelopeTable, Source]:
    """Read envelopes from any of their forms.

    Args:
        file: The envelopes.
        key: The aggregator's key file, where they are a bundle.
        choice: The round of a bundle.
        feed: How a document is written.

    Raises:
        DocumentFault: If a document or limits file is wrong.
        BundleError: If a bundle does not verify.
        ConfigError: If the file is none of them, or a bundle comes without a key.
    """
    head = _head(file)
    if head.startswith(FILE_MAGIC):
        return _bundle(file, key, choice)
    if key is not None:
        raise ConfigError(f"--key opens a bundle, and {file} is none")
    if head.startswith((_PARQUET, b"nmi,")):
        return _limits(file, is_parquet=head.startswith(_PARQUET))
    if head.lstrip()[:1] not in {b"[", b"{"}:
        raise ConfigError(
            f"{file}: neither an envelope document, nor limits in Parquet or CSV, nor a bundle "
            "from 'aggregator fetch'"
        )
    document, rows = parse_history(output.read_file(file, "envelope document", _MOST_BYTES), feed)
    envelopes = published.from_document(document, rows)
    source = Source(
        "document",
        file.name,
        f"document {file.name}: {_extent(envelopes)}",
        document.warnings,
    )
    return envelopes, source


def check_limits_file(file: Path) -> None:
    """Reject a file that limits are not written to.

    Raises:
        ConfigError: With the kinds that are known.
    """
    if file.suffix not in {".csv", ".parquet"}:
        raise ConfigError(f"--out writes .csv or .parquet, received {file.name!r}")


def write_limits(file: Path, envelopes: EnvelopeTable, source: Source) -> None:
    """Write limits with their submissions, what was superseded included; `read` takes them.

    Those of a document have the column of submissions, known or not: it tells that they are of all
    aggregators, and not of one.

    Raises:
        ConfigError: If the file cannot be written.
    """
    import polars as pl

    frame = published.to_frame(envelopes)
    if source.kind == "document" and published.SUBMITTED_COLUMN not in frame.columns:
        unknown = pl.lit(None, pl.Int64).alias(published.SUBMITTED_COLUMN)
        frame = frame.with_columns(unknown)
    try:
        if file.suffix == ".csv":
            frame.write_csv(file)
        else:
            frame.write_parquet(file)
    except OSError as exc:
        raise ConfigError(f"{file}: not writable: {exc.strerror}") from exc
    output.say(f"{frame.height} rows in {file}", "green", err=True)


def is_bundle(file: Path) -> bool:
    """Whether a file is a bundle from ``aggregator fetch``, by its content.

    Raises:
        ConfigError: If it cannot be read.
    """
    return _head(file).startswith(FILE_MAGIC)


def _bundle(file: Path, key: Path | None, choice: RoundSelector) -> tuple[EnvelopeTable, Source]:
    if key is None:
        raise ConfigError(f"{file} is a bundle: name your key with --key")
    verified, final = bundle_input.open_verified(file, key, choice)
    envelopes = published.from_bundle(verified)
    text = (
        f"bundle {file.name} of {verified.aggregator_id}, verified against round "
        f"{final.context.number} from {final.source}: {_extent(envelopes)}"
    )
    return envelopes, Source("bundle", file.name, text, final.notes)


def _limits(file: Path, *, is_parquet: bool) -> tuple[EnvelopeTable, Source]:
    import polars as pl

    try:
        if is_parquet:
            frame = pl.read_parquet(file)
        else:
            frame = pl.read_csv(file, infer_schema=False)
            whole = (*published.LIMIT_COLUMNS, published.SUBMITTED_COLUMN)
            amounts = [name for name in whole if name in frame.columns]
            frame = frame.with_columns(pl.col(name).cast(pl.Int64) for name in amounts)
    except (pl.exceptions.PolarsError, OSError) as exc:
        form = "Parquet" if is_parquet else "CSV with whole numbers"
        raise ConfigError(f"{file}: not readable as {form}") from exc
    envelopes = published.from_frame(frame)
    is_of_document = published.SUBMITTED_COLUMN in frame.columns
    whose = " of a document" if is_of_document else ""
    text = f"limits {file.name}{whose}, taken as they are: {_extent(envelopes)}"
    return envelopes, Source("document" if is_of_document else "limits", file.name, text)


def _extent(envelopes: EnvelopeTable) -> str:
    return (
        f"{envelopes.site_count} sites, {_timing(envelopes)}, {envelopes.interval_count} intervals "
        f"from {format_nem(envelopes.horizon_start)}"
    )


def _timing(envelopes: EnvelopeTable) -> str:
    """PRE or POST, as the source says it; limits do not."""
    found = [name for name, code in TIMINGS.items() if (envelopes.timings == code).any()]
    return " and ".join(found) if found else "PRE or POST not stated"


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(4096)
    except OSError as exc:
        raise ConfigError(f"{file}: not readable: {exc.strerror}") from exc
