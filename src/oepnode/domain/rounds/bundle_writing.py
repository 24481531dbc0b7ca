"""The plaintext of a bundle, written in pieces.

Guarantees: one encoding only; besides the entries, which are read one after the other, no more is
in memory than ids and lengths. Leaves out sealing (``adapters.crypto.sealing``).

Source: ``docs/spec/bundle.md`` section 1.

Example:
    >>> sealed = sealing.seal(public_key, build(result, index), info)        # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import numpy as np

from oepnode.domain.rounds.bundle import (
    HEAD_SIZE,
    MAGIC,
    MAX_ENTRIES,
    MIN_SIZE,
    VERSION,
    BundleError,
    padded_size,
)
from oepnode.domain.rounds.partition import RoundResult

_ARRAY_OF_TEN: Final = b"\x9a"
_PADDING: Final = bytes(MIN_SIZE)


def build(result: RoundResult, index: int) -> Iterator[bytes]:
    """The plaintext of the bundle of the partition at ``index``, in pieces, to be sealed.

    Raises:
        BundleError: At once, if the partition is too large for one bundle (check ``format``).
    """
    partition = result.partitions[index]
    lengths = np.asarray(partition.sizes, dtype=np.int64)
    size = int(lengths.sum())
    if size > MAX_ENTRIES:
        raise BundleError(
            "format", f"a bundle has at most {MAX_ENTRIES} bytes of site entries, this one {size}"
        )
    before = (
        result.context.encode(),
        partition.aggregator_id,
        partition.key,
        "".join(partition.nmis).encode(),
        lengths.astype(">u4").tobytes(),
    )
    after = (partition.entry, index, result.partition_count, b"".join(result.path(index)))
    head = _ARRAY_OF_TEN + _packed(before) + _bin_head(size)
    return _framed(head, partition.entries, size, _packed(after))


def _framed(head: bytes, entries: Iterable[bytes], size: int, tail: bytes) -> Iterator[bytes]:
    """Header, the body as head, entries of ``size`` bytes together and tail, and the padding."""
    body = len(head) + size + len(tail)
    yield MAGIC + VERSION.to_bytes(1) + body.to_bytes(8) + head
    yield from entries
    yield tail
    padding = padded_size(body) - HEAD_SIZE - body
    for _ in range(padding // MIN_SIZE):
        yield _PADDING
    yield _PADDING[: padding % MIN_SIZE]


def _packed(values: Iterable[bytes | str | int]) -> bytes:
    return b"".join(msgspec.msgpack.encode(value) for value in values)


def _bin_head(size: int) -> bytes:
    """The head of a MessagePack bin of that many bytes, in its shortest form."""
    for mark, width in ((0xC4, 1), (0xC5, 2)):
        if size < 1 << (8 * width):
            return bytes([mark]) + size.to_bytes(width)
    return b"\xc6" + size.to_bytes(4)
