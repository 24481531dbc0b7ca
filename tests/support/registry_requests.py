"""Requests to the registry by a worker of round 1, and what the registry makes of them."""

import json
from hashlib import sha256
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from msgspec.structs import replace

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.adapters.crypto.request_signature import sign_request
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.registry_snapshot import snapshot_json
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.domain.rounds.signed_requests import RegistryRequest, seal_info
from oepnode.services.common.allow_list import AllowList
from oepnode.services.common.http import Rejection
from oepnode.services.registry.app import RequestHandler
from oepnode.services.registry.store import RegistryStore
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeClock

SALT = bytes(range(32))
WINDOW_S = 120
WORKER = Account.from_key(b"\x01" * 32)
STRANGER = Account.from_key(b"\x02" * 32)
OPERATOR = b"\x71" * 20
LATER = b"\x72" * 20
KEY = PrivateKey(KeyKind.HYBRID, b"\x05" * 32)
RECIPIENT = KEY.public_key


def snapshot_bytes(as_of: str = "2026-11-20T00:00:00+10:00", salt: bytes = SALT) -> bytes:
    assignments: list[tuple[str, str, str, str | None]] = []
    return json.dumps(
        snapshot_json(as_of, sha256(salt).digest(), [], assignments, bytes(32))
    ).encode()


SNAPSHOT = snapshot_bytes()
DIGEST = sha256(SNAPSHOT).digest()


def address(account: LocalAccount) -> bytes:
    return bytes.fromhex(account.address[2:])


def allow_list() -> AllowList:
    """The worker's operator, and one that may come later."""
    return AllowList(["0x" + OPERATOR.hex(), "0x" + LATER.hex()])


def a_request(clock: FakeClock, **changes: Any) -> RegistryRequest:
    values: dict[str, Any] = {
        "what": "salt",
        "round": 1,
        "snapshot_digest": DIGEST,
        "recipient": RECIPIENT,
        "signer": address(WORKER),
        "nonce": b"\x09" * 32,
        "issued_at": int(clock.now()),
    }
    return RegistryRequest(**(values | changes))


async def ask(
    handler: RequestHandler,
    request: RegistryRequest,
    account: LocalAccount = WORKER,
    chain_id: int = CHAIN_ID,
    contract: bytes = CONTRACT,
) -> bytes:
    request = replace(request, signer=address(account))
    return await handler.answer(request, sign_request(account, request, chain_id, contract))


async def rejection(*arguments: Any, **named: Any) -> Rejection:
    with pytest.raises(Rejection) as rejected:
        await ask(*arguments, **named)
    return rejected.value


def access_log(registry: RegistryStore) -> list[tuple[Any, ...]]:
    with registry._index.transaction() as db:
        return db.execute("SELECT operator, signer, round, what FROM access_log").fetchall()


def opened(sealed: bytes, what: Any = "salt", round_number: int = 1) -> bytes:
    context = RoundContext(CHAIN_ID, CONTRACT, round_number)
    return sealing.open_whole(KEY, sealed, seal_info(what, context, DIGEST))
