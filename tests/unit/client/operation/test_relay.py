from __future__ import annotations

from pathlib import Path

import pytest
from eth_account import Account
from msgspec.structs import replace

from oepnode.client import ChainTarget
from oepnode.client.operation import relay
from oepnode.domain.rounds import signed_ballots
from oepnode.domain.rounds.ballot import Reason, Vote
from oepnode.domain.rounds.onchain import Member, Phase
from oepnode.errors import ConfigError, ConflictError, EvidenceError
from tests.support import round_world
from tests.support.round_world import ELECTORATE, MEMBERS, FakeReader, changed, state

KEY = b"\x07" * 32
ROOT, OTHER_ROOT, CUSTODY = "33" * 32, "44" * 32, "cc" * 32
SIGNER = bytes.fromhex(Account.from_key(KEY).address[2:])


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "signer.key"
    file.write_text(KEY.hex())
    file.chmod(0o600)
    return file


@pytest.fixture
def open_round(reader: FakeReader, monkeypatch: pytest.MonkeyPatch) -> int:
    """A round that accepts votes, in whose electorate the key's signer is the first member."""
    members = (Member(0, MEMBERS[0].operator, SIGNER), *MEMBERS[1:])
    electorate = replace(ELECTORATE, members=members)
    monkeypatch.setattr(round_world, "ELECTORATE", electorate)
    reader.rounds[4] = changed(state(4, Phase.VOTING), voted=0b11110)
    return 4


def sign(chain: ChainTarget, key_file: Path, number: int, root: str = ROOT) -> str:
    return relay.sign_ballot(chain, key_file, number, root, 4, CUSTODY)


def test_a_signed_ballot_is_a_line_for_a_relay(
    chain: ChainTarget, key_file: Path, open_round: int
) -> None:
    line = sign(chain, key_file, open_round)
    (relayed,) = signed_ballots.decode_lines(line.encode())
    assert (relayed.context.number, relayed.context.contract) == (4, round_world.CONTRACT)
    assert sign(chain, key_file, open_round) == line


def test_a_second_ballot_of_a_round_is_rejected(
    chain: ChainTarget, key_file: Path, open_round: int
) -> None:
    sign(chain, key_file, open_round)
    before = key_file.with_name("signer.key.signed").read_bytes()
    with pytest.raises(ConflictError, match="another vote was signed for round 4"):
        sign(chain, key_file, open_round, OTHER_ROOT)
    assert key_file.with_name("signer.key.signed").read_bytes() == before


def test_an_abstention_is_signed_in_place_of_a_ballot(
    chain: ChainTarget, key_file: Path, open_round: int
) -> None:
    line = relay.sign_abstention(chain, key_file, open_round, "InputMismatch")
    (relayed,) = signed_ballots.decode_lines(line.encode())
    assert relayed.signed.vote == Vote.abstaining(Reason.INPUT_MISMATCH)
    with pytest.raises(ConflictError, match="another vote was signed for round 4"):
        sign(chain, key_file, open_round)
    with pytest.raises(ConflictError, match="another vote was signed for round 4"):
        relay.sign_abstention(chain, key_file, open_round, "InputInvalid")
    with pytest.raises(ConfigError, match="Bored is not a reason; give one of InputsUnavailable"):
        relay.sign_abstention(chain, key_file, open_round, "Bored")


@pytest.mark.parametrize(
    ("custody", "message"), [("00" * 32, "is not zero"), ("cc", "must be 64 hex digits")]
)
def test_a_ballot_needs_a_custody_root(
    chain: ChainTarget, key_file: Path, open_round: int, custody: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        relay.sign_ballot(chain, key_file, open_round, ROOT, 4, custody)
    assert not key_file.with_name("signer.key.signed").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"voted": 0b11111}, "this member has voted or abstained"),
        ({"phase": Phase.REVEALING}, "round 4 takes no votes: it is revealing"),
    ],
)
def test_a_ballot_that_could_not_count_is_not_signed(
    reader: FakeReader,
    chain: ChainTarget,
    key_file: Path,
    open_round: int,
    change: dict[str, object],
    message: str,
) -> None:
    reader.rounds[4] = changed(reader.rounds[4], **change)
    with pytest.raises(ConflictError, match=message):
        sign(chain, key_file, open_round)
    assert not key_file.with_name("signer.key.signed").exists()


def test_a_stranger_signs_nothing(reader: FakeReader, chain: ChainTarget, key_file: Path) -> None:
    with pytest.raises(ConflictError, match="is not a signer of round 3's electorate"):
        sign(chain, key_file, 3)
    with pytest.raises(ConfigError, match="there is no round 9"):
        sign(chain, key_file, 9)
    with pytest.raises(ConfigError, match="'33': a root must be 64 hex digits"):
        sign(chain, key_file, 3, "33")


def test_signing_waits_until_the_opening_of_the_round_is_confirmed(
    reader: FakeReader,
    chain: ChainTarget,
    key_file: Path,
    open_round: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def no_events(_: int) -> list[object]:
        return []

    monkeypatch.setattr(reader, "round_events", no_events)
    with pytest.raises(ConflictError, match="was opened in the last blocks"):
        sign(chain, key_file, open_round)


def test_an_outcome_without_a_ballot_on_chain_is_rejected() -> None:
    left_out = relay.SkippedBallot(1, "its member has voted already")
    relay.CastBallots(4, ("0x01",), (left_out,), "0x02").require_cast()
    with pytest.raises(ConflictError, match="round 4: none of these ballots can be cast"):
        relay.CastBallots(4, (), (left_out,), None).require_cast()


def test_a_file_without_ballots_of_one_round(
    chain: ChainTarget, key_file: Path, open_round: int, tmp_path: Path
) -> None:
    line = sign(chain, key_file, open_round)
    file = tmp_path / "ballots"
    for text, family, message in (
        ("", EvidenceError, "ballots: holds no signed ballot"),
        (line + "\n{}", EvidenceError, "ballots: line 2 is not a signed ballot"),
        (line + "\n" + line.replace('"round":4', '"round":5'), ConfigError, "rounds 4, 5"),
    ):
        file.write_text(text)
        for journey in (relay.cast_ballots, relay.report_equivocations):
            with pytest.raises(family, match=message):
                journey(chain, key_file, file)
