"""The status of a running worker, as its pages show it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from prometheus_client import generate_latest

from oepnode import __version__
from oepnode.config import WorkerSettings
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.ballot import Reason
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.state import RoundState
from oepnode.worker.status.view import RoundLine, WorkerStatus
from oepnode.worker.worker import Worker

_SHOWN_ROUNDS: Final = 20


class LiveView:
    """The `PublicView` and the `OperatorView` of a running worker.

    Args:
        settings: The worker's settings.
        worker: The worker.
        metrics: Its metrics.
        signer: Its signer's address, hex.
        bundle_file: Returns the file of a sealed bundle by round and name, or None.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        worker: Worker,
        metrics: WorkerMetrics,
        signer: str,
        bundle_file: Callable[[int, str], Path | None],
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._metrics = metrics
        self._signer = signer
        self.bundle = bundle_file

    def status(self) -> WorkerStatus:
        """The worker now."""
        health = self._worker.health
        return WorkerStatus(
            version=__version__,
            operator=self._settings.operator,
            signer=self._signer,
            chain_id=self._settings.chain.chain_id,
            contract=self._settings.chain.contract,
            head_block=None if health.head is None else health.head.number,
            head_time="" if health.head is None else format_nem(health.head.time),
            chain_error=health.chain_error,
            sender_error=health.sender_error,
            rounds=[self._line(state) for state in self._worker.newest(_SHOWN_ROUNDS)],
        )

    def is_healthy(self) -> bool:
        """Whether the worker follows its chain."""
        return self.status().is_healthy

    def metrics(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._metrics.registry)

    def _line(self, state: RoundState) -> RoundLine:
        opened = state.opened
        # Whatever follows from the result waits: told earlier, it could be voted for unearned.
        summary = state.summary if state.is_over else None
        result = state.result if state.is_over else None
        return RoundLine(
            round=state.number,
            phase=state.phase.name.lower(),
            horizon=f"{format_nem(opened.horizon_start)}, {opened.interval_count} intervals",
            mine=self._mine(state),
            root="" if result is None else result.root.hex(),
            final_root="" if state.final is None else state.final.root.hex(),
            votes=len(state.ballots) + len(state.abstentions),
            members=len(state.electorate.members),
            sites=None if summary is None else summary.sites,
            partitions=None if summary is None else summary.partitions,
            unassigned_nmis=None if summary is None else summary.unassigned_nmis,
            seconds=None if summary is None else summary.seconds,
            detail=self._detail(state),
        )

    def _mine(self, state: RoundState) -> str:
        if state.me is None:
            return "not a member"
        if state.result is None:
            if state.reason is not None:
                return f"abstained: {Reason(state.reason).label}"
            return "computing"
        if state.final is not None:
            return "matched" if state.final == state.result else "voted for another root"
        return "ballot cast" if state.have_i_voted else "computed, not voted yet"

    def _detail(self, state: RoundState) -> str:
        waiting = self._worker.runner.waiting.get(state.number, "")
        summary = state.summary if state.is_over else None
        warnings = "" if summary is None else "; ".join(summary.warnings)
        return state.detail or waiting or warnings
