"""Sends transactions through all nodes: signing, waiting, and raising the fee of one not mined.

Guarantees: at most one transaction of the account is under way; nonce and gas come from the nodes'
agreement, the fee from their median within the limits; a receipt counts once enough nodes give it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any, Final

from eth_account.signers.local import LocalAccount

from oepnode.adapters.chain.agreement import Agreement, Answer
from oepnode.adapters.chain.errors import reverted_as_conflict
from oepnode.adapters.chain.fees import (
    Fee,
    FeeLimitError,
    FeeLimits,
    are_near,
    middle,
    proposed,
)
from oepnode.adapters.chain.node import Node, Reverted, SendingRejected
from oepnode.adapters.chain.quorum import Quorum
from oepnode.adapters.chain.values import Receipt
from oepnode.config import ChainSettings
from oepnode.domain.rounds.onchain import Head, parse_address
from oepnode.errors import ConflictError, TransportError

_RECEIPT_POLL_S: Final = 0.25
_RECEIPT_GRACE_S: Final = 0.2
_LATER_S: Final = 3.0
_BUMP_AFTER_S: Final = 15.0
_GAS_GRACE_S: Final = 0.5


class Sender:
    """Sends the transactions of one account, one at a time."""

    def __init__(
        self, quorum: Quorum, settings: ChainSettings, account: LocalAccount, limits: FeeLimits
    ) -> None:
        self._quorum = quorum
        self._agreement: Agreement = quorum.agreement
        self._settings = settings
        self._account = account
        self._limits = limits
        self._sending = asyncio.Lock()

    async def send(self, what: str, data: bytes, to: bytes | None) -> Receipt:
        """Sign, send and await a transaction, raising its fee while it is not mined.

        Args:
            what: Name of the transaction, for messages.
            data: Call data, or the code of a contract to deploy.
            to: The contract, or None to deploy.

        Raises:
            ConflictError: If it was rejected or reverted, or another one of the account came first.
            FeeLimitError: If it would cost more than the settings allow.
            TransportError: If it is not known to be mined within ``receipt_timeout_s``.
        """
        async with self._sending:
            at = await self._quorum.newest()
            transaction = await self._prepare(what, data, to, at)
            fee = self._limits.limited(await proposed(self._agreement, at))
            return await self._send(what, transaction, fee)

    async def _prepare(self, what: str, data: bytes, to: bytes | None, at: Head) -> dict[str, Any]:
        sender = parse_address(self._account.address)
        nonce = await self._quorum.nonce(sender, at)
        call = {"from": self._account.address, "data": "0x" + data.hex()}
        if to is not None:
            call["to"] = "0x" + to.hex()
        gas = await self._gas(what, call)
        transaction: dict[str, Any] = {
            "nonce": nonce,
            "gas": gas,
            "chainId": self._settings.chain_id,
            "data": data,
            "value": 0,
        }
        if to is not None:
            transaction["to"] = to
        return transaction

    async def _gas(self, what: str, call: dict[str, str]) -> int:
        """A quarter above the median of the nodes' estimates.

        Raises:
            ConflictError: If enough nodes say that the contract rejects it.
            TransportError: If too few nodes estimate it.
        """
        answers = await self._agreement.ask_each(
            lambda node: node.gas(call), _GAS_GRACE_S, _is_clear
        )
        needed = self._agreement.agree
        estimates = [a.value for a in answers if not a.failure and a.rejection is None]
        if len(estimates) >= needed:
            self._name_rejecting(answers)
            return middle(estimates) * 5 // 4
        rejections = [a.rejection for a in answers if isinstance(a.rejection, Reverted)]
        for rejection in rejections:
            if rejections.count(rejection) >= needed:
                raise reverted_as_conflict(what, rejection)
        said = "; ".join(
            f"{a.node.name}: {a.failure or ('rejects it' if a.rejection else 'usable')}"
            for a in answers
        )
        raise TransportError(f"{what}: gas: {said}")

    def _name_rejecting(self, answers: list[Any]) -> None:
        for answer in answers:
            if answer.failure:
                self._agreement.disagreements.fails(answer.node.name, "gas", answer.failure)
            elif answer.rejection is not None:
                self._agreement.disagreements.differs(answer.node.name, "gas")

    async def _send(self, what: str, transaction: dict[str, Any], fee: Fee) -> Receipt:
        deadline = _now() + self._settings.receipt_timeout_s
        name = secrets.token_hex(8)
        sent: list[bytes] = []
        while True:
            self._limits.reserve(name, what, fee, transaction["gas"])
            signed = self._account.sign_transaction({**transaction, **fee.fields()})
            if bytes(signed.hash) not in sent:
                sent.append(bytes(signed.hash))
            await self._hand_in(what, bytes(signed.raw_transaction), is_first=len(sent) == 1)
            receipt = await self._await_any(sent, min(_BUMP_AFTER_S, deadline - _now()))
            if receipt is not None:
                self._limits.settle(name, receipt.gas_used * fee.price)
                if not receipt.has_succeeded:
                    raise ConflictError(f"{what}: the transaction was mined and reverted")
                return receipt
            if _now() >= deadline:
                raise TransportError(
                    f"{what}: transaction 0x{sent[-1].hex()} is not mined after "
                    f"{self._settings.receipt_timeout_s:g} s; its outcome is unknown, look it up "
                    "before sending again"
                )
            fee = self._affordable(name, what, fee, transaction["gas"])

    def _affordable(self, name: str, what: str, fee: Fee, gas: int) -> Fee:
        """A higher fee if the limits allow it, otherwise the same."""
        raised = self._limits.limited(fee.raised())
        try:
            self._limits.reserve(name, what, raised, gas)
        except FeeLimitError:
            return fee
        return raised

    async def _hand_in(self, what: str, signed: bytes, *, is_first: bool) -> None:
        try:
            await self._agreement.tell(what, lambda node: node.send(signed))
        except SendingRejected as exc:
            if not is_first:
                return  # a copy is rejected once the first one is mined: its receipt decides
            raise _rejected(what, exc) from None

    async def _await_any(self, hashes: list[bytes], timeout_s: float) -> Receipt | None:
        end = _now() + timeout_s
        while True:
            for transaction in hashes:
                receipt = await self._receipt(transaction)
                if receipt is not None:
                    return receipt
            if _now() >= end:
                return None
            await asyncio.sleep(_RECEIPT_POLL_S)

    async def _receipt(self, transaction: bytes) -> Receipt | None:
        """The receipt once enough nodes give it; a node may not have the block yet."""
        answers = await self._agreement.ask_each(
            lambda node: node.receipt(transaction), _RECEIPT_GRACE_S
        )
        found = [a for a in answers if not a.failure and a.value is not None]
        for answer in found:
            if sum(answer.value == other.value for other in found) >= self._agreement.agree:
                receipt: Receipt = answer.value
                self._name(receipt, answers)
                return receipt
        return None

    def _name(self, receipt: Receipt, answers: list[Any]) -> None:
        """Name the nodes with another receipt, and later those that still have none."""
        disagreements = self._agreement.disagreements
        for answer in answers:
            if answer.failure:
                disagreements.fails(answer.node.name, "receipt", answer.failure)
            elif answer.value is None:
                self._agreement.later(self._name_later(answer.node, receipt))
            elif answer.value != receipt:
                disagreements.differs(answer.node.name, "receipt")

    async def _name_later(self, node: Node, receipt: Receipt) -> None:
        await asyncio.sleep(_LATER_S)
        try:
            if await node.receipt(receipt.transaction) != receipt:
                self._agreement.disagreements.differs(node.name, "receipt")
        except TransportError as exc:
            self._agreement.disagreements.fails(node.name, "receipt", str(exc))


def _is_clear(answers: Sequence[Answer]) -> bool:
    """Whether the nodes say nearly the same: all reject the call, or their gas is near."""
    if any(answer.rejection is not None for answer in answers):
        return all(answer.equals(answers[0]) for answer in answers)
    return are_near([answer.value for answer in answers])


def _rejected(what: str, exc: SendingRejected) -> ConflictError | TransportError:
    if exc.reason == "overtaken":
        return ConflictError(f"{what}: another transaction of this account came first")
    if exc.reason == "funds":
        return TransportError(
            f"{what}: the signing account cannot pay the fee; fund it", code="fee.unpaid"
        )
    return TransportError(f"{what}: the nodes rejected the transaction: {exc.reason}")


def _now() -> float:
    return asyncio.get_running_loop().time()
