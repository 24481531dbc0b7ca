"""Results as JSON values: structs become objects, frames become arrays of rows.

Guarantees: the JSON that a command prints with ``--json`` is the encoding of what the client
returned; names are snake_case and end in their unit.
"""

from __future__ import annotations

from typing import Any

import msgspec


def json_value(result: object) -> Any:  # noqa: ANN401 - any JSON value
    """A result as values of the standard library's ``json``."""
    return msgspec.to_builtins(result, enc_hook=_encode)


def _encode(value: object) -> object:
    import polars as pl

    if isinstance(value, pl.DataFrame):
        return value.to_dicts()
    raise NotImplementedError(f"not a JSON value: {type(value).__name__}")
