"""Grant lists of the round of `round_world`, and the accounts that sign them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from msgspec.structs import replace

from oepnode.adapters.crypto.grant_signature import sign_list
from oepnode.domain.rounds.grants import INPUTS_OF, Grant, GrantList, Service, encode_list
from tests.support.round_world import CONTEXT, MEMBERS, OPENED_AT, opened

ACCOUNTS: dict[Service, LocalAccount] = {
    "sender": Account.from_key(b"\x21" * 32),
    "registry": Account.from_key(b"\x22" * 32),
}
SIGNERS: dict[Service, str] = {name: account.address for name, account in ACCOUNTS.items()}
ROUND = opened()
ISSUED_AT = OPENED_AT + 90


def grant_list(service: Service = "sender", **changes: Any) -> GrantList:
    """The final list of round 3, with a grant of every input to every member."""
    everything = tuple(
        Grant(member.operator, name, OPENED_AT + 1)
        for member in MEMBERS
        for name in INPUTS_OF[service]
    )
    whole = GrantList(
        service=service,
        context=CONTEXT,
        envelope_digest=ROUND.envelope_digest,
        registry_digest=ROUND.registry_digest,
        issued_at=ISSUED_AT,
        is_final=True,
        grants=everything,
    )
    return replace(whole, **changes)


def signed(grants: GrantList, account: LocalAccount | None = None) -> bytes:
    """A list as its service serves it, or as another account would sign it."""
    return encode_list(grants, sign_list(account or ACCOUNTS[grants.service], grants))


def without(grants: GrantList, *operators: bytes) -> GrantList:
    """The list without the grants of some operators."""
    return replace(grants, grants=tuple(g for g in grants.grants if g.operator not in operators))


def edited(data: bytes, **changes: Any) -> bytes:
    """A signed list with other fields and the old signature."""
    return json.dumps(json.loads(data) | changes).encode()


def write(folder: Path, *lists: bytes) -> tuple[str, ...]:
    """Files with these lists."""
    paths = [folder / f"grants-{index}.json" for index in range(len(lists))]
    for path, data in zip(paths, lists, strict=True):
        path.write_bytes(data)
    return tuple(map(str, paths))
