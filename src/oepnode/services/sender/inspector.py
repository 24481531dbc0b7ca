"""Checks received documents in the background, and does what follows from the verdict.

Guarantees: a document that a crash left unchecked is checked after the restart; it is added to the
gateway's documents only once it is accepted, and deleted if it is rejected; its round is opened
only then. Leaves out receiving, and the rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, Literal

import structlog
from msgspec.structs import replace

from oepnode.adapters.computing.check_messages import Checked, CheckJob
from oepnode.adapters.computing.checker import DocumentChecker
from oepnode.domain.edge.validation.acknowledgement import ACCEPTED, REJECTED, FindingReport
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.document_signatures import decode_statement
from oepnode.domain.rounds.inputs.plausibility.policy import Policy
from oepnode.errors import ConflictError, OepError, TransportError, location_of
from oepnode.ports import Clock
from oepnode.services.common.http import INTERNAL_ERROR, Rejection, shown_reason
from oepnode.services.sender.messages import Failure, Message, Verdict, acknowledgement
from oepnode.services.sender.metrics import SenderMetrics
from oepnode.services.sender.round_opener import RoundOpener
from oepnode.services.sender.signatures import DocumentSignatures
from oepnode.services.sender.store import EnvelopeStore, StoredDocument
from oepnode.services.sender.summaries import Summaries
from oepnode.services.sender.waiting_room import WaitingRoom

_log = structlog.get_logger(__name__)

_MOST_COMPARED_BYTES: Final = 32 * 2**20
"""Largest previous document that is read again, to count the limits that change."""


class Inspector:
    """Checks the documents of a gateway.

    Args:
        store: The gateway's documents and messages.
        room: Documents that wait.
        summaries: Summaries of the newest documents.
        checker: Checks a document.
        signatures: Signatures of the documents.
        opener: Opens rounds.
        clock: Time of day.
        metrics: Counts the verdicts.
        feed: Settings for reading documents.
        policy: Decisions about oddities.
        registry_file: A registry snapshot or a list of sites, or None.
    """

    def __init__(
        self,
        store: EnvelopeStore,
        room: WaitingRoom,
        summaries: Summaries,
        checker: DocumentChecker,
        signatures: DocumentSignatures,
        opener: RoundOpener,
        clock: Clock,
        metrics: SenderMetrics,
        feed: Feed,
        policy: Policy,
        registry_file: Path | None,
    ) -> None:
        self._store = store
        self._room = room
        self._summaries = summaries
        self._checker = checker
        self._signatures = signatures
        self._opener = opener
        self._clock = clock
        self._metrics = metrics
        self._feed = feed
        self._policy = policy
        self._registry_file = registry_file
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def is_busy(self, message_id: str) -> bool:
        """Whether a message is being checked, or its round opened."""
        return message_id in self._tasks

    def submit(self, message: Message) -> None:
        """Check a stored message in the background; none of the same document may be busy."""
        self._start(message.id, self._check(message))

    def open_round(self, message_id: str, registry_digest: bytes) -> None:
        """Open a round with a message's document in the background, once it is accepted."""
        self._start(
            message_id, self._open(message_id, registry_digest, self._tasks.get(message_id))
        )

    def _start(self, message_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[message_id] = task

        def forget(done: asyncio.Task[None]) -> None:
            if self._tasks.get(message_id) is done:
                del self._tasks[message_id]

        task.add_done_callback(forget)

    async def wait(self, message_id: str, timeout_s: float) -> None:
        """Wait until a message has its verdict, or the time is over."""
        task = self._tasks.get(message_id)
        if task is not None and timeout_s > 0:
            await asyncio.wait({task}, timeout=timeout_s)

    async def resume(self) -> None:
        """Check what an earlier run of the gateway left unchecked; once, at start."""
        waiting = await asyncio.to_thread(self._store.messages.unfinished)
        digests = {message.digest for message in waiting}
        await asyncio.to_thread(self._room.keep_only, digests)
        for message in waiting:
            if self._file_of(message).is_file():
                self.submit(message)
            else:
                await asyncio.to_thread(self._store.messages.drop, message.id)

    async def close(self) -> None:
        """End all checks; the next start takes them up again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _check(self, message: Message) -> None:
        try:
            verdict = await self._verdict(message)
            if verdict.code == ACCEPTED and message.registry_digest is not None:
                verdict = await self._with_round(message, message.registry_digest, verdict)
        except Exception as exc:  # the last line of defence: a message must get its verdict
            _log.error("check_failed", error=type(exc).__name__, location=location_of(exc))
            verdict = _failed(message, INTERNAL_ERROR)
        await asyncio.to_thread(self._store.messages.put, replace(message, verdict=verdict))
        self._metrics.count_checked(verdict.code)
        # A crash before this line leaves a file that the next start removes.
        await asyncio.to_thread(self._room.remove, message.digest)
        _log.info("document_checked", digest=message.digest.hex(), code=verdict.code)

    async def _open(
        self, message_id: str, registry_digest: bytes, before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        message = await asyncio.to_thread(self._store.messages.of, message_id)
        if message is None or message.verdict is None or message.code != ACCEPTED:
            return
        verdict = await self._with_round(message, registry_digest, message.verdict)
        opened = replace(message, registry_digest=registry_digest, verdict=verdict)
        await asyncio.to_thread(self._store.messages.put, opened)

    # --- verdict ---------------------------------------------------------------------------------

    def _file_of(self, message: Message) -> Path:
        waiting = self._room.path(message.digest)
        return waiting if waiting.is_file() else self._store.path(message.digest)

    async def _verdict(self, message: Message) -> Verdict:
        summary = self._summaries.incoming()
        try:
            job = await asyncio.to_thread(self._job, message, summary)
            checked = await self._checker.check(job)
            if checked.accepted:
                statement = message.statement
                await self._signatures.keep(
                    None if statement is None else decode_statement(statement)
                )
                await asyncio.to_thread(self._accept, message, checked, summary)
        except Rejection as exc:
            return _failed(message, str(exc), exc.code)
        except OepError as exc:
            return _failed(message, str(exc))
        finally:
            await asyncio.to_thread(summary.unlink, missing_ok=True)
        code: Literal["accepted", "rejected"] = "accepted" if checked.accepted else "rejected"
        return Verdict(code, checked.system, checked.transaction, checked.facts)

    def _job(self, message: Message, summary: Path) -> CheckJob:
        before = self._store.newest_but(message.digest)
        previous = None if before is None else self._summaries.of(before.digest)
        is_small = before is not None and before.size <= _MOST_COMPARED_BYTES
        return CheckJob(
            document=str(self._file_of(message)),
            message_id=message.id,
            feed=self._feed,
            policy=self._policy,
            opened_at=int(message.received_at),
            summary=str(summary),
            previous_summary=None if previous is None else str(previous),
            previous_document=str(self._store.path(before.digest)) if before and is_small else None,
            registry=None if self._registry_file is None else str(self._registry_file),
        )

    def _accept(self, message: Message, checked: Checked, summary: Path) -> None:
        waiting = self._room.path(message.digest)
        if waiting.is_file():
            self._store.adopt(waiting, message.digest)
        # A crash here leaves a file that the index does not know; the next start checks it again.
        warnings = (*checked.system.warnings, *checked.transaction.warnings)
        self._store.add(
            StoredDocument(
                digest=message.digest,
                size=message.size,
                horizon_start=checked.horizon_start,
                interval_count=checked.interval_count,
                received_at=self._clock.now(),
                warnings=tuple(map(_warning, warnings)),
            )
        )
        self._summaries.keep(summary, message.digest)

    # --- opening ---------------------------------------------------------------------------------

    async def _with_round(
        self, message: Message, registry_digest: bytes, verdict: Verdict
    ) -> Verdict:
        """The verdict after the round was opened, or with why it could not be."""
        document = await asyncio.to_thread(self._store.document, message.digest)
        if document is None:
            raise AssertionError("an accepted document is stored")
        try:
            await self._signatures.check_opening(document)
            opened = await self._opener.open(document, registry_digest)
        except Rejection as exc:
            return replace(verdict, opening=Failure(exc.code, str(exc)))
        except ConflictError as exc:
            return replace(verdict, opening=Failure("chain.rejected", str(exc)))
        except TransportError as exc:
            _log.warning("chain_unavailable", reason=str(exc))
            failure = Failure("chain.unavailable", shown_reason(exc))
            return replace(verdict, opening=failure)
        self._metrics.rounds_opened.inc(opened.is_new)
        return replace(verdict, opening=None)


def _warning(finding: FindingReport) -> str:
    more = f" (and {finding.count - 1} more)" if finding.count > 1 else ""
    return f"{finding.path}: {finding.message}{more}"


def _failed(message: Message, reason: str, code: str = "check.failed") -> Verdict:
    """The verdict on a document that could not be checked."""
    fault = FindingReport(
        code=code,
        path="$",
        rule="",
        message=reason,
        value="",
        count=1,
        caused_by="",
    )
    system = acknowledgement("system", message.id, ACCEPTED, "data received")
    transaction = acknowledgement("transaction", message.id, REJECTED, reason, fault)
    return Verdict("rejected", system, transaction, None)
