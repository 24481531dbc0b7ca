"""Reads rows from Parquet: one file, or a folder of files with the same columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

_MAGIC: Final = b"PAR1"


def is_parquet(path: Path) -> bool:
    """Whether a path is a Parquet file (by its content) or a folder.

    Raises:
        ConfigError: If it cannot be read.
    """
    if path.is_dir():
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise ConfigError(f"{path}: not readable: {reason}") from exc


def read_rows(path: Path) -> pl.DataFrame:
    """All rows of a file, or of the ``*.parquet`` files of a folder in order of their names.

    Raises:
        ConfigError: If the folder has no such file, one is not Parquet, or their columns differ.
    """
    import polars as pl

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"{path}: the folder contains no .parquet file")
    try:
        return pl.read_parquet(files, glob=False)
    except pl.exceptions.PolarsError as exc:
        raise ConfigError(
            f"{path}: not readable as Parquet; all files of a folder must have the same columns"
        ) from exc
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        raise ConfigError(f"{path}: not readable: {reason}") from exc
