"""Clearing prices from a file: the market's own, one for each dispatch interval.

Guarantees: a price is exactly what is written, to the market's five decimals, and each interval has
one. The market writes the end of an interval as ``2026/11/20 04:05:00``, in NEM time, under
``SETTLEMENTDATE``, and its price under ``RRP``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oepnode.client.edge.boffers.selection import interval_end
from oepnode.client.files import FileName, read_file
from oepnode.client.values import parse_amount
from oepnode.domain.edge.clearing.clear import MARKET_PRICE
from oepnode.domain.nem.nem_time import Timestamp, parse_grid_instant, trading_period
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

_COLUMNS: Final = (("interval_end", "price"), ("settlementdate", "rrp"))
_NAMES: Final = "interval_end and price, or SETTLEMENTDATE and RRP"
_MAX_SIZE: Final = 1 << 30
_REGIONS: Final = ("region", "regionid")
_STAMP: Final = re.compile(r"^(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d)$", re.ASCII)


def load_prices(path: FileName) -> dict[str, int]:
    """Prices in 10⁻⁵ $/MWh by the end of their interval, NEM time.

    Raises:
        ConfigError: If the file is not readable, or with the line that is wrong.
    """
    prices: dict[str, int] = {}
    for number, (end, price) in enumerate(_read(Path(path)).iter_rows(), 2):
        line = f"{path}, line {number}"
        name = _interval(end or "", line)
        if name in prices:
            raise ConfigError(f"{line}: a second price for one interval")
        prices[name] = parse_amount(price or "", f"{line}: the price", MARKET_PRICE)
    return prices


def _read(path: Path) -> pl.DataFrame:
    import polars as pl

    data = read_file(path, "file of prices", _MAX_SIZE)
    try:
        frame = pl.read_csv(data, infer_schema=False)
    except pl.exceptions.PolarsError as exc:
        raise ConfigError(f"{path}: not CSV with columns {_NAMES}") from exc
    by_name = {name.strip().lower(): name for name in frame.columns}
    matching = [pair for pair in _COLUMNS if all(name in by_name for name in pair)]
    if len(matching) != 1:
        raise ConfigError(f"{path}: the columns must be either {_NAMES}")
    for region in (by_name[name] for name in _REGIONS if name in by_name):
        if frame[region].n_unique() > 1:
            raise ConfigError(f"{path}: prices of several regions (column {region}): keep one")
    return frame.select(by_name[name] for name in matching[0])


def _interval(text: str, line: str) -> str:
    """The end of a dispatch interval, as ``interval_end`` writes it."""
    try:
        instant = _instant(text.strip())
    except ValueError as exc:
        raise ConfigError(
            f"{line}: {exc}; an interval's end is 2026-11-20T04:05:00+10:00, or in NEM time "
            f"2026/11/20 04:05:00, received {text!r}"
        ) from exc
    return interval_end(*trading_period(instant.seconds - 1))


def _instant(text: str) -> Timestamp:
    market = _STAMP.fullmatch(text)
    return parse_grid_instant(
        f"{market[1]}-{market[2]}-{market[3]}T{market[4]}" if market else text
    )
