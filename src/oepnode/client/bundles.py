"""An aggregator's sealed bundle: opened, and checked against its round.

Guarantees: no limits leave here that do not lead to the round's final root, by this package's
verifier and by pymerkle. Source: ``docs/spec/bundle.md``.

Example:
    >>> bundle = verify_bundle("round-3.oepb", "A1.json", RoundSelector(chain))  # doctest: +SKIP
    >>> bundle_limits(bundle)                                                   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from msgspec import Struct

from oepnode.adapters.crypto import pymerkle_check, sealing
from oepnode.client.bundle_files import BundleFile, open_bundle
from oepnode.client.chain import hexed
from oepnode.client.files import FileName
from oepnode.client.keys import KeyPair, aggregator_key
from oepnode.client.limits import limits_frame
from oepnode.client.rounds import FinalRound, RoundSelector, horizon_fields
from oepnode.client.tokens import (
    TokensMissingError,
    TokenSource,
    is_blind,
    resolved_nmis,
    token_notes,
    tokens_for,
    unknown_tokens,
)
from oepnode.domain.rounds import bundle as bundles
from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.bundle import BundleError, VerifiedBundle, VerifiedPartition
from oepnode.domain.rounds.bundle_reading import BlockSink, collect, read_bundle
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.site_proof import SiteProofError
from oepnode.domain.rounds.token_list import TokenList
from oepnode.errors import EvidenceError

if TYPE_CHECKING:
    import polars as pl

_PYMERKLE: Final = {"pymerkle": "pymerkle, an independent library, accepts the path as well"}
_PORTFOLIO: Final = {"portfolio": "every NMI is on your list"}
MAX_BYTES: Final = 1 << 30
"""Largest bundle that is read where the caller names no other size, in bytes."""


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


Verified = TypeVar("Verified", bound=VerifiedPartition)


@dataclass(frozen=True)
class BundleCheck(Generic[Verified]):
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
    bundle: Verified | None
    failure: BundleError | None
    missing_nmis: int = 0
    nmis: tuple[str, ...] = field(default=(), repr=False)
    tokens: TokenList | None = None

    @property
    def unknown_tokens(self) -> int:
        """Number of tokens whose NMIs are not known."""
        return unknown_tokens(self.nmis)

    @property
    def verified(self) -> Verified:
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
        notes += token_notes(self.nmis, self.tokens)
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
    max_bytes: int = MAX_BYTES,
) -> BundleCheck[VerifiedBundle]:
    """As `verify_bundle`, but a check of the bundle that fails is part of the result.

    Args:
        file: As of `verify_bundle`, like the following ones.
        key: The key pair or its file.
        selector: The round.
        portfolio: All NMIs that the aggregator holds.
        tokens: The token list of a blind round.
        max_bytes: Largest bundle that is read, in bytes.

    Raises:
        TokenListError: If the token list is not this aggregator's for this round.
        ConfigError: If a file, the round or the chain is not usable.
        EvidenceError: If the round has no final result.
    """
    return _check(file, key, selector, portfolio, tokens, max_bytes, unseal)


def check_partition(
    file: FileName,
    key: FileName | KeyPair,
    selector: RoundSelector,
    portfolio: AbstractSet[str] | None = None,
    tokens: TokenSource | None = None,
    max_bytes: int = MAX_BYTES,
    sink: BlockSink | None = None,
) -> BundleCheck[VerifiedPartition]:
    """As `check_bundle`, for a bundle of any size: its limits are not kept in memory.

    Args:
        file: As of `check_bundle`, like the following ones.
        key: The key pair or its file.
        selector: The round.
        portfolio: All NMIs that the aggregator holds.
        tokens: The token list of a blind round.
        max_bytes: Largest bundle that is read, in bytes.
        sink: Called with the sites in blocks while they are read. Nothing of them may be used
            before this function has returned a bundle.

    Raises:
        TokenListError: If the token list is not this aggregator's for this round.
        ConfigError: If a file, the round or the chain is not usable.
        EvidenceError: If the round has no final result.
    """
    read = partial(unseal_partition, sink=sink)
    return _check(file, key, selector, portfolio, tokens, max_bytes, read)


def _check(
    file: FileName,
    key: FileName | KeyPair,
    selector: RoundSelector,
    portfolio: AbstractSet[str] | None,
    tokens: TokenSource | None,
    max_bytes: int,
    read: Callable[[Iterable[bytes], KeyPair, FinalRound], Verified],
) -> BundleCheck[Verified]:
    pair = aggregator_key(key)
    with open_bundle(file, max_bytes) as sealed:
        final = selector.final(sealed.number)
        checks = MappingProxyType(
            bundles.CHECKS | _PYMERKLE | ({} if portfolio is None else _PORTFOLIO)
        )
        try:
            _check_context(sealed, final)
            bundle = read(sealed.pieces, pair, final)
            used = None if tokens is None else tokens_for(tokens, bundle, pair, selector)
            nmis = resolved_nmis(bundle.nmis, used)
            if portfolio is not None:
                _check_portfolio(nmis, portfolio, used)
        except BundleError as exc:
            return BundleCheck(final, checks, None, exc)
    missing = 0 if portfolio is None else len(portfolio - set(nmis))
    return BundleCheck(final, checks, bundle, None, missing, nmis, used)


def _check_portfolio(
    nmis: Sequence[str], portfolio: AbstractSet[str], tokens: TokenList | None
) -> None:
    if tokens is None and is_blind(nmis):
        raise TokensMissingError("the round is blind: a portfolio needs your token list as well")
    foreign = bundles.foreign_nmis(nmis, portfolio)
    if foreign:
        raise BundleError("portfolio", f"{len(foreign)} NMIs of the bundle are not on your list")


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


def unseal(sealed: Iterable[bytes], pair: KeyPair, final: FinalRound) -> VerifiedBundle:
    """Open a bundle, and check it with this package's verifier and with pymerkle.

    Args:
        sealed: The bundle, in pieces.
        pair: The aggregator's key pair.
        final: The round.

    Raises:
        BundleError: With the name of the check that failed.
    """
    return _checked_path(collect(_opened(sealed, pair, final), *_expected(pair, final)), final)


def unseal_partition(
    sealed: Iterable[bytes], pair: KeyPair, final: FinalRound, sink: BlockSink | None = None
) -> VerifiedPartition:
    """As `unseal`, with the limits in blocks; ``sink`` as of `check_partition`.

    Raises:
        BundleError: With the name of the check that failed.
    """
    opened = _opened(sealed, pair, final)
    return _checked_path(read_bundle(opened, *_expected(pair, final), sink), final)


def _expected(pair: KeyPair, final: FinalRound) -> tuple[str, RoundContext, bytes, int]:
    return pair.aggregator_id, final.context, final.root, final.partitions


def _opened(sealed: Iterable[bytes], pair: KeyPair, final: FinalRound) -> Iterator[bytes]:
    try:
        info = bundles.sealing_info(final.context)
        yield from sealing.open_sealed(pair.private_key, sealed, info)
    except EvidenceError as exc:
        raise BundleError("opening", str(exc)) from exc


def _checked_path(bundle: Verified, final: FinalRound) -> Verified:
    leaf = merkle.leaf_hash(bundle.partition_entry)
    try:
        pymerkle_check.verify_inclusion(
            leaf, bundle.index, final.partitions, bundle.path, final.root
        )
    except merkle.InclusionError as exc:
        raise BundleError("pymerkle", str(exc)) from exc
    return bundle


def _check_context(file: BundleFile, final: FinalRound) -> None:
    context = file.context
    if context is not None and context != final.context:
        raise BundleError(
            "context",
            f"the bundle is of {_named(context)}, the round to verify against is "
            f"{_named(final.context)}",
        )


def _named(context: RoundContext) -> str:
    return f"round {context.number}, chain {context.chain_id}, contract {hexed(context.contract)}"
