"""An aggregator's sealed bundle: opened, and checked against its round.

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

from oepnode.adapters.crypto import pymerkle_check, sealing
from oepnode.client.chain import hexed
from oepnode.client.files import FileName, read_file
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
from oepnode.domain.rounds.bundle import BundleError, VerifiedBundle
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.domain.rounds.site_proof import SiteProofError
from oepnode.domain.rounds.token_list import TokenList
from oepnode.errors import EvidenceError

if TYPE_CHECKING:
    import polars as pl

_PYMERKLE: Final = {"pymerkle": "pymerkle, an independent library, accepts the path as well"}
_PORTFOLIO: Final = {"portfolio": "every NMI is on your list"}
MAX_BYTES: Final = 1 << 30
"""Largest bundle that is read where the caller names no other size, in bytes."""


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
        return unknown_tokens(self.nmis)

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
) -> BundleCheck:
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
    pair = aggregator_key(key)
    sealed = _read_bundle(file, max_bytes)
    final = selector.final(sealed.number)
    checks = MappingProxyType(
        bundles.CHECKS | _PYMERKLE | ({} if portfolio is None else _PORTFOLIO)
    )
    try:
        bundle = _verify(sealed, pair, final)
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


def _read_bundle(file: FileName, max_bytes: int) -> _BundleFile:
    data = read_file(Path(file), "bundle", sealing.sealed_size(KeyKind.HYBRID, max_bytes) + 256)
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


def unseal(sealed: bytes, pair: KeyPair, final: FinalRound) -> VerifiedBundle:
    """Open a bundle, and check it with this package's verifier and with pymerkle.

    Raises:
        BundleError: With the name of the check that failed.
    """
    try:
        info = bundles.sealing_info(final.context)
        plaintext = sealing.open_whole(pair.private_key, sealed, info)
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
    return unseal(file.sealed, pair, final)


def _named(context: RoundContext) -> str:
    return f"round {context.number}, chain {context.chain_id}, contract {hexed(context.contract)}"
