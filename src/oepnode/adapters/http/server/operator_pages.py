"""HTTP pages for the operator of any program: metrics, and health with its reason.

They are served on a listener of their own, by default for this machine alone.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def operator_application(metrics: CollectorRegistry, problem: Callable[[], str]) -> web.Application:
    """The HTTP application for a program's operator.

    Args:
        metrics: The program's metrics.
        problem: Returns why the program does not work, or an empty text.
    """

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics), headers={"Content-Type": _METRICS_TYPE})

    async def show_health(_: web.Request) -> web.Response:
        reason = problem()
        return web.Response(text=(reason or "ok") + "\n", status=503 if reason else 200)

    app = web.Application(client_max_size=1024)
    app.add_routes([web.get("/metrics", show_metrics), web.get("/healthz", show_health)])
    return app
