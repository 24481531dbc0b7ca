"""Connections to the consensus contract, for reading and for writing.

Leaves out the contract's calls (``adapters.chain``) and the meaning of a round (``client.rounds``).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from pydantic import ValidationError

from oepnode.client.files import FileName
from oepnode.config import ChainSettings
from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import ConfigError
from oepnode.ports import ChainReader

if TYPE_CHECKING:
    from oepnode.adapters.chain.contract import EvmChain, EvmReader

T = TypeVar("T")

_PLAIN_HTTP: Final = "OEPNODE_ALLOW_PLAIN_HTTP"
_MAX_FEE_BY_HAND: Final = 5
"""Maximum fee of one transaction of a command, in the chain's coin; a deployment costs most."""


class ChainNotNamedError(ConfigError):
    """The URL of a node or the address of the contract is missing."""


class ChainTarget(Struct, frozen=True):
    """A consensus contract and the nodes through which it is read.

    Attributes:
        rpc: JSON-RPC URL of a node, or several, which must agree.
        contract: Address of OepConsensus.
        chain_id: Chain that the nodes must be of; None accepts their own.
        start_block: Block of the contract's deployment: events are read from there.
        confirmations: Blocks on top of one before it is believed; None reads what the chain calls
            finalized, and where it has no such tag, 12 blocks back (on the development chain 0).
        agree: Number of nodes that must give the same answer; None takes all of them.
        max_age_s: Maximum age of the newest block; None takes the chain's, 600.
        allow_plain_http: Whether a node on another machine may be reached without encryption;
            ``OEPNODE_ALLOW_PLAIN_HTTP=1`` in the environment allows it too.
        finality: ``depth`` reads 12 blocks back also where the chain has that tag.
    """

    rpc: str | Sequence[str] | None = None
    contract: str | None = None
    chain_id: int | None = None
    start_block: int = 0
    confirmations: int | None = None
    agree: int | None = None
    max_age_s: float | None = None
    allow_plain_http: bool = False
    finality: Literal["finalized", "depth"] = "finalized"

    @property
    def urls(self) -> tuple[str, ...]:
        """The nodes' URLs."""
        return (self.rpc,) if isinstance(self.rpc, str) else tuple(self.rpc or ())

    def at_newest(self) -> ChainTarget:
        """The same, read at the newest block unless ``confirmations`` says otherwise."""
        return self if self.confirmations is not None else replace(self, confirmations=0)

    def at_depth(self) -> ChainTarget:
        """The same, read by depth: for a vote, which cannot wait for the chain's tag."""
        return replace(self, finality="depth")


@asynccontextmanager
async def open_reader(target: ChainTarget) -> AsyncIterator[EvmReader]:
    """Connect for reading; every answer is of one block, the newest that is final enough.

    Raises:
        ConfigError: If the target is incomplete, the nodes are of another chain, or there is no
            contract of this release at the address.
        TransportError: If the nodes do not respond or disagree, or their newest block is too old.
    """
    from oepnode import wiring

    settings = _complete(target)
    async with wiring.chain_reader(settings, any_chain=target.chain_id is None) as reader:
        yield await reader.settled()


@asynccontextmanager
async def open_writer(target: ChainTarget, key_file: FileName) -> AsyncIterator[EvmChain]:
    """Connect for reading and writing, with the account whose key is in a file.

    Raises:
        ConfigError: As `open_reader`, or if the file holds no key.
        TransportError: If the nodes do not respond or disagree.
    """
    from oepnode import wiring

    settings = _complete(target)
    any_chain = target.chain_id is None
    async with wiring.chain_writer(settings, Path(key_file), any_chain=any_chain) as chain:
        yield chain


def node_settings(target: ChainTarget) -> ChainSettings:
    """The settings for a target; the contract's address may be missing, and so may the chain's id.

    Raises:
        ConfigError: If the target is malformed.
    """
    if not target.urls:
        raise ChainNotNamedError("no node is named: give the JSON-RPC URL of one or several")
    contract = bytes(20) if target.contract is None else parse_address(target.contract)
    try:
        return ChainSettings(
            rpc_urls=target.urls,
            agree=target.agree or len(target.urls),
            chain_id=target.chain_id or 1,
            contract=hexed(contract),
            start_block=target.start_block,
            finality="depth" if target.confirmations is not None else target.finality,
            confirmations=target.confirmations,
            max_head_age_s=target.max_age_s,
            max_fee_per_tx=_MAX_FEE_BY_HAND,
            allow_plain_http=target.allow_plain_http or os.environ.get(_PLAIN_HTTP) == "1",
        )
    except ValidationError as exc:
        reasons = "; ".join(error["msg"].removeprefix("Value error, ") for error in exc.errors())
        raise ConfigError(f"--rpc: {reasons}") from None


def _complete(target: ChainTarget) -> ChainSettings:
    if not target.urls or not target.contract:
        raise ChainNotNamedError(
            "no chain is named: give the JSON-RPC URL of a node and the contract's address"
        )
    return node_settings(target)


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


def hexed(value: bytes) -> str:
    """An address, hash or transaction as ``0x`` and hex digits."""
    return "0x" + value.hex()
