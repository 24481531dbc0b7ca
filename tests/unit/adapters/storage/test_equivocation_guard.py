"""Signed votes are recorded, and a second vote of a round is rejected."""

from pathlib import Path

import pytest

from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.domain.rounds.ballot import Reason, Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import ConfigError, ConflictError, FatalError

CONTEXT = RoundContext(246, b"\x0c" * 20, 7)
CUSTODY = b"\xcc" * 32
ONE, OTHER = Vote(b"\x01" * 32, CUSTODY), Vote(b"\x02" * 32, CUSTODY)
ELSEWHERE = (
    RoundContext(246, b"\x0c" * 20, 8),
    RoundContext(246, b"\x0d" * 20, 7),
    RoundContext(1, b"\x0c" * 20, 7),
)


def test_a_second_ballot_of_a_round_is_rejected_whatever_came_between(tmp_path: Path) -> None:
    path = tmp_path / "signer.key.signed"
    EquivocationGuard(path).keep(CONTEXT, ONE)
    for context in ELSEWHERE:
        EquivocationGuard(path).keep(context, OTHER)
    with pytest.raises(ConflictError, match=r"round 7 of 0x0c0c.* on chain 246 .*line 1"):
        EquivocationGuard(path).keep(CONTEXT, OTHER)


def test_the_same_ballot_is_recorded_once(tmp_path: Path) -> None:
    path = tmp_path / "signed"
    for _ in range(3):
        EquivocationGuard(path).keep(CONTEXT, ONE)
    assert path.read_text("utf-8").count("\n") == 1
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("line", ["{}", "x", '{"chain_id": 1, "contract": "0x", "round": 1}'])
def test_a_malformed_record_is_rejected(tmp_path: Path, line: str) -> None:
    path = tmp_path / "signed"
    EquivocationGuard(path).keep(CONTEXT, ONE)
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ConfigError, match="line 2 is not a signed vote"):
        EquivocationGuard(path).keep(ELSEWHERE[0], ONE)


def test_without_a_record_nothing_is_signed(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="nothing was signed"):
        EquivocationGuard(tmp_path / "missing" / "signed").keep(CONTEXT, ONE)
    with pytest.raises(FatalError, match="nothing was signed"):
        EquivocationGuard(tmp_path).keep(CONTEXT, ONE)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ONE, Vote.abstaining(Reason.INPUT_INVALID)),
        (Vote.abstaining(Reason.INPUT_INVALID), ONE),
        (Vote.abstaining(Reason.INPUT_INVALID), Vote.abstaining(Reason.INPUT_MISMATCH)),
        (ONE, Vote(ONE.ballot, b"\xdd" * 32)),
    ],
)
def test_an_abstention_is_a_vote_like_a_ballot(tmp_path: Path, first: Vote, second: Vote) -> None:
    path = tmp_path / "signed"
    EquivocationGuard(path).keep(CONTEXT, first)
    before = path.read_bytes()
    with pytest.raises(ConflictError, match="another vote was signed for round 7"):
        EquivocationGuard(path).keep(CONTEXT, second)
    assert path.read_bytes() == before
    EquivocationGuard(path).keep(CONTEXT, first)
