"""Requests to the services of `flood_world`, signed by keys of nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from msgspec import Struct

from oepnode.adapters.clock import SystemClock
from oepnode.adapters.crypto.ballot_signature import sign_ballot
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.demo.devnet import CHAIN_ID
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import Relayed, encode
from oepnode.domain.rounds.signed_requests import (
    DocumentRequest,
    RegistryRequest,
    encode_authorization,
    encode_request,
)

SERVICES: Final = frozenset({"registry", "sender", "relay"})
"""Listeners that take signed requests."""
STRANGERS: Final = 20
_RECIPIENT: Final = b"\x09" * 32
_VOTE: Final = Vote(b"\x01" * 32, b"\x02" * 32)


class Inputs(Struct, frozen=True):
    """What the requests are for.

    Attributes:
        contract: The contract's address.
        snapshot: Digest of the registry's snapshot.
        round: Number of the round.
    """

    contract: bytes
    snapshot: bytes
    round: int

    def signer(self, of: LocalAccount) -> RequestSigner:
        """Signs an account's requests."""
        return RequestSigner(of, CHAIN_ID, self.contract, SystemClock(), 2**20, timeout_s=10)


def write_requests(folder: Path, service: str, inputs: Inputs) -> list[Path]:
    """Write a request of each stranger to a service; returns the files."""
    files = []
    for number in range(STRANGERS):
        path = folder / f"{service}-{number}"
        path.write_bytes(_request(service, Account.create(), inputs))
        files.append(path)
    return files


def _request(service: str, stranger: LocalAccount, inputs: Inputs) -> bytes:
    if service == "relay":
        context = RoundContext(CHAIN_ID, inputs.contract, inputs.round)
        return _post("/v1/ballots", encode(Relayed(context, sign_ballot(stranger, context, _VOTE))))
    of = inputs.signer(stranger)
    if service == "registry":
        salt = RegistryRequest("salt", inputs.round, inputs.snapshot, _RECIPIENT, *of.last_fields())
        return _post("/v1/requests", encode_request(salt, of.sign(salt)))
    document = DocumentRequest(inputs.round, inputs.snapshot, *of.last_fields())
    header = encode_authorization(document, of.sign(document))
    path = f"/v1/documents/{inputs.snapshot.hex()}"
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {header}\r\n\r\n".encode()


def _post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
