"""The file of a certificate: one JSON object.

Guarantees: what is read has every field once, in its one form, and nothing else; what is written
is canonical. Leaves out whether it proves anything (``certificate.check``).
Source: docs/spec/certificate.md section 1.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import UNSET, DecodeError, Meta, Struct, UnsetType, ValidationError
from msgspec import json as msgspec_json

from oepnode.domain.documents.json_struct import read_struct
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.ballot_transactions import MAX_TRANSACTION_BYTES
from oepnode.domain.rounds.certificate import (
    MAX_MEMBERS,
    Certificate,
    CertificateFault,
    CertifiedElectorate,
    Evidence,
    form_problem,
)
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Member, parse_address

FORMAT: Final = "oepnode certificate 1"
MAX_CERTIFICATE_BYTES: Final = 2**20
"""Largest file that is read: more than one of 128 members with the largest transactions."""

_Hex20 = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
_Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Hex128 = Annotated[str, Meta(pattern=r"^[0-9a-f]{256}\Z")]
_Transaction = Annotated[
    str, Meta(pattern=r"^([0-9a-f]{2})+\Z", max_length=2 * MAX_TRANSACTION_BYTES)
]
_Index = Annotated[int, Meta(ge=0, lt=MAX_MEMBERS)]
_Count = Annotated[int, Meta(ge=1, le=MAX_MEMBERS)]
_Chain = Annotated[int, Meta(ge=1, le=2**53 - 1)]
_Uint32 = Annotated[int, Meta(ge=1, lt=2**32)]
_Uint16 = Annotated[int, Meta(ge=0, lt=2**16)]


class _MemberWire(Struct, frozen=True, forbid_unknown_fields=True):
    index: _Index
    operator: _Hex20
    signer: _Hex20


class _BallotWire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    index: _Index
    transaction: _Transaction | UnsetType = UNSET
    signed_ballot: _Hex128 | UnsetType = UNSET


class _Wire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    format: Literal["oepnode certificate 1"]
    chain_id: _Chain
    contract: _Hex20
    round: _Uint32
    rules_version: _Uint16
    envelope_digest: _Hex32
    registry_digest: _Hex32
    epoch: _Uint32
    quorum: _Count
    members: Annotated[list[_MemberWire], Meta(min_length=1, max_length=MAX_MEMBERS)]
    root: _Hex32
    partitions: _Uint32
    ballots: Annotated[list[_BallotWire], Meta(min_length=1, max_length=MAX_MEMBERS)]


def encode_certificate(certificate: Certificate) -> bytes:
    """The canonical file: fields in the order of the specification, without white space."""
    return msgspec_json.encode(
        _Wire(
            format=FORMAT,
            chain_id=certificate.context.chain_id,
            contract="0x" + certificate.context.contract.hex(),
            round=certificate.context.number,
            rules_version=certificate.rules_version,
            envelope_digest=certificate.envelope_digest.hex(),
            registry_digest=certificate.registry_digest.hex(),
            epoch=certificate.epoch,
            quorum=certificate.electorate.quorum,
            members=[
                _MemberWire(member.index, "0x" + member.operator.hex(), "0x" + member.signer.hex())
                for member in certificate.electorate.members
            ],
            root=certificate.result.root.hex(),
            partitions=certificate.result.partitions,
            ballots=[_ballot_wire(evidence) for evidence in certificate.ballots],
        )
    )


def decode_certificate(data: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        CertificateFault: If a field is missing, unknown, doubled or of the wrong shape, if members
            or ballots are doubled, out of order or of nobody, or the quorum is no majority.
    """
    try:
        wire = read_struct(data, _Wire)
    except ValidationError as exc:
        raise CertificateFault("certificate.malformed", str(exc)) from exc
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise CertificateFault("certificate.malformed", "it is not JSON") from exc
    certificate = Certificate(
        context=RoundContext(wire.chain_id, parse_address(wire.contract), wire.round),
        rules_version=wire.rules_version,
        envelope_digest=bytes.fromhex(wire.envelope_digest),
        registry_digest=bytes.fromhex(wire.registry_digest),
        epoch=wire.epoch,
        electorate=CertifiedElectorate(
            tuple(
                Member(member.index, parse_address(member.operator), parse_address(member.signer))
                for member in wire.members
            ),
            wire.quorum,
        ),
        result=Result(bytes.fromhex(wire.root), wire.partitions),
        ballots=tuple(_evidence(ballot) for ballot in wire.ballots),
    )
    if (problem := form_problem(certificate)) is not None:
        raise CertificateFault(*problem)
    return certificate


def _ballot_wire(evidence: Evidence) -> _BallotWire:
    data = evidence.data.hex()
    if evidence.kind == "transaction":
        return _BallotWire(evidence.index, transaction=data)
    return _BallotWire(evidence.index, signed_ballot=data)


def _evidence(wire: _BallotWire) -> Evidence:
    if isinstance(wire.transaction, str) and isinstance(wire.signed_ballot, UnsetType):
        return Evidence(wire.index, "transaction", bytes.fromhex(wire.transaction))
    if isinstance(wire.signed_ballot, str) and isinstance(wire.transaction, UnsetType):
        return Evidence(wire.index, "signedBallot", bytes.fromhex(wire.signed_ballot))
    raise CertificateFault(
        "certificate.malformed",
        f"the ballot of member {wire.index} needs a transaction or a signedBallot, and not both",
    )
