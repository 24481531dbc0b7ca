"""Public HTTP pages of a worker: sealed bundles of final rounds, and health as one word.

Guarantees: nothing here follows from a result before its round is final: until then no bundle is
on the shelf, and a missing bundle has one response, whatever the reason. Health depends on the
chain alone. Everything else is for the operator (`pages`). A sealed bundle opens only with its
aggregator's key.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from oepnode.worker.status.view import PublicView

_VIEW: Final = web.AppKey("view", PublicView)


def public_application(view: PublicView) -> web.Application:
    """The worker's public HTTP application."""
    app = web.Application(client_max_size=1024)
    app[_VIEW] = view
    app.add_routes(
        [
            web.get("/healthz", _healthz),
            web.get(r"/v1/rounds/{round:\d{1,19}}/bundles/{name:[0-9a-f]{64}}", _bundle),
        ]
    )
    return app


async def _healthz(request: web.Request) -> web.Response:
    is_healthy = request.app[_VIEW].is_healthy()
    return web.Response(
        text="ok\n" if is_healthy else "failing\n", status=200 if is_healthy else 503
    )


async def _bundle(request: web.Request) -> web.StreamResponse:
    number, name = int(request.match_info["round"]), request.match_info["name"]
    path = request.app[_VIEW].bundle(number, name)
    if path is None:
        message = "this worker has no such bundle; check round and name, or ask another worker"
        reason = {"error": {"code": "bundle.unknown", "message": message}}
        return web.json_response(reason, status=404)
    headers = {
        "Content-Type": "application/octet-stream",
        "Cache-Control": "public, max-age=31536000, immutable",
    }
    return web.FileResponse(path, headers=headers)
