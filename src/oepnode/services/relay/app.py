"""The relay: takes votes that workers signed, and rounds' last steps, to the chain at its own cost.

Guarantees: before a vote has closed it receives nothing that it could copy or change. A blind
ballot reveals nothing about the root and is bound to its member, and the signature is bound to the
vote, the round, the contract and the chain. The most that a relay can do to a worker is to stay
silent, and then the worker acts directly. So anyone may run one, and anyone may hand in; it acts
only on signatures of a round's members, and on results that a ballot of the round is for. Votes:
`BallotPool`; reveals and closing: `StepPool`. Endpoints and settings: docs/services.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from aiohttp import web

from oepnode.adapters.crypto.ballot_signature import recover_signer
from oepnode.adapters.storage.digest_files import make_folder
from oepnode.adapters.storage.evidence import EvidenceFiles
from oepnode.config import RelaySettings
from oepnode.ports import Chain
from oepnode.services.common.chain_health import ChainHealth
from oepnode.services.common.http import Rejection, errors_as_json, json_response, read_body
from oepnode.services.relay.ballot_pool import BallotPool, Receipt
from oepnode.services.relay.metrics import RelayMetrics
from oepnode.services.relay.step_pool import StepPool

MAX_LINE_BYTES: Final = 1024
_MAX_ROUND_DIGITS: Final = 10


def application(
    settings: RelaySettings,
    chain: Chain,
    metrics: RelayMetrics | None = None,
    health: ChainHealth | None = None,
) -> web.Application:
    """The relay's application; it does not close ``chain``.

    Args:
        settings: The relay's settings.
        chain: The contract, with an account that pays.
        metrics: The relay's metrics; by default they are not kept.
        health: The relay's health for its operator, which gets what delays a vote or a step.

    Raises:
        ConfigError: If the data folder is not usable.
    """
    make_folder(settings.data_dir)
    evidence = EvidenceFiles(settings.data_dir / "evidence")
    metrics = metrics or RelayMetrics()
    pool = BallotPool(chain, evidence, recover_signer, settings.batch_after_s, metrics)
    steps = StepPool(chain, metrics)
    if health is not None:
        health.also(lambda: pool.trouble or steps.trouble)
    endpoints = _Endpoints(pool, steps, chain)
    app = web.Application(middlewares=[errors_as_json])
    app.add_routes(
        [
            web.post("/v1/ballots", endpoints.accept),
            web.post("/v1/steps", endpoints.accept_step),
            web.get("/v1/rounds/{number}", endpoints.round),
            web.get("/healthz", endpoints.health),
        ]
    )

    metrics.observe(app)

    async def casting(_: web.Application) -> AsyncIterator[None]:
        interval_s = settings.look_interval_s
        tasks = [asyncio.create_task(each.run(interval_s)) for each in (pool, steps)]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    app.cleanup_ctx.append(casting)
    return app


class _Endpoints:
    def __init__(self, pool: BallotPool, steps: StepPool, chain: Chain) -> None:
        self._pool = pool
        self._steps = steps
        self._chain = chain

    async def accept(self, request: web.Request) -> web.Response:
        """Accept one signed ballot."""
        line = await read_body(request, MAX_LINE_BYTES)
        receipt = await self._pool.accept(line, lambda: request.transport is None)
        return json_response(
            {
                "round": receipt.round,
                "operator": "0x" + receipt.operator.hex(),
                "state": "cast" if receipt.is_cast else "held",
            },
            202,
        )

    async def accept_step(self, request: web.Request) -> web.Response:
        """Accept a result to reveal, or a round to close."""
        line = await read_body(request, MAX_LINE_BYTES)
        step = await self._steps.accept(line, lambda: request.transport is None)
        return json_response({"round": step.context.number, "state": "held"}, 202)

    async def round(self, request: web.Request) -> web.Response:
        """Operators whose ballots of a round are held, and whose were cast."""
        number = _number(request.match_info["number"])
        receipts = self._pool.receipts(number)
        if not receipts:
            raise Rejection(
                404, "round.not_held", f"no ballot of round {number} is held, or its vote has ended"
            )
        return json_response(
            {
                "round": number,
                "held": _operators(receipts, is_cast=False),
                "cast": _operators(receipts, is_cast=True),
            },
            headers={"Cache-Control": "no-cache"},
        )

    async def health(self, _: web.Request) -> web.Response:
        """The contract that the relay serves, the ballots it holds, and its last problem."""
        rounds, ballots = self._pool.counts
        return json_response(
            {
                "status": "ok",
                "chainId": self._chain.chain_id,
                "contract": "0x" + self._chain.contract.hex(),
                "rounds": rounds,
                "ballots": ballots,
                "steps": self._steps.count,
                "trouble": self._pool.trouble or self._steps.trouble,
            }
        )


def _operators(receipts: list[Receipt], *, is_cast: bool) -> list[str]:
    return ["0x" + one.operator.hex() for one in receipts if one.is_cast is is_cast]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_ROUND_DIGITS):
        raise Rejection(
            400,
            "round.malformed",
            f"a round is a number of at most {_MAX_ROUND_DIGITS} decimal digits",
        )
    return int(text)
