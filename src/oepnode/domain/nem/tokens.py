"""Tokens, which take the place of NMIs in blind mode.

A token is the first 16 bytes of an HMAC of the NMI under a blinding key that the sender and the
NMI registry share, as 32 lower-case hex digits. An NMI has 10 characters, or 11 with its checksum:
no text is both. Source: rules-v1 section 4, ``docs/design.md §4``.
"""

from __future__ import annotations

import hmac
from enum import Enum
from typing import Final

from oepnode.domain.nem import nmi as nmis
from oepnode.domain.nem.nmi import NMI_LENGTH, NmiError

TOKEN_LENGTH: Final = 32
BLINDING_KEY_SIZE: Final = 32

_LABEL: Final = b"oep1 token"
_DIGITS: Final = frozenset("0123456789abcdef")


class SiteIdKind(Enum):
    """The kind of a document's site identifiers; the value is their length."""

    NMI = NMI_LENGTH
    TOKEN = TOKEN_LENGTH

    @property
    def plural(self) -> str:
        """Its name in messages."""
        return "NMIs" if self is SiteIdKind.NMI else "tokens"


def token_of(blinding_key: bytes, nmi: str) -> str:
    """The token of an NMI of ten characters under a blinding key of 32 bytes."""
    digest = hmac.digest(blinding_key, _LABEL + nmi.encode(), "sha256")
    return digest[: TOKEN_LENGTH // 2].hex()


def kind_of(site_id: str) -> SiteIdKind:
    """The kind of an identifier from `parse_site_id`."""
    return SiteIdKind(len(site_id))


def parse_site_id(text: str) -> str:
    """Return a token as it is, or the NMI of a text as `nmi.parse` does.

    Raises:
        NmiError: For any other text; the message does not repeat it.
    """
    if not isinstance(text, str) or len(text) != TOKEN_LENGTH:
        return nmis.parse(text)
    if not _DIGITS.issuperset(text):
        raise NmiError(
            "token.character", "an identifier of 32 characters must be lower-case hex digits"
        )
    return text
