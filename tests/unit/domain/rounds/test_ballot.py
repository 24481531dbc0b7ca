"""Result and ballot (rules-v1 section 11), reasons to abstain (section 12)."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.rounds.ballot import (
    Reason,
    Result,
    Vote,
    ballot_for,
    ballot_hash,
    result_hash,
)
from oepnode.domain.rounds.context import RoundContext

WORDS = st.binary(min_size=32, max_size=32)
ADDRESSES = st.binary(min_size=20, max_size=20)
INDEXES = st.integers(0, 127)
CUSTODY = b"\xcc" * 32


@given(root=WORDS, partitions=st.integers(0, 2**32 - 1))
def test_the_result_hash_is_of_the_abi_encoding(root: bytes, partitions: int) -> None:
    expected = keccak(encode(["bytes32", "uint32"], [root, partitions]))
    assert result_hash(root, partitions) == expected
    assert Result(root, partitions).hash == expected


@given(
    chain_id=st.integers(0, 2**256 - 1),
    contract=ADDRESSES,
    number=st.integers(0, 2**64 - 1),
    index=INDEXES,
    result=WORDS,
)
def test_the_ballot_is_of_the_abi_encoding(
    chain_id: int, contract: bytes, number: int, index: int, result: bytes
) -> None:
    expected = keccak(
        encode(
            ["uint256", "address", "uint64", "uint8", "bytes32"],
            [chain_id, contract, number, index, result],
        )
    )
    assert ballot_hash(chain_id, contract, number, index, result) == expected


@given(root=WORDS, partitions=st.integers(0, 2**32 - 1), index=INDEXES)
def test_the_ballot_of_a_round_context(root: bytes, partitions: int, index: int) -> None:
    context = RoundContext(246, b"\x05" * 20, 9)
    result = Result(root, partitions)
    assert ballot_for(context, index, result) == ballot_hash(
        246, b"\x05" * 20, 9, index, result.hash
    )


def test_no_two_members_rounds_contracts_chains_or_results_share_a_ballot() -> None:
    plain: tuple[Any, ...] = (1, b"\x01" * 20, 1, 2, b"\x03" * 32)
    ballots = {ballot_hash(*plain)}
    for index, other in enumerate((2, b"\x02" * 20, 2, 1, b"\x04" * 32)):
        changed = list(plain)
        changed[index] = other
        ballots.add(ballot_hash(*changed))
    assert len(ballots) == 6
    assert result_hash(b"\x01" * 32, 1) != result_hash(b"\x01" * 32, 2)


@pytest.mark.parametrize(
    ("number", "label"),
    [
        (1, "InputsUnavailable"),
        (2, "InputMismatch"),
        (3, "InputInvalid"),
        (4, "RulesUnknown"),
        (5, "InternalFault"),
    ],
)
def test_reasons_have_the_numbers_and_names_of_the_rules(number: int, label: str) -> None:
    assert Reason(number).label == label
    assert len(Reason) == 5


@pytest.mark.parametrize("reason", Reason)
def test_an_abstention_is_the_number_of_its_reason(reason: Reason) -> None:
    vote = Vote.abstaining(reason)
    assert vote == Vote(reason.to_bytes(32), bytes(32))
    assert (vote.reason, vote.fault) == (reason, "")


@pytest.mark.parametrize("number", [6, 255, 256, 2**248 + 1, 2**256 - 1])
def test_any_other_number_is_a_ballot(number: int) -> None:
    vote = Vote(number.to_bytes(32), CUSTODY)
    assert (vote.reason, vote.fault) == (None, "")


@pytest.mark.parametrize(
    ("vote", "fault"),
    [
        (Vote(bytes(32), CUSTODY), "its ballot is zero"),
        (Vote(bytes(32), bytes(32)), "its ballot is zero"),
        (Vote((6).to_bytes(32), bytes(32)), "its custody root is zero"),
        (Vote((5).to_bytes(32), CUSTODY), "it abstains, and has a custody root"),
    ],
)
def test_a_vote_that_no_contract_accepts_is_named(vote: Vote, fault: str) -> None:
    assert vote.fault == fault
