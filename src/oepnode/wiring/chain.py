"""Connections to the chain, and the record of what was paid on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from oepnode.adapters.chain.contract import (
    EvmChain,
    EvmReader,
    connect,
    connect_reader,
    with_chain_id,
)
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.crypto.keyfile import load_account
from oepnode.adapters.storage.spending import SpendingFile
from oepnode.config import ChainSettings


@asynccontextmanager
async def chain_reader(
    settings: ChainSettings, *, any_chain: bool = False
) -> AsyncIterator[EvmReader]:
    """A connection for reading.

    Args:
        settings: Chain, contract and nodes.
        any_chain: Whether the nodes' own chain id is taken in place of that of the settings.

    Raises:
        ConfigError: For nodes of another chain, or an address without this release's contract.
        TransportError: If too few nodes respond or agree.
    """
    reader = await connect_reader(await _resolved(settings, any_chain=any_chain))
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def chain_writer(
    settings: ChainSettings, key_file: Path, *, any_chain: bool = False
) -> AsyncIterator[EvmChain]:
    """A connection for reading and writing, with the account whose key is in a file.

    Args:
        settings: As of `chain_reader`.
        key_file: The file.
        any_chain: As of `chain_reader`.

    Raises:
        ConfigError: As `chain_reader`, or for a file without a key.
        TransportError: If too few nodes respond or agree.
    """
    account = load_account(key_file)
    chain = await connect(await _resolved(settings, any_chain=any_chain), account)
    try:
        yield chain
    finally:
        await chain.close()


async def _resolved(settings: ChainSettings, *, any_chain: bool) -> ChainSettings:
    return await with_chain_id(settings) if any_chain else settings


def spending(data_dir: Path) -> SpendingFile:
    """The record of the fees that a program paid, in its data folder."""
    return SpendingFile(data_dir / "fees.json", SystemClock())
