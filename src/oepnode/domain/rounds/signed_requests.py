"""A worker's signed request for an input of a round: snapshot, salt or envelope document.

All three are for enrolled workers only, so they are requested in one way: typed data of EIP-712
signed with the worker's account, bound to one chain, one contract, one round, one input and one
moment, with a nonce that works once. A request names its signer, so that a service can reject a
stranger's before it verifies anything. Two forms of it:

- `RegistryRequest` to the NMI registry, a JSON body, for a snapshot, its salt, or the signed
  statement about it. It names a fresh public key to which the response is sealed, so a recorded
  request is useless to anybody else.
- `DocumentRequest` to the sender's gateway, an ``Authorization`` header, for an envelope document.
  The response is streamed unsealed: confidentiality on the way is up to TLS.

Leaves out signing and recovering (``adapters.crypto.request_signature``) and enrolment
(``services.common.authorization``). Source: ``docs/design.md §1`` and ``§4``, EIP-712, RFC 9110
§11.4, RFC 4648 §5.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec import json as msgspec_json

from oepnode.domain.documents.json_struct import read_struct
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import EvidenceError

What = Literal["snapshot", "salt", "signature"]

NONCE_SIZE: Final = 32
SIGNATURE_SIZE: Final = 65
SCHEME: Final = "OEP1"
"""Scheme of the ``Authorization`` header that carries a `DocumentRequest`."""

_DOMAIN_VERSION: Final = "1"
_SEAL_INFO: Final = b"oep1 registry"
_MAX_CREDENTIALS: Final = 1024
"""Characters; twice what the longest numbers need."""

_Hex20 = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}\Z")]
_Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
_Hex65 = Annotated[str, Meta(pattern=r"^[0-9a-f]{130}\Z")]
_PublicKey = Annotated[str, Meta(pattern=r"^([0-9a-f]{64}|[0-9a-f]{2432})\Z")]
_Positive = Annotated[int, Meta(ge=1, le=2**63 - 1)]
_BASE64URL: Final = re.compile(r"[0-9A-Za-z_-]+")

_DOMAIN_TYPE: Final = [
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
]
_REGISTRY_TYPE: Final = [
    {"name": "what", "type": "string"},
    {"name": "round", "type": "uint64"},
    {"name": "snapshotDigest", "type": "bytes32"},
    {"name": "recipient", "type": "bytes"},
    {"name": "signer", "type": "address"},
    {"name": "nonce", "type": "bytes32"},
    {"name": "issuedAt", "type": "uint64"},
]
_DOCUMENT_TYPE: Final = [
    {"name": "round", "type": "uint64"},
    {"name": "digest", "type": "bytes32"},
    {"name": "signer", "type": "address"},
    {"name": "nonce", "type": "bytes32"},
    {"name": "issuedAt", "type": "uint64"},
]


class RegistryRequest(Struct, frozen=True):
    """A worker's request to the NMI registry.

    Attributes:
        what: ``snapshot``, ``salt``, or ``signature``: the signed statement about the snapshot.
        round: Number of a round that uses the snapshot.
        snapshot_digest: SHA-256 of the snapshot, 32 bytes.
        recipient: Public key of either kind to seal the response to; fresh for each request.
        signer: Address of the account that signs, 20 bytes.
        nonce: 32 random bytes, never used before.
        issued_at: UTC seconds.
    """

    what: What
    round: int
    snapshot_digest: bytes
    recipient: bytes
    signer: bytes
    nonce: bytes
    issued_at: int

    @property
    def digest(self) -> bytes:
        """SHA-256 of the requested input, 32 bytes."""
        return self.snapshot_digest


class DocumentRequest(Struct, frozen=True):
    """A worker's request to the sender's gateway.

    Attributes:
        round: Number of a round that was opened with the document.
        digest: SHA-256 of the document, 32 bytes.
        signer: Address of the account that signs, 20 bytes.
        nonce: 32 random bytes, never used before.
        issued_at: UTC seconds.
    """

    what: ClassVar[Literal["document"]] = "document"

    round: int
    digest: bytes
    signer: bytes
    nonce: bytes
    issued_at: int


MemberRequest = RegistryRequest | DocumentRequest


class _RegistryWire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    what: What
    round: _Positive
    snapshot_digest: _Hex32
    recipient: _PublicKey
    signer: _Hex20
    nonce: _Hex32
    issued_at: _Positive
    signature: _Hex65


class _DocumentWire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    round: _Positive
    digest: _Hex32
    signer: _Hex20
    nonce: _Hex32
    issued_at: _Positive
    signature: _Hex65


_Wire = TypeVar("_Wire", _RegistryWire, _DocumentWire)


# --- the signed message --------------------------------------------------------------------------


def typed_data(request: MemberRequest, chain_id: int, contract: bytes) -> dict[str, Any]:
    """The EIP-712 message to sign.

    Args:
        request: The request.
        chain_id: EIP-155 chain id.
        contract: Address of the consensus contract, 20 bytes.
    """
    service, primary_type, fields, message = _signed_parts(request)
    return {
        "types": {"EIP712Domain": _DOMAIN_TYPE, primary_type: fields},
        "primaryType": primary_type,
        "domain": {
            "name": service,
            "version": _DOMAIN_VERSION,
            "chainId": chain_id,
            "verifyingContract": "0x" + contract.hex(),
        },
        "message": message
        | {
            "signer": "0x" + request.signer.hex(),
            "nonce": request.nonce,
            "issuedAt": request.issued_at,
        },
    }


def _signed_parts(
    request: MemberRequest,
) -> tuple[str, str, list[dict[str, str]], dict[str, object]]:
    """The service's name, the type's name and fields, and the message's own part."""
    if isinstance(request, DocumentRequest):
        message: dict[str, object] = {"round": request.round, "digest": request.digest}
        return "oepnode sender", "DocumentRequest", _DOCUMENT_TYPE, message
    message = {
        "what": request.what,
        "round": request.round,
        "snapshotDigest": request.snapshot_digest,
        "recipient": request.recipient,
    }
    return "oepnode registry", "RegistryRequest", _REGISTRY_TYPE, message


def seal_info(what: What, context: RoundContext, snapshot_digest: bytes) -> bytes:
    """HPKE ``info`` of the response: purpose ‖ what ‖ round context ‖ snapshot digest."""
    return _SEAL_INFO + what.encode() + context.encode() + snapshot_digest


# --- wire format ---------------------------------------------------------------------------------


def encode_request(request: RegistryRequest, signature: bytes) -> bytes:
    """The JSON body of a request to the registry; ``signature`` is r ‖ s ‖ v, 65 bytes."""
    return msgspec_json.encode(
        _RegistryWire(
            what=request.what,
            round=request.round,
            snapshot_digest=request.snapshot_digest.hex(),
            recipient=request.recipient.hex(),
            signer=request.signer.hex(),
            nonce=request.nonce.hex(),
            issued_at=request.issued_at,
            signature=signature.hex(),
        )
    )


def decode_request(body: bytes) -> tuple[RegistryRequest, bytes]:
    """Read the JSON body of a request to the registry: the request and its signature.

    Raises:
        EvidenceError: If a field is missing, unknown or of the wrong shape; the message names it.
    """
    wire = _decode(body, _RegistryWire)
    request = RegistryRequest(
        what=wire.what,
        round=wire.round,
        snapshot_digest=bytes.fromhex(wire.snapshot_digest),
        recipient=bytes.fromhex(wire.recipient),
        signer=bytes.fromhex(wire.signer),
        nonce=bytes.fromhex(wire.nonce),
        issued_at=wire.issued_at,
    )
    return request, bytes.fromhex(wire.signature)


def encode_authorization(request: DocumentRequest, signature: bytes) -> str:
    """The ``Authorization`` header of a request for a document.

    It is ``OEP1``, a space, and the JSON of request and signature in base64url without padding;
    ``signature`` is r ‖ s ‖ v, 65 bytes.
    """
    wire = _DocumentWire(
        round=request.round,
        digest=request.digest.hex(),
        signer=request.signer.hex(),
        nonce=request.nonce.hex(),
        issued_at=request.issued_at,
        signature=signature.hex(),
    )
    credentials = base64.urlsafe_b64encode(msgspec_json.encode(wire)).rstrip(b"=")
    return f"{SCHEME} {credentials.decode()}"


def decode_authorization(header: str) -> tuple[DocumentRequest, bytes] | None:
    """Read an ``Authorization`` header: the request and its signature, or None for other schemes.

    Raises:
        EvidenceError: If the scheme is ``OEP1`` (in any case, RFC 9110 §11.1) and the credentials
            are malformed.
    """
    scheme, _, credentials = header.partition(" ")
    if scheme.upper() != SCHEME:
        return None
    wire = _decode(_from_base64url(credentials), _DocumentWire)
    request = DocumentRequest(
        round=wire.round,
        digest=bytes.fromhex(wire.digest),
        signer=bytes.fromhex(wire.signer),
        nonce=bytes.fromhex(wire.nonce),
        issued_at=wire.issued_at,
    )
    return request, bytes.fromhex(wire.signature)


def _from_base64url(text: str) -> bytes:
    if len(text) > _MAX_CREDENTIALS or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise EvidenceError(
            f"the request is not base64url without padding, up to {_MAX_CREDENTIALS} characters"
        )
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _decode(data: bytes, kind: type[_Wire]) -> _Wire:
    try:
        return read_struct(data, kind)
    except ValidationError as exc:
        raise EvidenceError(f"the request is malformed: {exc}") from exc
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise EvidenceError("the request is not JSON") from exc
