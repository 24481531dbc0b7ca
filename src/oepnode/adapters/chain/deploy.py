"""Deploys the contracts from the committed artefacts, and verifies deployed code.

Guarantees: `deploy` returns only a contract whose code it has verified; `check_code` compares every
byte except those that the constructor fills in (immutables), and names the first difference.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from msgspec import Struct
from web3 import AsyncWeb3
from web3.types import TxReceipt

from oepnode.adapters.chain import artefact
from oepnode.adapters.chain.contract import checksum_address, open_web3
from oepnode.adapters.chain.errors import translated
from oepnode.adapters.chain.send import fee_fields, send
from oepnode.config import ChainSettings
from oepnode.domain.rounds.onchain import Policy, parse_address
from oepnode.errors import EvidenceError, TransportError, UnreadCodeError, UnverifiedCodeError


class Deployed(Struct, frozen=True):
    """A deployed contract: address (20 bytes), block and transaction hash."""

    address: bytes
    block: int
    transaction: bytes


async def deploy(
    rpc_url: str, chain_id: int, account: LocalAccount, admin: bytes, policy: Policy
) -> Deployed:
    """Deploy ``OepConsensus`` and verify its code.

    Args:
        rpc_url: Node of the chain.
        chain_id: EIP-155 chain id of the transaction.
        account: Pays and signs.
        admin: Holder of the administrator's role, 20 bytes.
        policy: Policy of the first epoch.

    Raises:
        ConflictError: If the deployment reverted.
        UnverifiedCodeError: If the code at the new address is not the artefact's.
        UnreadCodeError: If that code cannot be read.
        TransportError: If the node does not respond or the transaction is not mined.
    """
    arguments = (checksum_address(admin), astuple(policy))
    return await _deploy(rpc_url, chain_id, account, artefact.consensus(), arguments)


async def deploy_inclusion(rpc_url: str, chain_id: int, account: LocalAccount) -> Deployed:
    """Deploy ``OepInclusion`` and verify its code; arguments and errors as in `deploy`."""
    return await _deploy(rpc_url, chain_id, account, artefact.inclusion(), ())


async def _deploy(
    rpc_url: str,
    chain_id: int,
    account: LocalAccount,
    compiled: dict[str, Any],
    arguments: tuple[object, ...],
) -> Deployed:
    settings = ChainSettings(rpc_url=rpc_url, chain_id=chain_id, contract="0x" + "00" * 20)
    web3 = open_web3(settings)
    try:
        factory = web3.eth.contract(abi=compiled["abi"], bytecode=HexBytes(compiled["bytecode"]))
        with translated("deploy"):
            constructor = factory.constructor(*arguments)
            fields: Any = {
                "from": account.address,
                "nonce": await web3.eth.get_transaction_count(account.address, "latest"),
                "chainId": chain_id,
                **(await fee_fields(web3)),
            }
            transaction = await constructor.build_transaction(fields)
        receipt = await send(web3, account, transaction, "deploy", settings)
        return await _checked(web3, receipt, compiled)
    finally:
        await web3.provider.disconnect()


async def _checked(web3: AsyncWeb3[Any], receipt: TxReceipt, compiled: dict[str, Any]) -> Deployed:
    """The deployed contract; its code is read at the block of its deployment and compared.

    Raises:
        UnverifiedCodeError: If the code is missing or not the artefact's.
        UnreadCodeError: If the code cannot be read. Both messages contain the address: it was paid
            for.
    """
    address = receipt["contractAddress"]
    assert address is not None  # noqa: S101 - a deployment's receipt has one
    block, transaction = receipt["blockNumber"], receipt["transactionHash"]
    try:
        with translated("reading the code"):
            code = await web3.eth.get_code(address, block_identifier=block)
        _check_code(code, compiled)
    except (EvidenceError, TransportError) as error:
        kind = UnreadCodeError if isinstance(error, TransportError) else UnverifiedCodeError
        raise kind(
            f"deployed at {address} (block {block}, transaction {transaction.to_0x_hex()}), but "
            f"its code is not verified: {error}"
        ) from error
    return Deployed(parse_address(address), block, bytes(transaction))


def check_code(code: bytes) -> None:
    """Check that code on a chain is that of the committed ``OepConsensus``.

    Raises:
        EvidenceError: If it is not; the message names the first difference.
    """
    _check_code(code, artefact.consensus())


def _check_code(code: bytes, compiled: dict[str, Any]) -> None:
    name = compiled["contract"]
    if not code:
        raise EvidenceError("there is no contract at this address; check the address and the node")
    expected = bytes.fromhex(compiled["deployedBytecode"][2:])
    if len(code) != len(expected):
        raise EvidenceError(
            f"other code than {name}: expected {len(expected)} bytes, received {len(code)}"
        )
    filled_in = compiled["immutableReferences"]
    expected, received = _without(expected, filled_in), _without(code, filled_in)
    if received != expected:
        index = next(i for i in range(len(expected)) if received[i] != expected[i])
        raise EvidenceError(
            f"other code than {name}: byte {index} is {received[index]:#04x}, "
            f"expected {expected[index]:#04x}"
        )


def _without(code: bytes, immutables: dict[str, list[dict[str, int]]]) -> bytes:
    """Code with zeros where the constructor fills in values."""
    masked = bytearray(code)
    for references in immutables.values():
        for reference in references:
            start, length = reference["start"], reference["length"]
            masked[start : start + length] = bytes(length)
    return bytes(masked)


async def deployed_code(rpc_url: str, address: bytes) -> bytes:
    """The code at an address, empty without a contract."""
    web3 = open_web3(ChainSettings(rpc_url=rpc_url, chain_id=1, contract="0x" + address.hex()))
    try:
        with translated("reading the code"):
            return bytes(await web3.eth.get_code(checksum_address(address)))
    finally:
        await web3.provider.disconnect()
