"""Checks documents in child processes: a few at a time, with a limit on memory and time.

Guarantees: a child that runs out of memory, is killed, hangs or breaks costs a `ComputationFault`
and nothing else; a child never outlives its check, or this process. Leaves out what a verdict
means.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from msgspec import Struct

from oepnode.adapters.computing.check_messages import Checked, CheckJob, decode_answer
from oepnode.adapters.computing.engine import child_process, end_of, frames
from oepnode.adapters.computing.messages import Failed, error_of, frame
from oepnode.errors import ComputationFault

_CHILD: Final = "oepnode.adapters.computing.check_child"


class CheckerSettings(Struct, frozen=True):
    """Settings of a checker.

    Attributes:
        memory_limit_mb: Limit on a child's memory, in MiB.
        timeout_s: Limit on a child's time, in seconds.
        at_once: Children at once.
    """

    memory_limit_mb: int
    timeout_s: float
    at_once: int = 1


class DocumentChecker:
    """Checks documents in child processes."""

    def __init__(self, settings: CheckerSettings) -> None:
        self._settings = settings
        self._free = asyncio.Semaphore(settings.at_once)

    async def check(self, job: CheckJob) -> Checked:
        """Check a document.

        Raises:
            DocumentFault: If the previous document, the snapshot or the list of sites is wrong.
            EvidenceError: If the previous document's summary is damaged.
            ComputationFault: If the child ends without a verdict.
        """
        timeout_s = self._settings.timeout_s
        async with self._free:
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._in_child(job)
            except TimeoutError as exc:
                message = f"the check took longer than {timeout_s:g} s (check.timeout_s)"
                raise ComputationFault(message) from exc
            except OSError as exc:
                raise ComputationFault(f"no checking process: {exc.strerror}") from exc

    async def _in_child(self, job: CheckJob) -> Checked:
        async with child_process(_CHILD, str(self._settings.memory_limit_mb)) as child:
            if child.stdin is None:
                raise AssertionError("standard input is a pipe")
            with suppress(ConnectionError):  # it has ended; its answer may say why
                child.stdin.write(frame(job))
                await child.stdin.drain()
            async for body in frames(child):
                answer = decode_answer(body)
                if isinstance(answer, Failed):
                    raise error_of(answer)
                return answer
            raise ComputationFault(f"the checking process {end_of(await child.wait())}")
