"""Files of rows, lists of NMIs, and the first bytes of a file, which show its form.

No message shows an NMI: a line that is not an NMI is named by its number.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from oepnode.client.files import FileName, read_file, reason_of, writing
from oepnode.domain.nem import nmi as nmis
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

TABLE_SUFFIXES: Final = (".csv", ".parquet")
"""Kinds of files that rows are written to."""

_HEAD_SIZE: Final = 4096
_MAX_PORTFOLIO_SIZE: Final = 1 << 28


def read_head(path: Path) -> bytes:
    """The first bytes of a file, which show its form.

    Raises:
        ConfigError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_SIZE)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: not readable: {reason_of(exc)}") from exc


def require_suffix(path: Path, *suffixes: str) -> None:
    """Reject a file of another kind, before any work.

    Raises:
        ConfigError: With the kinds that can be written.
    """
    if path.suffix.lower() not in suffixes:
        named = ", ".join(suffixes[:-1]) + f" or {suffixes[-1]}"
        raise ConfigError(f"{path}: the name must end in {named}")


def write_table(path: FileName, frame: pl.DataFrame) -> None:
    """Write rows as CSV or Parquet, by the file's suffix.

    Raises:
        ConfigError: If the file is of another kind or cannot be written.
    """
    path = Path(path)
    require_suffix(path, *TABLE_SUFFIXES)
    with writing(path) as file:
        if path.suffix.lower() == ".csv":
            frame.write_csv(file)
        else:
            frame.write_parquet(file)


def load_portfolio(path: FileName) -> frozenset[str]:
    """The NMIs of a file, one per line, with or without their checksum.

    Raises:
        ConfigError: If it is not readable or names no NMI, or with the line that is not an NMI.
    """
    data = read_file(Path(path), "list of NMIs", _MAX_PORTFOLIO_SIZE)
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not text in UTF-8") from exc
    portfolio: set[str] = set()
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                portfolio.add(nmis.parse(line.strip()))
        except nmis.NmiError as exc:
            raise ConfigError(f"{path}, line {number}: {exc}") from exc
    if not portfolio:
        raise ConfigError(f"{path}: names no NMI; list NMIs, one per line")
    return frozenset(portfolio)
