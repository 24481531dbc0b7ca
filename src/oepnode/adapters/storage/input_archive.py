"""A round's inputs, sealed to an auditor's key and opened again.

Guarantees: only the holder of the key reads them, and only as inputs of the round that they were
sealed for; opening allocates no more than `MAX_INPUTS` and a small multiple of what was received.
Leaves out where archives are kept, and whether the inputs are those of the chain: that is
``domain.computation``.

The plaintext is ``"OEPI" ‖ 0x01 ‖ profile u8 ‖ import sign u8 ‖ salt (32) ‖ envelope length u64 ‖
registry length u64 ‖ zlib(envelope ‖ registry)``, integers big-endian; profile 0 ``wide``,
1 ``edge``; import sign 0 ``canonical``, 1 ``magnitude``. Source: ``docs/spec/bundle.md``.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, Literal

from oepnode.adapters.crypto import hpke as sealing
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
_FAST: Final = 1  # documents of repeated JSON shrink to a tenth at the lowest level already


def seal_inputs(
    public_key: bytes,
    context: RoundContext,
    envelope: bytes,
    registry: bytes,
    salt: bytes,
    feed: Feed,
) -> bytes:
    """Seal what a round's result is computed from.

    Args:
        public_key: The auditor's X25519 key, 32 bytes.
        context: The round.
        envelope: Exact bytes of the envelope document.
        registry: Exact bytes of the registry snapshot.
        salt: The snapshot's salt, 32 bytes.
        feed: How the document was read.

    Raises:
        EvidenceError: If the key is not usable, or the inputs are too large to be archived.
    """
    if len(envelope) + len(registry) > MAX_INPUTS:
        raise EvidenceError(f"an archive holds at most {MAX_INPUTS} bytes of inputs")
    head = _HEAD.pack(
        _MAGIC,
        _VERSION,
        _PROFILES.index(feed.profile),
        _SIGNS.index(feed.import_sign),
        salt,
        len(envelope),
        len(registry),
    )
    packer = zlib.compressobj(_FAST)
    parts = (head, packer.compress(envelope), packer.compress(registry), packer.flush())
    return sealing.seal(public_key, b"".join(parts), _info(context))


def open_inputs(private_key: bytes, sealed: bytes, context: RoundContext) -> Inputs:
    """Open what `seal_inputs` made for this key and this round.

    Raises:
        EvidenceError: If it was made for another key or round, was changed, or is no archive.
    """
    plaintext = sealing.open_sealed(private_key, sealed, _info(context))
    try:
        magic, version, profile, sign, salt, envelope, registry = _HEAD.unpack_from(plaintext)
    except struct.error as exc:
        raise EvidenceError("the archive is cut short") from exc
    if (magic, version) != (_MAGIC, _VERSION) or profile >= len(_PROFILES) or sign >= len(_SIGNS):
        raise EvidenceError("not an archive of version 1")
    if envelope + registry > MAX_INPUTS:
        raise EvidenceError(f"the archive claims more than {MAX_INPUTS} bytes of inputs")
    data = _inflate(memoryview(plaintext)[_HEAD.size :], envelope + registry)
    return Inputs(data[:envelope], data[envelope:], salt, Feed(_PROFILES[profile], _SIGNS[sign]))


def _inflate(packed: memoryview, size: int) -> bytes:
    """Unpack exactly ``size`` bytes; never more than one byte beyond them."""
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, size + 1)
    except zlib.error as exc:
        raise EvidenceError("the archive does not unpack") from exc
    if len(data) != size or not unpacker.eof or unpacker.unused_data:
        raise EvidenceError("the archive does not hold the lengths that it claims")
    return data


def _info(context: RoundContext) -> bytes:
    return _INFO + context.encode()
