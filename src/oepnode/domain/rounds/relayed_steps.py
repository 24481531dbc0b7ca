"""The last step of a round, which a worker without a fee hands to a relay.

A reveal names a result, which anyone may reveal once the vote has closed; a closing names none, and
ends a round whose reveal window has passed. Neither is signed: the contract takes both from
anybody. A worker hands in neither before the vote has closed, since a reveal tells the root.

A step is one JSON object: ``{"chainId", "contract", "round", "root", "partitions"}``, where a
closing has the root "" and no partitions.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import DecodeError, Meta, Struct, ValidationError
from msgspec import json as msgspec_json

from oepnode.domain.documents.json_struct import read_struct
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import parse_address
from oepnode.errors import EvidenceError


class RelayedStep(Struct, frozen=True):
    """A result to reveal, or None to close the round as failed."""

    context: RoundContext
    result: Result | None


class _Wire(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    chain_id: Annotated[int, Meta(ge=1)]
    contract: Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}\Z")]
    round: Annotated[int, Meta(ge=1, lt=2**32)]
    root: Annotated[str, Meta(pattern=r"^([0-9a-fA-F]{64})?\Z")]
    partitions: Annotated[int, Meta(ge=0, lt=2**32)]


def encode(step: RelayedStep) -> bytes:
    """A step as `decode` reads it."""
    context, result = step.context, step.result
    return msgspec_json.encode(
        _Wire(
            chain_id=context.chain_id,
            contract="0x" + context.contract.hex(),
            round=context.number,
            root="" if result is None else result.root.hex(),
            partitions=0 if result is None else result.partitions,
        )
    )


def decode(data: bytes) -> RelayedStep:
    """Read a step.

    Raises:
        EvidenceError: For anything else.
    """
    try:
        wire = read_struct(data, _Wire)
    except ValidationError as exc:
        raise EvidenceError(f"this is not a step of a round: {exc}") from exc
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise EvidenceError("this is not JSON") from exc
    if not wire.root and wire.partitions:
        raise EvidenceError("this is not a step of a round: partitions without a root")
    context = RoundContext(wire.chain_id, parse_address(wire.contract), wire.round)
    result = Result(bytes.fromhex(wire.root), wire.partitions) if wire.root else None
    return RelayedStep(context, result)
