"""A worker's signed request to the NMI registry for a snapshot or its salt.

Snapshot (NMI → aggregator) and salt are for enrolled workers only, so both are asked for with one
kind of request: typed data of EIP-712 signed with the worker's account, bound to one chain, one
contract, one round, one snapshot, one moment and one fresh X25519 key to which the answer is
sealed. A recorded request is of no use to anybody else: its nonce works once, and its answer opens
with that key alone. Leaves out signing and recovering (``adapters.request_signature``) and the
question who is enrolled (``services.registry``). Source: design sections 1 and 4, EIP-712.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec import json as msgspec_json

from oepnode.domain.keys import RoundContext
from oepnode.errors import EvidenceError

What = Literal["snapshot", "salt"]

NONCE_SIZE: Final = 32
SIGNATURE_SIZE: Final = 65

_DOMAIN_NAME: Final = "oepnode registry"
_DOMAIN_VERSION: Final = "1"
_PRIMARY_TYPE: Final = "RegistryRequest"
_SEAL_INFO: Final = b"oep1 registry"

_Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Hex65 = Annotated[str, Meta(pattern=r"^[0-9a-f]{130}\Z")]
_Positive = Annotated[int, Meta(ge=1, le=2**63 - 1)]

_TYPES: Final = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    _PRIMARY_TYPE: [
        {"name": "what", "type": "string"},
        {"name": "round", "type": "uint64"},
        {"name": "snapshotDigest", "type": "bytes32"},
        {"name": "recipient", "type": "bytes32"},
        {"name": "nonce", "type": "bytes32"},
        {"name": "issuedAt", "type": "uint64"},
    ],
}


class RegistryRequest(Struct, frozen=True):
    """What a worker asks for.

    Attributes:
        what: ``snapshot`` or ``salt``.
        round: Number of a round that uses the snapshot.
        snapshot_digest: SHA-256 of the snapshot, 32 bytes.
        recipient: X25519 public key to seal the answer to, 32 bytes; fresh for each request.
        nonce: 32 random bytes, never used before.
        issued_at: UTC seconds.
    """

    what: What
    round: int
    snapshot_digest: bytes
    recipient: bytes
    nonce: bytes
    issued_at: int


class _Wire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    what: What
    round: _Positive
    snapshot_digest: _Hex32
    recipient: _Hex32
    nonce: _Hex32
    issued_at: _Positive
    signature: _Hex65


def typed_data(request: RegistryRequest, chain_id: int, contract: bytes) -> dict[str, Any]:
    """The EIP-712 message to sign.

    Args:
        request: What is asked for.
        chain_id: EIP-155 chain id.
        contract: Address of the consensus contract, 20 bytes.
    """
    return {
        "types": _TYPES,
        "primaryType": _PRIMARY_TYPE,
        "domain": {
            "name": _DOMAIN_NAME,
            "version": _DOMAIN_VERSION,
            "chainId": chain_id,
            "verifyingContract": "0x" + contract.hex(),
        },
        "message": {
            "what": request.what,
            "round": request.round,
            "snapshotDigest": request.snapshot_digest,
            "recipient": request.recipient,
            "nonce": request.nonce,
            "issuedAt": request.issued_at,
        },
    }


def seal_info(what: What, context: RoundContext, snapshot_digest: bytes) -> bytes:
    """HPKE ``info`` of the answer: purpose ‖ what ‖ round context ‖ snapshot digest."""
    return _SEAL_INFO + what.encode() + context.encode() + snapshot_digest


def encode_request(request: RegistryRequest, signature: bytes) -> bytes:
    """The JSON body of a request; ``signature`` is r ‖ s ‖ v, 65 bytes."""
    return msgspec_json.encode(
        _Wire(
            what=request.what,
            round=request.round,
            snapshot_digest=request.snapshot_digest.hex(),
            recipient=request.recipient.hex(),
            nonce=request.nonce.hex(),
            issued_at=request.issued_at,
            signature=signature.hex(),
        )
    )


def decode_request(body: bytes) -> tuple[RegistryRequest, bytes]:
    """Read the JSON body of a request: the request and its signature.

    Raises:
        EvidenceError: If a field is missing, unknown or of the wrong shape; the message names it.
    """
    try:
        wire = msgspec_json.decode(body, type=_Wire)
    except ValidationError as exc:
        raise EvidenceError(f"the request is malformed: {exc}") from exc
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise EvidenceError("the request is not JSON") from exc
    request = RegistryRequest(
        what=wire.what,
        round=wire.round,
        snapshot_digest=bytes.fromhex(wire.snapshot_digest),
        recipient=bytes.fromhex(wire.recipient),
        nonce=bytes.fromhex(wire.nonce),
        issued_at=wire.issued_at,
    )
    return request, bytes.fromhex(wire.signature)
