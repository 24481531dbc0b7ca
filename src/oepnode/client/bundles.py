"""An aggregator's sealed bundle: fetched from a worker, opened, and checked against its round.

Guarantees: no limits leave here that do not lead to the round's final root, by this package's
verifier and by pymerkle. Source: ``docs/spec/bundle.md``.

Example:
    >>> bundle = verify_bundle("round-3.oepb", "A1.json", RoundSelector(chain))  # doctest: +SKIP
    >>> bundle_limits(bundle)                                                   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from oepnode.adapters.crypto import hpke, pymerkle_check
from oepnode.adapters.http import bundles as http_bundles
from oepnode.client import chain as chains
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.files import FileName, read_file, write_file
from oepnode.client.keys import KeyPair, aggregator_key
from oepnode.client.limits import limits_frame
from oepnode.client.rounds import FinalRound, RoundSelector, horizon_fields, read_final
from oepnode.client.tokens import (
    TokensMissingError,
    TokensNotUsedError,
    TokenSource,
    is_blind,
    resolved_nmis,
    tokens_of_round,
)
from oepnode.domain.rounds import bundle as bundles
from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.bundle import BundleError, VerifiedBundle
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Round
from oepnode.domain.rounds.site_proof import SiteProofError
from oepnode.domain.rounds.token_list import TokenList
from oepnode.errors import ConflictError, EvidenceError, TransportError
from oepnode.ports import ChainReader

if TYPE_CHECKING:
    import polars as pl

_PYMERKLE: Final = {"pymerkle": "pymerkle, an independent library, accepts the path as well"}
_PORTFOLIO: Final = {"portfolio": "every NMI is on your list"}
_FILE_SIZE: Final = bundles.MAX_SIZE + 256


class _BundleFile(Struct, frozen=True):
    """A bundle as a file holds it, still sealed.

    Attributes:
        context: The round named in the file, or None for a worker's bare bytes.
        sealed: The bundle.
    """

    context: RoundContext | None
    sealed: bytes

    @property
    def number(self) -> int | None:
        """The round's number, where the file names it."""
        return None if self.context is None else self.context.number


class FailedCheck(Struct, frozen=True):
    """Report of a bundle or a site proof of which a check failed."""

    verified: bool
    round: int
    failed: str
    message: str


class BundleReport(Struct, frozen=True):
    """Report of a bundle that verified: hex as ``0x…``, times in NEM time.

    ``unknown_tokens`` counts the tokens of a blind round whose NMIs are not known.
    """

    verified: bool
    round: int
    chain_id: int
    contract: str
    root: str
    aggregator: str
    sites: int
    nmis: int
    blind: bool
    unknown_tokens: int
    horizon_start: str
    horizon_end: str
    intervals: int
    notes: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True)
class BundleCheck:
    """Result of checking a bundle against its round. Its repr shows no NMI.

    Attributes:
        final: The round.
        checks: Names and meanings of the checks, in the order in which they are made.
        bundle: The bundle, or None where a check failed.
        failure: The check that failed, or None.
        missing_nmis: NMIs of the portfolio that the bundle does not hold.
        nmis: NMI of each site; in a blind round the token where it is not on the token list.
        tokens: The token list that was used, or None.
    """

    final: FinalRound
    checks: Mapping[str, str]
    bundle: VerifiedBundle | None
    failure: BundleError | None
    missing_nmis: int = 0
    nmis: tuple[str, ...] = field(default=(), repr=False)
    tokens: TokenList | None = None

    @property
    def unknown_tokens(self) -> int:
        """Number of tokens whose NMIs are not known."""
        return sum(is_blind([name]) for name in set(self.nmis))

    @property
    def verified(self) -> VerifiedBundle:
        """The bundle.

        Raises:
            BundleError: With the name of the check that failed.
        """
        if self.failure is not None or self.bundle is None:
            raise self.failure or AssertionError
        return self.bundle

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""
        notes = list(self.final.notes)
        if self.missing_nmis:
            notes.append(f"{self.missing_nmis} NMIs of your list are not in the bundle")
        if self.unknown_tokens and self.tokens is None:
            notes.append("the round is blind: without your token list, sites are named by tokens")
        elif self.unknown_tokens:
            notes.append(f"{self.unknown_tokens} tokens of the bundle are not on your token list")
        return tuple(notes)

    def report(self) -> BundleReport | FailedCheck:
        """The result without limits."""
        if self.failure is not None or self.bundle is None:
            return failed_check(self.final, self.failure)
        return BundleReport(
            verified=True,
            **self.final.fields(),
            aggregator=self.bundle.aggregator_id,
            sites=self.bundle.site_count,
            nmis=self.bundle.nmi_count,
            blind=self.bundle.is_blind,
            unknown_tokens=self.unknown_tokens,
            **horizon_fields(self.bundle.horizon_start, self.bundle.interval_count),
            notes=self.notes,
            checks=tuple(self.checks),
        )


class Attempt(Struct, frozen=True):
    """One worker's response to a request for a bundle."""

    operator: str
    url: str
    outcome: str


class FetchedBundle(Struct, frozen=True):
    """A bundle that was fetched, verified and written to a file.

    Attributes:
        round: Its round's number.
        file: The file.
        worker: Operator of the worker that served it.
        url: That worker's URL.
        sites: Site entries of the bundle.
        attempts: One for each worker that was queried, in order; the last served the bundle.
        notes: Sentences for the user.
    """

    round: int
    file: str
    worker: str
    url: str
    sites: int
    attempts: tuple[Attempt, ...]
    notes: tuple[str, ...]


# --- fetching ------------------------------------------------------------------------------------


def fetch_bundle(
    key: FileName | KeyPair,
    chain: ChainTarget,
    number: int | None = None,
    out: FileName | None = None,
    timeout_s: float = http_bundles.TIMEOUT_S,
) -> FetchedBundle:
    """Query the workers listed on chain, in turn, until one serves a bundle that verifies.

    Args:
        key: The aggregator's key pair, or its file.
        chain: The chain.
        number: The round; by default the latest final one.
        out: File for the bundle; by default ``round-N.oepb``.
        timeout_s: Deadline of each worker, in seconds.

    Raises:
        ConfigError: If the key is unusable, the file not writable, or there is no such round.
        EvidenceError: If workers served bundles, but no bundle verifies; also for a round without
            a final result.
        ConflictError: If every worker that responded has no bundle for this key.
        TransportError: If no worker responded.
    """
    pair = aggregator_key(key)

    async def go() -> tuple[FinalRound, _Served]:
        async with chains.open_reader(chain) as reader:
            final, state = await read_final(reader, number)
            return final, await _query_workers(reader, state, final, pair, timeout_s)

    final, served = chains.run(go())
    file = Path(out or f"round-{final.context.number}.oepb")
    write_file(file, bundles.pack_file(final.context, served.sealed))
    return FetchedBundle(
        round=final.context.number,
        file=str(file),
        worker=served.attempts[-1].operator,
        url=served.attempts[-1].url,
        sites=served.bundle.site_count,
        attempts=served.attempts,
        notes=final.notes,
    )


@dataclass(frozen=True)
class _Served:
    """A bundle that verifies, and the attempts that led to it."""

    sealed: bytes
    bundle: VerifiedBundle
    attempts: tuple[Attempt, ...]


async def _query_workers(
    reader: ChainReader, state: Round, final: FinalRound, pair: KeyPair, timeout_s: float
) -> _Served:
    """Return the first bundle that verifies; the last attempt is that of its worker."""
    electorate = await reader.electorate(state.epoch)
    matched = electorate.by_index(state.matched)
    others = [member for member in electorate.members if member not in matched]
    name = bundles.bundle_name(final.context, pair.public_key)
    attempts: list[Attempt] = []
    failures: list[Exception] = []
    for member in (*matched, *others):  # a worker that computed the final root can serve its parts
        url = await reader.endpoint(member.operator)
        try:
            if not url:
                raise TransportError("no URL on chain")  # noqa: TRY301 - one way to note a failure
            sealed = await http_bundles.fetch(url, state.number, name, timeout_s)
            bundle = _unseal(sealed, pair, final)
        except (EvidenceError, ConflictError, TransportError) as exc:
            failures.append(exc)
            attempts.append(Attempt(hexed(member.operator), url, str(exc)))
            continue
        attempts.append(Attempt(hexed(member.operator), url, "served a bundle that verifies"))
        return _Served(sealed, bundle, tuple(attempts))
    raise _no_bundle(state.number, failures, attempts)


def _no_bundle(number: int, failures: list[Exception], attempts: list[Attempt]) -> Exception:
    details = "; ".join(f"{a.operator}: {a.outcome}" for a in attempts)
    if any(isinstance(failure, EvidenceError) for failure in failures):
        return EvidenceError(f"round {number}: no worker served a bundle that verifies: {details}")
    if any(isinstance(failure, ConflictError) for failure in failures):
        return ConflictError(
            f"round {number}: no worker has a bundle for this key: either the round has no site of "
            f"yours, or the registry has another public key for you: {details}"
        )
    return TransportError(f"round {number}: no worker responded: {details}")


# --- verifying -----------------------------------------------------------------------------------


def verify_bundle(
    file: FileName,
    key: FileName | KeyPair,
    selector: RoundSelector,
    portfolio: AbstractSet[str] | None = None,
    tokens: TokenSource | None = None,
) -> VerifiedBundle:
    """Open a bundle's file and check it against its round.

    Args:
        file: From `fetch_bundle`, or the bare bytes that a worker serves.
        key: The aggregator's key pair, or its file.
        selector: The round.
        portfolio: All NMIs that the aggregator holds; an NMI that is not among them fails.
        tokens: The token list of a blind round: the list, its file, or the NMI registry's URL.

    Raises:
        BundleError: With the name of the check that failed.
        TokenListError: If the token list is not this aggregator's for this round.
        ConfigError: If a file, the round or the chain is not usable; for a portfolio in a blind
            round without tokens, and for tokens in another round.
        EvidenceError: If the round has no final result.
    """
    return check_bundle(file, key, selector, portfolio, tokens).verified


def check_bundle(
    file: FileName,
    key: FileName | KeyPair,
    selector: RoundSelector,
    portfolio: AbstractSet[str] | None = None,
    tokens: TokenSource | None = None,
) -> BundleCheck:
    """As `verify_bundle`, but a check of the bundle that fails is part of the result.

    Raises:
        TokenListError: If the token list is not this aggregator's for this round.
        ConfigError: If a file, the round or the chain is not usable.
        EvidenceError: If the round has no final result.
    """
    pair = aggregator_key(key)
    sealed = _read_bundle(file)
    final = selector.final(sealed.number)
    checks = MappingProxyType(
        bundles.CHECKS | _PYMERKLE | ({} if portfolio is None else _PORTFOLIO)
    )
    try:
        bundle = _verify(sealed, pair, final)
        used = None if tokens is None else _tokens(tokens, bundle, pair, selector)
        nmis = resolved_nmis(bundle.nmis, used)
        if portfolio is not None:
            _check_portfolio(nmis, portfolio, used)
    except BundleError as exc:
        return BundleCheck(final, checks, None, exc)
    missing = 0 if portfolio is None else len(portfolio - set(nmis))
    return BundleCheck(final, checks, bundle, None, missing, nmis, used)


def _tokens(
    source: TokenSource, bundle: VerifiedBundle, pair: KeyPair, selector: RoundSelector
) -> TokenList:
    if not bundle.is_blind:
        raise TokensNotUsedError("a token list was given, but the round is not blind")
    return tokens_of_round(source, pair, selector, bundle.context.number)


def _check_portfolio(
    nmis: Sequence[str], portfolio: AbstractSet[str], tokens: TokenList | None
) -> None:
    if tokens is None and is_blind(nmis):
        raise TokensMissingError("the round is blind: a portfolio needs your token list as well")
    foreign = bundles.foreign_nmis(nmis, portfolio)
    if foreign:
        raise BundleError("portfolio", f"{len(foreign)} NMIs of the bundle are not on your list")


def _read_bundle(file: FileName) -> _BundleFile:
    data = read_file(Path(file), "bundle", _FILE_SIZE)
    return _BundleFile(*(bundles.unpack_file(data) or (None, data)))


def failed_check(final: FinalRound, failure: BundleError | SiteProofError | None) -> FailedCheck:
    """Report the check that failed."""
    name = failure.check if failure else ""
    return FailedCheck(False, final.context.number, name, str(failure))


def bundle_limits(bundle: VerifiedBundle, tokens: TokenList | None = None) -> pl.DataFrame:
    """A row for each site and interval with its limits; columns as `limits_frame`.

    Args:
        bundle: Verified.
        tokens: The token list of a blind round; a token that is not on it stays as it is.
    """
    return limits_frame(
        resolved_nmis(bundle.nmis, tokens), bundle.levels, bundle.limits, bundle.horizon_start
    )


def _unseal(sealed: bytes, pair: KeyPair, final: FinalRound) -> VerifiedBundle:
    """Open a bundle, and check it with this package's verifier and with pymerkle.

    Raises:
        BundleError: With the name of the check that failed.
    """
    try:
        info = bundles.sealing_info(final.context)
        plaintext = hpke.open_sealed(pair.private_key, sealed, info)
    except EvidenceError as exc:
        raise BundleError("opening", str(exc)) from exc
    bundle = bundles.verify(
        plaintext, pair.aggregator_id, final.context, final.root, final.partitions
    )
    leaf = merkle.leaf_hash(bundle.partition_entry)
    try:
        pymerkle_check.verify_inclusion(
            leaf, bundle.index, final.partitions, bundle.path, final.root
        )
    except merkle.InclusionError as exc:
        raise BundleError("pymerkle", str(exc)) from exc
    return bundle


def _verify(file: _BundleFile, pair: KeyPair, final: FinalRound) -> VerifiedBundle:
    context = file.context
    if context is not None and context != final.context:
        raise BundleError(
            "context",
            f"the bundle is of {_named(context)}, the round to verify against is "
            f"{_named(final.context)}",
        )
    return _unseal(file.sealed, pair, final)


def _named(context: RoundContext) -> str:
    return f"round {context.number}, chain {context.chain_id}, contract {hexed(context.contract)}"
