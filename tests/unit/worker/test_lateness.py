"""Windows that are too short for the depth at which blocks are believed."""

import pytest
from msgspec.structs import replace

from oepnode.worker.lateness import window_problem
from tests.support.rounds import ELECTORATE


@pytest.mark.parametrize("behind_s", [0, 1, 30])
def test_half_of_a_window_is_enough(behind_s: float) -> None:
    assert window_problem(ELECTORATE, behind_s) == ""


@pytest.mark.parametrize(
    ("vote_s", "reveal_s", "name"),
    [(60, 600, "vote window of 60 s"), (600, 60, "reveal window of 60 s")],
)
def test_the_shorter_window_is_named_with_both_fixes(vote_s: int, reveal_s: int, name: str) -> None:
    windows = replace(ELECTORATE, vote_window_s=vote_s, reveal_window_s=reveal_s)
    assert window_problem(windows, 30) == ""
    problem = window_problem(windows, 31)
    assert problem.startswith("a block is believed 31 s after the newest")
    for part in (name, "lengthen the windows", "chain.confirmations"):
        assert part in problem
