"""Results as JSON values: structs become objects, frames become arrays of rows.

Guarantees: every result of the client has one encoding. A result is encoded as it is, or has a
method ``report`` that returns the struct that is; names are snake_case, amounts end in their unit.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class PrivateStruct(Struct, frozen=True):
    """A struct that holds NMIs or DUIDs. Its repr shows none."""

    def __repr__(self) -> str:
        """The name of the class alone."""
        return f"{type(self).__name__}(…)"


def to_json(result: object) -> Any:  # noqa: ANN401 - any JSON value
    """A result as values of the standard library's ``json``."""
    return msgspec.to_builtins(result, enc_hook=_encode)


def _encode(value: object) -> object:
    import polars as pl

    if isinstance(value, pl.DataFrame):
        return value.to_dicts()
    raise NotImplementedError(f"not a JSON value: {type(value).__name__}")
