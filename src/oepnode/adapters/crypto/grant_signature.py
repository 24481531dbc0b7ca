"""Signs a grant list, and recovers the signer (EIP-712, secp256k1 with eth-account's keys).

Guarantees: a signature has one accepted form (low s, v 27 or 28; EIP-2); any other recovers None.
"""

from __future__ import annotations

from typing import Final

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from oepnode.domain.rounds.grants import GrantList, list_digest, typed_data
from oepnode.domain.rounds.signed_ballots import HALF_ORDER

_SIZE: Final = 65


def sign_list(account: LocalAccount, grants: GrantList) -> bytes:
    """Sign a grant list: r ‖ s ‖ v, 65 bytes."""
    message = encode_typed_data(full_message=typed_data(grants))
    return bytes(account.sign_message(message).signature)


def recover_list_signer(grants: GrantList, signature: bytes) -> bytes | None:
    """Address of the account that signed exactly this list, 20 bytes, or None.

    A signature over any other list recovers another address.
    """
    if len(signature) != _SIZE or signature[64] not in (27, 28):
        return None
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    if not r or not 0 < s <= HALF_ORDER:
        return None
    try:
        parsed = Signature(vrs=(signature[64] - 27, r, s))
        key = parsed.recover_public_key_from_msg_hash(list_digest(grants))
    except (BadSignature, ValidationError, ValueError):
        return None
    return key.to_canonical_address()
