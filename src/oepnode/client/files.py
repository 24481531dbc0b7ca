"""Files that a user named: read with a limit, written with a plain error."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from oepnode.errors import ConfigError

FileName: TypeAlias = str | Path


def read_file(path: Path, what: str, limit: int) -> bytes:
    """Read a file that a user named.

    Args:
        path: The file.
        what: Kind of file, for messages.
        limit: Maximum size in bytes.

    Raises:
        ConfigError: If it cannot be read or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as exc:
        raise ConfigError(f"{path}: {what} not readable: {exc.strerror}") from exc
    if len(data) > limit:
        raise ConfigError(f"{path}: larger than any {what}")
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a file that a user named.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as exc:
        raise ConfigError(f"{path}: not writable: {exc.strerror}") from exc
