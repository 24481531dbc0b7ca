"""The list of an aggregator's NMIs with their tokens, for one blinded registry snapshot.

Guarantees: a list has one encoding only, names the snapshot and the aggregator that it is for, and
has each NMI and each token once; sealed, its length reveals no more than a power of two. Leaves
out sealing (``adapters.crypto.sealing``), and whether the tokens are right: only the holders of the
blinding key know. Source: ``docs/spec/bundle.md`` section 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot
from oepnode.errors import EvidenceError

MAX_SIZE: Final = 1 << 30
"""Largest padded list, in bytes."""

_MAGIC: Final = b"OEPT\x01"
_HEAD_SIZE: Final = 13
_MIN_SIZE: Final = 1 << 16
_INFO: Final = b"oep1 tokens"
_NAME: Final = b"oep1 tokens name"

CHECKS: Final = {
    "opening": "the sealed list opens with this key, for this snapshot",
    "format": "it is a token list, in its only encoding, padded with zeros",
    "snapshot": "it is of this registry snapshot",
    "aggregator": "it is for this aggregator",
    "order": "the NMIs ascend, and no NMI and no token occurs twice",
    "tokens": "at least one token of the bundle is on the list",
}
"""The checks of a list; ``opening`` and ``tokens`` are the caller's."""


class TokenListError(EvidenceError):
    """A token list is not what it should be.

    Attributes:
        check: The name of the check that failed, a key of `CHECKS`.
        reason: The message without it.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(f"token list: check {check} failed: {message}")
        self.check = check
        self.reason = message


_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}\\Z")]
_Nmi = Annotated[str, Meta(pattern="^[0-9A-HJ-NP-Z]{10}\\Z")]
_Token = Annotated[str, Meta(pattern="^[0-9a-f]{32}\\Z")]
_Id = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\\Z")]


class _List(Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON of a list, fields in this order."""

    format: Literal["oepnode token list"]
    version: Literal[1]
    snapshot: _Hash
    aggregator: _Id
    tokens: list[tuple[_Nmi, _Token]]


@dataclass(frozen=True, repr=False)
class TokenList:
    """A valid list. Its repr shows neither NMI nor token.

    Attributes:
        snapshot: SHA-256 of the blinded registry snapshot, 32 bytes.
        aggregator_id: The aggregator that it is for.
        tokens: Token of each NMI, in order of the NMIs.
    """

    snapshot: bytes
    aggregator_id: str
    tokens: Mapping[str, str]

    @cached_property
    def nmis(self) -> Mapping[str, str]:
        """NMI of each token."""
        return {token: nmi for nmi, token in self.tokens.items()}


# --- writing -------------------------------------------------------------------------------------


def lists_of(blinded: Snapshot, digest: bytes, tokens: Mapping[str, str]) -> tuple[TokenList, ...]:
    """The lists of all aggregators of a blinded snapshot, in the snapshot's order.

    Args:
        blinded: The snapshot, of tokens.
        digest: SHA-256 of its bytes.
        tokens: Token of each NMI of the snapshot that was blinded.
    """
    nmis = {token.encode(): nmi for nmi, token in tokens.items()}
    held: list[dict[str, str]] = [{} for _ in blinded.aggregators]
    for token, code in zip(blinded.nmi.tolist(), blinded.aggregator.tolist(), strict=True):
        held[code][nmis[token]] = token.decode()
    return tuple(
        TokenList(digest, aggregator.id, dict(sorted(mine.items())))
        for aggregator, mine in zip(blinded.aggregators, held, strict=True)
    )


def write(tokens: TokenList) -> bytes:
    """A list as JSON, with a newline at its end."""
    value = _List(
        "oepnode token list",
        1,
        tokens.snapshot.hex(),
        tokens.aggregator_id,
        list(tokens.tokens.items()),
    )
    return msgspec.json.encode(value) + b"\n"


def pad(data: bytes) -> bytes:
    """A written list with its length and zeros up to a power of two, to be sealed.

    Raises:
        TokenListError: If it is too long (check ``format``).
    """
    size = max(_MIN_SIZE, 1 << (_HEAD_SIZE + len(data) - 1).bit_length())
    if size > MAX_SIZE:
        raise TokenListError("format", f"a list has at most {MAX_SIZE} bytes, this one {size}")
    return (_MAGIC + len(data).to_bytes(8) + data).ljust(size, b"\x00")


def sealing_info(snapshot: bytes) -> bytes:
    """HPKE ``info``, which binds a sealed list to its purpose and snapshot."""
    return _INFO + snapshot


def list_name(snapshot: bytes, public_key: bytes) -> str:
    """The name under which the list sealed to ``public_key`` is served, 64 hex digits."""
    return sha256(_NAME + snapshot + public_key).hexdigest()


# --- reading -------------------------------------------------------------------------------------


def unpad(padded: bytes) -> bytes:
    """The written list in the output of `pad`.

    Raises:
        TokenListError: If it is nothing of `pad` (check ``format``).
    """
    size = int.from_bytes(padded[5:_HEAD_SIZE])
    data = padded[_HEAD_SIZE : _HEAD_SIZE + size] if size <= MAX_SIZE else b""
    if not padded.startswith(_MAGIC) or pad(data) != padded:
        raise TokenListError("format", "not a padded token list of version 1")
    return data


def read(data: bytes) -> TokenList:
    """Read a list from its JSON.

    Raises:
        TokenListError: With the name of the check that failed.
    """
    try:
        value = msgspec.json.decode(data, type=_List)
    except (ValueError, RecursionError):
        # The foreign message may repeat an NMI, so it is dropped with its cause.
        raise TokenListError("format", "not the JSON of a token list") from None
    if data != msgspec.json.encode(value) + b"\n":
        raise TokenListError("format", "not in its only encoding")
    if any(left[0] >= right[0] for left, right in pairwise(value.tokens)):
        raise TokenListError("order", "the NMIs do not ascend, or one occurs twice")
    tokens = dict(value.tokens)
    if len(set(tokens.values())) < len(tokens):
        raise TokenListError("order", "a token occurs twice")
    return TokenList(bytes.fromhex(value.snapshot), value.aggregator, tokens)


def check(tokens: TokenList, aggregator_id: str, snapshot: bytes | None) -> None:
    """Check that a list is the wanted one.

    Args:
        tokens: The list.
        aggregator_id: The reader's own id.
        snapshot: SHA-256 of the round's registry snapshot, or None where it is unknown.

    Raises:
        TokenListError: If it is for another aggregator or of another snapshot.
    """
    if tokens.aggregator_id != aggregator_id:
        raise TokenListError("aggregator", "the list is another aggregator's")
    if snapshot is not None and tokens.snapshot != snapshot:
        raise TokenListError(
            "snapshot",
            f"the list is of snapshot {tokens.snapshot.hex()}, the round's is {snapshot.hex()}",
        )


# --- resolving -----------------------------------------------------------------------------------


def resolve(site_ids: Sequence[str], tokens: TokenList) -> tuple[str, ...]:
    """The NMI of each token; a token that is not on the list stays as it is.

    Raises:
        TokenListError: If no token is on the list, which then is of another series of snapshots
            (check ``tokens``).
    """
    nmis = tokens.nmis
    if not any(site_id in nmis for site_id in site_ids):
        raise TokenListError(
            "tokens", "no token of the bundle is on the list: it is of another series of snapshots"
        )
    return tuple(nmis.get(site_id, site_id) for site_id in site_ids)
