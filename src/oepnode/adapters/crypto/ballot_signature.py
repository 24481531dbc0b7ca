"""Signs a ballot for a relay, and recovers the signer (secp256k1 with eth-account's keys).

Guarantees: recovers exactly the address that ``castBallots`` recovers on chain, or None where it
recovers the zero address; a signature whose s is in the upper half of the order recovers None
(EIP-2).
"""

from __future__ import annotations

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.ballot_transactions import SignedHash
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import HALF_ORDER, SignedBallot, ballot_digest, typed_data


def sign_ballot(account: LocalAccount, context: RoundContext, vote: Vote) -> SignedBallot:
    """Sign a vote, so that anyone can bring it to the chain.

    Args:
        account: The worker's signer.
        context: The round.
        vote: The worker's vote in that round.
    """
    message = encode_typed_data(full_message=typed_data(context, vote))
    signature = account.sign_message(message)
    return SignedBallot.of(vote, signature.r, signature.s, signature.v - 27)


def recover_signer(context: RoundContext, signed: SignedBallot) -> bytes | None:
    """Address of the account that signed the vote for this round, 20 bytes, or None.

    A signature over another vote, round, contract or chain recovers another address.
    """
    digest = ballot_digest(context, signed.vote)
    r = int.from_bytes(signed.r)
    return recover_account(SignedHash(digest, r, signed.s, signed.y_parity))


def recover_account(signed: SignedHash) -> bytes | None:
    """Address of the account that signed a hash, 20 bytes, or None."""
    if not signed.r or not 0 < signed.s <= HALF_ORDER:
        return None
    try:
        signature = Signature(vrs=(signed.y_parity, signed.r, signed.s))
        key = signature.recover_public_key_from_msg_hash(signed.hash)
    except (BadSignature, ValidationError, ValueError):
        return None
    return key.to_canonical_address()
