"""Computes rounds in child processes: one at a time, with a limit on memory and time.

Guarantees: inputs that are in memory reach the child through a pipe; of what is computed, limits
under pseudonyms are kept in files while a round is computed and sealed, and nothing else; a
child that runs out of memory, is killed, hangs or breaks costs a `ComputationFault` and nothing
else; a child never outlives its computation, `close`, or this process.

Leaves out trying again, and what a round without a result means.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from oepnode.adapters.computing.messages import (
    LENGTH_SIZE,
    MAX_MESSAGE,
    ClusterAddress,
    Done,
    Failed,
    Job,
    Message,
    Sealed,
    SentDocument,
    Staged,
    decode_message,
    error_of,
    frame,
)
from oepnode.adapters.computing.processes import usable_cores
from oepnode.adapters.storage.bundle_shelf import sealed_folder
from oepnode.adapters.storage.document_file import FileSource
from oepnode.domain.documents.sources import DocumentBytes
from oepnode.domain.rounds.computation import Inputs
from oepnode.errors import ComputationFault, OepError
from oepnode.ports import Outcome, RoundTask

COMPUTE: Final = "oepnode.domain.rounds.computation:compute"
_CHILD: Final = "oepnode.adapters.computing.child"
_PIECE: Final = 2**18
ENVIRONMENT: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
"""Threads that a computation does not use, and pools that keep what was freed, would count against
its memory."""


class EngineSettings(Struct, frozen=True):
    """Settings of an engine.

    Attributes:
        memory_limit_mb: Limit on a child's memory, in MiB.
        timeout_s: Limit on a child's time, in seconds.
        bundles: The shelf's folder for sealed bundles.
        spill: Folder for entries while a round is computed and sealed.
        archive: Folder for sealed inputs, or None.
        archive_key: The auditor's public key, or None.
        processes: Processes that a child computes with; 0 for one for each core.
        cluster: The Dask cluster to compute with, or None.
        function: ``module:function`` that computes.
    """

    memory_limit_mb: int
    timeout_s: float
    bundles: Path
    spill: Path
    archive: Path | None = None
    archive_key: bytes | None = None
    processes: int = 0
    cluster: ClusterAddress | None = None
    function: str = COMPUTE


class ProcessEngine:
    """Computes rounds in child processes."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._free = asyncio.Lock()
        self._runs: dict[asyncio.Task[None], int] = {}
        self._log = structlog.get_logger("oepnode.computing")

    async def compute(
        self, task: RoundTask, inputs: Inputs, on_stage: Callable[[str], None]
    ) -> Outcome:
        """Compute a round; see `oepnode.ports.RoundEngine`."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        run = asyncio.create_task(self._run(task, inputs, on_stage, outcome))
        self._runs[run] = task.number
        run.add_done_callback(self._runs.pop)
        try:
            return await outcome
        except asyncio.CancelledError:
            run.cancel()
            await asyncio.wait({run})
            raise

    async def sealed(self, round_number: int) -> None:
        """Wait until nothing of a round is being sealed any more."""
        runs = [run for run, number in self._runs.items() if number == round_number]
        if runs:
            await asyncio.wait(runs)

    async def close(self) -> None:
        """End all children; may be called again."""
        runs = list(self._runs)
        for run in runs:
            run.cancel()
        if runs:
            await asyncio.wait(runs)

    async def _run(
        self,
        task: RoundTask,
        inputs: Inputs,
        on_stage: Callable[[str], None],
        outcome: asyncio.Future[Outcome],
    ) -> None:
        """Compute and seal; every error before the outcome is the outcome's."""
        try:
            async with self._free, asyncio.timeout(self._settings.timeout_s):
                await self._in_child(task, inputs, on_stage, outcome)
        except TimeoutError:
            self._give_up(
                task,
                outcome,
                ComputationFault(
                    f"computing took longer than {self._settings.timeout_s:g} s (compute.timeout_s)"
                ),
            )
        except OepError as exc:
            self._give_up(task, outcome, exc)
        except OSError as exc:
            error = ComputationFault(f"no computing process: {exc.strerror}")
            self._give_up(task, outcome, error)
        finally:
            if not outcome.done():
                outcome.cancel()

    def _give_up(self, task: RoundTask, outcome: asyncio.Future[Outcome], error: OepError) -> None:
        if outcome.done():  # the vote is safe; the bundles are sealed again when they are needed
            self._log.error("sealing_failed", round=task.number, reason=str(error))
        else:
            outcome.set_exception(error)

    async def _in_child(
        self,
        task: RoundTask,
        inputs: Inputs,
        on_stage: Callable[[str], None],
        outcome: asyncio.Future[Outcome],
    ) -> None:
        settings = self._settings
        limit = str(settings.memory_limit_mb)
        async with child_process(_CHILD, limit, settings.function) as child:
            with suppress(ConnectionError):  # it has ended; its last message may say why
                await _feed(child, self._job(task, inputs), inputs)
            async for message in _messages(child):
                match message:
                    case Staged(stage):
                        on_stage(stage)
                    case Done(value):
                        if not outcome.done():
                            outcome.set_result(value)
                    case Failed():
                        raise error_of(message)
                    case Sealed():
                        self._note_sealed(task, message)
                        return
            raise ComputationFault(f"the computing process {end_of(await child.wait())}")

    def _job(self, task: RoundTask, inputs: Inputs) -> Job:
        settings = self._settings
        return Job(
            task=task,
            salt=inputs.salt,
            feed=inputs.feed,
            envelope=_document(inputs.envelope),
            registry=_document(inputs.registry),
            sealed_folder=str(sealed_folder(settings.bundles, task.number, task.opened.inputs)),
            archive_folder=None if settings.archive is None else str(settings.archive),
            archive_key=settings.archive_key,
            spill_folder=str(settings.spill),
            processes=settings.processes or usable_cores(),
            cluster=settings.cluster,
        )

    def _note_sealed(self, task: RoundTask, sealed: Sealed) -> None:
        for reason in sealed.skipped:
            self._log.warning("partition_skipped", round=task.number, reason=reason)
        if sealed.archive_error:
            self._log.error("archiving_failed", round=task.number, reason=sealed.archive_error)


@asynccontextmanager
async def child_process(module: str, *arguments: str) -> AsyncIterator[Process]:
    """A process of a module of this package, which is killed at the end of the block if it runs.

    Args:
        module: The module.
        arguments: Words for it.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # the current folder is no place to import from
        "-m",
        module,
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        env={**os.environ, **ENVIRONMENT},
        start_new_session=True,  # an interrupt in the terminal is for the parent
    )
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # and with it the processes that it forked
        if child.stdin is not None:
            child.stdin.close()
        await asyncio.shield(child.wait())


def _document(document: DocumentBytes) -> SentDocument:
    """A document in memory follows the job through the pipe; one in a file is named."""
    if isinstance(document, bytes):
        return SentDocument(len(document))
    if isinstance(document, FileSource):
        return SentDocument(document.size, str(document.path))
    raise AssertionError("a document is bytes or a file")


async def _feed(child: Process, job: Job, inputs: Inputs) -> None:
    """Send the job and the documents; the pipe stays open, because its end ends the child."""
    pipe = child.stdin
    if pipe is None:
        raise AssertionError("standard input is a pipe")
    documents = [each for each in (inputs.envelope, inputs.registry) if isinstance(each, bytes)]
    for data in (frame(job), *documents):
        view = memoryview(data)
        for at in range(0, len(view), _PIECE):
            pipe.write(view[at : at + _PIECE])
            await pipe.drain()


async def _messages(child: Process) -> AsyncIterator[Message]:
    """Messages of the child until its output ends."""
    async for body in frames(child):
        yield decode_message(body)


async def frames(child: Process) -> AsyncIterator[bytes]:
    """Messages of a child until its output ends, without their lengths."""
    pipe = child.stdout
    if pipe is None:
        raise AssertionError("standard output is a pipe")
    with suppress(asyncio.IncompleteReadError):
        while True:
            size = int.from_bytes(await pipe.readexactly(LENGTH_SIZE))
            if size > MAX_MESSAGE:
                raise ComputationFault("the computing process sent an oversized message")
            yield await pipe.readexactly(size)


def end_of(code: int) -> str:
    """How a child ended, from its exit code."""
    if code >= 0:
        return f"ended with exit code {code} and no result"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}; memory may be short"
    return f"was ended by signal {-code}"
