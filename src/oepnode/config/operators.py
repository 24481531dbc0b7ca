"""Settings of who may read from the sender and the registry."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator

from oepnode.config.chain import ChainSettings
from oepnode.config.values import Operator

NODES_WITHOUT_LIST: Final = 3
"""Nodes that must be compared where no local list says who may read: one of them may lie."""


def _check_operators(operators: tuple[str, ...]) -> tuple[str, ...]:
    """Reject an operator that is listed twice: one entry could take the other's signer away."""
    addresses = [entry.partition("=")[0] for entry in operators]
    twice = next((one for one in addresses if addresses.count(one) > 1), None)
    if twice is not None:
        raise ValueError(f"operator {twice} is listed twice; keep one entry of it")
    return operators


Operators = Annotated[tuple[Operator, ...], AfterValidator(_check_operators)]


def require_operators(operators: tuple[str, ...], chain: ChainSettings) -> None:
    """Demand a list of operators where too few nodes are compared.

    Raises:
        ValueError: Without either; the message says how to mend it.
    """
    if not operators and len(chain.rpc_urls) < NODES_WITHOUT_LIST:
        raise ValueError(
            "setting operators is missing; list the addresses of the operators whose workers may "
            f"read, or name {NODES_WITHOUT_LIST} nodes in chain.rpc_urls: one node could name "
            "anyone"
        )
