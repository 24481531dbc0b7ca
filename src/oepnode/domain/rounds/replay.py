"""A round computed again from its inputs, and held against the chain.

Source: design section 2; the computing itself is ``domain.computation``.
"""

from __future__ import annotations

from dataclasses import dataclass

from oepnode.domain.documents.progress import Progress
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Round, RoundOpened
from oepnode.domain.rounds.partition import RoundResult


@dataclass(frozen=True)
class Verdict:
    """What a replay gave, beside what the chain says.

    Attributes:
        computed: The result computed from the inputs.
        final: The result on chain, or None where the round has none.
    """

    computed: RoundResult
    final: Result | None

    @property
    def is_equal(self) -> bool:
        """Whether the chain's final result is the one computed."""
        return self.final == self.computed.result


def replay(
    inputs: Inputs,
    context: RoundContext,
    opened: RoundOpened,
    state: Round,
    progress: Progress | None = None,
) -> Verdict:
    """Compute a round again and set the result beside the chain's.

    Args:
        inputs: Documents, salt and how to read them.
        context: The round.
        opened: What the chain says that the round was opened with.
        state: The round's state on chain.
        progress: Told how far the work is.

    Raises:
        EvidenceError: As `compute`. A result other than the chain's is no error, but a verdict.
    """
    final = Result(state.root, state.partitions) if state.root else None
    return Verdict(compute(inputs, context, opened, progress).result, final)
