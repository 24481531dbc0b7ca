"""A request of each kind, signed."""

from eth_account import Account

from oepnode.adapters.crypto.request_signature import sign_request
from oepnode.domain.rounds.signed_requests import DocumentRequest, RegistryRequest
from tests.support.fake_chain import CHAIN_ID, CONTRACT

ACCOUNT = Account.from_key(b"\x07" * 32)
REQUEST = RegistryRequest(
    what="salt",
    round=3,
    snapshot_digest=b"\x01" * 32,
    recipient=b"\x02" * 32,
    signer=bytes.fromhex(ACCOUNT.address[2:]),
    nonce=b"\x03" * 32,
    issued_at=1_795_000_000,
)
SIGNATURE = sign_request(ACCOUNT, REQUEST, CHAIN_ID, CONTRACT)
DOCUMENT = DocumentRequest(
    round=3,
    digest=b"\x01" * 32,
    signer=bytes.fromhex(ACCOUNT.address[2:]),
    nonce=b"\x03" * 32,
    issued_at=1_795_000_000,
)
