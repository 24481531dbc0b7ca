"""Fetching an aggregator's bundle, of which no single worker can shut the aggregator out.

Guarantees: a bundle that is written verifies; whatever a worker serves, or fails to serve, the next
one is queried, all within one deadline and a bounded amount of memory. Leaves out the requests
(``adapters.http.bundles``) and the checks (``client.bundles``). Source: ``docs/aggregators.md``.

Example:
    >>> fetch_bundle("A1.json", ChainTarget(rpc, contract), out="A1.oepb")     # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from msgspec import Struct

from oepnode.adapters.http import bundles as http_bundles
from oepnode.adapters.http.bundles import BundleRequest
from oepnode.adapters.http.endpoints import EndpointError
from oepnode.adapters.storage.private import is_device, move_private, private_part
from oepnode.client import chain as chains
from oepnode.client import race
from oepnode.client.bundle_files import open_bundle
from oepnode.client.bundles import MAX_BYTES, unseal_partition
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.files import FileName, not_writable
from oepnode.client.keys import KeyPair, aggregator_key
from oepnode.client.rounds import FinalRound, RoundSelector, read_final
from oepnode.client.tokens import TokenSource, resolved_nmis, token_notes, tokens_for
from oepnode.domain.rounds import bundle as bundles
from oepnode.domain.rounds.bundle import VerifiedPartition
from oepnode.domain.rounds.onchain import Round
from oepnode.errors import ConfigError, ConflictError, EvidenceError, OepError, TransportError
from oepnode.ports import ChainReader

_SHOWN_URL: Final = 200


class NoEndpointError(TransportError):
    """No worker has an endpoint that may be queried."""


class FetchPolicy(Struct, frozen=True):
    """How workers are queried.

    Attributes:
        timeout_s: Deadline of all tries together, in seconds.
        hedge_s: Seconds after which the next worker is queried too, while one is still responding.
        max_bytes: Largest bundle accepted where no portfolio bounds it, in bytes.
        allow_private: Query workers at addresses that are not public: loopback, private networks.
        workers: Operators or URLs to query, in this order, in place of all members.
        skip: Operators or URLs to leave out.
    """

    timeout_s: float = 60
    hedge_s: float = 5
    max_bytes: int = MAX_BYTES
    allow_private: bool = False
    workers: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()


class Attempt(Struct, frozen=True):
    """The outcome of querying one worker; ``operator`` is empty where only its URL was given."""

    operator: str
    url: str
    outcome: str


class FetchedBundle(Struct, frozen=True):
    """A bundle that was fetched, verified and written to a file.

    Attributes:
        round: Its round's number.
        file: The file.
        worker: Operator of the worker that served it; empty where only its URL was given.
        url: That worker's URL.
        sites: Site entries of the bundle.
        attempts: One for each worker that was queried; the last served the bundle.
        notes: Sentences for the user.
    """

    round: int
    file: str
    worker: str
    url: str
    sites: int
    attempts: tuple[Attempt, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Served:
    """A bundle that verifies, in a file."""

    part: Path
    bundle: VerifiedPartition


@dataclass
class _Worker:
    """A worker to query.

    Attributes:
        operator: Its operator's address, or empty.
        url: Its URL; empty until it is read from the chain.
        is_named: Whether the user gave the URL, so that it may be on a private network.
    """

    operator: bytes
    url: str = ""
    is_named: bool = False


def fetch_bundle(
    key: FileName | KeyPair,
    chain: ChainTarget,
    number: int | None = None,
    out: FileName | None = None,
    policy: FetchPolicy = FetchPolicy(),  # noqa: B008 - frozen
    portfolio: Iterable[str] | None = None,
    tokens: TokenSource | None = None,
) -> FetchedBundle:
    """Query the round's workers, in random order, until one serves a bundle that verifies.

    Args:
        key: The aggregator's key pair, or its file.
        chain: The chain.
        number: The round; by default the latest final one.
        out: File for the bundle; by default ``round-N.oepb``.
        policy: Deadline, bounds and choice of workers.
        portfolio: All NMIs that the aggregator holds; they bound the size of the bundle.
        tokens: The token list of a blind round, as in `verify_bundle`; a token that is not on it is
            noted.

    Raises:
        TokenListError: If the token list is not this aggregator's for this round.
        ConfigError: If the key or the policy is unusable, the file not writable, or there is no
            such round.
        EvidenceError: If workers served bundles, but no bundle verifies; also for a round without
            a final result.
        ConflictError: If every worker that responded has no bundle for this key.
        TransportError: If no worker responded in time.
    """
    pair = aggregator_key(key)
    held = None if portfolio is None else len(set(portfolio))
    with TemporaryDirectory(prefix=".oepnode-", dir=_folder_beside(out)) as parts:
        final, outcome = chains.run(_race(pair, chain, number, policy, held, Path(parts)))
        attempts = tuple(_attempt(tried, error) for tried, error in outcome.failed)
        if outcome.value is None or outcome.winner is None:
            raise _no_bundle(final.context.number, outcome, attempts)
        winner = _attempt(outcome.winner, None)
        bundle, selector = outcome.value.bundle, RoundSelector(chain)
        used = None if tokens is None else tokens_for(tokens, bundle, pair, selector)
        nmis = resolved_nmis(bundle.nmis, used)
        file = Path(out or f"round-{final.context.number}.oepb")
        try:
            move_private(outcome.value.part, file)
        except OSError as exc:
            raise not_writable(file, exc) from exc
    return FetchedBundle(
        round=final.context.number,
        file=str(file),
        worker=winner.operator,
        url=winner.url,
        sites=bundle.site_count,
        attempts=(*attempts, winner),
        notes=(*final.notes, *token_notes(nmis, used)),
    )


async def _race(
    pair: KeyPair,
    chain: ChainTarget,
    number: int | None,
    policy: FetchPolicy,
    portfolio_size: int | None,
    parts: Path,
) -> tuple[FinalRound, race.Outcome[_Worker, _Served]]:
    async with chains.open_reader(chain) as reader:
        final, state = await read_final(reader, number)
        workers = await _workers(reader, state, policy)
        query = _Query(state, final, pair, policy, portfolio_size, parts)
        return final, await race.run(
            workers, query.ask, hedge_s=policy.hedge_s, timeout_s=policy.timeout_s
        )


def _folder_beside(out: FileName | None) -> Path | None:
    """The folder of the file to write, where bundles wait until they verify.

    Raises:
        ConfigError: If it is not writable.
    """
    path = Path(out or "bundle")
    if is_device(path):
        return None  # the system's folder for temporary files
    folder = (path.resolve() if path.is_symlink() else path).parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise not_writable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    return folder


# --- the workers ---------------------------------------------------------------------------------


async def _workers(reader: ChainReader, state: Round, policy: FetchPolicy) -> list[_Worker]:
    """The workers to query: those whose votes matched first, each group in random order."""
    electorate = await reader.electorate(state.epoch)
    matched = list(electorate.by_index(state.matched))
    others = [member for member in electorate.members if member not in matched]
    random = secrets.SystemRandom()
    random.shuffle(matched)
    random.shuffle(others)
    members = {member.operator: _Worker(member.operator) for member in (*matched, *others)}
    chosen = [_named(text, members) for text in policy.workers] or list(members.values())
    skipped = [_named(text, members) for text in policy.skip]
    operators = {worker.operator for worker in skipped if worker.operator}
    urls = {worker.url.rstrip("/") for worker in skipped if worker.url}
    kept = []
    for worker in chosen:
        if not worker.url:
            worker.url = await reader.endpoint(worker.operator)
        if worker.operator not in operators and worker.url.rstrip("/") not in urls:
            kept.append(worker)
    if not kept:
        raise ConfigError("every worker of the round is skipped; leave one to query")
    return kept


def _named(text: str, members: dict[bytes, _Worker]) -> _Worker:
    """The worker that a user named, by its operator or its URL."""
    if text.lower().startswith(("http://", "https://")):
        return _Worker(b"", text, is_named=True)
    operator = chains.parse_address(text)
    if operator not in members:
        raise ConfigError(f"{text}: no operator of the round's electorate; name one, or a URL")
    return members[operator]


class _Query:
    """Queries one worker, and verifies what it serves."""

    def __init__(
        self,
        state: Round,
        final: FinalRound,
        pair: KeyPair,
        policy: FetchPolicy,
        portfolio_size: int | None,
        parts: Path,
    ) -> None:
        self._parts = parts
        self._final = final
        self._pair = pair
        self._policy = policy
        self._verifying = asyncio.Lock()
        bound = policy.max_bytes
        if portfolio_size is not None:
            bound = bundles.largest_size(portfolio_size, state.interval_count)
        self._largest = max(bound, bundles.MIN_SIZE)

    async def ask(self, worker: _Worker, received: race.Received) -> _Served:
        """Fetch and verify.

        Raises:
            OepError: Whatever the worker did wrong.
        """
        if not worker.url:
            raise TransportError("no URL on chain")
        request = BundleRequest(
            endpoint=worker.url,
            round_number=self._final.context.number,
            name=bundles.bundle_name(self._final.context, self._pair.public_key),
            kind=self._pair.private_key.kind,
            largest=self._largest,
            timeout_s=self._policy.timeout_s,
            allow_private=self._policy.allow_private or worker.is_named,
        )
        part = self._parts / secrets.token_hex(8)
        with private_part(part) as file:

            def keep(piece: bytes) -> None:
                try:
                    file.write(piece)
                except OSError as exc:
                    raise not_writable(part, exc) from exc

            keep(bundles.file_head(self._final.context))
            await http_bundles.fetch(request, keep, received)
        async with self._verifying:  # one at a time: this is where memory is needed
            return _Served(part, await asyncio.to_thread(self._verified, part))

    def _verified(self, part: Path) -> VerifiedPartition:
        try:
            with open_bundle(part, self._largest) as sealed:
                return unseal_partition(sealed.pieces, self._pair, self._final)
        except OepError:
            part.unlink()
            raise


# --- the report ----------------------------------------------------------------------------------


def _attempt(worker: _Worker, error: Exception | None) -> Attempt:
    operator = hexed(worker.operator) if worker.operator else ""
    url = "".join(c if c.isprintable() else "?" for c in worker.url[:_SHOWN_URL])
    return Attempt(operator, url, "served a bundle that verifies" if error is None else str(error))


def _no_bundle(
    number: int, outcome: race.Outcome[_Worker, _Served], attempts: tuple[Attempt, ...]
) -> Exception:
    details = "; ".join(f"{a.operator or a.url}: {a.outcome}" for a in attempts)
    failures = [error for _, error in outcome.failed]
    for failure in failures:
        if isinstance(failure, ConfigError):  # the disk, and no worker
            return failure
    if any(isinstance(failure, EvidenceError) for failure in failures):
        return EvidenceError(f"round {number}: no worker served a bundle that verifies: {details}")
    if any(isinstance(failure, ConflictError) for failure in failures):
        return ConflictError(
            f"round {number}: no worker has a bundle for this key: either the round has no site of "
            f"yours, or the registry has another public key for you: {details}"
        )
    kind = TransportError
    if failures and all(isinstance(failure, EndpointError) for failure in failures):
        kind = NoEndpointError
    return kind(f"round {number}: no worker responded: {details}")
