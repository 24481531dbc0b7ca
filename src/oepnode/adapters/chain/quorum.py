"""The chain as several nodes agree on it: blocks, state at a block, logs.

The contract's wrapper (``contract``) reads through this and knows no node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from oepnode.adapters.chain import artefact
from oepnode.adapters.chain.agreement import Agreement
from oepnode.adapters.chain.code import code_difference
from oepnode.adapters.chain.disagreements import Disagreements
from oepnode.adapters.chain.head_ages import HeadAges
from oepnode.adapters.chain.heads import Heads
from oepnode.adapters.chain.node import Node
from oepnode.adapters.chain.rpc import RpcClient
from oepnode.adapters.chain.values import Log
from oepnode.adapters.clock import SystemClock
from oepnode.config import ChainSettings
from oepnode.domain.rounds.onchain import Head, parse_address
from oepnode.errors import ConfigError, TransportError
from oepnode.ports import Clock


class Quorum:
    """Reads the chain through several nodes.

    Args:
        agreement: The nodes.
        heads: Chooses blocks.
        settings: Chain and contract.
    """

    def __init__(self, agreement: Agreement, heads: Heads, settings: ChainSettings) -> None:
        self.agreement = agreement
        self.heads = heads
        self._settings = settings
        self._contract = parse_address(settings.contract)

    async def check(self) -> None:
        """Check chain and code.

        Raises:
            ConfigError: For nodes of another chain, or an address without this release's contract.
            TransportError: If too few nodes respond or agree.
        """
        received = await self.agreement.ask("chain id", lambda node: node.chain_id())
        if received != self._settings.chain_id:
            raise ConfigError(
                f"{self._names}: expected chain id {self._settings.chain_id}, received "
                f"{received}; set chain.chain_id or other chain.rpc_urls"
            )
        at = await self.newest()
        difference = code_difference(await self.code(self._contract, at), artefact.consensus())
        if difference:
            raise ConfigError(
                f"{self._settings.contract} on chain {received}: {difference}; set chain.contract "
                "to the address of this release's OepConsensus"
            )

    @property
    def _names(self) -> str:
        names = ", ".join(node.name for node in self.agreement.nodes)
        return f"{'node' if len(self.agreement.nodes) == 1 else 'nodes'} {names}"

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self.agreement.close()

    # --- blocks ----------------------------------------------------------------------------------

    async def newest(self) -> Head:
        """The newest block."""
        return await self.heads.newest()

    async def settled(self) -> Head:
        """The newest block that the settings call final."""
        return await self.heads.settled()

    async def block(self, number: int) -> Head:
        """The block at a height."""
        return await self.agreement.ask("block", lambda node: node.block(number))

    # --- state -----------------------------------------------------------------------------------

    async def call(self, what: str, data: bytes, at: Head) -> bytes:
        """Call a view of the contract.

        Raises:
            Reverted: If the contract rejects it.
        """
        return await self.agreement.ask(what, lambda node: node.call(self._contract, data, at))

    async def code(self, address: bytes, at: Head) -> bytes:
        """The code at an address."""
        return await self.agreement.ask("code", lambda node: node.code(address, at))

    async def balance(self, account: bytes, at: Head) -> int:
        """An account's balance in wei."""
        return await self.agreement.ask("balance", lambda node: node.balance(account, at))

    async def nonce(self, account: bytes, at: Head) -> int:
        """The number of an account's transactions."""
        return await self.agreement.ask("nonce", lambda node: node.nonce(account, at))

    async def transaction(self, transaction: bytes) -> bytes:
        """A transaction by its hash; one node that has its bytes is enough, they prove themselves.

        Where no node has them, the calldata on which enough nodes agree.
        """
        try:
            return await self.agreement.ask_any(
                "transaction", lambda node: node.transaction(transaction)
            )
        except TransportError as exc:
            without = exc
        try:
            return await self.agreement.ask("calldata", lambda node: node.calldata(transaction))
        except TransportError:
            raise without from None

    async def logs(self, first: int, last: int, topics: Sequence[Any], at: Head) -> tuple[Log, ...]:
        """The contract's logs of a range of blocks, which ends at a block or before it."""
        return await self.agreement.ask(
            "logs", lambda node: node.logs(first, last, self._contract, topics, at)
        )


def open_quorum(
    settings: ChainSettings,
    clock: Clock | None = None,
    metrics: CollectorRegistry | None = None,
) -> Quorum:
    """Connections to the settings' nodes; sends nothing yet."""
    nodes = [
        Node(RpcClient(url, index, settings.timeout_s, settings.max_response_bytes))
        for index, url in enumerate(settings.rpc_urls, 1)
    ]
    agreement = Agreement(nodes, settings.quorum, settings.timeout_s, Disagreements(metrics))
    heads = Heads(agreement, settings, clock or SystemClock(), HeadAges(metrics))
    return Quorum(agreement, heads, settings)
