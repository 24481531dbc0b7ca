"""Fees of transactions: proposed by all nodes, limited by the settings.

Guarantees: no transaction is signed whose fee could exceed `FeeLimits`, whatever nodes say; of the
nodes' proposals the median counts, each itself the median of recent blocks. Leaves out sending
(``send``) and storage of what was spent (``oepnode.adapters.storage.spending``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from oepnode.adapters.chain.agreement import Agreement, Answer
from oepnode.adapters.chain.values import FeeSample
from oepnode.config import ChainSettings
from oepnode.domain.rounds.onchain import Head
from oepnode.errors import TransportError

_GRACE_S: Final = 0.5
_FAR: Final = 4
"""Factor by which a node's proposal may differ from the median without being named."""
_NEAR: Final = 2
"""Factor by which two nodes' values may differ without the others being waited for."""
_GWEI: Final = 10**9
_COIN: Final = 10**18


class FeeLimitError(TransportError):
    """A transaction would cost more than the settings allow; later it may not."""


class Spending(Protocol):
    """Record of the fees of the last 24 hours."""

    def of_last_day(self) -> int:
        """Fees in wei, those of transactions included whose outcome is unknown."""
        ...

    def reserve(self, name: str, wei: int) -> None:
        """Record what a transaction may cost at most, before it is sent; replaces what was there.

        Args:
            name: Name of the transaction, which stays the same when its fee is raised.
            wei: Maximum fee.
        """
        ...

    def settle(self, name: str, wei: int) -> None:
        """Record what a transaction has cost."""
        ...


class Fee(Struct, frozen=True):
    """Price of a unit of gas in wei.

    Attributes:
        price: Maximum that is paid.
        tip: Part of it that the block's maker gets; None on a chain without a base fee.
        needed: What a block asks for now; the rest of the price is for blocks that ask for more.
    """

    price: int
    tip: int | None
    needed: int

    def fields(self) -> dict[str, int]:
        """The fields of a transaction."""
        if self.tip is None:
            return {"gasPrice": self.price}
        return {"maxFeePerGas": self.price, "maxPriorityFeePerGas": self.tip}

    def raised(self) -> Fee:
        """A quarter more, which makes nodes replace a transaction."""
        tip = None if self.tip is None else _more(self.tip)
        return Fee(_more(self.price), tip, _more(self.needed))


class FeeLimits:
    """Upper bounds on fees.

    Args:
        settings: ``max_fee_gwei``, ``max_fee_per_tx`` and ``fee_budget_per_day``.
        spending: Record of the last 24 hours.
    """

    def __init__(self, settings: ChainSettings, spending: Spending) -> None:
        self._settings = settings
        self._spending = spending
        self._max_price = int(settings.max_fee_gwei * _GWEI)

    def limited(self, fee: Fee) -> Fee:
        """The fee with no more than ``max_fee_gwei`` for blocks to come."""
        return replace(fee, price=max(fee.needed, min(fee.price, self._max_price)))

    def reserve(self, name: str, what: str, fee: Fee, gas: int) -> None:
        """Record a transaction that is about to be sent.

        Raises:
            FeeLimitError: If it could cost too much; nothing is recorded.
        """
        cost = fee.price * gas
        if fee.price > self._max_price:
            raise FeeLimitError(
                f"{what}: gas costs {fee.price / _GWEI:g} gwei, above chain.max_fee_gwei = "
                f"{self._settings.max_fee_gwei:g}; wait, or raise it"
            )
        if cost > self._settings.max_fee_per_tx * _COIN:
            raise FeeLimitError(
                f"{what}: the transaction may cost {cost / _COIN:g}, above chain.max_fee_per_tx = "
                f"{self._settings.max_fee_per_tx:g}; wait, or raise it"
            )
        budget = self._settings.fee_budget_per_day
        if self._spending.of_last_day() + cost > budget * _COIN:
            raise FeeLimitError(
                f"{what}: the transaction may cost {cost / _COIN:g}, which would exceed "
                f"chain.fee_budget_per_day = {budget:g}; wait, or raise it"
            )
        self._spending.reserve(name, cost)

    def settle(self, name: str, wei: int) -> None:
        """Record what a transaction has cost."""
        self._spending.settle(name, wei)


async def proposed(agreement: Agreement, at: Head) -> Fee:
    """The fee that the nodes propose: the median of theirs.

    Raises:
        TransportError: If too few nodes propose one.
    """
    answers = await agreement.ask_each(
        lambda node: node.fees(at),
        _GRACE_S,
        lambda usable: are_near([_fee(answer.value).price for answer in usable]),
    )
    usable = [answer for answer in answers if not answer.failure]
    if len(usable) < agreement.agree:
        said = "; ".join(f"{a.node.name}: {a.failure or 'usable'}" for a in answers)
        raise TransportError(f"fees: {said}")
    fees = [_fee(answer.value) for answer in usable]
    tips = [fee.tip for fee in fees if fee.tip is not None]
    fee = Fee(
        price=middle([fee.price for fee in fees]),
        tip=middle(tips) if 2 * len(tips) > len(fees) else None,
        needed=middle([fee.needed for fee in fees]),
    )
    _name(agreement, fee, answers)
    return fee


def _name(agreement: Agreement, fee: Fee, answers: Sequence[Answer]) -> None:
    for answer in answers:
        if answer.failure:
            agreement.disagreements.fails(answer.node.name, "fees", answer.failure)
        elif not fee.price <= _FAR * _fee(answer.value).price <= _FAR * _FAR * fee.price:
            agreement.disagreements.differs(answer.node.name, "fees")


def _fee(sample: FeeSample) -> Fee:
    if sample.base is None:
        return Fee(sample.tip, None, sample.tip)
    return Fee(2 * sample.base + sample.tip, sample.tip, sample.base + sample.tip)


def are_near(values: Sequence[int]) -> bool:
    """Whether values differ so little that one more of them would not matter."""
    return max(values) <= _NEAR * min(values)


def middle(values: Sequence[int]) -> int:
    """The median, the lower of two."""
    return sorted(values)[(len(values) - 1) // 2]


def _more(value: int) -> int:
    return value * 5 // 4 + 1
