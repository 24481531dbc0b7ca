"""Section 9: site entries and partition entries."""

from __future__ import annotations

from tests.reference.encoding import partition_entry, site_entry
from tests.reference.limits import Limits
from tests.reference.nem_time import STEP
from tests.reference.rfc9162 import leaf_hash
from tests.reference.vectors.common import Json, digest


def entry_vectors() -> Json:
    """Site and partition entries from their fields; a limit is null where none is published."""
    start = 1_795_111_200
    cases: tuple[tuple[int, int, str, list[Limits]], ...] = (
        (0, 0, "x", [(1500, -2000, None, None)]),
        (1, 1, "Maximise", [(0, 0, None, None), (None,) * 4, (2**31 - 1, 1 - 2**31, None, None)]),
        (0, 1, "größte Einspeisung", [(1, -1, 250, None), (2, -2, None, None)]),
        (1, 0, "a" * 255, [(10, -10, 20, -20), (11, -11, None, -21), (None,) * 4]),
    )  # fmt: skip
    sites = []
    for n, (level, timing, objective, rows) in enumerate(cases):
        pseudonym = digest(f"site {n}")
        limits = {
            start + i * STEP: row
            for i, row in enumerate(rows)
            if any(value is not None for value in row)
        }
        entry = site_entry(
            pseudonym,
            level=level,
            timing=timing,
            objective=objective,
            start=start,
            count=len(rows),
            limits=limits,
        )
        sites.append(
            {
                "pseudonym": pseudonym.hex(),
                "level": level,
                "timing": timing,
                "objective": objective,
                "horizonStart": start,
                "limits": [list(row) for row in rows],
                "entry": entry.hex(),
                "leafHash": leaf_hash(entry).hex(),
            }
        )
    partitions = []
    for n, count in enumerate((1, 300, 2**32 - 1)):
        pseudonym, root = digest(f"aggregator {n}"), digest(f"root {n}")
        entry = partition_entry(pseudonym, root, count)
        partitions.append(
            {
                "pseudonym": pseudonym.hex(),
                "root": root.hex(),
                "siteCount": count,
                "entry": entry.hex(),
                "leafHash": leaf_hash(entry).hex(),
            }
        )
    return {"section": "9", "siteEntries": sites, "partitionEntries": partitions}
