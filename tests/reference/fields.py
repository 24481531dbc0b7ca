"""Fields that envelope documents and registry snapshots share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.reference.json_reader import Reader
from tests.reference.nem_time import instant
from tests.reference.nmi import nmi_or_rule
from tests.reference.tokens import token_or_rule


def check_one_kind(reader: Reader) -> None:
    """NMIs or tokens in one document: the first of the second kind is the fault."""
    if len(reader.site_lengths) == 2:
        reader.fault(list(reader.site_lengths.values())[1], "nmi.mixed")


def read_nmi(reader: Reader, value: Any, path: str) -> str | None:
    """An NMI without its checksum, or a token."""
    text = reader.string(value, path)
    if text is None:
        return None
    nmi, rule = nmi_or_rule(text) if len(text) != 32 else token_or_rule(text)
    if rule is not None or nmi is None:
        reader.fault(path, str(rule))
        return None
    reader.site_lengths.setdefault(len(nmi), path)
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
