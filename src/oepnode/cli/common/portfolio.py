"""A list of NMIs as the input of a command.

No message shows an NMI: a line that is none is told by its number.
"""

from __future__ import annotations

from pathlib import Path

from oepnode.client.files import read_file
from oepnode.domain.nem import nmi as nmis
from oepnode.errors import ConfigError


def read_portfolio(file: Path) -> set[str]:
    """The NMIs of a file, one a line, with or without their checksum.

    Raises:
        ConfigError: With the line that is none.
    """
    data = read_file(file, "list of NMIs", 1 << 28)
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{file}: not text in UTF-8") from exc
    held: set[str] = set()
    for place, line in enumerate(lines, start=1):
        try:
            if line.strip():
                held.add(nmis.parse(line.strip()))
        except nmis.NmiError as exc:
            raise ConfigError(f"{file}, line {place}: {exc}") from exc
    return held
