"""Section 4: tokens of NMIs under blinding keys, and a document blinded with one."""

from __future__ import annotations

import re

from tests.reference.tokens import token, token_or_rule
from tests.reference.vectors.common import AEMO_NMIS, Json, digest

BLINDING_KEY = digest("oepnode test vectors: blinding key")


def token_vectors() -> Json:
    """Tokens, and texts of 32 characters that are no token."""
    keys = (BLINDING_KEY, bytes(range(32)))
    good = token(BLINDING_KEY, AEMO_NMIS[0])
    texts = [good.upper(), good[:31] + "g", good[:31] + " ", "０" + good[1:]]
    return {
        "section": "4",
        "tokens": [
            {"blindingKey": key.hex(), "nmi": nmi, "token": token(key, nmi)}
            for key in keys
            for nmi in AEMO_NMIS
        ],
        "accepted": [good, "0" * 32],
        "rejected": [
            {"text": text, "rule": rule}
            for text in texts
            if (rule := token_or_rule(text)[1]) is not None
        ],
    }


def blinded(text: str) -> str:
    """A document or a snapshot with tokens in the place of NMIs, and otherwise the same text."""
    return re.sub(
        r'("nmi" ?: ?")([0-9A-Z]{10})[0-9]?(")',
        lambda member: member[1] + token(BLINDING_KEY, member[2]) + member[3],
        text,
    )
