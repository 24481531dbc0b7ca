"""Fees of the last 24 hours, so that a budget holds across restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from oepnode.adapters.storage.files import write_whole
from oepnode.errors import ConfigError
from oepnode.ports import Clock

_DAY_S: Final = 86_400


class SpendingInMemory:
    """Fees of the last 24 hours, forgotten at the end of the program.

    Args:
        clock: The time of day.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._fees: dict[str, tuple[float, int]] = {}

    def of_last_day(self) -> int:
        """Fees in wei, those of transactions included whose outcome is unknown."""
        start = self._clock.now() - _DAY_S
        self._fees = {name: fee for name, fee in self._fees.items() if fee[0] > start}
        return sum(wei for _, wei in self._fees.values())

    def reserve(self, name: str, wei: int) -> None:
        """Record what a transaction may cost at most; replaces what was there.

        Args:
            name: Name of the transaction.
            wei: Maximum fee.
        """
        self._fees[name] = (self._clock.now(), wei)

    def settle(self, name: str, wei: int) -> None:
        """Record what a transaction has cost."""
        self.reserve(name, wei)


class SpendingFile(SpendingInMemory):
    """Fees of the last 24 hours in a file.

    Args:
        path: The file; it is made when something is spent.
        clock: The time of day.

    Raises:
        ConfigError: If the file is there and cannot be read.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(clock)
        self._path = path
        if path.exists():
            try:
                stored = msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[float, str]])
                self._fees = {name: (at, int(wei)) for name, (at, wei) in stored.items()}
            except (OSError, ValueError) as exc:
                raise ConfigError(
                    f"{path}: not a record of fees; move it away to start the day's budget again"
                ) from exc

    def reserve(self, name: str, wei: int) -> None:
        """Record what a transaction may cost at most, durable when it returns."""
        self.of_last_day()
        super().reserve(name, wei)
        # As texts: wei can exceed the 64 bits of an integer in JSON here.
        fees = {name: (at, str(amount)) for name, (at, amount) in self._fees.items()}
        write_whole(self._path, msgspec.json.encode(fees))
