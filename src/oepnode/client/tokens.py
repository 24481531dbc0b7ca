"""Token lists: an aggregator's NMIs with the tokens that stand for them in blind rounds.

Guarantees: a list that is used is for this aggregator, and of the round's registry snapshot where
the round is read from the chain. No message shows an NMI. Source: ``docs/spec/bundle.md``
section 6, ``docs/design.md §4``.

Example:
    >>> tokens = load_token_list("tokens.json")                                 # doctest: +SKIP
    >>> bundle_limits(bundle, tokens)                                           # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from oepnode.adapters.crypto import sealing
from oepnode.client import chain as chains
from oepnode.client.files import FileName, read_file
from oepnode.client.keys import KeyPair, aggregator_key
from oepnode.client.rounds import RoundSelector
from oepnode.domain.nem import tokens as site_ids
from oepnode.domain.nem.nmi import NmiError
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds import token_list
from oepnode.domain.rounds.bundle import VerifiedPartition
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.domain.rounds.token_list import TokenList, TokenListError
from oepnode.errors import ConfigError, EvidenceError

TokenSource: TypeAlias = FileName | TokenList
"""A token list, its file from `get_token_list`, or the URL of an NMI registry."""

_URL: Final = ("http://", "https://")


class TokensMissingError(ConfigError):
    """The sites of a bundle are named by tokens, and no token list was given."""


class TokensNotUsedError(ConfigError):
    """A token list was given, and the sites are named by NMIs."""


class ReceivedTokens(Struct, frozen=True):
    """A token list that was opened, checked and written to a file.

    Attributes:
        file: The file, readable by its owner only.
        snapshot: SHA-256 of the blinded registry snapshot, 64 hex digits.
        aggregator: The aggregator's id.
        nmis: Number of NMIs.
    """

    file: str
    snapshot: str
    aggregator: str
    nmis: int


# --- getting a list ------------------------------------------------------------------------------


def get_token_list(
    source: FileName,
    key: FileName | KeyPair,
    out: FileName,
    snapshot: str | None = None,
    selector: RoundSelector | None = None,
) -> ReceivedTokens:
    """Open a sealed token list, check it, and write it to a new file that only its owner may read.

    Args:
        source: URL of the NMI registry, or the file that the registry handed over.
        key: The aggregator's key pair, or its file.
        out: The new file.
        snapshot: SHA-256 of the blinded snapshot, 64 hex digits.
        selector: A round of that snapshot, where ``snapshot`` is not given.

    Raises:
        TokenListError: With the name of the check that failed.
        ConfigError: If neither snapshot nor round is named, or a file is not usable.
        ConflictError: If the registry has no list for this key.
        TransportError: If the registry or the chain does not respond.
    """
    from oepnode.adapters.crypto import keyfile

    pair = aggregator_key(key)
    digest = chains.parse_bytes32(snapshot, "a snapshot's SHA-256") if snapshot else None
    if digest is None and selector is not None and selector.number is not None:
        digest = _snapshot_of(selector, selector.number)
    if digest is None:
        raise ConfigError("a sealed token list is opened for one snapshot: name it, or a round")
    tokens = _open(_sealed(source, pair, digest), pair, digest)
    keyfile.write_secret(Path(out), token_list.write(tokens))
    return ReceivedTokens(str(out), digest.hex(), tokens.aggregator_id, len(tokens.tokens))


def load_token_list(file: FileName) -> TokenList:
    """Read the file of an opened token list.

    Raises:
        ConfigError: If it cannot be read.
        TokenListError: If it is no valid list.
    """
    data = read_file(Path(file), "token list", token_list.MAX_SIZE)
    try:
        return token_list.read(data)
    except TokenListError as exc:
        raise TokenListError(exc.check, f"{file}: {exc.reason}") from None


def tokens_for(
    source: TokenSource, bundle: VerifiedPartition, pair: KeyPair, selector: RoundSelector
) -> TokenList:
    """The token list for a bundle.

    Args:
        source: The list, its file, or the URL of the NMI registry.
        bundle: Verified.
        pair: The aggregator's key pair.
        selector: Where the round is read.

    Raises:
        TokensNotUsedError: If the round is not blind.
        TokenListError: If it is for another aggregator, or of another snapshot than the round's.
        ConfigError: If a URL is given and the round is read from a file, which names no snapshot.
    """
    if not bundle.is_blind:
        raise TokensNotUsedError("a token list was given, but the round is not blind")
    snapshot = _snapshot_of(selector, bundle.context.number)
    if isinstance(source, str) and source.startswith(_URL):
        if snapshot is None:
            raise ConfigError(
                "a round that is read from a file proves no snapshot: give the token list as a file"
            )
        return _open(_sealed(source, pair, snapshot), pair, snapshot)
    tokens = source if isinstance(source, TokenList) else load_token_list(source)
    token_list.check(tokens, pair.aggregator_id, snapshot)
    return tokens


def _snapshot_of(selector: RoundSelector, number: int) -> bytes | None:
    """SHA-256 of a round's snapshot from the chain; None where the round is read elsewhere."""
    if selector.is_offline:
        return None

    async def go() -> bytes | None:
        async with chains.open_reader(selector.chain) as reader:
            events = await reader.round_events(number)
            opened = [event for event in events if isinstance(event, RoundOpened)]
            return opened[0].registry_digest if opened else None

    return chains.run(go())


def _sealed(source: FileName, pair: KeyPair, snapshot: bytes) -> bytes:
    from oepnode.adapters.http import token_lists

    if not str(source).startswith(_URL):
        return read_file(Path(source), "sealed token list", token_list.MAX_SIZE << 1)
    name = token_list.list_name(snapshot, pair.public_key)
    return chains.run(token_lists.fetch_token_list(str(source), snapshot, name))


def _open(sealed: bytes, pair: KeyPair, snapshot: bytes) -> TokenList:
    try:
        info = token_list.sealing_info(snapshot)
        padded = sealing.open_whole(pair.private_key, sealed, info)
    except EvidenceError as exc:
        message = "it does not open: it is for another key or snapshot, or was changed"
        raise TokenListError("opening", message) from exc
    tokens = token_list.read(token_list.unpad(padded))
    token_list.check(tokens, pair.aggregator_id, snapshot)
    return tokens


# --- using a list --------------------------------------------------------------------------------


def resolved_nmis(names: Sequence[str], tokens: TokenList | None) -> tuple[str, ...]:
    """The NMIs of a bundle's sites; a token that is not on the list stays as it is.

    Args:
        names: NMIs, or tokens in a blind round.
        tokens: The token list; without it tokens stay as they are.

    Raises:
        TokensNotUsedError: If a list is given for NMIs.
        TokenListError: If no token is on the list.
    """
    if tokens is None:
        return tuple(names)
    if not is_blind(names):
        raise TokensNotUsedError("a token list was given, but the round is not blind")
    return token_list.resolve(names, tokens)


def token_notes(nmis: Sequence[str], tokens: TokenList | None) -> tuple[str, ...]:
    """Sentences for the user on sites whose NMIs are not known.

    Args:
        nmis: From `resolved_nmis`.
        tokens: The token list that was used.
    """
    unknown = unknown_tokens(nmis)
    if not unknown:
        return ()
    if tokens is None:
        return ("the round is blind: without your token list, sites are named by tokens",)
    return (f"{unknown} tokens of the bundle are not on your token list",)


def unknown_tokens(nmis: Sequence[str]) -> int:
    """Number of distinct tokens among the names of sites."""
    return sum(is_blind([name]) for name in set(nmis))


def is_blind(names: Sequence[str]) -> bool:
    """Whether sites are named by tokens."""
    return bool(names) and site_ids.kind_of(names[0]) is SiteIdKind.TOKEN


def site_name(nmi: str, tokens: TokenList | None) -> str:
    """The name of a site in its round, as a user gives it: an NMI, or a token.

    Args:
        nmi: With or without its checksum; in a blind round also a token.
        tokens: The token list of a blind round.

    Raises:
        ConfigError: If it is neither, or not on the list.
    """
    try:
        name = site_ids.parse_site_id(nmi)
    except NmiError as exc:
        raise ConfigError(f"nmi: {exc}") from exc
    if tokens is None or is_blind([name]):
        return name
    if name not in tokens.tokens:
        raise ConfigError("nmi: not on your token list")
    return tokens.tokens[name]
