"""Packed documents: unpacked in a stream, within bounds, each fault with its code."""

from __future__ import annotations

import gzip
import io
import random

import pyarrow as pa
import pytest

from oepnode.domain.documents.compressed import (
    MAX_UNPACKED,
    Compression,
    UnpackingReader,
    compression_of,
)
from oepnode.errors import DocumentFault

DATA = b"".join(b'{"nmi":"%010d"}\n' % random.Random(i).randrange(10**10) for i in range(5_000))


def _zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


PACKED = {Compression.GZIP: gzip.compress(DATA), Compression.ZSTD: _zstd(DATA)}


def _unpack(packed: bytes, form: Compression, most: int = MAX_UNPACKED) -> bytes:
    with UnpackingReader(io.BytesIO(packed), form, len(packed), most=most) as reader:
        return io.BufferedReader(reader, 1 << 14).read()


def _code(packed: bytes, form: Compression, most: int = MAX_UNPACKED) -> str:
    with pytest.raises(DocumentFault) as caught:
        _unpack(packed, form, most)
    (finding,) = caught.value.faults
    assert finding.path == "$"
    return finding.code


@pytest.mark.parametrize("form", Compression)
def test_a_form_is_known_by_its_first_bytes_and_unpacked(form: Compression) -> None:
    packed = PACKED[form]
    assert compression_of(packed[:4]) is form
    assert _unpack(packed, form) == DATA
    assert _unpack(packed + packed, form) == DATA + DATA


def test_other_first_bytes_are_of_no_packed_form() -> None:
    for first in (b"", b"[", b"PAR1", b"\x1f", b"\x28\xb5\x2f", b"BZh9"):
        assert compression_of(first) is None


@pytest.mark.parametrize("form", Compression)
def test_a_truncated_stream_is_rejected_by_name(form: Compression) -> None:
    packed = PACKED[form]
    for size in (len(packed) - 1, len(packed) - 6, len(packed) // 2, 6):
        assert _code(packed[:size], form) == "form.truncated"


@pytest.mark.parametrize("form", Compression)
def test_a_damaged_stream_is_rejected_by_name(form: Compression) -> None:
    packed = PACKED[form]
    assert _code(packed + b"more", form) == "form.corrupt"
    middle = len(packed) // 2
    damaged = packed[:middle] + bytes(64) + packed[middle + 64 :]
    assert _code(damaged, form) in {"form.corrupt", "form.truncated"}


def test_a_checksum_that_does_not_fit_is_a_fault() -> None:
    packed = bytearray(PACKED[Compression.GZIP])
    packed[-6] ^= 1
    assert _code(bytes(packed), Compression.GZIP) == "form.corrupt"


@pytest.mark.parametrize(
    ("form", "pack"), [(Compression.GZIP, gzip.compress), (Compression.ZSTD, _zstd)]
)
def test_a_bomb_is_rejected_before_it_has_unpacked(form: Compression, pack: object) -> None:
    assert callable(pack)
    bomb = pack(bytes(1 << 27))
    read = 0
    with (
        UnpackingReader(io.BytesIO(bomb), form, len(bomb)) as reader,
        pytest.raises(DocumentFault) as caught,
    ):
        while count := reader.readinto(memoryview(bytearray(1 << 16))):
            read += count
    assert caught.value.faults[0].code == "form.expansion"
    assert read <= (1 << 26) + 64 * len(bomb)


@pytest.mark.parametrize("form", Compression)
def test_the_absolute_bound_is_exact(form: Compression) -> None:
    assert _unpack(PACKED[form], form, most=len(DATA)) == DATA
    assert _code(PACKED[form], form, most=len(DATA) - 1) == "form.expansion"
