"""The limits in force of an aggregator, from the verified bundles of several rounds.

Guarantees: every bundle is verified against its round on chain; each limit is of the final round
with the highest number that covers its interval, and of no other. Where a final round is in force
whose bundle is not among the files, there is no limit, and a note names the round.
Source: rules-v1 section 14, ``docs/aggregators.md``.

Example:
    >>> held = load_limits_in_force(["r6.oepb", "r7.oepb"], "key.json", chain)  # doctest: +SKIP
    >>> [(span.round, span.start) for span in held.spans]                       # doctest: +SKIP
    [(6, '2026-11-20T10:00:00+10:00'), (7, '2026-11-20T10:30:00+10:00')]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.chain import ChainTarget
from oepnode.client.edge.envelopes import LoadedEnvelopes, load_bundle
from oepnode.client.files import FileName
from oepnode.client.keys import KeyPair
from oepnode.client.limits import limits_frame
from oepnode.client.rounds import RoundSelector
from oepnode.client.tokens import TokensNotUsedError, TokenSource
from oepnode.domain.edge.envelopes.rounds import combine
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.rounds.onchain import Phase
from oepnode.domain.rounds.precedence import RoundHorizon, spans_in_force
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

MAX_NEWER_ROUNDS: Final = 2000
"""Most rounds on chain that are looked at; 40 days of one every 30 minutes."""


class RoundSpan(Struct, frozen=True):
    """Consecutive intervals in which one round is in force, times in NEM time.

    Attributes:
        round: Its number.
        start: Start of the first interval.
        end: End of the last one.
        intervals: How many.
        held: Whether its bundle is among the files; without it there are no limits here.
    """

    round: int
    start: str
    end: str
    intervals: int
    held: bool


class InForceReport(Struct, frozen=True):
    """Which round is in force when."""

    spans: tuple[RoundSpan, ...]
    notes: tuple[str, ...]


class LimitsInForce(Struct, frozen=True):
    """An aggregator's limits in force.

    Attributes:
        envelopes: The limits, for everything that takes loaded envelopes.
        spans: Which round is in force when, in order of time; intervals that none covers are
            left out.
        notes: Sentences for the user.
    """

    envelopes: LoadedEnvelopes
    spans: tuple[RoundSpan, ...]
    notes: tuple[str, ...]

    def report(self) -> InForceReport:
        """The spans, without limits."""
        return InForceReport(self.spans, self.notes)

    def frame(self) -> pl.DataFrame:
        """A row for each site and interval with a limit: columns as `limits_frame`, and round."""
        import polars as pl

        table = self.envelopes.table
        nmis = [name.decode() for name in table.nmis.tolist()]
        frame = limits_frame(nmis, table.levels, table.limits, table.horizon_start)
        spans = pl.DataFrame(
            {
                "interval_start": [span.start for span in self.spans],
                "round": [span.round for span in self.spans],
            },
            schema={"interval_start": pl.String, "round": pl.Int64},
        )
        # NEM times have one offset and one length, so that their texts sort as the instants do.
        by_time = frame.with_row_index().sort("interval_start")
        joined = by_time.join_asof(spans.sort("interval_start"), on="interval_start")
        return joined.sort("index").drop("index")


def load_limits_in_force(
    files: Sequence[FileName],
    key: FileName | KeyPair,
    chain: ChainTarget,
    *,
    tokens: TokenSource | None = None,
) -> LimitsInForce:
    """Verify the bundles of several rounds, and combine them into the limits in force.

    Args:
        files: Bundles of one aggregator, of different rounds, in any order.
        key: The aggregator's key pair, or its file.
        chain: The chain.
        tokens: The token list of blind rounds; rounds with NMIs may be among them.

    Raises:
        BundleError: If a bundle does not verify.
        EvidenceError: If the round of a bundle is not final.
        ConfigError: If there is no file, two are of one round, or the chain is not usable.
        TokensNotUsedError: If there are tokens, and no round is blind.
    """
    if not files:
        raise ConfigError("give at least one bundle")
    loaded: dict[int, LoadedEnvelopes] = {}
    selector = RoundSelector(chain)
    unused: list[TokensNotUsedError] = []
    for file in files:
        try:
            context, envelopes = load_bundle(Path(file), key, selector, tokens)
        except TokensNotUsedError as exc:
            unused.append(exc)
            context, envelopes = load_bundle(Path(file), key, selector, None)
        if context.number in loaded:
            raise ConfigError(f"{file}: round {context.number} was given twice; give it once")
        loaded[context.number] = envelopes
    if len(unused) == len(files):
        raise unused[0]
    own = [
        RoundHorizon(number, each.table.horizon_start, each.table.interval_count)
        for number, each in loaded.items()
    ]
    spans = spans_in_force([*own, *_newer_rounds(chain, own)])
    return _limits_in_force(loaded, spans)


def _newer_rounds(chain: ChainTarget, own: Sequence[RoundHorizon]) -> list[RoundHorizon]:
    """Final rounds above the lowest of ours that share an interval with one of ours."""
    numbers = {horizon.number for horizon in own}

    async def go() -> list[RoundHorizon]:
        async with chains.open_reader(chain) as reader:
            newest = await reader.round_count()
            if newest - min(numbers) > MAX_NEWER_ROUNDS:
                raise ConfigError(
                    f"round {min(numbers)} is more than {MAX_NEWER_ROUNDS} rounds old; leave it out"
                )
            found = []
            for number in range(min(numbers) + 1, newest + 1):
                state = None if number in numbers else await reader.round(number)
                if state is not None and state.phase is Phase.FINAL:
                    found.append(RoundHorizon(number, state.horizon_start, state.interval_count))
            return found

    return [each for each in chains.run(go()) if any(_overlap(each, one) for one in own)]


def _overlap(one: RoundHorizon, other: RoundHorizon) -> bool:
    return one.start < other.end and other.start < one.end


def _limits_in_force(
    loaded: dict[int, LoadedEnvelopes], spans: Sequence[RoundHorizon]
) -> LimitsInForce:
    table = combine({number: each.table for number, each in loaded.items()}, spans)
    clipped = (_clip(span, table.horizon_start, table.horizon_end) for span in spans)
    reported = tuple(
        _span(span, held=span.number in loaded) for span in clipped if span is not None
    )
    notes = [note for each in loaded.values() for note in each.notes]
    notes += [
        f"round {span.round} is in force from {span.start} to {span.end}, and its bundle is not "
        f"among the files: fetch it; until then there are no limits for that time"
        for span in reported
        if not span.held
    ]
    rounds = ", ".join(str(number) for number in sorted(loaded))
    text = f"limits in force of rounds {rounds}: {table.site_count} sites"
    file = ", ".join(each.file for each in loaded.values())
    envelopes = LoadedEnvelopes(table, "bundle", file, text, tuple(notes))
    return LimitsInForce(envelopes, reported, tuple(notes))


def _clip(span: RoundHorizon, first: int, last: int) -> RoundHorizon | None:
    start, end = max(span.start, first), min(span.end, last)
    if start >= end:
        return None
    return RoundHorizon(span.number, start, (end - start) // INTERVAL_S)


def _span(span: RoundHorizon, *, held: bool) -> RoundSpan:
    return RoundSpan(
        span.number, format_nem(span.start), format_nem(span.end), span.interval_count, held
    )
