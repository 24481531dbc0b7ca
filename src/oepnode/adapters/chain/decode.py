"""Decodes the contract's structs and events into values of the domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from eth_abi.abi import decode as decode_abi
from eth_utils.abi import get_abi_output_types
from web3.contract.async_contract import AsyncContract
from web3.types import EventData

from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.history import ContractRecord
from oepnode.domain.rounds.onchain import Event, LogLocation, Member, Phase, Round, parse_address
from oepnode.errors import TransportError


def component_names(contract: AsyncContract, function: str) -> list[str]:
    """The names of the fields of the struct that a function returns."""
    (output,) = contract.get_function_by_name(function).abi["outputs"]
    return [component["name"] for component in cast(Any, output)["components"]]


def named(contract: AsyncContract, function: str, value: Any) -> dict[str, Any]:  # noqa: ANN401
    """A returned struct as a dictionary."""
    return dict(zip(component_names(contract, function), value, strict=True))


def returned(contract: AsyncContract, function: str, data: bytes) -> Any:  # noqa: ANN401
    """The value that a function returned, from its encoding.

    Raises:
        TransportError: If it is empty: there is no such function at the address.
        DecodingError: If it is malformed.
    """
    types = get_abi_output_types(contract.get_function_by_name(function).abi)
    if not data:
        raise TransportError(
            f"there is no OepConsensus contract at this address: {function} returned nothing; "
            "check chain.contract"
        )
    values = decode_abi(types, data)
    return values[0] if len(values) == 1 else values


def member(view: dict[str, Any]) -> Member:
    """A member from a seat of the contract."""
    return Member(view["index"], parse_address(view["operator"]), parse_address(view["signer"]))


def round_state(number: int, view: dict[str, Any]) -> Round:
    """A round's state from the contract's struct."""
    is_final = view["phase"] == Phase.FINAL
    return Round(
        number=number,
        phase=Phase(view["phase"]),
        epoch=view["epoch"],
        rules_version=view["rulesVersion"],
        quorum=view["quorum"],
        member_count=view["memberCount"],
        horizon_start=view["horizonStart"] * INTERVAL_S,
        interval_count=view["horizonIntervals"],
        opened_at=view["openedAt"],
        opened_in_block=view["openedInBlock"],
        vote_deadline=view["voteDeadline"],
        reveal_deadline=view["revealDeadline"],
        voted=view["voted"],
        root=bytes(view["root"]) if is_final else b"",
        partitions=view["partitions"],
        matched=view["matched"],
    )


def round_record(number: int, view: dict[str, Any]) -> ContractRecord:
    """A round's record from the contract's struct, with its round as a dictionary."""
    return ContractRecord(
        state=round_state(number, view["round"]),
        members=view["round"]["members"],
        ballots_hash=bytes(view["round"]["ballotsHash"]),
        candidates=tuple(
            (bytes(root), partitions, matched) for root, partitions, matched in view["candidates"]
        ),
        abstentions=tuple((index, reason) for index, reason in view["abstentions"]),
        equivocators=view["equivocators"],
    )


def _opened(args: Any, location: LogLocation, _: list[Event]) -> Event:  # noqa: ANN401
    return onchain.RoundOpened(
        location=location,
        round=args["round"],
        epoch=args["epoch"],
        requester=parse_address(args["requester"]),
        horizon_start=args["horizonStart"] * INTERVAL_S,
        interval_count=args["horizonIntervals"],
        envelope_digest=bytes(args["envelopeDigest"]),
        registry_digest=bytes(args["registryDigest"]),
        rules_version=args["rulesVersion"],
        vote_deadline=args["voteDeadline"],
        reveal_deadline=args["revealDeadline"],
    )


def _ballot(args: Any, location: LogLocation, _: list[Event]) -> Event:  # noqa: ANN401
    operator = parse_address(args["operator"])
    ballot, custody = bytes(args["ballot"]), bytes(args["custody"])
    return onchain.BallotCast(location, args["round"], operator, ballot, custody)


def _abstained(args: Any, location: LogLocation, _: list[Event]) -> Event:  # noqa: ANN401
    return onchain.Abstained(
        location, args["round"], parse_address(args["operator"]), args["reason"]
    )


def _revealed(args: Any, location: LogLocation, _: list[Event]) -> Event:  # noqa: ANN401
    root = bytes(args["root"])
    return onchain.RootRevealed(location, args["round"], root, args["partitions"], args["matched"])


def _finalised(args: Any, location: LogLocation, before: list[Event]) -> Event:  # noqa: ANN401
    root = bytes(args["root"])
    # The contract emits RootRevealed with the matching members in the same transaction.
    matched = next(
        e.matched
        for e in reversed(before)
        if isinstance(e, onchain.RootRevealed) and e.root == root
    )
    return onchain.RoundFinalised(location, args["round"], root, args["partitions"], matched)


def _failed(args: Any, location: LogLocation, _: list[Event]) -> Event:  # noqa: ANN401
    return onchain.RoundFailed(location, args["round"])


def _cancelled(args: Any, location: LogLocation, _: list[Event]) -> Event:  # noqa: ANN401
    return onchain.RoundCancelled(location, args["round"], args["reason"])


def _equivocated(args: Any, location: LogLocation, _: list[Event]) -> Event:  # noqa: ANN401
    operator, ballots = parse_address(args["operator"]), (args["ballot"], args["otherBallot"])
    return onchain.Equivocated(location, args["round"], operator, *map(bytes, ballots))


EVENTS: Final[dict[str, Callable[[Any, LogLocation, list[Event]], Event]]] = {
    "RoundOpened": _opened,
    "BallotCast": _ballot,
    "Abstained": _abstained,
    "RootRevealed": _revealed,
    "RoundFinalised": _finalised,
    "RoundFailed": _failed,
    "RoundCancelled": _cancelled,
    "Equivocated": _equivocated,
}


def event(data: EventData, before: list[Event]) -> Event:
    """An event from a decoded log; ``before`` are the events before it, in chain order."""
    location = LogLocation(
        data["blockNumber"],
        bytes(data["blockHash"]),
        bytes(data["transactionHash"]),
        data["logIndex"],
    )
    return EVENTS[data["event"]](data["args"], location, before)
