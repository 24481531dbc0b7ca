"""Votes that a worker signs for a relay to cast: the signed message and its file format.

Guarantees: a signed ballot is bound to one vote, round, contract and chain, and has one accepted
form. It reveals no more of the result than the ballot does; one whose ballot is the number of a
reason is an abstention. The batch that a relay picks from many is one that the contract accepts.
Leaves out signing and recovering (``adapters.crypto.ballot_signature``).
Source: ``contracts/src/SignedBallots.sol``, EIP-712, ERC-2098.

A file of signed ballots holds one JSON object a line: ``{"chainId", "contract", "round", "ballot",
"custody", "signature"}``, the last three in hex of 32, 32 and 64 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Annotated, Any, Final, TypeAlias

from eth_utils.crypto import keccak
from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec import json as msgspec_json

from oepnode.domain.documents.json_struct import read_struct
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, Member, parse_address
from oepnode.errors import EvidenceError

SIGNED_BALLOT_SIZE: Final = 128
HALF_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
"""Largest s of a signature: a larger one has a twin that is as valid (EIP-2)."""

_NAME: Final = "OepConsensus"
_VERSION: Final = "1"
_DOMAIN_TYPE: Final = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_BALLOT_TYPE: Final = [
    {"name": "round", "type": "uint64"},
    {"name": "ballot", "type": "bytes32"},
    {"name": "custody", "type": "bytes32"},
]
_PARITY: Final = 1 << 255

_Hex32 = Annotated[str, Meta(pattern=r"^(0x)?[0-9a-fA-F]{64}\Z")]
_Hex64 = Annotated[str, Meta(pattern=r"^(0x)?[0-9a-fA-F]{128}\Z")]
_Address = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]


class SignedBallot(Struct, frozen=True):
    """A vote and its signature in the compact form.

    Attributes:
        vote: The vote.
        r: 32 bytes.
        parity_and_s: Bit 255 is the parity of y, the rest is s; 32 bytes.
    """

    vote: Vote
    r: bytes
    parity_and_s: bytes

    @classmethod
    def of(cls, vote: Vote, r: int, s: int, y_parity: int) -> SignedBallot:
        """From a signature's numbers."""
        return cls(vote, r.to_bytes(32), (y_parity << 255 | s).to_bytes(32))

    @property
    def y_parity(self) -> int:
        """0 or 1."""
        return self.parity_and_s[0] >> 7

    @property
    def s(self) -> int:
        """The signature's s."""
        return int.from_bytes(self.parity_and_s) & (_PARITY - 1)

    def pack(self) -> bytes:
        """ballot ‖ custody ‖ r ‖ yParityAndS, 128 bytes, as ``castBallots`` takes it."""  # noqa: D403
        return self.vote.ballot + self.vote.custody + self.r + self.parity_and_s


class Relayed(Struct, frozen=True):
    """A signed ballot with its round."""

    context: RoundContext
    signed: SignedBallot


Recover: TypeAlias = Callable[[RoundContext, SignedBallot], bytes | None]
"""Recovers the signer of a ballot for a round, or None; supplied by an adapter."""


class LeftOut(Struct, frozen=True):
    """A signed ballot that is not cast: its index among those offered, from 0, and the reason."""

    index: int
    why: str


class BallotBatch(Struct, frozen=True):
    """The signed ballots that a relay casts.

    Attributes:
        chosen: Members and their signed ballots, one each.
        left_out: The others, in their order.
    """

    chosen: tuple[tuple[Member, SignedBallot], ...]
    left_out: tuple[LeftOut, ...]


class Equivocation(Struct, frozen=True):
    """Two different votes that one member signed for one round."""

    member: Member
    ballots: tuple[SignedBallot, SignedBallot]


class _Wire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    chain_id: Annotated[int, Meta(ge=1)]
    contract: _Address
    round: Annotated[int, Meta(ge=1, lt=2**32)]
    ballot: _Hex32
    custody: _Hex32
    signature: _Hex64


# --- the signed message --------------------------------------------------------------------------


def typed_data(context: RoundContext, vote: Vote) -> dict[str, Any]:
    """The EIP-712 message that a signer signs."""
    return {
        "types": {"EIP712Domain": _DOMAIN_TYPE, "Ballot": _BALLOT_TYPE},
        "primaryType": "Ballot",
        "domain": {
            "name": _NAME,
            "version": _VERSION,
            "chainId": context.chain_id,
            "verifyingContract": "0x" + context.contract.hex(),
        },
        "message": {
            "round": context.number,
            "ballot": vote.ballot,
            "custody": vote.custody,
        },
    }


def ballot_digest(context: RoundContext, vote: Vote) -> bytes:
    """The EIP-712 hash that is signed, 32 bytes; ``ballotDigest`` on chain."""
    message = keccak(_ballot_type() + context.number.to_bytes(32) + vote.ballot + vote.custody)
    return keccak(b"\x19\x01" + _domain(context.chain_id, context.contract) + message)


@lru_cache(maxsize=8)
def _domain(chain_id: int, contract: bytes) -> bytes:
    return keccak(
        _type_hash("EIP712Domain", _DOMAIN_TYPE)
        + keccak(text=_NAME)
        + keccak(text=_VERSION)
        + chain_id.to_bytes(32)
        + contract.rjust(32, b"\x00")
    )


@cache
def _ballot_type() -> bytes:
    return _type_hash("Ballot", _BALLOT_TYPE)


def _type_hash(name: str, fields: list[dict[str, str]]) -> bytes:
    listed = ",".join(f"{field['type']} {field['name']}" for field in fields)
    return keccak(text=f"{name}({listed})")


# --- batches and equivocations -------------------------------------------------------------------


def batch_of(
    context: RoundContext,
    electorate: Electorate,
    voted: int,
    offered: Sequence[Relayed],
    recover: Recover,
) -> BallotBatch:
    """Pick the ballots that can be cast.

    Args:
        context: The round.
        electorate: The round's.
        voted: Bitmap of members who have voted or abstained.
        offered: Signed ballots, of this round or others.
        recover: Recovers signers.
    """
    chosen: list[tuple[Member, SignedBallot]] = []
    left_out: list[LeftOut] = []
    for index, relayed in enumerate(offered):
        member = member_of(context, electorate, relayed, recover)
        if isinstance(member, str):
            left_out.append(LeftOut(index, member))
        elif voted >> member.index & 1:
            left_out.append(LeftOut(index, "its member has voted already"))
        else:
            voted |= 1 << member.index
            chosen.append((member, relayed.signed))
    return BallotBatch(tuple(chosen), tuple(left_out))


def equivocations_in(
    context: RoundContext, electorate: Electorate, offered: Sequence[Relayed], recover: Recover
) -> list[Equivocation]:
    """Find members who signed two different votes for a round: one pair of each.

    Args:
        context: The round.
        electorate: The round's.
        offered: Signed ballots, of this round or others.
        recover: Recovers signers.
    """
    first: dict[int, SignedBallot] = {}
    equivocations: dict[int, Equivocation] = {}
    for relayed in offered:
        member = member_of(context, electorate, relayed, recover)
        if not isinstance(member, str):
            known = first.setdefault(member.index, relayed.signed)
            if known.vote.ballot != relayed.signed.vote.ballot:
                pair = (known, relayed.signed)
                equivocations.setdefault(member.index, Equivocation(member, pair))
    return list(equivocations.values())


def member_of(
    context: RoundContext, electorate: Electorate, relayed: Relayed, recover: Recover
) -> Member | str:
    """The member who signed a ballot, or the reason why it does not count in this round.

    Args:
        context: The round.
        electorate: The round's.
        relayed: A signed ballot, of this round or another.
        recover: Recovers signers.
    """
    if relayed.context != context:
        return "it is for another round, contract or chain"
    if relayed.signed.vote.fault:
        return relayed.signed.vote.fault
    signer = recover(context, relayed.signed)
    if signer is None:
        return "its signature is invalid"
    member = next((member for member in electorate.members if member.signer == signer), None)
    return member or f"0x{signer.hex()} signed it, which is not a signer of the round's electorate"


# --- wire format ---------------------------------------------------------------------------------


def pack(ballots: Iterable[SignedBallot]) -> bytes:
    """Signed ballots as ``castBallots`` takes them, 128 bytes each."""
    return b"".join(signed.pack() for signed in ballots)


def unpack(packed: bytes) -> list[SignedBallot]:
    """Read signed ballots as ``castBallots`` takes them.

    Raises:
        EvidenceError: If the length is not a multiple of theirs.
    """
    if len(packed) % SIGNED_BALLOT_SIZE:
        raise EvidenceError(f"signed ballots have 128 bytes each, received {len(packed)} bytes")
    parts = (
        packed[at : at + SIGNED_BALLOT_SIZE] for at in range(0, len(packed), SIGNED_BALLOT_SIZE)
    )
    return [SignedBallot(Vote(part[:32], part[32:64]), part[64:96], part[96:]) for part in parts]


def encode(relayed: Relayed) -> bytes:
    """One line of a file of signed ballots, without its end."""
    context, signed = relayed.context, relayed.signed
    return msgspec_json.encode(
        _Wire(
            chain_id=context.chain_id,
            contract="0x" + context.contract.hex(),
            round=context.number,
            ballot=signed.vote.ballot.hex(),
            custody=signed.vote.custody.hex(),
            signature=(signed.r + signed.parity_and_s).hex(),
        )
    )


def decode_lines(data: bytes) -> list[Relayed]:
    """Read a file of signed ballots; empty lines are skipped.

    Raises:
        EvidenceError: If a line is not a signed ballot; the message names the line.
    """
    lines = data.splitlines()
    return [_decode(line, number) for number, line in enumerate(lines, 1) if line.strip()]


def _decode(line: bytes, number: int) -> Relayed:
    try:
        wire = read_struct(line, _Wire)
    except ValidationError as exc:
        raise EvidenceError(f"line {number} is not a signed ballot: {exc}") from exc
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise EvidenceError(f"line {number} is not JSON") from exc
    context = RoundContext(wire.chain_id, parse_address(wire.contract), wire.round)
    signature = bytes.fromhex(wire.signature.removeprefix("0x"))
    ballot = bytes.fromhex(wire.ballot.removeprefix("0x"))
    custody = bytes.fromhex(wire.custody.removeprefix("0x"))
    return Relayed(context, SignedBallot(Vote(ballot, custody), signature[:32], signature[32:]))
