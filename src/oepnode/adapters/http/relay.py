"""A worker's client of a relay (`ports.Relay`).

Guarantees: a vote is on disk before its signature exists, and a second, different vote of a
round is never signed (`EquivocationGuard`); a silent relay costs a few seconds at most. Leaves out
whether the relay casts the vote: only the chain shows it. Source: docs/services.md, ADR 9.
"""

from __future__ import annotations

import asyncio
from typing import Final

from eth_account.signers.local import LocalAccount
from msgspec import Struct

from oepnode.adapters.crypto.ballot_signature import sign_ballot
from oepnode.adapters.http.client import MAX_JSON_BYTES, HttpClient, RequestRejected
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.domain.rounds import relayed_steps
from oepnode.domain.rounds.ballot import Result, Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.relayed_steps import RelayedStep
from oepnode.domain.rounds.signed_ballots import Relayed, encode
from oepnode.errors import ConflictError, TransportError

HAND_IN_S: Final = 10.0
"""Deadline of handing in, all attempts together; short because of the vote's deadline."""
_ATTEMPT_S: Final = 5.0
_NOT_YET: Final = frozenset(
    {"round.unknown", "member.voted", "round.other_phase", "root.known", "relay.full"}
)
"""Rejections by a relay whose node lags behind the worker's, or is ahead of it."""


class _Health(Struct, rename="camel"):
    chain_id: int
    contract: str


class HttpRelay:
    """A worker's client of a relay.

    Args:
        url: The relay's URL.
        account: The worker's signer.
        guard: Record of the votes that it has signed.
        client: HTTP client; by default a new one for ``url``.
    """

    def __init__(
        self,
        url: str,
        account: LocalAccount,
        guard: EquivocationGuard,
        client: HttpClient | None = None,
    ) -> None:
        self._account = account
        self._guard = guard
        self._client = client or HttpClient(url, _ATTEMPT_S)

    async def hand_in(self, context: RoundContext, vote: Vote) -> None:
        """Sign the worker's ballot or abstention and hand it in; repeating it is safe.

        Raises:
            ConflictError: If the relay rejects it, or another vote was signed for that round.
            ConfigError: If the record of signed votes cannot be read.
            TransportError: If the relay does not respond in time, or cannot accept it yet.
            FatalError: If the record cannot be written.
        """
        await asyncio.to_thread(self._guard.keep, context, vote)
        # A crash here leaves only the record: the next start signs the same, byte for byte.
        line = encode(Relayed(context, sign_ballot(self._account, context, vote)))
        what = "ballot" if vote.reason is None else "abstention"
        await self._hand_over("/v1/ballots", line, what)

    async def reveal(self, context: RoundContext, result: Result) -> None:
        """Hand in a result to reveal, after the vote has closed; repeating it is safe.

        Raises:
            ConflictError: If the relay rejects it.
            TransportError: If the relay does not respond in time, or cannot accept it yet.
        """
        line = relayed_steps.encode(RelayedStep(context, result))
        await self._hand_over("/v1/steps", line, "reveal")

    async def close_failed(self, context: RoundContext) -> None:
        """Have a round closed as failed; repeating it is safe. Errors as in `reveal`."""
        line = relayed_steps.encode(RelayedStep(context, None))
        await self._hand_over("/v1/steps", line, "closing")

    async def _hand_over(self, path: str, line: bytes, what: str) -> None:
        doing = f"handing the {what} to the relay"
        try:
            async with asyncio.timeout(HAND_IN_S):
                await self._post(path, line)
        except TimeoutError as exc:
            raise TransportError(f"{doing}: no response within {HAND_IN_S:g} s") from exc
        except TransportError as exc:
            raise TransportError(f"{doing}: {exc}") from exc
        except RequestRejected as exc:
            if exc.code in _NOT_YET:
                raise TransportError(str(exc)) from exc
            raise

    async def check(self, chain_id: int, contract: bytes) -> None:
        """Check that the relay serves this contract.

        Raises:
            ConflictError: If it serves another one.
            TransportError: If it does not respond, or with a malformed response.
        """
        served = await self._client.get_json("/healthz", "relay", _Health)
        expected = (chain_id, "0x" + contract.hex())
        if (served.chain_id, served.contract) != expected:
            raise ConflictError(
                f"the relay serves contract {served.contract} on chain {served.chain_id}, "
                f"expected {expected[1]} on chain {expected[0]}; set relay.url to another relay"
            )

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self._client.close()

    async def _post(self, path: str, line: bytes) -> None:
        await self._client.send(
            "POST",
            path,
            "relay",
            limit=MAX_JSON_BYTES,
            body=lambda: line,
            headers=lambda: {"Content-Type": "application/json"},
        )
