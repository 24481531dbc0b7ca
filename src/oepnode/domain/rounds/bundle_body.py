"""The plaintext of a bundle as a stream: its framing and the elements of its body, in their order.

Guarantees: what is not in its only encoding raises `BundleError` with the check ``format``, at the
latest in `PlaintextStream.end`; no element is held here but the one that is asked for. Source:
``docs/spec/bundle.md`` section 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from oepnode.domain.rounds.bundle import (
    HEAD_SIZE,
    MAGIC,
    MAX_SIZE,
    MIN_SIZE,
    VERSION,
    BundleError,
    padded_size,
)

_ARRAY_OF_TEN: Final = 0x9A
_ZEROS: Final = bytes(MIN_SIZE)
_BINS: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_INTEGERS: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4}
_FIX_INTEGERS: Final = 0x80
_FIX_TEXT: Final = range(0xA0, 0xC0)
_TEXT_OF_8_BITS: Final = 0xD9
_MISFORMED: Final = "the body is not the MessagePack array of a bundle"
_OTHER_FORM: Final = "the body is not in its only encoding"


class PlaintextStream:
    """Reads a plaintext that is given in pieces of any size.

    Args:
        pieces: The plaintext.

    Attributes:
        body_size: Length of the body.

    Raises:
        BundleError: If it does not begin as a bundle does.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = memoryview(b"")
        self._received = 0
        self.body_size = 0

    def begin(self) -> None:
        """Read the header and the head of the array.

        Raises:
            BundleError: If they are not those of a bundle.
        """
        self._left = HEAD_SIZE
        head = b"".join(self._up_to(HEAD_SIZE))
        if head[:5] != MAGIC + VERSION.to_bytes(1) or len(head) < HEAD_SIZE:
            raise BundleError("format", "not a bundle of version 1")
        self.body_size = int.from_bytes(head[5:])
        if self.body_size > MAX_SIZE:
            raise BundleError("format", f"no body has {self.body_size} bytes")
        self._left = self.body_size
        if self._byte() != _ARRAY_OF_TEN:
            raise BundleError("format", _MISFORMED)

    # --- elements --------------------------------------------------------------------------------

    def read_bin(self, least: int, most: int) -> bytes:
        """The next element, a bin of at least and at most so many bytes."""
        size = self.bin_size()
        if not least <= size <= most:
            raise BundleError("format", _MISFORMED)
        return self.read(size)

    def read_text(self) -> str:
        """The next element, a text of at most 255 bytes."""
        mark = self._byte()
        if mark in _FIX_TEXT:
            size = mark - _FIX_TEXT.start
        elif mark == _TEXT_OF_8_BITS:
            size = self._byte()
            if size < len(_FIX_TEXT):
                raise BundleError("format", _OTHER_FORM)
        else:
            raise BundleError("format", _MISFORMED)
        try:
            return self.read(size).decode()
        except UnicodeDecodeError as exc:
            raise BundleError("format", _MISFORMED) from exc

    def read_integer(self) -> int:
        """The next element, an integer of at most 32 bits."""
        mark = self._byte()
        return mark if mark < _FIX_INTEGERS else self._number(mark, _INTEGERS, _FIX_INTEGERS)

    def bin_size(self) -> int:
        """The length of the next element, a bin of which the content follows."""
        size = self._number(self._byte(), _BINS, 0)
        if size > self._left:
            raise BundleError("format", _MISFORMED)
        return size

    def _number(self, mark: int, widths: dict[int, int], least: int) -> int:
        width = widths.get(mark)
        if width is None:
            raise BundleError("format", _MISFORMED)
        value = int.from_bytes(self.read(width))
        if value < (least if width == 1 else 1 << 4 * width):
            raise BundleError("format", _OTHER_FORM)
        return value

    # --- content of elements ---------------------------------------------------------------------

    def read(self, size: int) -> bytes:
        """The next bytes of the body."""
        return b"".join(self.pieces(size))

    def read_into(self, room: memoryview) -> None:
        """Fill a room with the next bytes of the body."""
        at = 0
        for piece in self.pieces(len(room)):
            room[at : at + len(piece)] = piece
            at += len(piece)

    def skip(self, size: int) -> None:
        """Read bytes of the body and forget them."""
        for _ in self.pieces(size):
            pass

    def pieces(self, size: int) -> Iterator[memoryview]:
        """The next bytes of the body, in pieces.

        Raises:
            BundleError: While iterating, if the body or the plaintext ends before.
        """
        if size > self._left:
            raise BundleError("format", _MISFORMED)
        missing = size
        for piece in self._up_to(size):
            missing -= len(piece)
            yield piece
        if missing:
            raise BundleError("format", _length_message(self._received, self.body_size))

    def _byte(self) -> int:
        return self.read(1)[0]

    def _up_to(self, size: int) -> Iterator[memoryview]:
        """The next bytes, fewer where the plaintext ends."""
        while size:
            if not self._held and not self._fetch():
                return
            part, self._held = self._held[:size], self._held[size:]
            size -= len(part)
            self._left -= len(part)
            yield part

    def _fetch(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self._held = memoryview(piece)
        self._received += len(piece)
        return True

    # --- the end ---------------------------------------------------------------------------------

    def end(self) -> None:
        """Read the rest, which must be the padding.

        Raises:
            BundleError: If bytes of the body are left, or the padding is not as it must be.
        """
        if self._left:
            raise BundleError("format", _MISFORMED)
        is_zero = _is_zero(self._held)
        for piece in self._pieces:
            self._received += len(piece)
            is_zero = is_zero and _is_zero(piece)
        if self._received != padded_size(self.body_size):
            raise BundleError("format", _length_message(self._received, self.body_size))
        if not is_zero:
            raise BundleError("format", "the padding is not zero")

    def drain(self) -> None:
        """Read the rest, whatever it is, so that its source can say if it is authentic."""
        for _ in self._pieces:
            pass


def _is_zero(piece: bytes | memoryview) -> bool:
    if len(piece) > len(_ZEROS):
        return all(
            _is_zero(piece[at : at + len(_ZEROS)]) for at in range(0, len(piece), len(_ZEROS))
        )
    return bytes(piece) == _ZEROS[: len(piece)]


def _length_message(received: int, body_size: int) -> str:
    return f"length {received} does not fit a body of {body_size}"
