"""Reads the assignments of a large document by columns, many times faster than one by one.

Guarantees: what is returned is what the strict readers return; whatever cannot be proved to be
without a fault and without a warning gives None, and goes to them. The proof for JSON: ASCII
without a backslash, decoded into typed objects of known fields, with exactly as many quotation
marks as these have, so that no key occurs twice. Source: rules-v1 section 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
from msgspec import UNSET, DecodeError, Raw, Struct, UnsetType, field
from msgspec import json as msgspec_json

from oepnode.domain.documents.arrays import Int32s, Int64s, Texts
from oepnode.domain.nem.nem_time import parse_grid_instant
from oepnode.domain.nem.nmi import NmiError
from oepnode.domain.nem.tokens import SiteIdKind, parse_site_id
from oepnode.domain.rounds.inputs.assignments import OPEN_END
from oepnode.domain.rounds.inputs.site_ids import fixed_site_ids, site_id_column

LARGE: Final = 1 << 20
"""Bytes from which a document is read by columns; below, the strict readers are fast enough."""

_QUOTE: Final = ord('"')
_WIDTHS: Final = frozenset(kind.value for kind in SiteIdKind)
_KEYS: Final = 3
"""Keys that every assignment has, each with a text as its value."""

Columns = tuple[Texts, Int32s, Int64s, Int64s]
"""NMI or token, holder, start and end of each assignment, in the order of the document."""


class _Assignment(Struct, forbid_unknown_fields=True, gc=False):
    nmi: str
    aggregator: str
    start: str = field(name="from")
    end: str | UnsetType | None = field(name="to", default=UNSET)


class _Aggregator(Struct, forbid_unknown_fields=True, rename="camel"):
    id: str
    name: str
    public_key: str
    address: str | None = None


class _Snapshot(Struct, forbid_unknown_fields=True, rename="camel"):
    as_of: str
    salt_digest: str
    aggregators: list[_Aggregator]
    assignments: list[_Assignment]
    nonce: str | None = None


class _Assignments(Struct):
    assignments: Raw


_TYPED: Final = msgspec_json.Decoder(_Snapshot)
_TOP: Final = msgspec_json.Decoder(_Assignments)


class Parts(NamedTuple):
    """A snapshot in parts.

    Attributes:
        head: The snapshot with an empty array for its assignments.
        array: The text of that array.
        rows: The array, decoded.
    """

    head: bytes
    array: bytes
    rows: Sequence[_Assignment]


def split_assignments(data: bytes) -> Parts | None:
    """A snapshot in parts, or None where the strict reader is to decide.

    It is decoded by its types first, which bound the nesting: `Raw` recurses into what it skips.
    """
    try:
        rows = _TYPED.decode(data).assignments
        array = bytes(_TOP.decode(data).assignments)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None
    start = data.find(array)
    if start != data.rfind(array):
        return None  # the same text occurs elsewhere
    return Parts(data[:start] + b"[]" + data[start + len(array) :], array, rows)


def read_array(parts: Parts, index: Mapping[str, int]) -> Columns | None:
    """Read the assignments of a snapshot.

    Args:
        parts: The snapshot in parts.
        index: Aggregator's id → number.

    Returns:
        Its columns, or None where the strict reader is to decide.
    """
    array, rows = parts.array, parts.rows
    if not array.isascii() or b"\\" in array:
        return None
    ends = [row.end for row in rows]
    named = sum(end is not UNSET for end in ends)
    texts = len(rows) * 2 * _KEYS + named + sum(type(end) is str for end in ends)
    if int(np.count_nonzero(np.frombuffer(array, np.uint8) == _QUOTE)) != 2 * texts:
        return None
    nmi = [row.nmi for row in rows]
    aggregator = [row.aggregator for row in rows]
    start = [row.start for row in rows]
    del rows
    return read_columns(
        nmi, aggregator, start, [end if type(end) is str else None for end in ends], index
    )


def read_columns(
    nmi: Sequence[str | None],
    aggregator: Sequence[str | None],
    start: Sequence[str | None],
    end: Sequence[str | None],
    index: Mapping[Any, int],
) -> Columns | None:
    """Read assignments that are given as columns of texts.

    Args:
        nmi: NMIs or tokens.
        aggregator: Keys of ``index``.
        start: First covered interval starts.
        end: First interval starts no longer covered; None for none.
        index: Aggregator → number.

    Returns:
        The columns in the same order, or None where the strict reader is to decide.
    """
    instants = _instants(start, end)
    if instants is None or not index.keys() >= set(aggregator):
        return None
    sites = _sites(nmi)
    if sites is None:
        return None
    starts = np.fromiter(map(instants.__getitem__, start), np.int64, len(start))
    ends = np.fromiter(map(instants.__getitem__, end), np.int64, len(end))
    if (ends <= starts).any() or (starts == OPEN_END).any():
        return None
    holder = np.fromiter(map(index.__getitem__, aggregator), np.int32, len(aggregator))
    return sites, holder, starts, ends


def _instants(
    start: Sequence[str | None], end: Sequence[str | None]
) -> dict[str | None, int] | None:
    """Every text of the columns → its instant; None if one is odd."""
    instants: dict[str | None, int] = {None: OPEN_END}
    for text in set(chain(start, end)) - {None}:
        try:
            instant = parse_grid_instant(str(text))
        except ValueError:
            return None
        if instant.warning:
            return None
        instants[text] = instant.seconds
    return instants


def _sites(texts: Sequence[str | None]) -> Texts | None:
    """The identifiers as a column of one kind; None if one is odd, or there are two kinds."""
    if not texts or None in texts:
        return None
    width = len(texts[0] or "")
    joined = "".join(map(str, texts))
    is_even = len(joined) == width * len(texts) and set(map(len, texts)) == {width}  # type: ignore[arg-type]
    if is_even and joined.isascii() and width in _WIDTHS:
        return fixed_site_ids(np.frombuffer(joined.encode(), np.uint8), width)
    try:
        parsed = [parse_site_id(str(text)) for text in texts]
    except NmiError:
        return None
    widths = set(map(len, parsed))
    return site_id_column(parsed, SiteIdKind(widths.pop())) if len(widths) == 1 else None
