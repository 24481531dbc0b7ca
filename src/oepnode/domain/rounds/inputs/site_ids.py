"""The identifiers of sites in a round's two documents: NMIs, or tokens in blind mode.

Guarantees: a column holds one kind, and its width tells which; a document and a snapshot of
different kinds are never partitioned together. Source: rules-v1 sections 4 and 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from oepnode.domain.documents.arrays import Texts
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.tokens import SiteIdKind

if TYPE_CHECKING:
    from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot


def site_id_column(site_ids: Sequence[str], kind: SiteIdKind | None) -> Texts:
    """Identifiers as ``S10`` for NMIs, ``S32`` for tokens; ``S10`` where there is none."""
    width = SiteIdKind.NMI.value if kind is None else kind.value
    return np.array(site_ids, dtype=f"S{width}")


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
