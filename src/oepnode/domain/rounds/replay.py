"""Replays a round: computes it from its inputs and compares the result with the chain's.

Source: ``docs/design.md §2``; the computing itself is in ``computation``.
"""

from __future__ import annotations

from dataclasses import dataclass

from oepnode.domain.documents.progress import Progress
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Round, RoundOpened
from oepnode.domain.rounds.partition import RoundResult
from oepnode.domain.rounds.workshop import Workshop


@dataclass(frozen=True)
class Verdict:
    """The result of a replay, and the one on chain.

    Attributes:
        computed: The result computed from the inputs.
        final: The result on chain, or None while there is no final result.
    """

    computed: RoundResult
    final: Result | None

    @property
    def is_equal(self) -> bool:
        """Whether the computed result is the final one on chain."""
        return self.final == self.computed.result


def replay(
    inputs: Inputs,
    context: RoundContext,
    opened: RoundOpened,
    state: Round,
    progress: Progress | None = None,
    *,
    workshop: Workshop | None = None,
) -> Verdict:
    """Compute a round again and compare the result with the chain's.

    Args:
        inputs: Documents, salt and feed settings.
        context: The round.
        opened: The event with which the round was opened.
        state: The round's state on chain.
        progress: Progress callback.
        workshop: Does the work and keeps the entries; by default this process, in memory.

    Raises:
        EvidenceError: As `compute`. A result other than the chain's is not an error, but a verdict.
    """
    final = Result(state.root, state.partitions) if state.root else None
    computed = compute(inputs, context, opened, progress, workshop=workshop)
    return Verdict(computed.result, final)
