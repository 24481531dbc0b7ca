"""Site entries of a few sites, encoded by the product one by one."""

from __future__ import annotations

import numpy as np

from oepnode.domain.documents.arrays import Int32s
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.entries import EntryFrame, Horizon, SiteHeader


def encode_site(pseudonym: bytes, header: SiteHeader, kinds: int, limits: Int32s) -> bytes:
    """An entry with limits of shape (kinds, intervals), whatever they are."""
    horizon = Horizon(header.horizon_start, header.interval_count)
    frame = EntryFrame(header.objective, kinds, horizon)
    entry = np.zeros((1, frame.size), dtype=np.uint8)
    frame.fill(
        entry,
        np.frombuffer(pseudonym, dtype=np.uint8),
        np.array([header.level], dtype=np.uint8),
        np.array([header.timing], dtype=np.uint8),
    )
    for number in range(len(frame.kinds)):
        frame.limits(entry, number)[...] = limits[number]
    return entry.tobytes()


def encode_sites(names: list[bytes], headers: list[SiteHeader], limits: Int32s) -> list[bytes]:
    """Entries with limits of shape (sites, 4, intervals), `NO_LIMIT` where there is none."""
    entries = []
    for name, header, table in zip(names, headers, limits, strict=True):
        present = [kind for kind in range(4) if (table[kind] != NO_LIMIT).any()]
        bits = sum(1 << kind for kind in present)
        entries.append(encode_site(name, header, bits, table[present]))
    return entries
