"""Writes the EDGE documents: records as JSON text, instants in NEM time.

Numbers are given as text, so that none passes through a float. Source: Part C ("Format:
yyyy-mm-ddThh:mm:ss+10:00").
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from oepnode.domain.nem.nem_time import MICROS, NEM_OFFSET

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def write_records(records: Iterable[Iterable[tuple[str, str]]], ndjson: bool) -> bytes:
    """Write records of (name, JSON text) as an array or as NDJSON, a record on each line."""
    lines = (
        "{" + ",".join(f'"{name}":{value}' for name, value in record) + "}" for record in records
    )
    if ndjson:
        return "".join(f"{line}\n" for line in lines).encode()
    return f"[{','.join(f'{chr(10)}{line}' for line in lines)}\n]\n".encode()


def nem_text(micros: int) -> str:
    """Return an instant in NEM time as text, with a fraction only where there is one."""
    local = (_EPOCH + timedelta(microseconds=micros)).astimezone(NEM_OFFSET)
    return local.isoformat(timespec="microseconds" if micros % MICROS else "seconds")
