"""Results as JSON values: structs become objects, frames become arrays of rows.

Guarantees: every report of the client has one encoding, with names in snake_case and amounts that
end in their unit. A result that is not encoded as it is has a method ``report``, which is used.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct


class PrivateStruct(Struct, frozen=True):
    """A struct that holds NMIs or DUIDs. Its repr shows none."""

    def __repr__(self) -> str:
        """The name of the class alone."""
        return f"{type(self).__name__}(…)"


def to_json(result: object) -> Any:  # noqa: ANN401 - any JSON value
    """A report, or that of a result, as values of the standard library's ``json``.

    Raises:
        TypeError: If it has no JSON, such as a key pair.
    """
    report = getattr(result, "report", None)
    if callable(report):
        result = report()
    return msgspec.to_builtins(result, enc_hook=_encode)


def _encode(value: object) -> object:
    import polars as pl

    if isinstance(value, pl.DataFrame):
        return value.to_dicts()
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no JSON; encode a report of it")
