"""A local chain with blocks and time that a test sets, and the contract on it, without layers.

For tests that take thousands of steps: one kept connection, calls in batches, unlocked accounts,
and arguments and answers as plain values (addresses as 20 bytes, structs as tuples).
"""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from oepnode.adapters.chain import artefact
from oepnode.demo.devnet import Devnet
from tests.contract_model.state import Reverted

_GAS = hex(12_000_000)
_RECEIPT_S = 10.0
_KEPT = 4_096  # calls and answers, most of which come again after the next step


@dataclass(frozen=True)
class Receipt:
    """Outcome of a transaction."""

    gas: int
    logs: list[dict[str, Any]]
    succeeded: bool
    block: int
    contract: str | None


@dataclass(frozen=True)
class Emitted:
    """An event of the contract, with its values by their names."""

    name: str
    values: dict[str, Any]
    block: int


class Anvil:
    """A chain that makes a block only on command."""

    def __init__(self, log: Path, accounts: int = 40) -> None:
        self._devnet = Devnet(log, accounts)
        self.url = self._devnet.url
        self._connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        self._ids = itertools.count(1)
        self.rpc("evm_setIntervalMining", 0)
        self.rpc("evm_setAutomine", True)
        self.accounts = [bytes.fromhex(text[2:]) for text in self.rpc("eth_accounts")]
        self.chain_id = int(self.rpc("eth_chainId"), 16)
        self.mine(int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16) + 1)

    def close(self) -> None:
        self._connection.close()
        self._devnet.stop()

    def rpc(self, method: str, *params: object) -> Any:
        (answer,) = self.batch([(method, params)])
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[dict[str, Any]]:
        """Answers in the order of the calls, which must not depend on one another."""
        first = next(self._ids)
        body = [
            {"jsonrpc": "2.0", "id": first + i, "method": method, "params": list(params)}
            for i, (method, params) in enumerate(calls)
        ]
        for _ in calls:
            next(self._ids)
        self._connection.request(
            "POST", "/", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        answers = json.loads(self._connection.getresponse().read())
        by_id = {answer["id"]: answer for answer in answers}
        return [by_id[first + i] for i in range(len(calls))]

    def now(self) -> int:
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def mine(self, at: int) -> None:
        """Make an empty block of that time."""
        self.rpc("evm_setNextBlockTimestamp", at)
        self.rpc("evm_mine")

    def send(self, sender: bytes, data: str, to: str | None, at: int | None = None) -> Receipt:
        """Send a transaction from an unlocked account, in a block of that time."""
        if at is not None:
            self.rpc("evm_setNextBlockTimestamp", at)
        transaction = {"from": "0x" + sender.hex(), "gas": _GAS, "data": data}
        if to is not None:
            transaction["to"] = to
        tx_hash = self.rpc("eth_sendTransaction", transaction)
        deadline = time.monotonic() + _RECEIPT_S
        while (receipt := self.rpc("eth_getTransactionReceipt", tx_hash)) is None:
            assert time.monotonic() < deadline, f"{tx_hash} is not mined"
        return Receipt(
            gas=int(receipt["gasUsed"], 16),
            logs=receipt["logs"],
            succeeded=receipt["status"] == "0x1",
            block=int(receipt["blockNumber"], 16),
            contract=receipt["contractAddress"],
        )


class Deployed:
    """A contract, deployed from code with its arguments."""

    def __init__(self, anvil: Anvil, code: str, at: int) -> None:
        self.anvil = anvil
        receipt = anvil.send(anvil.accounts[0], code, None, at)
        assert receipt.succeeded
        assert receipt.contract is not None
        self.to = receipt.contract
        self.address = bytes.fromhex(self.to[2:])

    def send(self, sender: bytes, name: str, *arguments: object, at: int) -> Receipt:
        """Send a transaction in a block of time ``at``.

        Raises:
            Reverted: If the contract rejected it.
        """
        data = call_data(name, *arguments)
        receipt = self.anvil.send(sender, data, self.to, at)
        if not receipt.succeeded:
            # The same once more on the state before it, to learn the error.
            self._call({"from": "0x" + sender.hex(), "data": data}, receipt.block - 1, at)
            raise AssertionError(f"{name} reverted as a transaction only")
        return receipt

    def read(self, name: str, *arguments: object, at: int | None = None) -> Any:
        """A view's value.

        Raises:
            Reverted: If the contract rejected it.
        """
        (value,) = self.read_all([(name, arguments, at)])
        if isinstance(value, Reverted):
            raise value
        return value

    def read_all(self, calls: Sequence[tuple[str, Sequence[object], int | None]]) -> list[Any]:
        """Values of views, or `Reverted` instead; each with the time at which it is read."""
        answers = self.anvil.batch(
            [
                ("eth_call", self._params({"data": _query(name, *arguments)}, "latest", at))
                for name, arguments, at in calls
            ]
        )
        return [
            _revert(answer) if "error" in answer else _value(name, answer["result"])
            for (name, _, _), answer in zip(calls, answers, strict=True)
        ]

    def _call(self, transaction: dict[str, str], block: int, at: int) -> None:
        (answer,) = self.anvil.batch([("eth_call", self._params(transaction, hex(block), at))])
        if "error" in answer:
            raise _revert(answer)

    def _params(self, transaction: dict[str, str], block: str, at: int | None) -> list[object]:
        overrides = [] if at is None else [{}, {"time": hex(at)}]
        return [{"to": self.to, "gas": _GAS, **transaction}, block, *overrides]


class OnChain(Deployed):
    """``OepConsensus``, deployed from the committed artefact."""

    def __init__(self, anvil: Anvil, admin: bytes, policy: tuple[int, ...], at: int) -> None:
        arguments = encode(["address", "(uint8,uint8,uint32,uint32,uint16)"], [admin, policy])
        super().__init__(anvil, artefact.consensus()["bytecode"] + arguments.hex(), at)

    def events(self, first_block: int) -> list[Emitted]:
        """All events from a block on, in their order."""
        filter_ = {"address": self.to, "fromBlock": hex(first_block), "toBlock": "latest"}
        return [_emitted(log) for log in self.anvil.rpc("eth_getLogs", filter_)]


class Inclusion(Deployed):
    """``OepInclusion``, deployed from the committed artefact."""

    def __init__(self, anvil: Anvil, at: int) -> None:
        super().__init__(anvil, artefact.inclusion()["bytecode"], at)


# --- ABI -----------------------------------------------------------------------------------------


def _type(item: dict[str, Any]) -> str:
    if not item["type"].startswith("tuple"):
        return str(item["type"])
    inner = ",".join(_type(part) for part in item["components"])
    return f"({inner}){item['type'].removeprefix('tuple')}"


@cache
def _functions() -> dict[str, tuple[bytes, list[str], list[dict[str, Any]]]]:
    functions = {}
    for item in (*artefact.consensus()["abi"], *artefact.inclusion()["abi"]):
        if item["type"] == "function":
            types = [_type(part) for part in item["inputs"]]
            selector = keccak(f"{item['name']}({','.join(types)})".encode())[:4]
            functions[item["name"]] = (selector, types, item["outputs"])
    return functions


@cache
def _errors() -> dict[bytes, tuple[str, list[dict[str, Any]]]]:
    errors = {}
    for item in (*artefact.consensus()["abi"], *artefact.inclusion()["abi"]):
        if item["type"] == "error":
            signature = f"{item['name']}({','.join(_type(part) for part in item['inputs'])})"
            errors[keccak(signature.encode())[:4]] = (item["name"], item["inputs"])
    return errors


@cache
def _events() -> dict[bytes, tuple[str, list[dict[str, Any]]]]:
    events = {}
    for item in artefact.consensus()["abi"]:
        if item["type"] == "event":
            signature = f"{item['name']}({','.join(_type(part) for part in item['inputs'])})"
            events[keccak(signature.encode())] = (item["name"], item["inputs"])
    return events


def _emitted(log: dict[str, Any]) -> Emitted:
    kind, *topics = (bytes.fromhex(topic[2:]) for topic in log["topics"])
    name, inputs = _events()[kind]
    indexed = [item for item in inputs if item["indexed"]]
    others = [item for item in inputs if not item["indexed"]]
    values = (
        *_decoded(indexed, b"".join(topics)),
        *_decoded(others, bytes.fromhex(log["data"][2:])),
    )
    names = [item["name"] for item in (*indexed, *others)]
    return Emitted(name, dict(zip(names, values, strict=True)), int(log["blockNumber"], 16))


def error_names() -> set[str]:
    """The errors that the consensus contract can raise."""
    return {item["name"] for item in artefact.consensus()["abi"] if item["type"] == "error"}


def call_data(name: str, *arguments: object) -> str:
    """The data of a call of a function of the contract."""
    selector, types, _ = _functions()[name]
    return "0x" + (selector + encode(types, arguments)).hex()


_query = lru_cache(_KEPT)(call_data)


@lru_cache(_KEPT)
def _value(name: str, result: str) -> Any:
    outputs = _functions()[name][2]
    values = _decoded(outputs, bytes.fromhex(result[2:]))
    return values[0] if len(values) == 1 else values


def _revert(answer: dict[str, Any]) -> Reverted:
    data = bytes.fromhex(answer["error"].get("data", "0x")[2:])
    if data[:4] not in _errors():
        return Reverted("", answer["error"]["message"])
    name, inputs = _errors()[data[:4]]
    return Reverted(name, *_decoded(inputs, data[4:]))


def _decoded(items: list[dict[str, Any]], data: bytes) -> tuple[Any, ...]:
    values = decode([_type(item) for item in items], data)
    return tuple(_plain(item, value) for item, value in zip(items, values, strict=True))


def _plain(item: dict[str, Any], value: Any) -> Any:
    kind = item["type"]
    if kind.endswith("[]"):
        return tuple(_plain({**item, "type": kind[:-2]}, one) for one in value)
    if kind == "tuple":
        return tuple(_plain(p, v) for p, v in zip(item["components"], value, strict=True))
    return bytes.fromhex(value[2:]) if kind == "address" else value
