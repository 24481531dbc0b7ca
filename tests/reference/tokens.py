"""Tokens, which take the place of NMIs in blind mode (section 4)."""

from __future__ import annotations

import hashlib
import hmac
import re


def token(blinding_key: bytes, nmi: str) -> str:
    """The token of an NMI of ten characters."""
    code = hmac.new(blinding_key, b"oep1 token" + nmi.encode("ascii"), hashlib.sha256)
    return code.hexdigest()[:32]


def token_or_rule(text: str) -> tuple[str | None, str | None]:
    """(token, None), or (None, the rule that it breaks); the text has 32 characters."""
    if re.fullmatch(r"[0-9a-f]{32}", text) is None:
        return None, "token.character"
    return text, None
