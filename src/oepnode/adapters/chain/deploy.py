"""Deploys the contracts from the committed artefacts, and reads deployed code.

Guarantees: `deploy` returns only a contract whose code it has verified (``code``).
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from msgspec import Struct
from web3 import AsyncWeb3

from oepnode.adapters.chain import artefact
from oepnode.adapters.chain.code import check_code
from oepnode.adapters.chain.contract import checksum_address
from oepnode.adapters.chain.errors import translated
from oepnode.adapters.chain.fees import FeeLimits
from oepnode.adapters.chain.quorum import Quorum, open_quorum
from oepnode.adapters.chain.send import Sender
from oepnode.adapters.chain.values import Receipt
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.storage.spending import SpendingInMemory
from oepnode.config import ChainSettings
from oepnode.domain.rounds.onchain import Head, Policy
from oepnode.errors import EvidenceError, TransportError, UnreadCodeError, UnverifiedCodeError


class Deployed(Struct, frozen=True):
    """A deployed contract: address (20 bytes), block and transaction hash."""

    address: bytes
    block: int
    transaction: bytes


async def deploy(
    settings: ChainSettings, account: LocalAccount, admin: bytes, policy: Policy
) -> Deployed:
    """Deploy ``OepConsensus`` and verify its code.

    Args:
        settings: Nodes and chain; the contract's address is not looked at.
        account: Pays and signs.
        admin: Holder of the administrator's role, 20 bytes.
        policy: Policy of the first epoch.

    Raises:
        ConflictError: If the deployment reverted.
        FeeLimitError: If it would cost more than the settings allow.
        UnverifiedCodeError: If the code at the new address is not the artefact's.
        UnreadCodeError: If that code cannot be read.
        TransportError: If the nodes do not respond or the transaction is not mined.
    """
    arguments = (checksum_address(admin), astuple(policy))
    return await _deploy(settings, account, artefact.consensus(), arguments)


async def deploy_inclusion(settings: ChainSettings, account: LocalAccount) -> Deployed:
    """Deploy ``OepInclusion`` and verify its code; arguments and errors as in `deploy`."""
    return await _deploy(settings, account, artefact.inclusion(), ())


async def _deploy(
    settings: ChainSettings,
    account: LocalAccount,
    compiled: dict[str, Any],
    arguments: tuple[object, ...],
) -> Deployed:
    factory = AsyncWeb3().eth.contract(abi=compiled["abi"], bytecode=HexBytes(compiled["bytecode"]))
    code = bytes(HexBytes(factory.constructor(*arguments).data_in_transaction))
    quorum = open_quorum(settings)
    limits = FeeLimits(settings, SpendingInMemory(SystemClock()))
    try:
        with translated("deploy"):
            receipt = await Sender(quorum, settings, account, limits).send("deploy", code, None)
        return await _checked(quorum, receipt, compiled)
    finally:
        await quorum.close()


async def _checked(quorum: Quorum, receipt: Receipt, compiled: dict[str, Any]) -> Deployed:
    """The deployed contract; its code is read at the block of its deployment and compared.

    Raises:
        UnverifiedCodeError: If the code is missing or not the artefact's.
        UnreadCodeError: If the code cannot be read. Both messages contain the address: it was paid
            for.
    """
    if receipt.contract is None:
        raise TransportError("deploy: the receipt names no contract; look the transaction up")
    address, block = receipt.contract, receipt.block
    try:
        check_code(await quorum.code(address, Head(block, receipt.block_hash, 0)), compiled)
    except (EvidenceError, TransportError) as error:
        kind = UnreadCodeError if isinstance(error, TransportError) else UnverifiedCodeError
        raise kind(
            f"deployed at {checksum_address(address)} (block {block}, transaction "
            f"0x{receipt.transaction.hex()}), but its code is not verified: {error}"
        ) from error
    return Deployed(address, block, receipt.transaction)


async def deployed_code(settings: ChainSettings) -> bytes:
    """The code at the contract's address, empty without a contract."""
    quorum = open_quorum(settings)
    try:
        return await quorum.code(bytes.fromhex(settings.contract[2:]), await quorum.newest())
    finally:
        await quorum.close()
