"""The lies that a node of the chain tells, one for each kind of question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.attacks.support.chain_world import STRANGER
from tests.attacks.support.lying_node import Answer, Lie, of, of_view, with_number

BALLOT_CAST_DATA = 2 + 2 * 64  # 0x, ballot and custody root


@dataclass(frozen=True)
class Case:
    """A lie, and the question at which it is noticed."""

    what: str
    lie: Lie


def without_a_ballot(logs: list[Answer]) -> list[Answer]:
    """Hides the first ballot."""
    hidden = next((log for log in logs if len(log["data"]) == BALLOT_CAST_DATA), None)
    return [log for log in logs if log is not hidden]


def a_strangers_seat(seat: dict[str, Any]) -> dict[str, Any]:
    return seat | {
        "operator": "0x" + "66" * 20,
        "signer": "0x" + STRANGER.hex(),
        "until": 2**32 - 1,
    }


def a_stranger_as_signer(seat: dict[str, Any]) -> dict[str, Any]:
    """Puts a stranger in the place of the first member's signer."""
    return seat | {"signer": "0x" + STRANGER.hex()} if seat["index"] == 0 else seat


def forged_root(view: dict[str, Any]) -> dict[str, Any]:
    return view | {"root": b"\xbb" * 32}


def dear(history: Answer) -> Answer:
    """Tips of 3,000 gwei in every block."""
    return history | {"reward": [[hex(3_000 * 10**9)] for _ in history["reward"]]}


def reverted(receipt: Answer) -> Answer:
    return receipt | {"status": "0x0"}


SIGNER = Case("electorate", of_view("electorate", a_stranger_as_signer))
NO_LOGS = Case("logs", of("eth_getLogs", lambda _: []))

CASES = {
    "head": Case("head", of("eth_getBlockByNumber", with_number(20_000))),
    "logs": Case("logs", of("eth_getLogs", without_a_ballot)),
    "seatOf": Case("seatOf", of_view("seatOf", a_strangers_seat)),
    "round": Case("round", of_view("round", forged_root)),
    "receipts": Case("receipt", of("eth_getTransactionReceipt", reverted)),
    "fees": Case("fees", of("eth_feeHistory", dear)),
    "code": Case("code", of("eth_getCode", lambda code: code[:-2] + "00")),
    "chain id": Case("chain id", of("eth_chainId", lambda _: "0x1")),
}
