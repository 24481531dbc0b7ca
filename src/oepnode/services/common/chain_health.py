"""Reads the chain now and then, so that a service's operator sees trouble before a request does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from oepnode.errors import TransportError, location_of
from oepnode.ports import ChainReader
from oepnode.services.common.http import INTERNAL_ERROR, shown_reason

_log = structlog.get_logger(__name__)

LOOK_INTERVAL_S: Final = 15.0
NOT_READ_YET: Final = "the chain has not been read yet"


class ChainHealth:
    """Whether a service can read its chain, and what else delays its work.

    Each look asks all nodes, so that their metrics are of now, also while nobody sends a request.

    Args:
        chain: The chain.
    """

    def __init__(self, chain: ChainReader) -> None:
        self._chain = chain
        self._problem = NOT_READ_YET
        self._others: list[Callable[[], str]] = []

    def also(self, problem: Callable[[], str]) -> None:
        """Name another problem of the service, empty while there is none."""
        self._others.append(problem)

    def problem(self) -> str:
        """The problem, as anyone may see it, or empty."""
        return next(filter(None, (self._problem, *(other() for other in self._others))), "")

    async def look(self) -> None:
        """Read the chain once."""
        try:
            await self._chain.head()
        except TransportError as exc:
            if self._problem in {"", NOT_READ_YET}:
                _log.warning("chain_not_readable", reason=str(exc))
            self._problem = shown_reason(exc)
        except Exception as exc:  # an internal error stops no later look
            _log.error("look_failed", error=type(exc).__name__, location=location_of(exc))
            self._problem = INTERNAL_ERROR
        else:
            self._problem = ""

    async def watch(self) -> None:
        """Read the chain repeatedly, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_INTERVAL_S)
