"""A worker's steps on chain by its relay, and directly where the relay fails.

The relay is not trusted: a step is handed in repeatedly until the chain shows it. Where the relay
rejects the step, or time is short, the worker takes the step itself; where that fails as well, as
without a coin for the fee, the relay is asked once more. Taking a step twice does no harm: the
contract rejects the second one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

from oepnode.errors import ConfigError, ConflictError, TransportError
from oepnode.ports import Relay
from oepnode.worker.shown_errors import shown_error

Step = Callable[[], Awaitable[object]]


class Relaying:
    """Takes steps by the relay, or directly.

    Args:
        relay: The relay, or None.
        waiting: Reason why a round's step is waiting, as the status page shows it; updated here.
    """

    def __init__(self, relay: Relay | None, waiting: dict[int, str]) -> None:
        self._relay = relay
        self._waiting = waiting
        self._log = structlog.get_logger("oepnode.effects")

    async def take(
        self,
        number: int,
        what: str,
        by_relay: Callable[[Relay], Awaitable[None]],
        directly: Step,
        *,
        is_late: bool,
    ) -> bool:
        """Take a step of a round, and return whether it was taken directly.

        Args:
            number: The round.
            what: The step's name, such as ``ballot``.
            by_relay: Hands it to the relay.
            directly: Takes it directly.
            is_late: Whether the relay has had time enough.

        Raises:
            ConflictError: If the contract rejects it.
            TransportError: If neither relay nor chain could take it.
        """
        relay = self._relay
        if relay is None:
            await directly()
            return True
        if is_late:
            late = f"time is short and the relay has not cast the {what}"
            self._bypass(number, what, late, late)
        elif await self._is_with_relay(relay, number, what, by_relay):
            return False
        try:
            await directly()
        except (ConflictError, TransportError):
            with suppress(ConflictError, ConfigError, TransportError):
                await by_relay(relay)
            raise
        return True

    async def _is_with_relay(
        self, relay: Relay, number: int, what: str, by_relay: Callable[[Relay], Awaitable[None]]
    ) -> bool:
        try:
            await by_relay(relay)
        except (ConflictError, ConfigError) as exc:
            self._bypass(number, what, str(exc), shown_error(exc))
            return False
        with_relay = f"the {what} is with the relay, and not on chain yet"
        if self._waiting.get(number) != with_relay:
            self._log.info(f"{what}_handed_in", round=number)
        self._waiting[number] = with_relay
        return True

    def _bypass(self, number: int, what: str, reason: str, shown_reason: str) -> None:
        self._waiting[number] = f"the {what} is cast directly: {shown_reason}"
        self._log.warning("relay_bypassed", round=number, step=what, reason=reason)
