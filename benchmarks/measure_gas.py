"""Measures the gas of the contracts on a local Anvil; started by ``benchmarks/gas``.

How it is measured:

- Every figure is the ``gasUsed`` of a receipt, so it has the 21,000 of a transaction and its
  calldata. That goes for the inclusion checks too, which are sent as transactions here; a contract
  that calls them pays no 21,000 again, and a reader off chain pays nothing.
- The code is the committed artefact's; its compiler and optimiser settings are printed.
- ``round`` is all ballots and the reveal that finalises; opening is separate. ``per_member`` is
  ``round`` by members, all of whom vote.
- Rounds are of a contract's first rounds, each with a horizon of its own: the dearest case. What a
  later round costs is printed as well.
- The relayed round is one batch of all members' ballots, and the reveal.

The newest rules of Ethereum, which Anvil has, price calldata highest (EIP-7623), which shows in the
reveal at 100 workers. Under older rules no figure is higher.

The JSON has, by number of workers, ``direct`` (``first``, ``middle`` and ``last`` ballot,
``reveal``, ``round``, ``per_member``), ``relayed`` (``round``, ``per_member``) and ``open``, and
``verify_partition_100`` for all.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from rich.console import Console
from rich.table import Table
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from benchmarks.gas_page import missing_rows
from oepnode.adapters.chain import artefact
from oepnode.adapters.crypto.ballot_signature import sign_ballot
from oepnode.demo.devnet import Devnet, account
from oepnode.domain.rounds import merkle, signed_ballots
from oepnode.domain.rounds.ballot import Reason, Result, Vote, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import PartitionEntry
from oepnode.domain.rounds.tally import Ballot

SIZES = (3, 5, 9, 21, 31, 100)
HORIZON_START = 5_990_000
DIGESTS = (b"\x11" * 32, b"\x22" * 32)
WINDOW_S = 3_600
TREE_SIZE = 100
WRONG = Result(b"\x77" * 32, 4)


@dataclass(frozen=True)
class Voters:
    """Signers of the electorate, and their operators, in order of index."""

    signers: list[LocalAccount]
    operators: list[bytes]


class Contract:
    """A new contract with an electorate; its methods return the gas that they took."""

    def __init__(self, web3: Web3, voters: Voters) -> None:
        self._web3 = web3
        self.voters = voters
        self.admin = web3.eth.accounts[0]
        compiled = artefact.consensus()
        factory = web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        terms = (2, 3, WINDOW_S, WINDOW_S, 1)
        receipt = self._wait(factory.constructor(self.admin, terms).transact({"from": self.admin}))
        self.deploy_gas = receipt["gasUsed"]
        self.functions: Any = web3.eth.contract(
            address=receipt["contractAddress"], abi=compiled["abi"]
        ).functions
        self.address = bytes.fromhex(receipt["contractAddress"][2:])
        self.send("grantRole", self.functions.REQUESTER_ROLE().call(), self.admin)
        self.send("grantRole", self.functions.GUARDIAN_ROLE().call(), self.admin)
        self.add_gas = self.send("addWorkers", self._workers())
        self.rounds = 0

    def send(self, name: str, *arguments: object, sender: str | None = None) -> int:
        """Call a function in a transaction."""
        return self.spend(getattr(self.functions, name)(*arguments), sender)

    def spend(self, function: Any, sender: str | None = None) -> int:  # noqa: ANN401 - web3's types
        """Send a call in a transaction."""
        receipt = self._wait(function.transact({"from": sender or self.admin}))
        if receipt["status"] != 1:
            raise SystemExit(f"{function.fn_name} reverted")
        return int(receipt["gasUsed"])

    def inclusion(self) -> Any:  # noqa: ANN401 - web3's types
        """The functions of a new ``OepInclusion``."""
        compiled = artefact.inclusion()
        factory = self._web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
        receipt = self._wait(factory.constructor().transact({"from": self.admin}))
        return self._web3.eth.contract(
            address=receipt["contractAddress"], abi=compiled["abi"]
        ).functions

    def open(self, horizon_start: int) -> int:
        """Open a round."""
        self.rounds += 1
        return self.send("openRound", horizon_start, 6, *DIGESTS)

    def cast(self, result: Result) -> list[int]:
        """Cast every member's ballot, each in its own transaction."""
        return [
            self.vote(signer, ballot)
            for signer, ballot in zip(self.voters.signers, self.ballots(result), strict=True)
        ]

    def vote(self, signer: LocalAccount, ballot: Ballot) -> int:
        """Cast a member's ballot directly."""
        vote = vote_of(ballot)
        return self.send(
            "castBallot", self.rounds, vote.ballot, vote.custody, sender=signer.address
        )

    def cast_relayed(self, result: Result) -> int:
        """Cast all members' signed ballots in one batch."""
        signed = [
            sign_ballot(signer, self.context, vote_of(ballot))
            for signer, ballot in zip(self.voters.signers, self.ballots(result), strict=True)
        ]
        return self.send("castBallots", self.rounds, signed_ballots.pack(signed))

    def reveal(self, result: Result, ballots: Sequence[Ballot]) -> int:
        """Reveal a result."""
        packed = b"".join(ballot.pack() for ballot in ballots)
        return self.send("revealRoot", self.rounds, result.root, result.partitions, packed)

    def ballots(self, result: Result) -> list[Ballot]:
        """The members' ballots for a result."""
        return [
            Ballot(index, ballot_for(self.context, index, result))
            for index in range(len(self.voters.operators))
        ]

    @property
    def context(self) -> RoundContext:
        """The last round."""
        return RoundContext(self._web3.eth.chain_id, self.address, self.rounds)

    def _workers(self) -> list[tuple[bytes, str, str]]:
        return [
            (operator, signer.address, "http://worker.example:8080")
            for operator, signer in zip(self.voters.operators, self.voters.signers, strict=True)
        ]

    def _wait(self, transaction: Any) -> Any:  # noqa: ANN401 - web3's types
        return self._web3.eth.wait_for_transaction_receipt(transaction, poll_latency=0.01)


def vote_of(ballot: Ballot) -> Vote:
    """The vote with a custody root like any other hash: its bytes cost what real ones cost."""
    return Vote(ballot.ballot, sha256(ballot.pack()).digest())


# --- rounds --------------------------------------------------------------------------------------


def measure_rounds(web3: Web3, voters: Voters) -> tuple[dict[str, Any], dict[str, int]]:
    """A direct round, a relayed one, and a direct one that supersedes the first."""
    contract, size = Contract(web3, voters), len(voters.signers)
    result = Result(b"\x33" * 32, 4)
    opened = contract.open(HORIZON_START)
    cast = contract.cast(result)
    revealed = contract.reveal(result, contract.ballots(result))
    direct = sum(cast) + revealed

    contract.open(HORIZON_START + 6)
    relayed = contract.cast_relayed(result) + contract.reveal(result, contract.ballots(result))

    later = {"open": contract.open(HORIZON_START), "first": contract.cast(result)[0]}
    later["reveal"] = contract.reveal(result, contract.ballots(result))
    figures = {
        "direct": {
            "first": cast[0],
            "middle": cast[size // 2],
            "last": cast[-1],
            "reveal": revealed,
            "round": direct,
            "per_member": round(direct / size),
        },
        "relayed": {"round": relayed, "per_member": round(relayed / size)},
        "open": opened,
    }
    return figures, later


# --- inclusion and other calls -------------------------------------------------------------------


def measure_inclusion(web3: Web3, voters: Voters) -> dict[str, int]:
    """Partition and site inclusion in trees of 100 leaves, at their middle."""
    size, index = TREE_SIZE, TREE_SIZE // 2
    sites = [b"OEP1\x01" + bytes([number]) * 800 for number in range(size)]
    site_leaves = [merkle.leaf_hash(site) for site in sites]
    site_root = merkle.root_hash(site_leaves)
    entries = [
        PartitionEntry(merkle.leaf_hash(bytes([number])), site_root, size).encode()
        for number in range(size)
    ]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    result = Result(merkle.root_hash(leaves), size)
    contract = Contract(web3, voters)
    inclusion = contract.inclusion()
    contract.open(HORIZON_START)
    contract.cast(result)
    contract.reveal(result, contract.ballots(result))
    partition = (entries[index], index, merkle.inclusion_path(leaves, index))
    site = (sites[index], index, merkle.inclusion_path(site_leaves, index))
    where = (contract.address, 1)
    return {
        f"verifyPartition, {size} partitions": contract.spend(
            inclusion.verifyPartition(*where, partition)
        ),
        f"verifySite, {size} sites of 805 B": contract.spend(
            inclusion.verifySite(*where, site, partition)
        ),
    }


def measure_calls(web3: Web3, voters: Voters, spare: Sequence[LocalAccount]) -> dict[str, int]:
    """Gas of the other calls, in an electorate of five."""
    contract, size = Contract(web3, voters), len(voters.signers)
    signer, operator = voters.signers[0], voters.operators[0]
    gas = {
        "deployment": contract.deploy_gas,
        f"addWorkers, each of {size}": contract.add_gas // size,
    }
    contract.open(HORIZON_START)
    gas["abstain"] = contract.send(
        "abstain", contract.rounds, int(Reason.INPUT_INVALID), sender=signer.address
    )
    pair = [
        sign_ballot(signer, contract.context, vote_of(Ballot(0, bytes([number]) * 32)))
        for number in (1, 2)
    ]
    gas["reportEquivocation"] = contract.send(
        "reportEquivocation", contract.rounds, signed_ballots.pack(pair)
    )
    abstentions = [
        sign_ballot(voter, contract.context, Vote.abstaining(Reason.INPUT_INVALID))
        for voter in voters.signers[1:-1]
    ]
    relayed = contract.send("castBallots", contract.rounds, signed_ballots.pack(abstentions))
    gas[f"relayed abstention, each of {len(abstentions)}"] = relayed // len(abstentions)
    gas["cancelRound"] = contract.send("cancelRound", contract.rounds, "inputs withdrawn")
    contract.open(HORIZON_START)
    right = Result(b"\x33" * 32, 4)
    mixed = [*contract.ballots(WRONG)[:1], *contract.ballots(right)[1:]]
    for voter, ballot in zip(voters.signers, mixed, strict=True):
        contract.vote(voter, ballot)
    gas["revealRoot below quorum"] = contract.reveal(WRONG, mixed)
    gas["revealRoot, final after that"] = contract.reveal(right, mixed)
    contract.open(HORIZON_START)
    _rpc(web3, "evm_increaseTime", 2 * WINDOW_S)
    _rpc(web3, "evm_mine")
    gas["failRound"] = contract.send("failRound", contract.rounds)
    gas["setPolicy"] = contract.send("setPolicy", (3, 4, 600, 600, 1))
    gas["setEndpoint"] = contract.send(
        "setEndpoint", "http://other.example:8080", sender=_as_sender(web3, operator)
    )
    gas["rotateSigner"] = contract.send(
        "rotateSigner", spare[0].address, sender=_as_sender(web3, operator)
    )
    gas["removeWorker"] = contract.send("removeWorker", operator)
    gas["pause"] = contract.send("pause")
    gas["unpause"] = contract.send("unpause")
    return gas


def _as_sender(web3: Web3, operator: bytes) -> str:
    """Operators have no key here: Anvil sends for them."""
    address = web3.to_checksum_address(operator)
    _rpc(web3, "anvil_impersonateAccount", address)
    _rpc(web3, "anvil_setBalance", address, hex(10**20))
    return address


def _rpc(web3: Web3, method: str, *params: object) -> Any:  # noqa: ANN401 - any JSON value
    return web3.provider.make_request(RPCEndpoint(method), list(params))["result"]


# --- reporting -----------------------------------------------------------------------------------


def limits(gas: dict[str, Any]) -> list[tuple[str, int, int, str]]:
    """The limits: subject, gas measured, gas allowed, and the gas of peers."""
    lido, energy_web = "Lido 59,000 a vote", "Energy Web 193k/164k/140k a vote at 5/9/21"
    ballots = [
        gas[str(size)]["direct"][which] for size in SIZES for which in ("first", "middle", "last")
    ]
    spread = round(100 * (max(ballots) - min(ballots)) / min(ballots))
    return [
        ("direct ballot, dearest of any", max(ballots), 41_000, f"{lido}; {energy_web}"),
        ("  dearest over cheapest, %", spread, 10, "Energy Web: deciding vote 416,000"),
        (
            "direct round / member, 21",
            gas["21"]["direct"]["per_member"],
            46_000,
            "Lido 59,000 (1.24 M a round)",
        ),
        ("direct round / member, 5", gas["5"]["direct"]["per_member"], 56_000, lido),
        ("relayed round / worker, 21", gas["21"]["relayed"]["per_member"], 16_000, "–"),
        ("relayed round / worker, 100", gas["100"]["relayed"]["per_member"], 12_500, "–"),
        ("opening a round", max(gas[str(size)]["open"] for size in SIZES), 120_000, "–"),
        ("partition inclusion, tree of 100", gas["verify_partition_100"], 45_000, "–"),
    ]


def report(
    console: Console, gas: dict[str, Any], later: dict[str, dict[str, int]], calls: dict[str, int]
) -> bool:
    """Print all figures; return whether all limits are kept."""
    rounds = Table(
        "workers", title="Gas of a round", title_justify="left", box=None, pad_edge=False
    )
    names = ("open", "first", "middle", "last", "reveal", "round", "/ member")
    for name in (*names, "relayed", "/ member", "later open", "later ballot", "later reveal"):
        rounds.add_column(name, justify="right")
    for size in map(str, SIZES):
        direct, relayed = gas[size]["direct"], gas[size]["relayed"]
        row = (gas[size]["open"], *direct.values(), *relayed.values(), *later[size].values())
        rounds.add_row(size, *(f"{value:,}" for value in row))
    console.print(rounds)
    console.print(
        "round: all ballots and the reveal, without opening. relayed: one batch of all ballots, "
        "and the reveal.\nlater: a round that supersedes a final one of the same horizon.\n"
    )
    others = Table(
        "call", title="Gas of other calls", title_justify="left", box=None, pad_edge=False
    )
    others.add_column("gas", justify="right")
    for name, value in calls.items():
        others.add_row(name, f"{value:,}")
    console.print(others)
    table = Table("subject", title="\nLimits", title_justify="left", box=None, pad_edge=False)
    table.add_column("measured", justify="right")
    table.add_column("limit", justify="right")
    table.add_column("kept")
    table.add_column("peers")
    checked = limits(gas)
    for subject, measured, limit, peers in checked:
        is_kept = "yes" if measured <= limit else "NO"
        table.add_row(subject, f"{measured:,}", f"{limit:,}", is_kept, peers)
    console.print(table)
    return all(measured <= limit for _, measured, limit, _ in checked)


def settings_line(web3: Web3) -> str:
    """Compiler, optimiser and chain of the figures."""
    compiled = artefact.consensus()
    settings = compiled["settings"]
    optimizer = settings["optimizer"]
    how = f"optimiser on, {optimizer['runs']} runs" if optimizer["enabled"] else "optimiser off"
    fork = _rpc(web3, "anvil_nodeInfo")["hardFork"]
    return (
        f"OepConsensus as committed: solc {compiled['compiler']}, {how}, "
        f"via IR {'yes' if settings['viaIR'] else 'no'}, EVM target {settings['evmVersion']}; "
        f"{len(compiled['deployedBytecode']) // 2 - 1:,} bytes; measured on Anvil, rules of "
        f"{fork}, from receipts\n"
    )


def measure(web3: Web3, console: Console) -> tuple[dict[str, Any], dict[str, int], bool]:
    """Measure and print; return the JSON, the other calls, and whether all limits are kept."""
    console.print(settings_line(web3))
    signers = [account(1 + number) for number in range(max(SIZES) + 1)]
    operators = [bytes.fromhex(account(1_000 + number).address[2:]) for number in range(max(SIZES))]
    gas: dict[str, Any] = {}
    later: dict[str, dict[str, int]] = {}
    for size in SIZES:
        voters = Voters(signers[:size], operators[:size])
        gas[str(size)], later[str(size)] = measure_rounds(web3, voters)
    few = Voters(signers[:5], operators[:5])
    calls = measure_calls(web3, few, signers[5:])
    inclusion = measure_inclusion(web3, few)
    gas["verify_partition_100"] = next(iter(inclusion.values()))
    calls |= inclusion
    return gas, calls, report(console, gas, later, calls)


def is_page_current(page: Path, gas: dict[str, Any], calls: dict[str, int]) -> bool:
    """Whether a page has these figures; prints the rows that are missing."""
    code_size = len(artefact.consensus()["deployedBytecode"]) // 2 - 1
    missing = missing_rows(page.read_text("utf-8"), gas, calls, code_size)
    for row in missing:
        sys.stderr.write(f"{page}: this row is missing, as measured: {row}\n")
    return not missing


def main() -> int:
    """Run the benchmark; the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks/gas", description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--page", type=Path, metavar="FILE", help="page that must have them")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    with tempfile.TemporaryDirectory() as folder:
        devnet = Devnet(Path(folder) / "anvil.log", accounts=max(SIZES) + 2)
        try:
            gas, calls, is_kept = measure(Web3(HTTPProvider(devnet.url)), console)
        finally:
            devnet.stop()
    if options.json:
        options.json.write_text(json.dumps(gas, indent=1) + "\n", "utf-8")
    if options.page:
        is_kept &= is_page_current(options.page, gas, calls)
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
