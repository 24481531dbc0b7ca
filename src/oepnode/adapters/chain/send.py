"""Sends transactions: fees, signing, waiting, and raising the fee of one that is not mined."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.exceptions import TransactionNotFound
from web3.types import TxParams, TxReceipt, Wei

from oepnode.adapters.chain.errors import translated
from oepnode.config import ChainSettings
from oepnode.errors import ConflictError, TransportError

_RECEIPT_POLL_S: Final = 0.25
_BUMP_AFTER_S: Final = 15.0


async def fee_fields(web3: AsyncWeb3[Any]) -> TxParams:
    """The current fee: EIP-1559 where the chain has a base fee, otherwise a gas price."""
    block = await web3.eth.get_block("latest")
    base = block.get("baseFeePerGas")
    if base is None:
        return {"gasPrice": await web3.eth.gas_price}
    tip = await web3.eth.max_priority_fee
    return {"maxFeePerGas": Wei(2 * base + tip), "maxPriorityFeePerGas": tip}


async def send(
    web3: AsyncWeb3[Any],
    account: LocalAccount,
    transaction: TxParams,
    what: str,
    settings: ChainSettings,
) -> TxReceipt:
    """Sign, send and await a transaction, raising its fee while it is not mined.

    Raises:
        ConflictError: If it was mined and reverted, or another one of the account came first.
        TransportError: If it is not known to be mined within ``receipt_timeout_s``.
    """
    deadline = asyncio.get_running_loop().time() + settings.receipt_timeout_s
    sent: list[HexBytes] = []
    while True:
        signed = account.sign_transaction(cast(Any, transaction))
        sent.append(signed.hash)
        await _hand_in(web3, signed.raw_transaction, what, is_first=len(sent) == 1)
        receipt = await _await_any(web3, sent, what, min(_BUMP_AFTER_S, _left(deadline)))
        if receipt is not None:
            if receipt["status"] != 1:
                raise ConflictError(f"{what}: the transaction was mined and reverted")
            return receipt
        if _left(deadline) <= 0:
            raise TransportError(
                f"{what}: transaction {sent[-1].to_0x_hex()} is not mined after "
                f"{settings.receipt_timeout_s:g} s; its outcome is unknown, look it up before "
                "sending again"
            )
        _raise_fee(transaction)


async def _hand_in(web3: AsyncWeb3[Any], raw: HexBytes, what: str, *, is_first: bool) -> None:
    try:
        with translated(what):
            await web3.eth.send_raw_transaction(raw)
    except ConflictError:
        # A copy with a higher fee is rejected once the first one is mined: its receipt decides.
        if is_first:
            raise


async def _await_any(
    web3: AsyncWeb3[Any], hashes: Sequence[HexBytes], what: str, timeout_s: float
) -> TxReceipt | None:
    end = asyncio.get_running_loop().time() + timeout_s
    while True:
        for tx_hash in hashes:
            with translated(what):
                try:
                    return await web3.eth.get_transaction_receipt(tx_hash)
                except TransactionNotFound:
                    pass
        if _left(end) <= 0:
            return None
        await asyncio.sleep(_RECEIPT_POLL_S)


def _left(deadline: float) -> float:
    return deadline - asyncio.get_running_loop().time()


def _raise_fee(transaction: TxParams) -> None:
    fields = cast(dict[str, Any], transaction)
    for name in ("gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"):
        if name in fields:
            fields[name] = Wei(int(fields[name]) * 5 // 4 + 1)
