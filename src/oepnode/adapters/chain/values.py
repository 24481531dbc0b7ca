"""Values that nodes answer with, in one form, so that answers of several nodes compare equal."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from oepnode.domain.rounds.onchain import Head

Quantity = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{1,64}\\Z")]
Data = Annotated[str, Meta(pattern="^0x([0-9a-fA-F]{2})*\\Z")]
Word = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{64}\\Z")]
Account = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{40}\\Z")]

_MAX_INSTANT: Final = 1 << 40


class BlockJson(Struct):
    """A block's header; other fields are ignored."""

    number: Quantity
    hash: Word
    timestamp: Quantity


class LogJson(Struct):
    """A log; other fields are ignored."""

    address: Account
    topics: Annotated[list[Word], Meta(min_length=1, max_length=4)]
    data: Data
    blockNumber: Quantity  # noqa: N815 - names of JSON-RPC
    blockHash: Word  # noqa: N815
    transactionHash: Word  # noqa: N815
    logIndex: Quantity  # noqa: N815


class ReceiptJson(Struct):
    """A receipt; other fields are ignored."""

    blockNumber: Quantity  # noqa: N815
    blockHash: Word  # noqa: N815
    status: Quantity
    gasUsed: Quantity  # noqa: N815
    logs: list[LogJson]
    contractAddress: Account | None = None  # noqa: N815


class FeeHistoryJson(Struct):
    """Base fees and tips of recent blocks; other fields are ignored."""

    baseFeePerGas: list[Quantity]  # noqa: N815
    reward: list[list[Quantity]] | None = None


class Log(Struct, frozen=True):
    """A log of the contract: place on chain, topics and data."""

    block: int
    log_index: int
    block_hash: bytes
    transaction: bytes
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes

    def receipt(self) -> dict[str, Any]:
        """The log as web3 decodes it."""
        from hexbytes import HexBytes
        from web3 import Web3

        return {
            "address": Web3.to_checksum_address("0x" + self.address.hex()),
            "topics": [HexBytes(topic) for topic in self.topics],
            "data": HexBytes(self.data),
            "blockNumber": self.block,
            "blockHash": HexBytes(self.block_hash),
            "transactionHash": HexBytes(self.transaction),
            "transactionIndex": 0,
            "logIndex": self.log_index,
            "removed": False,
        }


class Receipt(Struct, frozen=True):
    """A mined transaction."""

    transaction: bytes
    block: int
    block_hash: bytes
    has_succeeded: bool
    gas_used: int
    contract: bytes | None
    logs: tuple[Log, ...]


class FeeSample(Struct, frozen=True):
    """Fees of recent blocks in wei; without a base fee, ``tip`` is the price of gas.

    Attributes:
        base: Base fee that the next blocks may ask, or None.
        tip: Median of what transactions paid above it.
    """

    base: int | None
    tip: int


def integer(text: str) -> int:
    """A quantity of JSON-RPC."""
    return int(text, 16)


def raw(text: str) -> bytes:
    """Data of JSON-RPC."""
    return bytes.fromhex(text[2:])


def head_of(found: BlockJson) -> Head:
    """A block from its JSON.

    Raises:
        ValueError: If its number or time is beyond any chain's.
    """
    number, time = integer(found.number), integer(found.timestamp)
    if max(number, time) >= _MAX_INSTANT:
        raise ValueError("block number or time out of range")
    return Head(number, raw(found.hash), time)


def log_of(found: LogJson) -> Log:
    """A log from its JSON."""
    return Log(
        block=integer(found.blockNumber),
        log_index=integer(found.logIndex),
        block_hash=raw(found.blockHash),
        transaction=raw(found.transactionHash),
        address=raw(found.address),
        topics=tuple(raw(topic) for topic in found.topics),
        data=raw(found.data),
    )


def logs_of(found: list[LogJson]) -> tuple[Log, ...]:
    """Logs from their JSON, in chain order."""
    return tuple(sorted(map(log_of, found), key=lambda log: (log.block, log.log_index)))
