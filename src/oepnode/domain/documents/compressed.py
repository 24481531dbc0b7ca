"""Unpacks gzip and zstd in a stream, within bounds.

Guarantees: at most 64 times the packed size and 64 MiB come out, and no more than a stated number
of bytes; memory does not grow with either size (a zstd frame that wants a window of more than
128 MiB is rejected). Several members or frames one after another are one stream, as both formats
say. Every fault is a `DocumentFault` with a code of its own. Source: rules-v1 section 2, RFC 1952,
RFC 8878.
"""

from __future__ import annotations

from enum import Enum
from io import BufferedReader, RawIOBase
from typing import BinaryIO, Final

import pyarrow as pa

from oepnode.domain.documents.sources import DocumentSource
from oepnode.errors import DocumentFault, Finding

EXPANSION: Final = 64
"""Most unpacked bytes for each packed one, beyond `ALLOWANCE`."""
ALLOWANCE: Final = 1 << 26
_BUFFER: Final = 1 << 20
MAX_UNPACKED: Final = 1 << 37
"""Most unpacked bytes where no setting says less (128 GiB)."""


class Compression(Enum):
    """A packed form; the value is its first bytes."""

    GZIP = b"\x1f\x8b"
    ZSTD = b"\x28\xb5\x2f\xfd"

    @property
    def label(self) -> str:
        """Its name, as in options and messages."""
        return self.name.lower()


def compression_of(first: bytes) -> Compression | None:
    """The packed form that a document's first bytes are of, or None."""
    return next((form for form in Compression if first.startswith(form.value)), None)


class UnpackingReader(RawIOBase):
    """Reads the unpacked bytes of a packed document.

    Args:
        packed: Reader of the packed bytes; closed with this one.
        form: The packed form.
        size: Number of packed bytes.
        most: Most unpacked bytes.
        what: Name of the document for messages.
    """

    def __init__(
        self,
        packed: BinaryIO,
        form: Compression,
        size: int,
        *,
        most: int = MAX_UNPACKED,
        what: str = "envelope document",
    ) -> None:
        super().__init__()
        self._form = form
        self._what = what
        self._left = min(EXPANSION * size + ALLOWANCE, most)
        self._packed = packed
        self._stream = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), form.label)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer; returns the number of bytes, 0 at the end.

        Raises:
            DocumentFault: ``form.truncated``, ``form.corrupt``, ``form.window`` or
                ``form.expansion``.
        """
        try:
            count = int(self._stream.readinto(buffer))
        except OSError as exc:
            raise self._fault(*_reason(str(exc), self._form)) from exc
        self._left -= count
        if self._left < 0:
            message = (
                f"it unpacks to more than {EXPANSION} times its size and 64 MiB, or to more "
                "than the setting allows"
            )
            raise self._fault("form.expansion", message)
        return count

    def close(self) -> None:
        """Close the packed reader too."""
        super().close()
        self._packed.close()

    def _fault(self, code: str, message: str) -> DocumentFault:
        return DocumentFault(self._what, [Finding("$", code, message)], 0)


def open_unpacked(source: DocumentSource, form: Compression | None, most: int) -> BinaryIO:
    """A reader of a document's unpacked bytes; of the bytes themselves where it is not packed."""
    packed = source.open()
    if form is None:
        return packed
    return BufferedReader(UnpackingReader(packed, form, source.size, most=most), _BUFFER)


def _reason(error: str, form: Compression) -> tuple[str, str]:
    """Code and message of a decoder's error."""
    if "Truncated" in error:
        return "form.truncated", f"the {form.label} data ends too early"
    if "too much memory" in error:
        return "form.window", "the zstd frame needs a window of more than 128 MiB"
    return "form.corrupt", f"the {form.label} data is damaged, or other bytes follow it"
