"""The identifiers of sites in a round's two documents: NMIs, or tokens in blind mode.

Guarantees: a column holds one kind, and its width tells which; a document and a snapshot of
different kinds are never partitioned together. Source: rules-v1 sections 4 and 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Texts
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.nmi import ALPHABET
from oepnode.domain.nem.tokens import SiteIdKind

_CHARACTERS: Final = {
    SiteIdKind.NMI.value: np.isin(np.arange(256), list(ALPHABET.encode())),
    SiteIdKind.TOKEN.value: np.isin(np.arange(256), list(b"0123456789abcdef")),
}
"""The bytes that identifiers of each width may have."""

if TYPE_CHECKING:
    from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot


def site_id_column(site_ids: Sequence[str], kind: SiteIdKind | None) -> Texts:
    """Identifiers as ``S10`` for NMIs, ``S32`` for tokens; ``S10`` where there is none."""
    width = SiteIdKind.NMI.value if kind is None else kind.value
    return np.array(site_ids, dtype=f"S{width}")


def fixed_site_ids(text: Bytes, width: int) -> Texts | None:
    """Identifiers of one width that follow one another; None if one of them is none."""
    if width not in _CHARACTERS or not _CHARACTERS[width][text].all():
        return None
    return text.view(f"S{width}")


def check_same_kind(received: SiteIdKind, snapshot: Snapshot) -> None:
    """Check that a snapshot names sites as the document does.

    Raises:
        DocumentFault: If one has NMIs and the other tokens; ``nmi.kind``.
    """
    expected = snapshot.site_id_kind
    if expected is None or expected is received:
        return
    log = FaultLog("envelope document")
    message = f"the document has {received.plural}, and the registry snapshot {expected.plural}"
    log.add("$", "nmi.kind", message)
    log.raise_if_any()
