"""Checks the gas tables of docs/contract.md against measurements: ``gas --page FILE``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_CALLS = {  # as the page names them, and as they are measured
    "`abstain`": "abstain",
    "abstention in `castBallots`, each of 3": "relayed abstention, each of 3",
    "`revealRoot` below quorum": "revealRoot below quorum",
    "`reportEquivocation`": "reportEquivocation",
    "`cancelRound`": "cancelRound",
    "`failRound`": "failRound",
    "`addWorkers`, each of 5": "addWorkers, each of 5",
    "`rotateSigner`": "rotateSigner",
    "`removeWorker`": "removeWorker",
    "`setPolicy`": "setPolicy",
    "`verifyPartition`, 100 partitions": "verifyPartition, 100 partitions",
    "`verifySite`, 100 sites": "verifySite, 100 sites of 805 B",
}


def missing_rows(
    page: str, figures: dict[str, Any], calls: dict[str, int], code_size: int
) -> list[str]:
    """Return the rows that the page must have and does not.

    Args:
        page: The page, Markdown.
        figures: Gas of rounds, as in the benchmark's JSON.
        calls: Gas of the other calls, by name.
        code_size: Bytes of the deployed code.
    """
    # Only the gas tables: the page has a table of who may call what, too.
    text = " ".join(page.partition("\n## Gas\n")[2].partition("\n## ")[0].split())
    return [row for row in _rows(figures, calls, code_size) if row not in text]


def _rows(figures: dict[str, Any], calls: dict[str, int], code_size: int) -> Iterator[str]:
    yield f"{code_size:,} bytes"
    for size, round_ in figures.items():
        if not size.isdecimal():
            continue
        direct = round_["direct"]
        dearest = max(direct[position] for position in ("first", "middle", "last"))
        gas = (dearest, direct["reveal"], direct["per_member"], round_["relayed"]["per_member"])
        yield f"| {size} | {' | '.join(map(_k, gas))} |"
    opening = max(figures[size]["open"] for size in figures if size.isdecimal())
    yield f"| `openRound` | {_k(opening)} |"
    for named, call in _CALLS.items():
        yield f"| {named} | {_k(calls[call])} |"
    yield f"| `pause`, `unpause` | {_k(calls['pause'])}, {_k(calls['unpause'])} |"
    yield f"| deployment | {calls['deployment'] / 1e6:.2f}M |"


def _k(gas: int) -> str:
    return f"{gas / 1_000:.1f}k"
