"""From a document that is read in parts to the partitions of its round, in bounded memory.

1. Read: each part gives blocks of runs. A run that has one holder, and is its block's only one of
   its site or fills the horizon, is encoded and hashed at once (`block_encoding`); the limits of
   others are kept.
2. Decide, from small columns only: what each site means, horizon, density, which run decides a site
   alone.
3. Weave: the other sites are judged interval by interval (`woven_sites`) and encoded.
4. Trees (`partition`).

Guarantees: every row of the document ends in exactly one partition, or in the unassigned one; the
result and the verdict depend on the document's content alone, and not on how it is divided or on
which process does what. Source: rules-v1 sections 5 and 8 to 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from oepnode.domain.documents.arrays import Indices
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds import pseudonyms, run_table
from oepnode.domain.rounds.block_encoding import BlockEncoder, DocumentParts
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs.blocks import DocumentReader, SharedChecks
from oepnode.domain.rounds.inputs.horizons import check_horizon
from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot
from oepnode.domain.rounds.inputs.site_ids import check_same_kind
from oepnode.domain.rounds.partition import EncodedDocument, RoundResult, build_trees
from oepnode.domain.rounds.run_table import ReadBlock, RunTable, joined_sites
from oepnode.domain.rounds.site_entries import RoundKeys, SiteEncoder
from oepnode.domain.rounds.workshop import InProcess, Workshop
from oepnode.domain.rounds.woven_sites import Weaver, WovenSites, split_runs, tasks_of


@dataclass(frozen=True)
class PartitionedDocument:
    """A document that was partitioned.

    Attributes:
        result: Partitions and root.
        custody: Custody root for the operator, or None without one.
        warnings: Oddities of the document that are allowed.
    """

    result: RoundResult
    custody: bytes | None
    warnings: tuple[str, ...]


class Pipeline:
    """Partitions documents for one round.

    Args:
        snapshot: The registry snapshot.
        salt: Its salt, 32 bytes.
        context: The round.
        horizon: The round's.
        workshop: Does the work; by default this process.
        operator: Address to bind custody leaves to, or None.

    Raises:
        DigestMismatch: If the salt is not the one that the snapshot commits to.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        salt: bytes,
        context: RoundContext,
        horizon: Horizon,
        workshop: Workshop | None = None,
        operator: bytes | None = None,
    ) -> None:
        pseudonyms.check_salt(salt, snapshot.salt_digest)
        self._snapshot = snapshot
        self._context = context
        self._horizon = horizon
        self._workshop = workshop or InProcess()
        self._keys = RoundKeys(pseudonyms.round_key(salt, context), snapshot.aggregators)
        self._encoder = SiteEncoder(horizon, self._keys, operator)
        self._blocks = BlockEncoder(
            snapshot, self._encoder, horizon, has_custody=operator is not None
        )

    def partition(
        self, reader: DocumentReader, progress: Progress | None = None
    ) -> PartitionedDocument:
        """Read, check and partition a document.

        Raises:
            DocumentFault: If the document breaks the rules, has another horizon than the round, or
                names sites in another way than the snapshot.
        """
        read = self._read(reader, "", progress)
        if read is None:
            read = self._read(reader.strict(), "strict-", progress)
        if read is None:
            raise AssertionError("the strict reader judges every document")
        blocks, checks = read
        log = checks.log
        if not blocks:
            log.raise_if_any()
        table = run_table.table_of(blocks)
        run_table.check_meanings(table, [each.block.place for each in blocks], log)
        log.raise_if_any()
        deciding, others = split_runs(table)
        woven = self._weave(table, blocks, tasks_of(table, others), log, progress)
        log.raise_if_any()
        self._check_same_horizon(table.horizon, log)
        log.raise_if_any()
        check_same_kind(SiteIdKind(table.nmi.dtype.itemsize), self._snapshot)
        encoded = _encoded(table, blocks, deciding, woven)
        result, custody = build_trees(encoded, self._context, self._keys, self._workshop)
        return PartitionedDocument(result, custody, log.warnings)

    # --- 1. read ---------------------------------------------------------------------------------

    def _read(
        self, reader: DocumentReader, name: str, progress: Progress | None
    ) -> tuple[list[ReadBlock], SharedChecks] | None:
        """All blocks, in stores of this name; None where another reader has to judge."""
        blocks: list[ReadBlock] = []
        checks = SharedChecks()
        parts = DocumentParts(reader, name)
        for number, part in enumerate(self._workshop.spread(self._blocks.read, parts)):
            if part is None:
                return None
            before = checks.records
            for each in part:
                block = each.block.placed(before)
                checks.add(block)
                blocks.append(replace(each, block=block))
            if progress is not None:
                progress("read", number + 1, reader.part_count)
        checks.finish()
        return blocks, checks

    # --- 2. decide, 3. weave ---------------------------------------------------------------------

    def _weave(
        self,
        table: RunTable,
        blocks: Sequence[ReadBlock],
        tasks: Sequence[Indices],
        log: FaultLog,
        progress: Progress | None,
    ) -> list[WovenSites]:
        horizon_log = FaultLog(log.what)
        check_horizon(table.horizon, table.site_count, table.row_count, horizon_log)
        is_valid = not horizon_log.count and table.horizon == self._horizon
        encoder = self._encoder if is_valid else None
        weaver = Weaver(table, blocks, self._snapshot, self._workshop, encoder, self._horizon)

        def weave(task: int) -> WovenSites:
            return weaver.weave(tasks[task], f"woven-{task}")

        woven = []
        for number, each in enumerate(self._workshop.run(weave, len(tasks))):
            log.absorb(each.log)
            woven.append(each)
            if progress is not None:
                progress("weave", number + 1, len(tasks))
        log.absorb(horizon_log)
        return woven

    def _check_same_horizon(self, received: Horizon, log: FaultLog) -> None:
        if received != self._horizon:
            log.add(
                "$",
                "horizon.mismatch",
                f"the round is for {self._horizon.count} intervals from "
                f"{format_nem(self._horizon.start)}",
                f"{received.count} intervals from {format_nem(received.start)}",
            )


def _encoded(
    table: RunTable, blocks: Sequence[ReadBlock], alone: Indices, woven: Sequence[WovenSites]
) -> EncodedDocument:
    """All entries: those of runs that decide a site alone, and the woven ones."""
    names = [each.store for each in blocks] + [each.store for each in woven]
    stores = tuple(dict.fromkeys(names))
    code = np.array([stores.index(name) for name in names], dtype=np.int32)
    woven_store = np.repeat(code[len(blocks) :], np.array([len(w.nmi) for w in woven], dtype=int))
    return EncodedDocument(
        nmi=np.concatenate([table.nmi[alone], *(each.nmi for each in woven)]),
        level=np.concatenate(
            [table.level[alone].astype(np.int32), *(each.level for each in woven)]
        ),
        holder=np.concatenate([table.holder[alone], *(each.holder for each in woven)]),
        sites=joined_sites([table.sites.take(alone), *(each.sites for each in woven)]),
        store=np.concatenate([code[table.block[alone]], woven_store]),
        stores=stores,
    )
