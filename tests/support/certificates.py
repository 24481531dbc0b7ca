"""Certificates of the round of `round_world`, with members that have real keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from msgspec.structs import replace

from oepnode.adapters.chain.contract import checksum_address
from oepnode.adapters.crypto.ballot_signature import recover_account, sign_ballot
from oepnode.client import KnownElectorate
from oepnode.domain.rounds.ballot import Result, Vote, ballot_for
from oepnode.domain.rounds.ballot_transactions import CAST_BALLOT
from oepnode.domain.rounds.certificate import (
    Certificate,
    CertifiedElectorate,
    Evidence,
    ExpectedRound,
    check,
)
from oepnode.domain.rounds.certificate_file import encode_certificate
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import BallotCast, Electorate, Member
from oepnode.errors import TransportError
from tests.support.round_world import CONTEXT, RESULT, FakeReader, opened
from tests.support.round_world import ELECTORATE as NAMES

KEYS: list[LocalAccount] = [Account.from_key(bytes([0x41 + i]) * 32) for i in range(6)]
"""Keys of the five members' signers, and one of nobody."""
MEMBERS = tuple(
    Member(index, bytes([0xA0 + index]) * 20, bytes.fromhex(KEYS[index].address[2:]))
    for index in range(5)
)
QUORUM = 3
ELECTORATE = CertifiedElectorate(MEMBERS, QUORUM)
EXPECTED = ExpectedRound(CONTEXT.chain_id, CONTEXT.contract, ELECTORATE, CONTEXT.number)
OPERATORS = tuple(f"0x{m.operator.hex()}=0x{m.signer.hex()}" for m in MEMBERS)
KNOWN = KnownElectorate(CONTEXT.chain_id, "0x" + CONTEXT.contract.hex(), QUORUM, OPERATORS)
CUSTODY = b"\xcc" * 32


def vote_of(index: int, context: RoundContext = CONTEXT, result: Result = RESULT.result) -> Vote:
    return Vote(ballot_for(context, index, result), CUSTODY)


def relayed(
    index: int,
    context: RoundContext = CONTEXT,
    result: Result = RESULT.result,
    key: LocalAccount | None = None,
) -> Evidence:
    """A member's vote, signed for a relay."""
    signed = sign_ballot(key or KEYS[index], context, vote_of(index, context, result))
    return Evidence(index, "signedBallot", signed.pack())


def direct(
    index: int,
    context: RoundContext = CONTEXT,
    result: Result = RESULT.result,
    key: LocalAccount | None = None,
    **fields: Any,
) -> Evidence:
    """A member's vote in a signed transaction of its own; ``fields`` change the transaction."""
    vote = vote_of(index, context, result)
    whole: dict[str, Any] = {
        "type": 2,
        "chainId": context.chain_id,
        "nonce": 7,
        "gas": 100_000,
        "maxFeePerGas": 10**9,
        "maxPriorityFeePerGas": 1,
        "to": checksum_address(context.contract),
        "value": 0,
        "data": CAST_BALLOT + context.number.to_bytes(32) + vote.ballot + vote.custody,
    } | fields
    whole = {name: value for name, value in whole.items() if value is not None}
    signed = (key or KEYS[index]).sign_transaction(whole)
    return Evidence(index, "transaction", bytes(signed.raw_transaction))


def certificate(*ballots: Evidence, **changes: Any) -> Certificate:
    """The certificate of round 3; without ballots with those of the first three members."""
    round_ = opened()
    values: dict[str, Any] = {
        "context": CONTEXT,
        "rules_version": 1,
        "envelope_digest": round_.envelope_digest,
        "registry_digest": round_.registry_digest,
        "epoch": 1,
        "electorate": ELECTORATE,
        "result": RESULT.result,
        "ballots": ballots or (direct(0), relayed(1), relayed(2)),
    }
    return Certificate(**(values | changes))


def verified(made: Certificate, expected: ExpectedRound = EXPECTED) -> list[int]:
    """Indices of the members whose ballots a certificate proves."""
    return [member.index for member in check(made, expected, recover_account)]


class Reader(FakeReader):
    """The chain, with members that have real keys and the transactions that carried their votes."""

    without: frozenset[int] = frozenset()
    """Members whose votes other transactions carry."""
    fields: Mapping[int, dict[str, Any]] = MappingProxyType({})
    """Fields of members' transactions that are not as usual."""

    async def electorate(self, epoch: int) -> Electorate:
        return replace(NAMES, members=MEMBERS)

    async def transaction(self, transaction: bytes) -> bytes:
        for event in await self.round_events(3):
            if isinstance(event, BallotCast) and event.location.transaction == transaction:
                index = next(m.index for m in MEMBERS if m.operator == event.operator)
                data = CAST_BALLOT + (3).to_bytes(32) + event.ballot + event.custody
                fields = self.fields.get(index, {})
                return b"\xff" if index in self.without else direct(index, data=data, **fields).data
        raise TransportError("no such transaction")


def write_certificate(folder: Path, made: Certificate | None = None, **changes: Any) -> Path:
    """A certificate's file, with other fields where they are given."""
    value = json.loads(encode_certificate(made or certificate())) | changes
    file = folder / "round-3.certificate.json"
    file.write_text(json.dumps(value))
    return file


def operators_file(folder: Path, entries: Iterable[str] = OPERATORS) -> Path:
    file = folder / "operators.txt"
    file.write_text("# the network's list\n\n" + "\n".join(entries) + "\n")
    return file
