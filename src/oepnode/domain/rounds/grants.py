"""Signed lists of the workers to whom the inputs of a round were granted.

The sender's gateway and the NMI registry each publish one list a round, made from their access
logs. Guarantees: a list has one accepted form; what is signed binds chain, contract, round,
service, inputs, time and every grant. `check_list` rejects a list of another round, chain,
contract, service or signer by name. Leaves out signing and recovering
(``adapters.crypto.grant_signature``) and the access log. Source: docs/spec/grants.md, EIP-712.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from eth_utils.crypto import keccak
from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec import json as msgspec_json

from oepnode.domain.documents.json_struct import read_struct
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import RoundOpened, parse_address
from oepnode.errors import EvidenceError

Service = Literal["sender", "registry"]
Input = Literal["document", "salt", "snapshot"]

INPUTS_OF: Final[dict[Service, tuple[Input, ...]]] = {
    "sender": ("document",),
    "registry": ("salt", "snapshot"),
}
"""The inputs that each service grants, in the order in which a list has them."""

MAX_LIST_BYTES: Final = 256 * 2**10
"""Largest list that is read: several times one of 128 members and 3 inputs."""

_NAME: Final = "oepnode grants"
_VERSION: Final = "1"
_MAX_GRANTS: Final = 1024

_Hex20 = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{40}\Z")]
_Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Hex65 = Annotated[str, Meta(pattern=r"^[0-9a-f]{130}\Z")]
_Time = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_Positive = Annotated[int, Meta(ge=1, le=2**53 - 1)]

_DOMAIN_TYPE: Final = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_GRANT_TYPE: Final = [
    {"name": "operator", "type": "address"},
    {"name": "input", "type": "string"},
    {"name": "grantedAt", "type": "uint64"},
]
_LIST_TYPE: Final = [
    {"name": "service", "type": "string"},
    {"name": "round", "type": "uint64"},
    {"name": "envelopeDigest", "type": "bytes32"},
    {"name": "registryDigest", "type": "bytes32"},
    {"name": "issuedAt", "type": "uint64"},
    {"name": "final", "type": "bool"},
    {"name": "grants", "type": "Grant[]"},
]


class GrantFault(EvidenceError):  # noqa: N818 - reads as what it is
    """A grant list was rejected.

    Attributes:
        code: Short stable name of the reason, such as ``grants.other_round``.
        reason: The reason in words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"grant list rejected: {code}: {message}")
        self.code = code
        self.reason = message


class Grant(Struct, frozen=True, order=True):
    """An input that was granted to a worker.

    Attributes:
        operator: The worker's operator, 20 bytes.
        input: ``document``, ``salt`` or ``snapshot``.
        granted_at: UTC seconds of the first grant, by the service's clock.
    """

    operator: bytes
    input: Input
    granted_at: int


class GrantList(Struct, frozen=True):
    """The grants of one service for one round.

    Attributes:
        service: ``sender`` or ``registry``.
        context: Chain, contract and round.
        envelope_digest: SHA-256 of the round's envelope document, 32 bytes.
        registry_digest: SHA-256 of the round's registry snapshot, 32 bytes.
        issued_at: UTC seconds, by the service's clock.
        is_final: Whether nobody could vote any more when the list was issued.
        grants: In ascending order of operator and input, one for each pair.
    """

    service: Service
    context: RoundContext
    envelope_digest: bytes
    registry_digest: bytes
    issued_at: int
    is_final: bool
    grants: tuple[Grant, ...]


class _GrantWire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    operator: _Hex20
    input: Input
    granted_at: _Time


class _Wire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    service: Service
    chain_id: _Positive
    contract: _Hex20
    round: _Positive
    envelope_digest: _Hex32
    registry_digest: _Hex32
    issued_at: _Time
    final: bool
    grants: Annotated[list[_GrantWire], Meta(max_length=_MAX_GRANTS)]
    signature: _Hex65


# --- the signed message --------------------------------------------------------------------------


def typed_data(grants: GrantList) -> dict[str, Any]:
    """The EIP-712 message that a service signs."""
    return {
        "types": {
            "EIP712Domain": _DOMAIN_TYPE,
            "GrantList": _LIST_TYPE,
            "Grant": _GRANT_TYPE,
        },
        "primaryType": "GrantList",
        "domain": {
            "name": _NAME,
            "version": _VERSION,
            "chainId": grants.context.chain_id,
            "verifyingContract": "0x" + grants.context.contract.hex(),
        },
        "message": {
            "service": grants.service,
            "round": grants.context.number,
            "envelopeDigest": grants.envelope_digest,
            "registryDigest": grants.registry_digest,
            "issuedAt": grants.issued_at,
            "final": grants.is_final,
            "grants": [
                {
                    "operator": "0x" + grant.operator.hex(),
                    "input": grant.input,
                    "grantedAt": grant.granted_at,
                }
                for grant in grants.grants
            ],
        },
    }


def list_digest(grants: GrantList) -> bytes:
    """The EIP-712 hash that is signed, 32 bytes."""
    context = grants.context
    domain = keccak(
        keccak(text=_signature_of("EIP712Domain", _DOMAIN_TYPE))
        + keccak(text=_NAME)
        + keccak(text=_VERSION)
        + context.chain_id.to_bytes(32)
        + context.contract.rjust(32, b"\x00")
    )
    grant_type = _signature_of("Grant", _GRANT_TYPE)
    grant_hash = keccak(text=grant_type)
    items = b"".join(
        keccak(
            grant_hash
            + grant.operator.rjust(32, b"\x00")
            + keccak(text=grant.input)
            + grant.granted_at.to_bytes(32)
        )
        for grant in grants.grants
    )
    message = keccak(
        keccak(text=_signature_of("GrantList", _LIST_TYPE) + grant_type)
        + keccak(text=grants.service)
        + context.number.to_bytes(32)
        + grants.envelope_digest
        + grants.registry_digest
        + grants.issued_at.to_bytes(32)
        + int(grants.is_final).to_bytes(32)
        + keccak(items)
    )
    return keccak(b"\x19\x01" + domain + message)


def _signature_of(name: str, fields: list[dict[str, str]]) -> str:
    listed = ",".join(f"{field['type']} {field['name']}" for field in fields)
    return f"{name}({listed})"


# --- checking ------------------------------------------------------------------------------------


def check_list(
    grants: GrantList,
    service: Service,
    context: RoundContext,
    opened: RoundOpened,
    signer: bytes | None,
    expected: bytes,
) -> None:
    """Reject a list that is not this service's of this round.

    Args:
        grants: The list.
        service: Service whose list it must be.
        context: Chain, contract and round of the audit.
        opened: The round's opening.
        signer: Account that signed the list, 20 bytes; None if the signature recovers none.
        expected: Account that signs the service's lists, 20 bytes.

    Raises:
        GrantFault: With the first thing that is wrong.
    """
    if grants.service != service:
        raise GrantFault(
            "grants.other_service", f"it is the {grants.service}'s, expected the {service}'s"
        )
    own = grants.context
    for name, found, wanted in (
        ("chain", own.chain_id, context.chain_id),
        ("contract", "0x" + own.contract.hex(), "0x" + context.contract.hex()),
        ("round", own.number, context.number),
    ):
        if found != wanted:
            raise GrantFault(f"grants.other_{name}", f"it is for {name} {found}, expected {wanted}")
    if (grants.envelope_digest, grants.registry_digest) != (
        opened.envelope_digest,
        opened.registry_digest,
    ):
        raise GrantFault(
            "grants.other_inputs", "the round was opened with another document or snapshot"
        )
    if signer is None:
        raise GrantFault("grants.signature", "the signature is invalid")
    if signer != expected:
        raise GrantFault(
            "grants.signer",
            f"0x{signer.hex()} signed it, the {service}'s lists are signed by 0x{expected.hex()}",
        )


# --- wire format ---------------------------------------------------------------------------------


def encode_list(grants: GrantList, signature: bytes) -> bytes:
    """The JSON form of a signed list; ``signature`` is r ‖ s ‖ v, 65 bytes."""
    return msgspec_json.encode(
        _Wire(
            service=grants.service,
            chain_id=grants.context.chain_id,
            contract="0x" + grants.context.contract.hex(),
            round=grants.context.number,
            envelope_digest=grants.envelope_digest.hex(),
            registry_digest=grants.registry_digest.hex(),
            issued_at=grants.issued_at,
            final=grants.is_final,
            grants=[
                _GrantWire("0x" + grant.operator.hex(), grant.input, grant.granted_at)
                for grant in grants.grants
            ],
            signature=signature.hex(),
        )
    )


def decode_list(data: bytes) -> tuple[GrantList, bytes]:
    """Read a signed list: the list and its signature.

    Raises:
        GrantFault: If a field is missing, unknown or of the wrong shape, if a grant is doubled or
            out of order, or if the service does not grant such an input.
    """
    try:
        wire = read_struct(data, _Wire)
    except ValidationError as exc:
        raise GrantFault("grants.malformed", str(exc)) from exc
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise GrantFault("grants.malformed", "it is not JSON") from exc
    grants = GrantList(
        service=wire.service,
        context=RoundContext(wire.chain_id, parse_address(wire.contract), wire.round),
        envelope_digest=bytes.fromhex(wire.envelope_digest),
        registry_digest=bytes.fromhex(wire.registry_digest),
        issued_at=wire.issued_at,
        is_final=wire.final,
        grants=tuple(
            Grant(parse_address(item.operator), item.input, item.granted_at) for item in wire.grants
        ),
    )
    _check_grants(grants.service, grants.grants)
    return grants, bytes.fromhex(wire.signature)


def _check_grants(service: Service, grants: Sequence[Grant]) -> None:
    for grant in grants:
        if grant.input not in INPUTS_OF[service]:
            raise GrantFault("grants.other_input", f"the {service} grants no {grant.input}")
    for first, second in pairwise((grant.operator, grant.input) for grant in grants):
        if first == second:
            raise GrantFault(
                "grants.duplicate", f"0x{first[0].hex()} has two grants of the {first[1]}"
            )
        if first > second:
            raise GrantFault("grants.order", "the grants are not in order of operator and input")
