"""Connections to the consensus contract, for reading and for writing.

Leaves out the contract's calls (``adapters.chain``) and the meaning of a round (``client.rounds``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from oepnode.client.files import FileName
from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import ConfigError
from oepnode.ports import ChainReader

if TYPE_CHECKING:
    from oepnode.adapters.chain.contract import EvmChain, EvmReader

T = TypeVar("T")


class ChainNotNamedError(ConfigError):
    """The URL of a node or the address of the contract is missing."""


class ChainTarget(Struct, frozen=True):
    """A consensus contract and the node through which it is read.

    Attributes:
        rpc: JSON-RPC URL of the node.
        contract: Address of OepConsensus.
        chain_id: Chain that the node must be of; None accepts the node's own.
        start_block: Block of the contract's deployment: events are read from there.
        confirmations: Blocks on top of one before it is believed.
    """

    rpc: str | None = None
    contract: str | None = None
    chain_id: int | None = None
    start_block: int = 0
    confirmations: int = 0


@asynccontextmanager
async def open_reader(target: ChainTarget) -> AsyncIterator[EvmReader]:
    """Connect for reading.

    Raises:
        ConfigError: If the target is incomplete, the node is of another chain, or there is no
            contract at the address.
        TransportError: If the node does not respond.
    """
    from oepnode import wiring

    rpc, contract = _endpoint(target)
    async with wiring.chain_reader(
        rpc, contract, target.chain_id, target.start_block, target.confirmations
    ) as reader:
        yield reader


@asynccontextmanager
async def open_writer(target: ChainTarget, key_file: FileName) -> AsyncIterator[EvmChain]:
    """Connect for reading and writing, with the account whose key is in a file.

    Raises:
        ConfigError: As `open_reader`, or if the file holds no key.
        TransportError: If the node does not respond.
    """
    from oepnode import wiring

    rpc, contract = _endpoint(target)
    async with wiring.chain_writer(rpc, contract, Path(key_file), target.chain_id) as chain:
        yield chain


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, from a script or from a notebook whose event loop is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


def context_of(reader: ChainReader, number: int) -> RoundContext:
    """The context of a round of the contract that is read."""
    return RoundContext(reader.chain_id, reader.contract, number)


def parse_address(text: str) -> bytes:
    """Parse an address, 20 bytes.

    Raises:
        ConfigError: If it is not 40 hex digits, with ``0x`` or without.
    """
    try:
        return onchain.parse_address(text)
    except ValueError as exc:
        raise ConfigError(f"{text!r}: {exc}") from None


def parse_bytes32(text: str, what: str) -> bytes:
    """Parse a root or a digest, 32 bytes.

    Raises:
        ConfigError: If it is not 64 hex digits, with ``0x`` or without.
    """
    try:
        return onchain.parse_bytes32(text, what)
    except ValueError as exc:
        raise ConfigError(f"{text!r}: {exc}") from None


def check_rpc(url: str) -> str:
    """The JSON-RPC URL of a node, as given.

    Raises:
        ConfigError: If it is not a URL of HTTP.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{url}: the JSON-RPC URL must start with http:// or https://")
    return url


def hexed(value: bytes) -> str:
    """An address, hash or transaction as ``0x`` and hex digits."""
    return "0x" + value.hex()


def _endpoint(target: ChainTarget) -> tuple[str, str]:
    if not target.rpc or not target.contract:
        raise ChainNotNamedError(
            "no chain is named: give the JSON-RPC URL of a node and the contract's address"
        )
    return check_rpc(target.rpc), hexed(parse_address(target.contract))
