"""The chain accepts the same proofs of inclusion as Python.

Three rings: the library ``Rfc9162.sol`` alone, on every vector and on random and damaged
proofs of trees of any size; ``verifyPartition`` and ``verifySite`` on the rounds of the vectors;
and the same on random rounds with damaged proofs. What cannot be written in the ABI at all, such
as a negative index or a hash of 31 bytes, is tested apart: Python rejects it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import solcx
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.ballot import Result, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import PartitionEntry, decode_partition
from oepnode.domain.rounds.tally import Ballot
from oepnode.errors import EvidenceError
from tests.contract_model.state import Reverted
from tests.reference import rfc9162
from tests.support.anvil import Anvil, Inclusion, OnChain
from tests.support.sizes import sized

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "docs/spec/vectors"
ROUNDS = sorted(path.name for path in VECTORS.glob("round-*.json"))
SITE_TAG = b"OEP1\x01"


def vectors(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((VECTORS / name).read_text("utf-8"))
    return loaded


def bytes_of(texts: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


# --- proofs, and how they are damaged ------------------------------------------------------------


@dataclass(frozen=True)
class Proof:
    """The arguments of `merkle.verify_inclusion`."""

    leaf: bytes
    index: int
    size: int
    path: tuple[bytes, ...]
    root: bytes

    def is_good(self) -> bool:
        try:
            merkle.verify_inclusion(self.leaf, self.index, self.size, self.path, self.root)
        except merkle.InclusionError:
            return False
        return True

    def is_expressible(self) -> bool:
        hashes = (self.leaf, self.root, *self.path)
        return self.index >= 0 and all(len(value) == 32 for value in hashes)


def length(index: int, size: int) -> int:
    """Length of the path, by the definition of PATH (RFC 9162 section 2.1.3.1)."""
    if size == 1:
        return 0
    k = rfc9162.split(size)
    return 1 + (length(index, k) if index < k else length(index - k, size - k))


def root_over(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root of a tree of any size that has this leaf and path, by the same definition."""
    if size == 1:
        return leaf
    k = rfc9162.split(size)
    if index < k:
        return rfc9162.node_hash(root_over(leaf, index, k, path[:-1]), path[-1])
    return rfc9162.node_hash(path[-1], root_over(leaf, index - k, size - k, path[:-1]))


def a_proof(dice: random.Random, most: int) -> Proof:
    """A good proof in a tree of up to ``most`` leaves, of any order of magnitude."""
    size = min(most, dice.randrange(1, 2 ** dice.randrange(1, most.bit_length() + 1)) + 1)
    edges = [0, size - 1, rfc9162.split(size) if size > 1 else 0, dice.randrange(size)]
    index = min(dice.choice(edges), size - 1)
    leaf = dice.randbytes(32)
    path = tuple(dice.randbytes(32) for _ in range(length(index, size)))
    return Proof(leaf, index, size, path, root_over(leaf, index, size, path))


def damaged(dice: random.Random, proof: Proof) -> Proof:
    """The proof with one thing wrong; sometimes it still proves, as RFC 9162 has it."""
    path = list(proof.path)
    position = dice.randrange(len(path)) if path else 0

    def flip(value: bytes) -> bytes:
        return (int.from_bytes(value) ^ 1 << dice.randrange(256)).to_bytes(32)

    ways: list[Callable[[], Proof]] = [
        lambda: replace(proof, leaf=flip(proof.leaf)),
        lambda: replace(proof, root=flip(proof.root)),
        lambda: replace(proof, index=proof.index ^ 1),
        lambda: replace(proof, index=dice.randrange(proof.size)),
        lambda: replace(proof, index=proof.size + dice.randrange(3)),
        lambda: replace(proof, size=max(0, proof.size + dice.choice((-1, 1)))),
        lambda: replace(proof, size=dice.randrange(2 * proof.size)),
        lambda: replace(proof, path=(*path, dice.randbytes(32))),
        lambda: replace(proof, path=(*path, proof.root)),
        lambda: replace(proof, path=(proof.leaf, *path)),
    ]
    if path:
        ways += [
            lambda: replace(proof, path=tuple(path[:-1])),
            lambda: replace(proof, path=tuple(path[1:])),
            lambda: replace(proof, path=tuple(path[::-1])),
            lambda: replace(
                proof, path=(*path[:position], flip(path[position]), *path[position + 1 :])
            ),
            lambda: replace(proof, leaf=path[0], path=(proof.leaf, *path[1:])),
        ]
    return dice.choice(ways)()


# --- the library ---------------------------------------------------------------------------------


class Library:
    """``Rfc9162.sol`` at an address of its own."""

    SOURCE = """
        pragma solidity ^0.8.30;
        import {Rfc9162} from "src/Rfc9162.sol";
        contract Verifier {
            function verify(
                bytes32 leaf, uint256 index, uint256 size, bytes32[] calldata path, bytes32 root
            ) external view { Rfc9162.verify(leaf, index, size, path, root); }
            function leafHash(bytes calldata entry) external view returns (bytes32) {
                return Rfc9162.leafHash(entry);
            }
        }"""
    ADDRESS = "0x" + "91" * 20

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        library = (ROOT / "contracts/src/Rfc9162.sol").read_text("utf-8")
        output = solcx.compile_standard(
            {
                "language": "Solidity",
                "sources": {
                    "Verifier.sol": {"content": self.SOURCE},
                    "src/Rfc9162.sol": {"content": library},
                },
                "settings": {
                    "evmVersion": "paris",
                    "outputSelection": {"Verifier.sol": {"*": ["evm.deployedBytecode.object"]}},
                },
            },
            solc_binary=ROOT / "hardhat-free-devnet/solc",
        )
        verifier = output["contracts"]["Verifier.sol"]["Verifier"]
        code = "0x" + verifier["evm"]["deployedBytecode"]["object"]
        anvil.rpc("anvil_setCode", self.ADDRESS, code)

    def accepts(self, proofs: Sequence[Proof]) -> list[bool]:
        """Whether the chain accepts each of these proofs."""
        types = ["bytes32", "uint256", "uint256", "bytes32[]", "bytes32"]
        selector = keccak(text=f"verify({','.join(types)})")[:4]
        answers = self._call(
            [selector + encode(types, [p.leaf, p.index, p.size, p.path, p.root]) for p in proofs]
        )
        return ["error" not in answer for answer in answers]

    def leaf_hashes(self, entries: Sequence[bytes]) -> list[bytes]:
        selector = keccak(text="leafHash(bytes)")[:4]
        answers = self._call([selector + encode(["bytes"], [entry]) for entry in entries])
        return [bytes.fromhex(answer["result"][2:]) for answer in answers]

    def _call(self, data: Sequence[bytes]) -> list[dict[str, Any]]:
        calls = [{"to": self.ADDRESS, "data": "0x" + one.hex()} for one in data]
        return self.anvil.batch([("eth_call", (call, "latest")) for call in calls])


@pytest.fixture(scope="module")
def library(anvil: Anvil) -> Library:
    return Library(anvil)


def trees_of_vectors() -> Iterator[tuple[Proof, bool]]:
    """Proofs of ``trees.json``, and whether they prove."""
    loaded = vectors("trees.json")
    for tree in loaded["trees"]:
        leaves, root = bytes_of(tree["leafHashes"]), bytes.fromhex(tree["root"])
        for index, path in enumerate(tree["paths"]):
            yield Proof(leaves[index], index, len(leaves), tuple(bytes_of(path)), root), True
    for tree in loaded["largeTreesOfEntryN"]:
        for proof in tree["proofs"]:
            leaf = merkle.leaf_hash(b"entry %d" % proof["index"])
            path, root = tuple(bytes_of(proof["path"])), bytes.fromhex(tree["root"])
            yield Proof(leaf, proof["index"], tree["size"], path, root), True
    for kind, does_prove in (("rejected", False), ("provesAnotherSizeToo", True)):
        for case in loaded[kind]:
            leaf, root = bytes.fromhex(case["leaf"]), bytes.fromhex(case["root"])
            path = tuple(bytes_of(case["path"]))
            yield Proof(leaf, case["index"], case["size"], path, root), does_prove


def test_the_library_decides_every_vector_as_python_does(library: Library) -> None:
    cases = list(trees_of_vectors())
    assert all(proof.is_good() is does_prove for proof, does_prove in cases)
    expressible = [(proof, good) for proof, good in cases if proof.is_expressible()]
    assert len(cases) - len(expressible) == 5  # a negative index, and hashes of 31 or 33 bytes
    accepted = library.accepts([proof for proof, _ in expressible])
    assert accepted == [does_prove for _, does_prove in expressible]


def test_the_library_hashes_leaves_as_python_does(library: Library) -> None:
    dice = random.Random(1)
    entries = [dice.randbytes(size) for size in (*range(70), 127, 128, 129, 1_000, 20_000)]
    assert library.leaf_hashes(entries) == [merkle.leaf_hash(entry) for entry in entries]


def test_every_position_of_small_trees(library: Library) -> None:
    leaves = [merkle.leaf_hash(bytes([position])) for position in range(40)]
    proofs = [
        Proof(
            leaves[index],
            index,
            size,
            tuple(merkle.inclusion_path(leaves[:size], index)),
            merkle.root_hash(leaves[:size]),
        )
        for size in range(1, 41)
        for index in range(size)
    ]
    assert all(library.accepts(proofs))


def check_damaged_proofs(library: Library, seed: int, count: int) -> None:
    dice = random.Random(seed)
    good = [a_proof(dice, 2**64) for _ in range(count)]
    cases = [*good, *(damaged(dice, proof) for proof in good for _ in range(4))]
    cases = [proof for proof in cases if proof.size <= 2**64]
    assert all(proof.is_good() for proof in good)
    assert library.accepts(cases) == [proof.is_good() for proof in cases]


@settings(max_examples=sized(40), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_library_decides_damaged_proofs_as_python_does(library: Library, seed: int) -> None:
    check_damaged_proofs(library, seed, 20)


@pytest.mark.campaign
@settings(max_examples=2_000, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_library_decides_very_many_damaged_proofs(library: Library, seed: int) -> None:
    check_damaged_proofs(library, seed, 50)


# --- finalised rounds ----------------------------------------------------------------------------


class Finaliser:
    """A contract with one worker, who makes any root final."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.now = anvil.now()
        self.admin, self.operator, self.signer = anvil.accounts[:3]
        self.chain = OnChain(anvil, self.admin, (2, 3, 3_600, 3_600, 1), self.now)
        self.inclusion = Inclusion(anvil, self.now)
        self.send(self.admin, "addWorkers", [(self.operator, self.signer, "")])
        self.send(self.admin, "grantRole", keccak(text="REQUESTER_ROLE"), self.admin)
        self.rounds = 0

    def send(self, sender: bytes, name: str, *arguments: object) -> None:
        self.chain.send(sender, name, *arguments, at=self.now)

    def finalise(self, result: Result) -> int:
        """A round with this final result."""
        self.send(self.admin, "openRound", 5_990_000, 6, b"\x11" * 32, b"\x22" * 32)
        self.rounds += 1
        context = RoundContext(self.anvil.chain_id, self.chain.address, self.rounds)
        ballot = Ballot(0, ballot_for(context, 0, result))
        self.send(self.signer, "castBallot", self.rounds, ballot.ballot, b"\xcc" * 32)
        arguments = (self.rounds, result.root, result.partitions, ballot.pack())
        self.send(self.admin, "revealRoot", *arguments)
        return self.rounds

    def call(self, claim: Claim) -> tuple[str, tuple[object, ...]]:
        """The call that verifies a claim."""
        name, arguments = claim.call()
        return name, (self.chain.address, *arguments)

    def accepts(self, claims: Sequence[Claim]) -> list[bool]:
        """Whether the contract accepts each of these claims."""
        results = self.inclusion.read_all([(*self.call(claim), None) for claim in claims])
        return [not isinstance(answer, Reverted) for answer in results]


@dataclass(frozen=True)
class Claim:
    """A claim that a partition, and a site in it, are in a round's final tree."""

    number: int
    result: Result
    partition: bytes
    index: int
    path: tuple[bytes, ...]
    site: bytes | None = None
    site_index: int = 0
    site_path: tuple[bytes, ...] = ()

    def call(self) -> tuple[str, tuple[object, ...]]:
        partition = (self.partition, self.index, self.path)
        if self.site is None:
            return "verifyPartition", (self.number, partition)
        site = (self.site, self.site_index, self.site_path)
        return "verifySite", (self.number, site, partition)

    def is_good(self) -> bool:
        """The verdict of Python; the chain reads the tag of the site entry and hashes the rest."""
        try:
            entry = decode_partition(self.partition)
            if self.site is not None:
                if not self.site.startswith(SITE_TAG):
                    return False
                leaf = merkle.leaf_hash(self.site)
                size, root = entry.site_count, entry.root
                merkle.verify_inclusion(leaf, self.site_index, size, self.site_path, root)
            leaf = merkle.leaf_hash(self.partition)
            size, root = self.result.partitions, self.result.root
            merkle.verify_inclusion(leaf, self.index, size, self.path, root)
        except EvidenceError:
            return False
        return True


@pytest.fixture(scope="module")
def finaliser(anvil: Anvil) -> Finaliser:
    return Finaliser(anvil)


@pytest.mark.parametrize("name", ROUNDS)
def test_the_contract_accepts_every_entry_of_the_vectors(finaliser: Finaliser, name: str) -> None:
    loaded = vectors(name)
    result = Result(bytes.fromhex(loaded["root"]), int(loaded["partitionCount"]))
    number = finaliser.finalise(result)
    claims = []
    for index, partition in enumerate(loaded["partitions"]):
        path = tuple(bytes_of(partition["path"]))
        claim = Claim(number, result, bytes.fromhex(partition["entry"]), index, path)
        claims.append(claim)
        for position, site in enumerate(partition["sites"]):
            entry, site_path = bytes.fromhex(site["entry"]), tuple(bytes_of(site["path"]))
            claims.append(replace(claim, site=entry, site_index=position, site_path=site_path))
    assert any(claim.site for claim in claims)
    assert all(claim.is_good() for claim in claims)
    assert all(finaliser.accepts(claims))
    dice = random.Random(name)
    broken = [damaged_claim(dice, claim) for claim in claims for _ in range(10)]
    assert finaliser.accepts(broken) == [claim.is_good() for claim in broken]


def damaged_claim(dice: random.Random, claim: Claim) -> Claim:
    """The claim with one thing wrong."""
    ways: list[Callable[[], Claim]] = [
        lambda: _with_path(dice, claim),
        lambda: replace(claim, partition=_with_a_bit(dice, claim.partition)),
        lambda: replace(claim, partition=claim.partition + b"\x00"),
        lambda: replace(claim, partition=claim.partition[:-1]),
        lambda: replace(claim, number=claim.number + 1),
    ]
    if claim.site is not None:
        site = claim.site
        ways += [
            lambda: _with_site_path(dice, claim),
            lambda: replace(claim, site=_with_a_bit(dice, site)),
            lambda: replace(claim, site=site[: dice.randrange(len(site))]),
            lambda: replace(claim, site=claim.partition),
            lambda: replace(claim, site=b""),
            lambda: replace(claim, site_path=claim.path, site_index=claim.index),
        ]
    broken = dice.choice(ways)()
    # A round that does not exist has no result; for Python it contains nothing.
    return broken if broken.number == claim.number else replace(broken, result=Result(bytes(32), 0))


def _with_path(dice: random.Random, claim: Claim) -> Claim:
    leaf = merkle.leaf_hash(claim.partition)
    proof = Proof(leaf, claim.index, claim.result.partitions, claim.path, claim.result.root)
    broken = damaged(dice, proof)
    return replace(claim, index=broken.index, path=broken.path)


def _with_site_path(dice: random.Random, claim: Claim) -> Claim:
    entry = decode_partition(claim.partition)
    assert claim.site is not None
    leaf = merkle.leaf_hash(claim.site)
    broken = damaged(
        dice, Proof(leaf, claim.site_index, entry.site_count, claim.site_path, entry.root)
    )
    return replace(claim, site_index=broken.index, site_path=broken.path)


def _with_a_bit(dice: random.Random, entry: bytes) -> bytes:
    bit = dice.randrange(8 * len(entry))
    return entry[: bit // 8] + bytes([entry[bit // 8] ^ 1 << bit % 8]) + entry[bit // 8 + 1 :]


def a_claim(dice: random.Random, finaliser: Finaliser) -> Claim:
    """A good claim of a site in a new round; both trees have up to 2^32 - 1 leaves."""
    site = SITE_TAG + dice.randbytes(dice.randrange(200))
    lower = _over(dice, merkle.leaf_hash(site))
    entry = PartitionEntry(dice.randbytes(32), lower.root, lower.size).encode()
    upper = _over(dice, merkle.leaf_hash(entry))
    result = Result(upper.root, upper.size)
    number = finaliser.finalise(result)
    return Claim(number, result, entry, upper.index, upper.path, site, lower.index, lower.path)


def _over(dice: random.Random, leaf: bytes) -> Proof:
    """A good proof of this leaf."""
    proof = a_proof(dice, 2**32 - 1)
    root = root_over(leaf, proof.index, proof.size, proof.path)
    return replace(proof, leaf=leaf, root=root)


def check_a_round(finaliser: Finaliser, seed: int) -> None:
    dice = random.Random(seed)
    good = a_claim(dice, finaliser)
    partition = replace(good, site=None, site_index=0, site_path=())
    broken = [damaged_claim(dice, claim) for claim in (good, partition) for _ in range(25)]
    claims = [good, partition, *broken]
    assert good.is_good()
    assert finaliser.accepts(claims) == [claim.is_good() for claim in claims]


@settings(max_examples=sized(40), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_contract_decides_damaged_claims_as_python_does(
    finaliser: Finaliser, seed: int
) -> None:
    check_a_round(finaliser, seed)


@pytest.mark.campaign
@settings(max_examples=2_000, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_contract_decides_very_many_damaged_claims(finaliser: Finaliser, seed: int) -> None:
    check_a_round(finaliser, seed)


def test_in_a_round_that_is_not_final_nothing_is_included(finaliser: Finaliser) -> None:
    result = Result(b"\x33" * 32, 1)
    entry = PartitionEntry(bytes(32), bytes(32), 1).encode()
    finaliser.send(finaliser.admin, "openRound", 5_990_000, 6, b"\x11" * 32, b"\x22" * 32)
    finaliser.rounds += 1
    for number in (0, finaliser.rounds, finaliser.rounds + 1):
        with pytest.raises(Reverted) as caught:
            name, arguments = finaliser.call(Claim(number, result, entry, 0, ()))
            finaliser.inclusion.read(name, *arguments)
        status = 1 if number == finaliser.rounds else 0
        assert (caught.value.error, caught.value.arguments) == ("WrongStatus", (number, 2, status))
