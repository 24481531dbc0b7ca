"""Files with a sealed bundle, read in pieces so that their size does not matter.

Guarantees: no more is in memory than a piece; no more is read than a limit. Source:
``docs/spec/bundle.md`` section 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from oepnode.adapters.crypto import sealing
from oepnode.client.files import FileName, reason_of
from oepnode.domain.rounds import bundle as bundles
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.errors import ConfigError

_PIECE: Final = 1 << 20


@dataclass(frozen=True)
class BundleFile:
    """An open file with a sealed bundle.

    Attributes:
        context: The round named in the file, or None for a worker's bare bytes.
        pieces: The sealed bundle; read once.
    """

    context: RoundContext | None
    pieces: Iterator[bytes]

    @property
    def number(self) -> int | None:
        """The round's number, where the file names it."""
        return None if self.context is None else self.context.number


@contextmanager
def open_bundle(file: FileName, max_bytes: int) -> Iterator[BundleFile]:
    """Open a bundle's file for the length of a block.

    Args:
        file: From `fetch_bundle`, or the bare bytes that a worker serves.
        max_bytes: Largest bundle that is read, in bytes.

    Raises:
        ConfigError: If it cannot be read or, while it is read, if it is larger.
    """
    path = Path(file)
    with _named(path):
        stream = path.open("rb")
    with stream:
        with _named(path):
            head = stream.read(bundles.FILE_HEAD_SIZE)
        context, rest = bundles.unpack_file(head) or (None, head)
        limit = sealing.sealed_size(KeyKind.HYBRID, max_bytes)
        yield BundleFile(context, _pieces(path, stream, rest, limit))


def _pieces(path: Path, stream: BinaryIO, first: bytes, limit: int) -> Iterator[bytes]:
    size, piece = 0, first or _read(path, stream)
    while piece:
        size += len(piece)
        if size > limit:
            raise ConfigError(f"{path}: larger than any bundle")
        yield piece
        piece = _read(path, stream)


def _read(path: Path, stream: BinaryIO) -> bytes:
    with _named(path):
        return stream.read(_PIECE)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: bundle not readable: {reason_of(exc)}") from exc
