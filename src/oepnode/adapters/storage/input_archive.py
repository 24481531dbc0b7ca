"""Seals a round's inputs to an auditor's key, and opens them.

Guarantees: only the holder of the key reads them, and only as inputs of the round that they were
sealed for; opening allocates at most `MAX_INPUTS` and a small multiple of the sealed size.
Leaves out the storage of archives, and whether the inputs are those of the chain
(`oepnode.domain.rounds.computation`).

The plaintext is ``"OEPI" ‖ 0x01 ‖ profile u8 ‖ import sign u8 ‖ salt (32) ‖ envelope length u64 ‖
registry length u64 ‖ zlib(envelope ‖ registry)``, integers big-endian; profile 0 ``wide``,
1 ``edge``; import sign 0 ``canonical``, 1 ``magnitude``. Source: ``docs/spec/bundle.md``.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final, Literal

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.domain.documents.sources import read_all
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.computation import Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import EvidenceError

MAX_INPUTS: Final = 1 << 30
"""Largest envelope and registry together, in bytes."""

_HEAD: Final = struct.Struct(">4sBBB32sQQ")
_MAGIC: Final = b"OEPI"
_VERSION: Final = 1
_PROFILES: Final[tuple[Literal["wide", "edge"], ...]] = ("wide", "edge")
_SIGNS: Final[tuple[Literal["canonical", "magnitude"], ...]] = ("canonical", "magnitude")
_INFO: Final = b"oep1 inputs"
_PIECE: Final = 1 << 20
_FAST: Final = 1  # documents of repeated JSON shrink to a tenth at the lowest level already


def seal_inputs(public_key: bytes, context: RoundContext, inputs: Inputs) -> Iterator[bytes]:
    """Seal the inputs of a round, a piece at a time; the arguments are checked at once.

    Args:
        public_key: The auditor's key, of either kind.
        context: The round.
        inputs: The exact bytes that the result is computed from.

    Raises:
        EvidenceError: If the key is not usable, or the inputs exceed `MAX_INPUTS`.
    """
    envelope, registry = read_all(inputs.envelope), read_all(inputs.registry)
    if len(envelope) + len(registry) > MAX_INPUTS:
        raise EvidenceError(f"an archive holds at most {MAX_INPUTS} bytes of inputs")
    head = _HEAD.pack(
        _MAGIC,
        _VERSION,
        _PROFILES.index(inputs.feed.profile),
        _SIGNS.index(inputs.feed.import_sign),
        inputs.salt,
        len(envelope),
        len(registry),
    )
    return sealing.seal(public_key, _packed(head, envelope, registry), _info(context))


def open_inputs(private_key: PrivateKey, sealed: bytes, context: RoundContext) -> Inputs:
    """Open the output of `seal_inputs` for this key and this round.

    Raises:
        EvidenceError: If it was sealed for another key or round, was changed, or is not an archive.
    """
    plaintext = sealing.open_whole(private_key, sealed, _info(context))
    try:
        magic, version, profile, sign, salt, envelope, registry = _HEAD.unpack_from(plaintext)
    except struct.error as exc:
        raise EvidenceError("the archive is cut short") from exc
    if (magic, version) != (_MAGIC, _VERSION) or profile >= len(_PROFILES) or sign >= len(_SIGNS):
        raise EvidenceError("not an archive of version 1")
    if envelope + registry > MAX_INPUTS:
        raise EvidenceError(f"the archive states more than {MAX_INPUTS} bytes of inputs")
    data = _inflate(memoryview(plaintext)[_HEAD.size :], envelope + registry)
    return Inputs(data[:envelope], data[envelope:], salt, Feed(_PROFILES[profile], _SIGNS[sign]))


def _packed(head: bytes, envelope: bytes, registry: bytes) -> Iterator[bytes]:
    yield head
    packer = zlib.compressobj(_FAST)
    for document in (envelope, registry):
        view = memoryview(document)
        for at in range(0, len(view), _PIECE):
            yield packer.compress(view[at : at + _PIECE])
    yield packer.flush()


def _inflate(packed: memoryview, size: int) -> bytes:
    """Unpack exactly ``size`` bytes; at most one byte more is allocated."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, size + 1)
    except zlib.error as exc:
        raise EvidenceError("the archive does not unpack") from exc
    if len(data) != size or not unpacker.eof or unpacker.unused_data:
        raise EvidenceError("the archive does not hold the lengths that it states")
    return data


def _info(context: RoundContext) -> bytes:
    return _INFO + context.encode()
