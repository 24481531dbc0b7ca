"""Translates rejections by the contract and unusable answers into the errors of `oepnode.errors`.

A revert becomes a `ConflictError` that names the contract's error with its arguments; an answer
that cannot be decoded becomes a `TransportError`. No text of a node is in a message.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak
from web3.exceptions import Web3Exception

from oepnode.adapters.chain import artefact
from oepnode.adapters.chain.node import Reverted
from oepnode.domain.rounds.onchain import Role
from oepnode.errors import ConflictError, TransportError

P = ParamSpec("P")
T = TypeVar("T")
_Method: TypeAlias = Callable[P, Coroutine[Any, Any, T]]

_MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    StopIteration,
    DecodingError,
    Web3Exception,
)
"""Exceptions raised by decoding an answer that is not what the contract returns."""

_MAX_ARGUMENT = 100


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Translate the errors of reading or writing the contract.

    Args:
        what: The operation, for the message.

    Raises:
        ConflictError: If the contract rejected it.
        TransportError: If the answer cannot be decoded.
    """
    try:
        yield
    except Reverted as exc:
        raise reverted_as_conflict(what, exc) from None
    except _MALFORMED as exc:
        kind = type(exc).__name__
        raise TransportError(f"{what}: the node's answer is malformed ({kind})") from exc


def translates_errors(what: str) -> Callable[[_Method[P, T]], _Method[P, T]]:
    """Decorate a coroutine so that `translated` applies to it."""

    def decorate(method: _Method[P, T]) -> _Method[P, T]:
        @wraps(method)
        async def translating(*arguments: P.args, **named: P.kwargs) -> T:
            with translated(what):
                return await method(*arguments, **named)

        return translating

    return decorate


def reverted_as_conflict(what: str, exc: Reverted) -> ConflictError:
    """The error for a rejection by the contract."""
    return ConflictError(f"{what}: {_rejection(exc.data)}")


def _rejection(data: bytes) -> str:
    known = _errors().get(data[:4])
    if known is None:
        return f"the contract rejected it, with {len(data)} bytes of no known error"
    name, types = known
    try:
        values = decode(types, data[4:])
    except (DecodingError, ValueError, OverflowError):
        return f"the contract rejected it: {name}"
    missing = _missing_role(name, values)
    return f"{name}({', '.join(_show(value) for value in values)}){missing}"


def _missing_role(name: str, values: tuple[Any, ...]) -> str:
    roles = {role.value: role.name.lower() for role in Role}
    if name != "AccessControlUnauthorizedAccount" or values[1] not in roles:
        return ""
    return f": this account does not have the role {roles[values[1]]}; use the key of one that has"


@cache
def _errors() -> dict[bytes, tuple[str, list[str]]]:
    signatures = {}
    for item in artefact.consensus()["abi"]:
        if item["type"] == "error":
            types = [argument["type"] for argument in item["inputs"]]
            selector = keccak(f"{item['name']}({','.join(types)})".encode())[:4]
            signatures[selector] = (item["name"], types)
    return signatures


def _show(value: Any) -> str:  # noqa: ANN401 - any ABI value
    text = "0x" + value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _MAX_ARGUMENT else text[:_MAX_ARGUMENT] + "…"
