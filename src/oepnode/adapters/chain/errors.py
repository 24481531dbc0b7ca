"""Translates errors of web3 and of the node into the error families of `oepnode.errors`.

A revert becomes a `ConflictError` that names the contract's error with its arguments; a missing or
malformed response becomes a `TransportError`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

import aiohttp
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak
from web3 import exceptions as w3e

from oepnode.adapters.chain import artefact
from oepnode.adapters.http.redact import network_reason
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
)
"""Exceptions raised by reading a malformed response: HTML, cut JSON, wrong types, no topics."""

_REJECTIONS = (w3e.ContractLogicError, w3e.ContractPanicError)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Translate the errors of one exchange with the node.

    Args:
        what: The operation, for the message.

    Raises:
        ConflictError: If the contract rejected it.
        TransportError: If the node did not respond, or with a malformed response.
    """
    try:
        yield
    except _REJECTIONS as exc:
        raise ConflictError(f"{what}: {_rejection(exc)}") from exc
    except w3e.BadFunctionCallOutput as exc:
        raise TransportError(
            f"{what}: there is no OepConsensus contract at this address; check chain.contract"
        ) from exc
    except (w3e.Web3RPCError, w3e.Web3Exception) as exc:
        raise _rpc_error(what, exc) from exc
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise TransportError(f"{what}: the node did not respond: {network_reason(exc)}") from exc
    except _MALFORMED as exc:
        kind = type(exc).__name__
        raise TransportError(f"{what}: the node's response is malformed ({kind})") from exc


def translates_errors(what: str) -> Callable[[_Method[P, T]], _Method[P, T]]:
    """Decorate a coroutine so that `translated` applies to the node's response and its decoding."""

    def decorate(method: _Method[P, T]) -> _Method[P, T]:
        @wraps(method)
        async def translating(*arguments: P.args, **named: P.kwargs) -> T:
            with translated(what):
                return await method(*arguments, **named)

        return translating

    return decorate


def _rpc_error(what: str, exc: Exception) -> ConflictError | TransportError:
    text = str(exc).lower()
    if "nonce too low" in text or "already known" in text or "replacement transaction" in text:
        return ConflictError(f"{what}: another transaction of this account came first")
    if "insufficient funds" in text or "exceeds allowance: 0" in text:
        return TransportError(
            f"{what}: the signing account cannot pay the fee; fund it", code="fee.unpaid"
        )
    return TransportError(f"{what}: the node responded with an error: {_short(exc)}")


def _rejection(exc: Exception) -> str:
    data = getattr(exc, "data", None)
    if isinstance(data, str) and data.startswith("0x") and len(data) >= 10:
        known = _errors().get(bytes.fromhex(data[2:10]))
        if known is not None:
            name, types = known
            values = decode(types, bytes.fromhex(data[10:]))
            return f"{name}({', '.join(_show(value) for value in values)})"
    return f"the contract rejected it: {_short(exc)}"


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
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _short(exc: Exception) -> str:
    text = str(exc) or type(exc).__name__
    return text if len(text) <= 200 else text[:200] + "…"
