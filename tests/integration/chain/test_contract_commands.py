"""``oepnode contract …`` and ``oepnode relay …`` against a real chain."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from typer.testing import CliRunner, Result

from oepnode.adapters.chain import artefact
from oepnode.adapters.chain.code import check_code
from oepnode.cli.main import app
from oepnode.demo.devnet import Devnet, account
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import Relayed, SignedBallot, decode_lines, encode
from oepnode.errors import EvidenceError
from tests.support.anvil import call_data

ROOT, OTHER_ROOT = "33" * 32, "44" * 32
WITH_CUSTODY = ("--custody", "cc" * 32)
ADMIN, GUARDIAN, REQUESTER, HEIR = (account(index) for index in (0, 1, 2, 3))
COMPILED = artefact.consensus()
SIGNERS = [account(20 + index) for index in range(3)]


class World:
    """A contract, and the command line with its options."""

    def __init__(self, devnet: Devnet, folder: Path) -> None:
        self.devnet = devnet
        self.folder = folder
        self.contract = ""
        answer = self.run("deploy", "--vote-window", "600", "--quorum", "3/4", key=ADMIN)
        assert answer["verified"] is True
        self.contract = answer["contract"]

    def invoke(self, *arguments: str, key: LocalAccount | None = None) -> Result:
        where = ["--rpc", self.devnet.url]
        if self.contract:
            where += ["--contract", self.contract]
        if key is not None:
            where += ["--key-file", str(self.key_file(key))]
        groups = {
            "audit": [],
            "sign": ["relay"],
            "cast": ["relay"],
            "report-equivocation": ["relay"],
        }
        group = groups.get(arguments[0], ["contract"])
        return CliRunner().invoke(app, [*group, *arguments, *where])

    def run(self, *arguments: str, key: LocalAccount | None = None) -> dict[str, Any]:
        done = self.invoke(*arguments, "--json", key=key)
        assert done.exit_code == 0, done.output
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def rejected(self, *arguments: str, key: LocalAccount | None = None, code: int = 1) -> str:
        done = self.invoke(*arguments, key=key)
        assert done.exit_code == code, done.output
        return done.stderr

    def key_file(self, key: LocalAccount) -> Path:
        path = self.folder / f"{key.address}.key"
        path.write_text(key.key.hex())
        path.chmod(0o600)
        return path

    def open_round(self) -> None:
        data = call_data("openRound", 5_990_000, 6, b"\x11" * 32, b"\x22" * 32)
        transaction = {"from": REQUESTER.address, "to": self.contract, "data": data}
        self.devnet.rpc("eth_sendTransaction", transaction)

    def file(self, name: str, *ballots: Relayed) -> str:
        path = self.folder / name
        path.write_bytes(b"".join(encode(ballot) + b"\n" for ballot in ballots))
        return str(path)

    def signed(self, signer: LocalAccount, root: str = ROOT, number: int = 1) -> Relayed:
        """Sign on a separate machine for each root: only then can one signer sign two."""
        vote = ("--round", str(number), "--root", root, "--partitions", "4", *WITH_CUSTODY)
        record = str(self.folder / f"{signer.address}-{root}.signed")
        done = self.invoke("sign", *vote, "--record", record, key=signer)
        assert done.exit_code == 0, done.output
        (relayed,) = decode_lines(done.stdout.encode())
        return relayed


@pytest.fixture
def world(devnet: Devnet, tmp_path: Path) -> World:
    return World(devnet, tmp_path)


@pytest.fixture
def world_with_a_round(world: World) -> World:
    for index, signer in enumerate(SIGNERS):
        operator = account(10 + index).address
        world.run("add-worker", "--operator", operator, "--signer", signer.address, key=ADMIN)
    world.run("grant", "--role", "requester", "--account", REQUESTER.address, key=ADMIN)
    world.open_round()
    return world


# --- code ----------------------------------------------------------------------------------------


def test_the_deployed_code_is_the_committed_one(world: World) -> None:
    answer = world.run("deploy", "--verify-only")
    assert answer == {
        "contract": world.contract,
        "verified": True,
        "bytes": len(artefact.consensus()["deployedBytecode"]) // 2 - 1,
        "compiler": artefact.consensus()["compiler"],
    }


def changed(byte: int) -> Callable[[bytes], bytes]:
    return lambda code: code[:byte] + bytes([code[byte] ^ 1]) + code[byte + 1 :]


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        (changed(1_000), "byte 1000 is"),
        (lambda code: code + b"\x00", "bytes, received"),
        (lambda code: code[:-1], "bytes, received"),
        (lambda _: b"", "no contract at this address"),
    ],
    ids=["one bit", "longer", "shorter", "none"],
)
def test_other_code_is_reported(
    world: World, change: Callable[[bytes], bytes], answer: str
) -> None:
    code = bytes.fromhex(world.devnet.rpc("eth_getCode", world.contract, "latest")[2:])
    world.devnet.rpc("anvil_setCode", world.contract, "0x" + change(code).hex())
    assert answer in world.rejected("deploy", "--verify-only")


def test_values_that_the_constructor_fills_in_are_not_compared() -> None:
    compiled = {
        "contract": "OepConsensus",
        "deployedBytecode": "0x600000007f",
        "immutableReferences": {"7": [{"start": 1, "length": 2}]},
    }
    check_code(bytes.fromhex("60abcd007f"), compiled)
    with pytest.raises(EvidenceError, match="byte 3 is 0x01, expected 0x00"):
        check_code(bytes.fromhex("60abcd017f"), compiled)


def test_an_unverified_deployment_is_not_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contract is paid for: its address must be reported even if the check fails."""
    monkeypatch.setattr(artefact, "consensus", lambda: {**COMPILED, "deployedBytecode": "0x60"})
    world.contract = ""
    answer = world.rejected("deploy", key=ADMIN)
    assert "other code than OepConsensus" in answer
    assert "--verify-only" in answer
    address = re.search(r"deployed at (0x[0-9a-fA-F]{40}) \(block \d+, transaction 0x", answer)
    assert address is not None
    monkeypatch.undo()
    world.contract = address[1]
    assert world.run("deploy", "--verify-only")["verified"] is True


def test_missing_options_are_named(world: World) -> None:
    assert "--key-file" in world.rejected("deploy", code=2)
    world.contract = ""
    assert "--contract" in world.rejected("deploy", "--verify-only", code=2)


# --- managing ------------------------------------------------------------------------------------


def test_policy_changes_only_where_named(world: World) -> None:
    before = world.run("status")
    assert (before["quorum_share"], before["vote_window_s"]) == ("3/4", 600)
    world.run("set-policy", "--reveal-window", "90", key=ADMIN)
    after = world.run("status")
    assert after == before | {"epoch": before["epoch"] + 1, "reveal_window_s": 90}
    world.run("set-policy", "--quorum", "2/3", "--rules-version", "2", key=ADMIN)
    assert world.run("status")["quorum_share"] == "2/3"
    assert "'4/3': a quorum must be" in world.rejected(
        "set-policy", "--quorum", "4/3", key=ADMIN, code=2
    )
    assert "'most': a quorum must be" in world.rejected(
        "set-policy", "--quorum", "most", key=ADMIN, code=2
    )
    assert "nothing to change: name a quorum" in world.rejected("set-policy", key=ADMIN, code=2)
    assert "does not have the role admin; use the key of one that has" in world.rejected(
        "set-policy", "--vote-window", "9", key=HEIR
    )


def test_a_worker_comes_moves_and_goes(world: World) -> None:
    operator, signer = account(10), account(20)
    keys = ("--operator", operator.address, "--signer", signer.address)
    for url in ("ftp://old", "worker.example", "http://old/?page=1"):
        message = world.rejected("add-worker", *keys, "--url", url, key=ADMIN, code=2)
        assert f"'{url}': a worker's URL must be http:// or https://" in message
    assert world.run("status")["members"] == 0
    world.run("add-worker", *keys, "--url", "http://old", key=ADMIN)
    world.run("set-endpoint", "--url", "http://new", key=operator)
    world.run("rotate-signer", "--signer", account(21).address, key=operator)
    (member,) = world.run("status")["electorate"]
    assert member == {
        "index": 0,
        "operator": operator.address,
        "signer": account(21).address,
        "endpoint": "http://new",
    }
    assert "http://new" in world.invoke("status").stdout
    world.run("remove-worker", "--operator", operator.address, key=ADMIN)
    assert world.run("status")["members"] == 0
    assert "NotMember" in world.rejected("rotate-signer", "--signer", HEIR.address, key=operator)
    wrong = ("--operator", "0x12")
    assert "40 hex digits" in world.rejected("remove-worker", *wrong, key=ADMIN, code=2)


def test_a_guardian_pauses_and_an_administrator_ends_it(world: World) -> None:
    world.run("grant", "--role", "guardian", "--account", GUARDIAN.address, key=ADMIN)
    world.run("pause", key=GUARDIAN)
    assert world.run("status")["paused"] is True
    assert "AccessControlUnauthorizedAccount" in world.rejected("unpause", key=GUARDIAN)
    world.run("unpause", key=ADMIN)
    assert world.run("status")["paused"] is False
    assert "PauseState" in world.rejected("unpause", key=ADMIN)


def test_a_requester_cancels_with_a_reason(world_with_a_round: World) -> None:
    world = world_with_a_round
    world.run("cancel-round", "--round", "1", "--reason", "wrong document", key=REQUESTER)
    answer = world.run("audit", "round", "1")
    assert (answer["phase"], answer["end"]["reason"]) == ("cancelled", "wrong document")
    again = world.rejected("cancel-round", "--round", "1", "--reason", "again", key=REQUESTER)
    assert "WrongStatus" in again


def test_the_roles_are_handed_over(world: World) -> None:
    assert world.run("roles") == {
        "admin": [ADMIN.address],
        "requester": [],
        "guardian": [],
    }
    assert f"admin      {ADMIN.address}" in world.invoke("roles").stdout
    world.run("grant", "--role", "requester", "--account", REQUESTER.address, key=ADMIN)
    world.run("grant", "--role", "admin", "--account", HEIR.address, key=ADMIN)
    world.run("renounce", "--role", "admin", key=ADMIN)
    assert "AccessControlUnauthorizedAccount" in world.rejected("pause", key=ADMIN)
    world.run("revoke", "--role", "requester", "--account", REQUESTER.address, key=HEIR)
    assert world.run("roles") == {"admin": [HEIR.address], "requester": [], "guardian": []}
    assert "LastAdministrator" in world.rejected("renounce", "--role", "admin", key=HEIR)
    assert "'owner': a role must be one of" in world.rejected(
        "renounce", "--role", "owner", key=HEIR, code=2
    )


# --- signed ballots ------------------------------------------------------------------------------


def test_a_relay_casts_what_workers_signed(world_with_a_round: World) -> None:
    world = world_with_a_round
    good = [world.signed(signer) for signer in SIGNERS]
    context = good[0].context
    vote = good[2].signed.vote
    moved = Vote(vote.ballot[::-1], vote.custody)
    stranger = Relayed(context, SignedBallot(moved, *signature(good[2])))
    elsewhere = Relayed(RoundContext(1, context.contract, 1), good[2].signed)
    unsigned = Relayed(context, SignedBallot.of(vote, 0, 0, 0))
    file = world.file("ballots", good[0], stranger, elsewhere, unsigned, good[1], good[0])
    answer = world.run("cast", file, key=HEIR)
    assert answer["cast"] == [account(10).address.lower(), account(11).address.lower()]
    assert {left["ballot"]: left["why"].split()[0] for left in answer["left_out"]} == {
        2: "0x" + answer["left_out"][0]["why"][2:42],
        3: "it",
        4: "its",
        6: "its",
    }
    state = world.run("audit", "round", "1")
    assert [m["standing"] for m in state["members"]] == ["voted", "voted", "silent"]
    assert {m["transaction"] for m in state["members"][:2]} == {answer["transaction"]}

    third = world.invoke("cast", world.file("third", good[2]), key=HEIR)
    assert third.stdout.splitlines()[0].startswith("round 1: 1 ballots cast, transaction 0x")

    again = world.rejected("cast", file, key=HEIR)
    assert "none of these ballots can be cast" in again
    assert "ballot 1 left out: its member has voted already" in again


def signature(relayed: Relayed) -> tuple[bytes, bytes]:
    return relayed.signed.r, relayed.signed.parity_and_s


def test_two_signed_ballots_are_put_on_record(world_with_a_round: World) -> None:
    world = world_with_a_round
    first, second = (world.signed(SIGNERS[1], root) for root in (ROOT, OTHER_ROOT))
    honest = world.signed(SIGNERS[0])
    alone = world.file("alone", first, honest, first)
    assert "shows no worker with two votes" in world.rejected(
        "report-equivocation", alone, key=HEIR
    )
    file = world.file("evidence", honest, first, second)
    answer = world.run("report-equivocation", file, key=HEIR)
    liar = account(11).address.lower()
    assert [one["operator"] for one in answer["reported"]] == [liar]
    (recorded,) = world.run("audit", "round", "1")["equivocations"]
    assert recorded["operator"] == liar
    assert recorded["ballots"] == ["0x" + b.signed.vote.ballot.hex() for b in (first, second)]
    assert recorded["transaction"] == answer["reported"][0]["transaction"]
    more = [world.signed(SIGNERS[2], root) for root in (ROOT, OTHER_ROOT)]
    table_of_reports = world.invoke("report-equivocation", world.file("more", *more), key=HEIR)
    assert account(12).address.lower() in table_of_reports.stdout
    assert "not on record" in world.rejected("report-equivocation", file, key=HEIR)
    table = world.invoke("audit", "round", "1")
    assert f"{liar} signed two different ballots" in table.stdout


VOTE = ("--round", "1", "--root", ROOT, "--partitions", "4", *WITH_CUSTODY)
OTHER_VOTE = ("--round", "1", "--root", OTHER_ROOT, "--partitions", "4", *WITH_CUSTODY)


def test_one_signer_signs_one_ballot_a_round(world_with_a_round: World) -> None:
    world = world_with_a_round
    first = world.invoke("sign", *VOTE, key=SIGNERS[0])
    assert first.exit_code == 0, first.output
    assert world.invoke("sign", *VOTE, key=SIGNERS[0]).stdout == first.stdout
    answer = world.rejected("sign", *OTHER_VOTE, key=SIGNERS[0])
    assert "another vote was signed for round 1" in answer
    assert ".key.signed, line 1" in answer
    world.open_round()
    again = ("--round", "2", *OTHER_VOTE[2:])
    assert world.invoke("sign", *again, key=SIGNERS[0]).exit_code == 0


def test_a_ballot_that_could_not_count_is_not_signed(world_with_a_round: World) -> None:
    world = world_with_a_round
    answer = world.rejected("sign", *VOTE, "--confirmations", "3", key=SIGNERS[0])
    assert "opened in the last blocks" in answer
    for _ in range(3):
        world.devnet.rpc("evm_increaseTime", 1)
        world.devnet.rpc("evm_mine")
    deep = world.invoke("sign", *VOTE, "--confirmations", "3", key=SIGNERS[0])
    assert deep.exit_code == 0, deep.output
    (ballot,) = decode_lines(deep.stdout.encode())
    assert world.run("cast", world.file("one", ballot), key=HEIR)["cast"]
    assert "has voted or abstained" in world.rejected("sign", *VOTE, key=SIGNERS[0])
    world.devnet.rpc("evm_increaseTime", 600)
    world.devnet.rpc("evm_mine")
    answer = world.rejected("sign", *VOTE, key=SIGNERS[1])
    assert "round 1 takes no votes: it is revealing" in answer


def test_the_inclusion_contract_is_deployed_alone(world: World) -> None:
    world.contract = ""
    answer = world.run("deploy-inclusion", key=HEIR)
    assert answer["verified"] is True
    code = world.devnet.rpc("eth_getCode", answer["contract"], "latest")
    assert code == artefact.inclusion()["deployedBytecode"]


def test_an_abstention_is_signed_cast_and_reported(world_with_a_round: World) -> None:
    world = world_with_a_round
    done = world.invoke("sign", "--round", "1", "--abstain", "InputMismatch", key=SIGNERS[0])
    assert done.exit_code == 0, done.output
    (abstention,) = decode_lines(done.stdout.encode())
    ballot = world.signed(SIGNERS[0])  # on another machine
    assert world.run("cast", world.file("one", abstention), key=HEIR)["cast"]
    (member, *_) = world.run("audit", "round", "1")["members"]
    assert (member["standing"], member["reason"]) == ("abstained", "InputMismatch")
    evidence = world.file("evidence", abstention, ballot)
    assert world.run("report-equivocation", evidence, key=HEIR)["reported"]
    for options in (("--abstain", "InputMismatch", *VOTE[2:]), VOTE[2:6], ("--abstain", "Bored")):
        assert world.rejected("sign", "--round", "1", *options, key=SIGNERS[1], code=2)


def test_the_abi_is_the_artefacts() -> None:
    done = CliRunner().invoke(app, ["contract", "abi"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == COMPILED["abi"]


def test_files_without_a_batch_are_rejected(world_with_a_round: World, tmp_path: Path) -> None:
    world = world_with_a_round
    assert "holds no signed ballot" in world.rejected("cast", world.file("none"), key=HEIR)
    one = world.signed(SIGNERS[0])
    other = Relayed(RoundContext(one.context.chain_id, one.context.contract, 2), one.signed)
    mixed = world.file("mixed", one, other)
    assert "rounds 1, 2" in world.rejected("cast", mixed, key=HEIR, code=2)
    later = world.file("later", other)
    assert "no round 2" in world.rejected("cast", later, key=HEIR, code=2)
    broken = tmp_path / "broken"
    broken.write_text("{}\n")
    assert "line 1 is not a signed ballot" in world.rejected("cast", str(broken), key=HEIR)
    assert "is not a signer" in world.rejected("sign", *VOTE, key=HEIR)
    short = ("--round", "1", "--root", "33", "--partitions", "4", *WITH_CUSTODY)
    assert "64 hex digits" in world.rejected("sign", *short, key=SIGNERS[0], code=2)
