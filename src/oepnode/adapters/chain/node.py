"""One node of the chain: its answers as plain values, checked for form and believed by nobody.

Leaves out the comparison with other nodes (``agreement``) and the contract's functions
(``contract``). State is read at a block's hash (EIP-1898), so that a node on another branch cannot
answer at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low
from typing import Any, Final, TypeVar

from oepnode.adapters.chain.rpc import RpcClient, RpcError
from oepnode.adapters.chain.transactions import (
    TransactionJson,
    calldata_of,
    carried_by,
    require_hash,
)
from oepnode.adapters.chain.values import (
    BlockJson,
    Data,
    FeeHistoryJson,
    FeeSample,
    Log,
    LogJson,
    Quantity,
    Receipt,
    ReceiptJson,
    head_of,
    integer,
    logs_of,
    raw,
)
from oepnode.domain.rounds.onchain import Head
from oepnode.errors import TransportError

T = TypeVar("T")

_FEE_BLOCKS: Final = 20
_METHOD_NOT_FOUND: Final = -32601
_REVERT_CODE: Final = 3
_FALLBACK_TIP: Final = 10**9


class Reverted(Exception):  # noqa: N818 - an answer of the chain, not a fault
    """The contract rejected a call; two are equal if their data is."""

    def __init__(self, data: bytes) -> None:
        super().__init__("reverted")
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reverted) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.data)


class SendingRejected(Exception):  # noqa: N818 - an answer of the node, not a fault
    """A node rejected a transaction, for one of `REASONS` or none of them."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SendingRejected) and self.reason == other.reason

    def __hash__(self) -> int:
        return hash(self.reason)


REASONS: Final = {
    "nonce too low": "overtaken",
    "replacement transaction": "overtaken",
    "insufficient funds": "funds",
    "exceeds allowance": "funds",
}
"""Parts of nodes' texts, and the reason why a transaction is rejected."""

_KNOWN: Final = ("already known", "already imported", "known transaction")


class Node:
    """One node of the chain."""

    def __init__(self, client: RpcClient) -> None:
        self._client = client

    @property
    def name(self) -> str:
        """Host, port and number; without the parts of the URL that may be secret."""
        return self._client.name

    async def close(self) -> None:
        """Close the connection; may be called again."""
        await self._client.close()

    # --- blocks ----------------------------------------------------------------------------------

    async def chain_id(self) -> int:
        """The chain id that the node reports."""
        return integer(await self._request("eth_chainId", [], Quantity))

    async def block(self, which: int | str) -> Head:
        """A block by height or tag.

        Raises:
            TransportError: If the node does not have it.
        """
        shown = hex(which) if isinstance(which, int) else which
        found = await self._optional("eth_getBlockByNumber", [shown, False], BlockJson)
        if found is None:
            raise TransportError("no such block")
        try:
            block = head_of(found)
        except ValueError as exc:
            raise TransportError("malformed answer") from exc
        if isinstance(which, int) and block.number != which:
            raise TransportError("another block than requested")
        return block

    async def finalized(self) -> Head | None:
        """The newest block that the chain calls final, None where it has no such tag."""
        try:
            found = await self._optional("eth_getBlockByNumber", ["finalized", False], BlockJson)
        except TransportError as exc:
            if isinstance(exc.__cause__, RpcError):
                return None
            raise
        return None if found is None else head_of(found)

    # --- state at a block ------------------------------------------------------------------------

    async def call(self, to: bytes, data: bytes, at: Head, sender: bytes | None = None) -> bytes:
        """Call a view.

        Raises:
            Reverted: If the contract rejects it.
        """
        transaction = {"to": _hex(to), "data": _hex(data)}
        if sender is not None:
            transaction["from"] = _hex(sender)
        return raw(await self._calling("eth_call", [transaction, _at(at)], Data))

    async def code(self, address: bytes, at: Head) -> bytes:
        """The code at an address."""
        return raw(await self._request("eth_getCode", [_hex(address), _at(at)], Data))

    async def balance(self, account: bytes, at: Head) -> int:
        """An account's balance in wei."""
        return integer(await self._request("eth_getBalance", [_hex(account), _at(at)], Quantity))

    async def nonce(self, account: bytes, at: Head) -> int:
        """The number of an account's transactions."""
        params = [_hex(account), _at(at)]
        return integer(await self._request("eth_getTransactionCount", params, Quantity))

    async def logs(
        self, first: int, last: int, address: bytes, topics: Sequence[Any], at: Head
    ) -> tuple[Log, ...]:
        """Logs of a range of blocks that ends at a block or before it, in chain order.

        Raises:
            TransportError: If the node is on another branch than that block.
        """
        query = {
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "address": _hex(address),
            "topics": list(topics),
        }
        logs = logs_of(await self._request("eth_getLogs", [query], list[LogJson]))
        if any(log.address != address or not first <= log.block <= last for log in logs):
            raise TransportError("logs that were not requested")
        if (await self.block(at.number)).hash != at.hash:
            raise TransportError("another branch of the chain")
        return logs

    async def transaction(self, transaction: bytes) -> bytes:
        """A transaction by its hash, as `transactions.carried_by` gives it.

        Raises:
            TransportError: If the node does not have its bytes, or gives another one.
        """
        try:
            params = [_hex(transaction)]
            found = await self._optional("eth_getRawTransactionByHash", params, Data)
            if found is not None:
                return require_hash(transaction, raw(found))
        except TransportError:  # many nodes do not have the method
            found = None
        return carried_by(transaction, await self._transaction_fields(transaction))

    async def calldata(self, transaction: bytes) -> bytes:
        """The calldata of a transaction whose bytes nobody has, as `transactions.calldata_of`.

        Raises:
            TransportError: If the node does not have it, or its bytes can be had.
        """
        return calldata_of(await self._transaction_fields(transaction))

    async def _transaction_fields(self, transaction: bytes) -> TransactionJson:
        params = [_hex(transaction)]
        fields = await self._optional("eth_getTransactionByHash", params, TransactionJson)
        if fields is None:
            raise TransportError("no such transaction")
        return fields

    # --- writing ---------------------------------------------------------------------------------

    async def gas(self, transaction: dict[str, str]) -> int:
        """The gas that a transaction needs.

        Raises:
            Reverted: If the contract rejects it.
        """
        return integer(await self._calling("eth_estimateGas", [transaction], Quantity))

    async def fees(self, at: Head) -> FeeSample:
        """Fees of the blocks up to a block."""
        params: list[Any] = [hex(_FEE_BLOCKS), hex(at.number), [50]]
        try:
            history = await self._request("eth_feeHistory", params, FeeHistoryJson)
        except TransportError as exc:
            if isinstance(exc.__cause__, RpcError) and exc.__cause__.code == _METHOD_NOT_FOUND:
                return await self._gas_price()
            raise
        bases = [integer(base) for base in history.baseFeePerGas]
        if not any(bases):
            return await self._gas_price()
        tips = [tip for row in history.reward or [] for tip in map(integer, row) if tip]
        middle = median_low(bases)
        return FeeSample(
            min(max(middle, bases[-1]), 4 * middle), median_low(tips) if tips else _FALLBACK_TIP
        )

    async def _gas_price(self) -> FeeSample:
        return FeeSample(None, integer(await self._request("eth_gasPrice", [], Quantity)))

    async def send(self, signed: bytes) -> None:
        """Hand in a signed transaction; repeating it is safe.

        Raises:
            SendingRejected: If the node rejects it.
        """
        try:
            await self._client.request("eth_sendRawTransaction", [_hex(signed)], str)
        except RpcError as exc:
            text = exc.text.lower()
            if any(part in text for part in _KNOWN):
                return
            reason = next((REASONS[part] for part in REASONS if part in text), "")
            raise SendingRejected(reason or f"error {exc.code}") from exc

    async def receipt(self, transaction: bytes) -> Receipt | None:
        """The receipt of a transaction, None while it is not mined."""
        params = [_hex(transaction)]
        found = await self._optional("eth_getTransactionReceipt", params, ReceiptJson)
        if found is None:
            return None
        return Receipt(
            transaction=transaction,
            block=integer(found.blockNumber),
            block_hash=raw(found.blockHash),
            has_succeeded=integer(found.status) == 1,
            gas_used=integer(found.gasUsed),
            contract=None if found.contractAddress is None else raw(found.contractAddress),
            logs=logs_of(found.logs),
        )

    # --- requests --------------------------------------------------------------------------------

    async def _calling(self, method: str, params: list[Any], kind: type[T]) -> T:
        try:
            return await self._client.request(method, params, kind)
        except RpcError as exc:
            if exc.data is not None or exc.code == _REVERT_CODE or "revert" in exc.text.lower():
                raise Reverted(exc.data or b"") from exc
            raise TransportError(f"error {exc.code}") from exc

    async def _optional(self, method: str, params: list[Any], kind: type[T]) -> T | None:
        optional: Any = kind | None
        found: T | None = await self._request(method, params, optional)
        return found

    async def _request(self, method: str, params: list[Any], kind: type[T]) -> T:
        try:
            return await self._client.request(method, params, kind)
        except RpcError as exc:
            raise TransportError(f"error {exc.code}") from exc


def _at(head: Head) -> dict[str, Any]:
    return {"blockHash": _hex(head.hash), "requireCanonical": True}


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
