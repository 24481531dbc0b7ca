"""Envelopes from any of their forms: a document, a limits file, or an aggregator's bundle.

The form of a file follows from its content, not from its name. A bundle is opened and verified
against its round first, exactly as `verify_bundle` does, so that nothing is constrained or
checked by limits that the quorum did not agree on.

Source: Part C §6.3, ``docs/spec/bundle.md``.

Example:
    >>> envelopes = load_envelopes("envelope.json")                       # doctest: +SKIP
    >>> envelopes.table.site_count, envelopes.text                        # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from msgspec import UNSET, Struct, UnsetType, structs

from oepnode.client.answers import PrivateStruct
from oepnode.client.bundles import check_bundle
from oepnode.client.edge.tables import read_head, write_table
from oepnode.client.files import FileName, name_file, read_file
from oepnode.client.keys import KeyPair
from oepnode.client.limits import LEVEL_NAMES
from oepnode.client.rounds import RoundSelector
from oepnode.client.tokens import TokensMissingError, TokensNotUsedError, TokenSource
from oepnode.client.values import parse_nmi
from oepnode.domain.documents.arrays import Int32s
from oepnode.domain.edge.envelopes import table as tables
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT, EnvelopeTable
from oepnode.domain.edge.validation.acknowledgement import ValidationResult
from oepnode.domain.nem.choices import Timing, require_choice
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nem.quantities import NO_LIMIT, Feed
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.bundle import FILE_MAGIC
from oepnode.domain.rounds.inputs.envelope_document import parse_history
from oepnode.domain.rounds.inputs.envelope_form import TIMINGS
from oepnode.domain.rounds.token_list import TokenListError
from oepnode.errors import ConfigError

_TIMING_NAMES: Final = {code: name for name, code in TIMINGS.items()}
_MAX_SIZE: Final = 1 << 34
_PARQUET: Final = b"PAR1"
_CSV: Final = b"nmi,"


class EnvelopeFormError(ConfigError):
    """A file holds no envelopes in any of their forms."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: neither an envelope document, nor limits in Parquet or CSV, nor a bundle"
        )


class KeyMissingError(ConfigError):
    """A bundle was given without the key that opens it."""


class KeyNotUsedError(ConfigError):
    """A key was given, and the envelopes are not a bundle."""


class LoadedEnvelopes(Struct, frozen=True):
    """Envelopes and where they are from.

    Attributes:
        table: The limits.
        kind: ``document``, of all aggregators, also where its limits are from a file; ``limits`` or
            ``bundle`` of one aggregator.
        file: The file's name.
        text: One line for a person.
        notes: Sentences on anything unusual but allowed.
    """

    table: EnvelopeTable
    kind: Literal["document", "limits", "bundle"]
    file: str
    text: str
    notes: tuple[str, ...] = ()

    @property
    def is_of_one_aggregator(self) -> bool:
        """Whether the sites are just those of one aggregator."""
        return self.kind != "document"


class LimitRange(Struct, frozen=True):
    """The limits of a site in one direction, in watts.

    Attributes:
        intervals: Intervals that have a limit.
        least: The limit of least magnitude; None without any.
        most: The limit of most magnitude.
        limits: One for each interval, None where there is none; only on request.
    """

    intervals: int
    least: int | None
    most: int | None
    limits: tuple[int | None, ...] | UnsetType = UNSET


class SiteEnvelope(PrivateStruct, frozen=True):
    """The limits of one NMI at one application level.

    Attributes:
        nmi: The NMI.
        level: NMI or Flex.
        timing: PRE or POST; None where the source does not state it.
        objective: The objective function; None where unknown.
        superseded_rows: Rows that a later submission superseded.
        export_w: Export limits.
        import_w: Import limits.
        horizon_start: Start of the first interval, NEM time; only with ``limits``.
    """

    nmi: str
    level: str
    timing: str | None
    objective: str | None
    superseded_rows: int
    export_w: LimitRange
    import_w: LimitRange
    horizon_start: str | UnsetType = UNSET


class EnvelopeView(PrivateStruct, frozen=True):
    """Envelopes site by site.

    Attributes:
        source: Where they are from, one line.
        sites: In order of (NMI, level).
    """

    source: str
    sites: tuple[SiteEnvelope, ...]


# --- validate and load ---------------------------------------------------------------------------


def validate_envelopes(
    path: FileName, *, timing: Timing | None = None, feed: Feed | None = None
) -> ValidationResult[Any]:
    """Validate an envelope document.

    Args:
        path: JSON or NDJSON.
        timing: Reject any other oeTiming.
        feed: How the document is written.

    Raises:
        ConfigError: If the file is not readable, or the timing is another word.
    """
    from oepnode.domain.edge.envelopes import validate

    if timing is not None:
        require_choice("timing", timing, Timing)

    data = read_file(Path(path), "envelope document", _MAX_SIZE)
    return validate.validate(data, feed, timing=timing)


def load_envelopes(
    path: FileName,
    *,
    key: FileName | KeyPair | None = None,
    selector: RoundSelector | None = None,
    feed: Feed | None = None,
    tokens: TokenSource | None = None,
) -> LoadedEnvelopes:
    """Load envelopes from any of their forms.

    Args:
        path: A document (JSON, NDJSON), a limits file (Parquet, CSV) or a bundle.
        key: The aggregator's key pair or its file, for a bundle.
        selector: The round of a bundle, and where its final result is read.
        feed: How a document is written.
        tokens: The token list of a bundle of a blind round, as in `verify_bundle`.

    Raises:
        DocumentFault: If a document or limits file is wrong.
        BundleError: If a bundle does not verify.
        TokenListError: If the token list is not this aggregator's for this round, or lacks a
            token of the bundle.
        TokensMissingError: If sites are named by tokens, and there is no token list.
        KeyMissingError: If a bundle comes without a key.
        KeyNotUsedError: If something else comes with one.
        EnvelopeFormError: If the file has none of these forms.
    """
    path = Path(path)
    head = read_head(path)
    if head.startswith(FILE_MAGIC):
        return _load_bundle(path, key, selector, tokens)
    if key is not None:
        raise KeyNotUsedError(f"a key was given, but {path} is not a bundle")
    if tokens is not None:
        raise TokensNotUsedError(f"a token list was given, but {path} is not a bundle")
    if head.startswith((_PARQUET, _CSV)):
        return _load_limits(path, is_parquet=head.startswith(_PARQUET))
    if head.lstrip()[:1] not in {b"[", b"{"}:
        raise EnvelopeFormError(path)
    data = read_file(path, "envelope document", _MAX_SIZE)
    with name_file(path):
        document, rows = parse_history(data, feed)
        if document.site_id_kind is SiteIdKind.TOKEN:
            raise TokensMissingError(f"{path}: its sites are named by tokens; use that with NMIs")
        table = tables.from_document(document, rows)
    text = f"document {path.name}: {_extent(table)}"
    return LoadedEnvelopes(table, "document", path.name, text, document.warnings)


def load_both_envelopes(
    pre: FileName,
    post: FileName,
    *,
    key: FileName | KeyPair | None = None,
    selector: RoundSelector | None = None,
    feed: Feed | None = None,
    tokens: TokenSource | None = None,
) -> tuple[LoadedEnvelopes, LoadedEnvelopes]:
    """Load PRE and POST envelopes; the key opens those that are a bundle.

    Raises:
        KeyNotUsedError: If a key is given, and neither is a bundle.
        OepError: As in `load_envelopes`.
    """
    keys = {path: key if _is_bundle(path) else None for path in (pre, post)}
    lists = {path: tokens if keys[path] else None for path in (pre, post)}
    if key is not None and not any(keys.values()):
        raise KeyNotUsedError(f"a key was given, but neither {pre} nor {post} is a bundle")
    first, second = (
        load_envelopes(path, key=keys[path], selector=selector, feed=feed, tokens=lists[path])
        for path in (pre, post)
    )
    return first, second


def _is_bundle(path: FileName) -> bool:
    """Whether a file is a bundle, by its content.

    Raises:
        ConfigError: If it cannot be read.
    """
    return read_head(Path(path)).startswith(FILE_MAGIC)


def _load_bundle(
    path: Path,
    key: FileName | KeyPair | None,
    selector: RoundSelector | None,
    tokens: TokenSource | None,
) -> LoadedEnvelopes:
    if key is None:
        raise KeyMissingError(f"{path} is a bundle, and no key was given")
    if selector is None:
        raise ConfigError(f"{path} is a bundle: name the round and the chain that it is checked by")
    check = check_bundle(path, key, selector, tokens=tokens)
    verified, final = check.verified, check.final
    if verified.is_blind and check.tokens is None:
        raise TokensMissingError(f"{path} is of a blind round: give your token list as well")
    if check.unknown_tokens:
        message = f"{check.unknown_tokens} tokens of {path} are not on your token list"
        raise TokenListError("tokens", message)
    table = tables.from_bundle(verified, check.nmis)
    text = (
        f"bundle {path.name} of {verified.aggregator_id}, verified against round "
        f"{final.context.number} from {final.source}: {_extent(table)}"
    )
    return LoadedEnvelopes(table, "bundle", path.name, text, final.notes)


def _load_limits(path: Path, *, is_parquet: bool) -> LoadedEnvelopes:
    import polars as pl

    try:
        if is_parquet:
            frame = pl.read_parquet(path)
        else:
            frame = pl.read_csv(path, infer_schema=False)
            amounts = (*tables.LIMIT_COLUMNS, tables.SUBMITTED_COLUMN)
            present = [name for name in amounts if name in frame.columns]
            frame = frame.with_columns(pl.col(name).cast(pl.Int64) for name in present)
    except (pl.exceptions.PolarsError, OSError) as exc:
        form = "Parquet" if is_parquet else "CSV with whole numbers"
        raise ConfigError(f"{path}: not readable as {form}") from exc
    with name_file(path):
        table = tables.from_frame(frame)
    is_of_document = tables.SUBMITTED_COLUMN in frame.columns
    origin = " of a document" if is_of_document else ""
    text = f"limits {path.name}{origin}, taken as they are: {_extent(table)}"
    return LoadedEnvelopes(table, "document" if is_of_document else "limits", path.name, text)


def _extent(table: EnvelopeTable) -> str:
    named = [name for name, code in TIMINGS.items() if (table.timings == code).any()]
    timing = " and ".join(named) if named else "PRE or POST not stated"
    start = format_nem(table.horizon_start)
    return f"{table.site_count} sites, {timing}, {table.interval_count} intervals from {start}"


# --- look at and write ---------------------------------------------------------------------------


def select_nmi(envelopes: LoadedEnvelopes, nmi: str) -> LoadedEnvelopes:
    """The envelopes of one NMI, named with or without its checksum.

    Raises:
        ConfigError: If it is not an NMI, or has no envelope.
    """
    table = envelopes.table.select([parse_nmi(nmi, "nmi")])
    if not table.site_count:
        raise ConfigError(f"that NMI has no envelope in {envelopes.file}")
    return structs.replace(envelopes, table=table)


def view_envelopes(envelopes: LoadedEnvelopes, *, with_limits: bool = False) -> EnvelopeView:
    """The limits of each site.

    Args:
        envelopes: The envelopes.
        with_limits: Whether to list the limits interval by interval.
    """
    table = envelopes.table
    sites = (_site(table, site, with_limits=with_limits) for site in range(table.site_count))
    return EnvelopeView(envelopes.text, tuple(sites))


def _site(table: EnvelopeTable, site: int, *, with_limits: bool) -> SiteEnvelope:
    superseded = table.superseded.cell // table.interval_count == site
    return SiteEnvelope(
        nmi=table.nmis[site].decode(),
        level=LEVEL_NAMES[table.levels[site]],
        timing=_TIMING_NAMES.get(int(table.timings[site])),
        objective=table.objectives[site] or None,
        superseded_rows=int(superseded.sum()),
        export_w=_range(table.limits[site, EXPORT], with_limits=with_limits),
        import_w=_range(table.limits[site, IMPORT], with_limits=with_limits),
        horizon_start=format_nem(table.horizon_start) if with_limits else UNSET,
    )


def _range(limits: Int32s, *, with_limits: bool) -> LimitRange:
    known = limits[limits != NO_LIMIT].astype(np.int64)
    sizes = np.abs(known)
    each = tuple(None if limit == NO_LIMIT else limit for limit in limits.tolist())
    return LimitRange(
        intervals=len(known),
        least=int(known[sizes.argmin()]) if len(known) else None,
        most=int(known[sizes.argmax()]) if len(known) else None,
        limits=each if with_limits else UNSET,
    )


def interval_ends(table: EnvelopeTable) -> tuple[str, ...]:
    """The end of each interval of the horizon, NEM time."""
    start = table.horizon_start
    return tuple(format_nem(start + INTERVAL_S * (i + 1)) for i in range(table.interval_count))


def write_limits(path: FileName, envelopes: LoadedEnvelopes) -> int:
    """Write limits with their submissions, superseded ones included; `load_envelopes` reads them.

    Those of a document have the column of submissions, known or not: it shows that they are of all
    aggregators, and not of one.

    Returns:
        The number of rows.

    Raises:
        ConfigError: If the file is of another kind or cannot be written.
    """
    import polars as pl

    frame = tables.to_frame(envelopes.table)
    if envelopes.kind == "document" and tables.SUBMITTED_COLUMN not in frame.columns:
        unknown = pl.lit(None, pl.Int64).alias(tables.SUBMITTED_COLUMN)
        frame = frame.with_columns(unknown)
    write_table(path, frame)
    return frame.height
