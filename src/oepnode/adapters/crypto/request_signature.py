"""Signing a member's request, and recovering who signed it (EIP-712 with eth-account).

Guarantees: one signature has one accepted form, so a second valid form cannot be made from it
(low s, v 27 or 28; EIP-2). Leaves out whether the signer may ask: that is ``services.enrolment``.
"""

from __future__ import annotations

from typing import Final

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_keys.exceptions import BadSignature

from oepnode.domain.rounds.signed_requests import SIGNATURE_SIZE, MemberRequest, typed_data
from oepnode.errors import EvidenceError

_HALF_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
_V: Final = frozenset({27, 28})


def sign_request(
    account: LocalAccount, request: MemberRequest, chain_id: int, contract: bytes
) -> bytes:
    """Sign a request: r ‖ s ‖ v, 65 bytes."""
    return bytes(account.sign_message(_message(request, chain_id, contract)).signature)


def recover_signer(
    request: MemberRequest, signature: bytes, chain_id: int, contract: bytes
) -> bytes:
    """Address of the account that signed a request, 20 bytes.

    A signature over another request, chain or contract recovers to an address of nobody.

    Raises:
        EvidenceError: If the signature is not in its one accepted form, or recovers to nothing.
    """
    if len(signature) != SIGNATURE_SIZE or signature[64] not in _V:
        raise EvidenceError("a signature is r ‖ s ‖ v, 65 bytes, with v 27 or 28")
    if int.from_bytes(signature[32:64]) > _HALF_ORDER:
        raise EvidenceError("the signature's s is in the upper half of the order (EIP-2)")
    message = _message(request, chain_id, contract)
    try:
        address = Account.recover_message(message, signature=signature)
    except (BadSignature, ValueError) as exc:
        raise EvidenceError("the signature recovers to no account") from exc
    return bytes.fromhex(address.removeprefix("0x"))


def _message(request: MemberRequest, chain_id: int, contract: bytes) -> SignableMessage:
    return encode_typed_data(full_message=typed_data(request, chain_id, contract))
