"""Files that a user named: read with a limit, written for their owner only, with a plain error.

What is written may hold NMIs, limits or keys, so every file has mode 0600 from its first byte,
whatever was there before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from oepnode.adapters.storage.private import private_file
from oepnode.errors import ConfigError, DocumentFault

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
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: {what} not readable: {reason_of(exc)}") from exc
    if len(data) > limit:
        raise ConfigError(f"{path}: larger than any {what}")
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a file that a user named, mode 0600.

    Raises:
        ConfigError: If it cannot be written.
    """
    with writing(path) as file:
        file.write(data)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that a user named for writing, mode 0600; it appears when the block ends.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        with private_file(path) as file:
            yield file
    except (OSError, ValueError) as exc:
        raise not_writable(path, exc) from exc


def not_writable(path: Path, error: Exception) -> ConfigError:
    """The error of a file that cannot be written, with its reason."""
    if not path.parent.is_dir():
        return ConfigError(f"{path}: not writable: the folder {path.parent} does not exist")
    return ConfigError(f"{path}: not writable: {reason_of(error)}")


def reason_of(error: Exception) -> str:
    """The reason why a file cannot be used, without its name."""
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def name_file(path: FileName) -> Iterator[None]:
    """Add a file's name to the rejection of its document.

    Raises:
        DocumentFault: With the name and the same findings.
    """
    try:
        yield
    except DocumentFault as exc:
        raise exc.named(path) from exc
