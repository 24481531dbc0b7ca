"""Fields that envelope documents and registry snapshots share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.reference.json_reader import Reader
from tests.reference.nem_time import instant
from tests.reference.nmi import nmi_or_rule


def read_nmi(reader: Reader, value: Any, path: str) -> str | None:
    text = reader.string(value, path)
    if text is None:
        return None
    nmi, rule = nmi_or_rule(text)
    if rule is not None:
        reader.fault(path, rule)
    return nmi


def read_choice(reader: Reader, value: Any, path: str, options: Sequence[str]) -> int | None:
    text = reader.string(value, path)
    if text is None:
        return None
    if text not in options:
        reader.fault(path, "field.value")
        return None
    return options.index(text)


def read_grid_time(reader: Reader, value: Any, path: str) -> int | None:
    text = reader.string(value, path)
    if text is None:
        return None
    result = instant(text)
    if isinstance(result, str):
        reader.fault(path, result)
        return None
    return result
