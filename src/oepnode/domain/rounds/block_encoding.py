"""Encodes the blocks of a document as they are read: the part of a round that can be anywhere.

A run that is its block's only one of its site, lies in the horizon and has one holder is encoded
and hashed at once; the limits of others are kept. Source: rules-v1 sections 5 and 8 to 10.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Indices, Int32s, Int64s
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds import run_table
from oepnode.domain.rounds.entries import KIND_COUNT, Horizon
from oepnode.domain.rounds.inputs.blocks import Block, DocumentReader, UnprovenError
from oepnode.domain.rounds.inputs.envelope_form import MAX_HORIZON
from oepnode.domain.rounds.inputs.horizons import is_sparse
from oepnode.domain.rounds.inputs.registry_snapshot import CHANGES, Snapshot
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.run_table import ReadBlock
from oepnode.domain.rounds.site_entries import EncodedSites, SiteEncoder
from oepnode.domain.rounds.workshop import Stores

_NO_LIMITS: Final = (None, None, None, None)


@dataclass(frozen=True)
class DocumentPart:
    """A part of a document.

    Attributes:
        reader: Reads it; has NMIs.
        number: Its number for that reader.
        name: Of its stores, without what they hold.
    """

    reader: DocumentReader = field(repr=False)
    number: int
    name: str


class DocumentParts:
    """The parts of a document.

    Args:
        reader: Reads them.
        name: First part of the names of stores.
    """

    def __init__(self, reader: DocumentReader, name: str) -> None:
        self._reader = reader
        self._name = name

    def __len__(self) -> int:
        return self._reader.part_count

    def here(self, number: int) -> DocumentPart:
        """A part that is read where the document is."""
        return DocumentPart(self._reader, number, f"{self._name}{number}")

    def sent(self, number: int) -> DocumentPart | None:
        """A part with its bytes; None if it cannot be read without the others."""
        reader = self._reader.alone(number)
        return None if reader is None else DocumentPart(reader, number, f"{self._name}{number}")


class BlockEncoder:
    """Reads a part, and encodes what can be decided alone.

    Args:
        snapshot: The registry snapshot.
        encoder: Encodes entries.
        horizon: The round's.
        has_custody: Whether entries have custody leaves.
    """

    def __init__(
        self, snapshot: Snapshot, encoder: SiteEncoder, horizon: Horizon, *, has_custody: bool
    ) -> None:
        self._snapshot = snapshot
        self._encoder = encoder
        self._horizon = horizon
        self._has_custody = has_custody

    def read(self, part: DocumentPart, stores: Stores) -> list[ReadBlock] | None:
        """The blocks of a part; None where another reader has to judge."""
        try:
            blocks = part.reader.read(part.number)
            return [self._read_block(block, part.name, stores) for block in blocks]
        except UnprovenError:
            return None

    def _read_block(self, block: Block, part: str, stores: Stores) -> ReadBlock:
        """Encode what can be decided alone, and keep the limits of the rest."""
        runs = block.runs
        store, limit_store = f"entries-{part}", f"limits-{part}"
        last = runs.start + (np.diff(runs.bounds) - 1) * INTERVAL_S
        holder = self._snapshot.run_holders(runs.nmi, runs.start, last)
        sites = EncodedSites.empty(len(runs), has_custody=self._has_custody)
        kept = np.full(len(runs), -1, dtype=np.int64)
        if not block.log.count:
            is_alone = self._is_alone(runs, holder, last)
            alone = np.flatnonzero(is_alone)
            encoded = self._encoder.encode(
                runs, alone, holder[alone], lambda data: stores.append(store, data)
            )
            sites.put(alone, encoded)
            self._keep(runs, np.flatnonzero(~is_alone), kept, limit_store, stores)
        head = replace(runs, limits=_NO_LIMITS)
        return ReadBlock(replace(block, runs=head), holder, sites, kept, store, limit_store)

    def _is_alone(self, runs: Runs, holder: Int32s, last: Int32s) -> Bools:
        """Per run, whether it gives an entry if no other run of its site counts."""
        horizon = self._horizon
        end = horizon.start + horizon.count * INTERVAL_S
        is_inside = (runs.start >= horizon.start) & (last < end) & (holder != CHANGES)
        if not 0 < horizon.count <= MAX_HORIZON or not is_inside.any():
            return np.zeros(len(runs), dtype=np.bool_)
        is_whole = np.diff(runs.bounds) == horizon.count
        alone = is_inside & (is_whole | ~run_table.repeated_sites(runs.nmi, runs.level))
        # The rule of density, so that no block takes more room than its rows allow.
        rows = int(runs.bounds[-1])
        if is_sparse(int(alone.sum()), horizon.count, rows):
            return np.zeros(len(runs), dtype=np.bool_)
        return np.asarray(alone, dtype=np.bool_)

    def _keep(self, runs: Runs, rest: Indices, kept: Int64s, store: str, stores: Stores) -> None:
        for run in rest.tolist():
            part = slice(int(runs.bounds[run]), int(runs.bounds[run + 1]))
            rows = np.full((part.stop - part.start, KIND_COUNT), NO_LIMIT, dtype=np.int32)
            for kind, column in enumerate(runs.limits):
                if column is not None:
                    rows[:, kind] = column[part]
            kept[run] = stores.append(store, memoryview(rows.data).cast("B"))
