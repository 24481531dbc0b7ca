"""Publishes a service's signed grant list of a round: ``GET /v1/rounds/N/grants``.

Guarantees: a list has every grant that the access log held when it was issued, and a grant is in
the access log before the first byte of its input is sent. A service that did not store the round's
input publishes no list: an empty one would accuse every member. Leaves out what a list means for
an audit (``client.grants``). Source: docs/spec/grants.md.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from aiohttp import web
from eth_account.signers.local import LocalAccount

from oepnode.adapters.crypto.grant_signature import sign_list
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.grants import INPUTS_OF, GrantList, Service, encode_list
from oepnode.domain.rounds.onchain import Phase, Round, RoundOpened
from oepnode.ports import ChainReader, Clock
from oepnode.services.common.access_log import AccessLog
from oepnode.services.common.http import Rejection
from oepnode.services.common.turns import Turns

_KEPT: Final = 256
"""Lists that are kept in memory."""
_FRESH_S: Final = {False: 2.0, True: 60.0}
"""Seconds for which a list is served again, by whether it is final."""
_MOST_WAITING: Final = 16
_MAX_NUMBER: Final = 2**53 - 1


class GrantPublisher:
    """Issues the grant lists of one service.

    Args:
        service: The service.
        chain: Source of rounds.
        clock: Clock of the access log.
        access_log: The granted requests.
        account: Account that signs the lists, or None: then there are none.
        has_input: Whether this service stored the input of a round.

    Attributes:
        turns: Queue of the requests.
    """

    def __init__(
        self,
        service: Service,
        chain: ChainReader,
        clock: Clock,
        access_log: AccessLog,
        account: LocalAccount | None,
        has_input: Callable[[RoundOpened], bool],
    ) -> None:
        self._service: Service = service
        self._chain = chain
        self._clock = clock
        self._access_log = access_log
        self._account = account
        self._has_input = has_input
        self._lists: OrderedDict[int, tuple[float, bool, bytes]] = OrderedDict()
        # One at a time: each may read the chain and sign, and anyone may ask.
        self.turns = Turns(at_a_time=1, most=_MOST_WAITING, most_of_one=_MOST_WAITING)

    async def handle(self, request: web.Request) -> web.Response:
        """Respond with the signed list of a round."""
        number = _read_number(request.match_info["round"])
        async with self.turns.turn("anyone", lambda: request.transport is None):
            body = await self.list_of(number)
        return web.Response(
            body=body, content_type="application/json", headers={"Cache-Control": "no-cache"}
        )

    async def list_of(self, number: int) -> bytes:
        """The signed list of a round, as JSON.

        Raises:
            Rejection: If there is no such round or list.
            TransportError: If the chain does not respond.
        """
        if self._account is None:
            raise Rejection(
                404, "grants.not_signed", "this service publishes no grant lists: it has no key"
            )
        kept = self._lists.get(number)
        if kept is not None and self._clock.now() - kept[0] < _FRESH_S[kept[1]]:
            return kept[2]
        state, opened = await self._round(number)
        if not await asyncio.to_thread(self._has_input, opened):
            raise Rejection(404, "grants.other_service", "the round's input is not of this service")
        grants = await asyncio.to_thread(self._issue, state, opened)
        body = encode_list(grants, await asyncio.to_thread(sign_list, self._account, grants))
        self._lists[number] = self._clock.now(), grants.is_final, body
        while len(self._lists) > _KEPT:
            self._lists.popitem(last=False)
        return body

    async def _round(self, number: int) -> tuple[Round, RoundOpened]:
        unknown = Rejection(
            404, "round.unknown", "the round is unknown to this service's node; retry later"
        )
        chain = await self._chain.settled()  # a vote that is over there stays over
        if number > await chain.round_count():
            raise unknown
        state = await chain.round(number)
        opened = await chain.opening(number)
        if state is None or opened is None:
            raise unknown
        return state, opened

    def _issue(self, state: Round, opened: RoundOpened) -> GrantList:
        return GrantList(
            service=self._service,
            context=RoundContext(self._chain.chain_id, self._chain.contract, state.number),
            envelope_digest=opened.envelope_digest,
            registry_digest=opened.registry_digest,
            issued_at=int(self._clock.now()),
            is_final=state.phase is not Phase.VOTING,
            grants=self._access_log.grants_of(
                state.number,
                {opened.envelope_digest, opened.registry_digest},
                INPUTS_OF[self._service],
            ),
        )


def _read_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and text[0] != "0"):
        raise Rejection(400, "round.malformed", "a round is a positive decimal number")
    number = int(text)
    if number > _MAX_NUMBER:
        raise Rejection(400, "round.malformed", "a round is a positive decimal number")
    return number
