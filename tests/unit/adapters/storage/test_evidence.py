"""Pairs of ballots are kept once, one file per round, in the form in which they are reported."""

from pathlib import Path

import pytest

from oepnode.adapters.storage.evidence import EvidenceFiles
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import Relayed, SignedBallot, decode_lines
from oepnode.errors import ConfigError, FatalError


def ballot(of: int, number: int = 7) -> Relayed:
    context = RoundContext(246, b"\x0c" * 20, number)
    return Relayed(context, SignedBallot.of(Vote(bytes([of]) * 32, b"\xcc" * 32), of, of, 0))


def test_each_round_has_its_file_and_each_pair_is_stored_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "evidence"
    files = EvidenceFiles(folder)
    files.keep(ballot(1), ballot(2))
    files.keep(ballot(3, 8), ballot(4, 8))
    files.keep(ballot(5), ballot(6))
    EvidenceFiles(folder).keep(ballot(1), ballot(2))
    seventh, eighth = folder / "round-7.ballots", folder / "round-8.ballots"
    assert decode_lines(seventh.read_bytes()) == [ballot(of) for of in (1, 2, 5, 6)]
    assert decode_lines(eighth.read_bytes()) == [ballot(3, 8), ballot(4, 8)]
    assert seventh.stat().st_mode & 0o777 == 0o600


def test_a_line_cut_off_by_a_crash_is_removed(tmp_path: Path) -> None:
    EvidenceFiles(tmp_path).keep(ballot(1), ballot(2))
    path = tmp_path / "round-7.ballots"
    path.write_bytes(path.read_bytes()[:-9])
    EvidenceFiles(tmp_path).keep(ballot(1), ballot(2))
    assert decode_lines(path.read_bytes()) == [ballot(1), ballot(2)]


def test_a_full_disk_is_fatal(tmp_path: Path) -> None:
    evidence = EvidenceFiles(tmp_path / "evidence")
    (tmp_path / "evidence" / f"round-{ballot(1).context.number}.ballots").mkdir()
    with pytest.raises(FatalError, match="evidence cannot be written"):
        evidence.keep(ballot(1), ballot(2))


def test_a_folder_that_cannot_be_used_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be created"):
        EvidenceFiles(tmp_path / "evidence")
