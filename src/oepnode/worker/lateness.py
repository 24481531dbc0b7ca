"""Compares the windows of a round with the time after which a worker believes a block.

Out of scope: reading blocks less deep where a window is short, which would give up the protection
just where nobody looks. Source: ``docs/design.md`` §2.
"""

from __future__ import annotations

from oepnode.domain.rounds.onchain import Electorate


def window_problem(windows: Electorate, behind_s: float) -> str:
    """Why the windows of an electorate's rounds leave too little time, or an empty text.

    Args:
        windows: The electorate with its windows.
        behind_s: Seconds by which the newest settled block is behind the newest.
    """
    shortest = min(windows.vote_window_s, windows.reveal_window_s)
    if 2 * behind_s <= shortest:
        return ""
    name = "vote" if shortest == windows.vote_window_s else "reveal"
    return (
        f"a block is believed {behind_s:.0f} s after the newest, which takes more than half of the "
        f"{name} window of {shortest} s; have an administrator lengthen the windows, or lower "
        "chain.confirmations"
    )
