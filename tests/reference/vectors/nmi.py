"""Section 4: checksums, and texts that are or are not an NMI."""

from __future__ import annotations

from tests.reference.nmi import checksum, nmi_or_rule
from tests.reference.vectors.common import AEMO_NMIS, Json


def nmi_vectors() -> Json:
    """Checksums, and texts that are or are not an NMI."""
    accepted, rejected = [], []
    texts = [
        "6305888444",
        "63058884446",
        "QAAAVZZZZZ3",
        "VBBB000001",
        "630588844",
        "63058884445",
        "6305888444X",
        "630588844466",
        "63O5888444",
        "63I5888444",
        "qaaavzzzzz",
        "6305 88444",
        "6305888444\n",
        "６305888444",
        "",
    ]
    for text in texts:
        nmi, rule = nmi_or_rule(text)
        if nmi is None:
            rejected.append({"text": text, "rule": rule})
        else:
            accepted.append({"text": text, "nmi": nmi})
    return {
        "section": "4",
        "checksums": [{"nmi": nmi, "checksum": checksum(nmi)} for nmi in AEMO_NMIS],
        "accepted": accepted,
        "rejected": rejected,
    }
