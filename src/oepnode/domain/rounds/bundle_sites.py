"""The columns of the sites of a bundle that is being read, and the checks on sites.

Guarantees: blocks are checked as they come, no further than a check still matters; what is kept of
a site has some dozens of bytes. Source: ``docs/spec/bundle.md`` section 3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Texts
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.pseudonyms import pseudonyms_of
from oepnode.domain.rounds.site_blocks import SiteBlock


class SiteColumns:
    """The columns of all sites that were read, and the checks on them.

    Args:
        fail: Called with a check that failed and a message.

    Attributes:
        nmis: The column of NMIs or tokens.
        levels: Of each block.
        timings: Of each block.
        objectives: Of each site.
        leaves: Leaf hashes of each block.
        horizon: Of all entries.
    """

    def __init__(self, fail: Callable[[str, str], None]) -> None:
        self._fail = fail
        self.nmis: Texts = np.zeros(0, dtype="S10")
        self.levels: list[Bytes] = []
        self.timings: list[Bytes] = []
        self.objectives: list[str] = []
        self.leaves: list[bytes] = []
        self.horizon = Horizon(0, 0)
        self._key = b""
        self._last = b""

    def begin(self, nmis: Texts, key: bytes) -> None:
        """Take the names of the sites that follow, and the key that pseudonyms are made with."""
        self.nmis, self._key = nmis, key

    def add(self, block: SiteBlock, matters: Callable[[str], bool]) -> None:
        """Check a block, as far as a check still matters, and keep its columns."""
        if block.first and block.horizon != self.horizon:
            self._fail("sites", "the entries have different horizons")
        self.horizon = block.horizon
        if matters("pseudonyms"):
            self._check_pseudonyms(block)
        if matters("order"):
            self._check_order(block)
        if matters("partition-root"):
            self.levels.append(block.levels)
            self.timings.append(block.timings)
            self.objectives += block.objectives
            self.leaves.append(block.leaf_hashes())

    def _check_pseudonyms(self, block: SiteBlock) -> None:
        nmis = self.nmis[block.first : block.first + len(block)].tolist()
        width = self.nmis.dtype.itemsize
        # numpy drops zero bytes at the end, which are part of the name.
        names = pseudonyms_of(self._key, [nmi.ljust(width, b"\0") for nmi in nmis])
        if b"".join(names) != block.names.tobytes():
            self._fail("pseudonyms", "an NMI does not give the pseudonym of its entry")

    def _check_order(self, block: SiteBlock) -> None:
        """Strictly rising: pseudonyms decide, and where their beginnings are equal all bytes do."""
        words = block.names.view(">u8")[:, 0]
        doubtful = np.flatnonzero(words[1:] <= words[:-1])
        is_rising = all(block.entry(at) < block.entry(at + 1) for at in doubtful.tolist())
        if not is_rising or self._last >= block.entry(0):
            self._fail("order", "the entries are not in rising order")
        self._last = block.entry(len(block) - 1)
