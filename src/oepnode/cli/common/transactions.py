"""What commands share that write to the contract: options, connecting, sending one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oepnode.cli.common.output import print_facts, print_json
from oepnode.config import ChainSettings
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    from oepnode.adapters.chain.contract import EvmChain, EvmReader

Rpc = Annotated[str, typer.Option("--rpc", envvar="OEPNODE_RPC", help="JSON-RPC URL of a node.")]
Contract = Annotated[
    str, typer.Option("--contract", envvar="OEPNODE_CONTRACT", help="Address of OepConsensus.")
]
Key = Annotated[Path, typer.Option("--key-file", help="Key of the account that signs.")]


@asynccontextmanager
async def reading(
    rpc: str, contract: str, start_block: int = 0, confirmations: int = 0
) -> AsyncIterator[EvmReader]:
    """Connect for reading; ``head`` is the block with that many on top.

    Raises:
        ConfigError: For an address without a contract.
        TransportError: If the node does not answer.
    """
    from oepnode.adapters.chain import contract as evm

    settings = await _settings(rpc, contract, start_block, confirmations)
    chain = await evm.connect_reader(settings)
    try:
        yield chain
    finally:
        await chain.close()


@asynccontextmanager
async def writing(rpc: str, contract: str, key_file: Path) -> AsyncIterator[EvmChain]:
    """Connect for reading and writing.

    Raises:
        ConfigError: For an address without a contract, or a file without a key.
        TransportError: If the node does not answer.
    """
    from oepnode.adapters.chain import contract as evm
    from oepnode.adapters.crypto.keyfile import load_account

    account = load_account(key_file)
    chain = await evm.connect(await _settings(rpc, contract), account)
    try:
        yield chain
    finally:
        await chain.close()


def send(
    rpc: str, contract: str, key_file: Path, as_json: bool, name: str, *arguments: object
) -> None:
    """Call a function of the contract in a transaction, and print what was done.

    Raises:
        ConflictError: If the contract rejected it.
    """

    async def go() -> bytes:
        async with writing(rpc, contract, key_file) as chain:
            return await chain.transact(name, *arguments)

    print_named({"done": name, "transaction": "0x" + asyncio.run(go()).hex()}, as_json)


def print_named(facts: Mapping[str, object], as_json: bool) -> None:
    """Print facts as JSON or one a line."""
    if as_json:
        print_json(facts)
    else:
        print_facts({name.replace("_", " "): value for name, value in facts.items()})


def address(text: str) -> bytes:
    """An address that a user wrote, 20 bytes."""
    return bytes.fromhex(_hex(text)[2:])


def checksum(text: str) -> str:
    """The EIP-55 form of an address that a user wrote."""
    from oepnode.adapters.chain.contract import checksum_address

    return checksum_address(_hex(text))


async def _settings(
    rpc: str, contract: str, start_block: int = 0, confirmations: int = 0
) -> ChainSettings:
    from oepnode.adapters.chain import contract as evm

    return ChainSettings(
        rpc_url=rpc,
        chain_id=await evm.chain_id_of(rpc),
        contract=_hex(contract),
        start_block=start_block,
        confirmations=confirmations,
    )


def _hex(text: str) -> str:
    digits = text.removeprefix("0x")
    if len(digits) != 40 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        raise ConfigError(f"an address is 0x and 40 hex digits, received {text!r}")
    return "0x" + digits.lower()
