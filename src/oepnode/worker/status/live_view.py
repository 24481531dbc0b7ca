"""The status of a running worker, as its pages show it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from oepnode import __version__
from oepnode.config import WorkerSettings
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Phase
from oepnode.worker.state import RoundState
from oepnode.worker.status.view import RoundLine, WorkerStatus
from oepnode.worker.worker import Worker

_SHOWN_ROUNDS: Final = 20
_NOT_READ_YET: Final = "the chain has not been read yet"


class LiveView:
    """The `PublicView` and the `OperatorView` of a running worker.

    Args:
        settings: The worker's settings.
        worker: The worker.
        signer: Its signer's address, hex.
        bundle_file: Returns the file of a sealed bundle by round and name, or None.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        worker: Worker,
        signer: str,
        bundle_file: Callable[[int, str], Path | None],
    ) -> None:
        self._settings = settings
        self._worker = worker
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
        return not self.problem()

    def problem(self) -> str:
        """Why the worker does not follow its chain, or an empty text."""
        health = self._worker.health
        return "" if health.is_following else health.chain_error or _NOT_READ_YET

    def _line(self, state: RoundState) -> RoundLine:
        opened = state.opened
        summary = state.summary if _is_decided(state) else None
        result = state.result if _is_decided(state) else None
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
        if state.is_skipped:
            return "skipped"
        if state.result is None:
            if state.reason is not None:
                return f"abstained: {Reason(state.reason).label}"
            return "computing"
        if state.final is not None:
            return "matched" if state.final == state.result else "voted for another root"
        return "ballot cast" if state.have_i_voted else "computed, not voted yet"

    def _detail(self, state: RoundState) -> str:
        waiting = self._worker.runner.waiting.get(state.number, "")
        summary = state.summary if _is_decided(state) else None
        warnings = "" if summary is None else "; ".join(summary.warnings)
        return state.detail or waiting or warnings


def _is_decided(state: RoundState) -> bool:
    """Whether what follows from the result may be seen: nobody can vote for it unearned any more.

    Not where the round is cancelled here: a reorganisation that took it off the chain can bring it
    back, with the same inputs under the same number, and so with the same root.
    """
    return state.phase in {Phase.FINAL, Phase.FAILED}
