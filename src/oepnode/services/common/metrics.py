"""Metrics of a service: its requests, rejections and queues.

Guarantees: labels are names of this program (endpoints as declared, codes, kinds of inputs), never
a part of what a client sent; a value that is not known is absent.
"""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge

from oepnode.services.common.http import REJECTION_CODE, UNKNOWN_ENDPOINT, endpoint_of
from oepnode.services.common.turns import Turns


class ServiceMetrics:
    """The metrics of one service, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "oepnode_requests",
            "Requests, by endpoint and HTTP status of the response",
            ["endpoint", "status"],
            registry=self.registry,
        )
        self._rejections = Counter(
            "oepnode_requests_rejected",
            "Rejected requests, by the code in the response",
            ["code"],
            registry=self.registry,
        )
        self._in_use = Gauge(
            "oepnode_turns_in_use",
            "Requests in process, of a queue that processes a few at a time",
            ["queue"],
            registry=self.registry,
        )
        self._waiting = Gauge(
            "oepnode_turns_waiting",
            "Requests that wait for a turn in a queue",
            ["queue"],
            registry=self.registry,
        )

    def observe(self, app: web.Application) -> None:
        """Count the responses of an application, with the status that is sent."""
        app.on_response_prepare.append(self._on_response)

    def watch(self, queue: str, turns: Turns) -> None:
        """Show a queue."""
        self._in_use.labels(queue).set_function(lambda: turns.in_use)
        self._waiting.labels(queue).set_function(lambda: turns.waiting)

    def count_early_rejection(self, status: int, code: str) -> None:
        """Count a request that the listener rejected before it reached an endpoint."""
        self._count(UNKNOWN_ENDPOINT, status, code)

    def _count(self, endpoint: str, status: int, code: str) -> None:
        self._requests.labels(endpoint, str(status)).inc()
        if code:
            self._rejections.labels(code).inc()

    async def _on_response(self, request: web.Request, response: web.StreamResponse) -> None:
        self._count(endpoint_of(request), response.status, response.get(REJECTION_CODE, ""))


class InputMetrics(ServiceMetrics):
    """The metrics of a service that gives inputs of rounds to workers."""

    def __init__(self) -> None:
        super().__init__()
        self._grants = Counter(
            "oepnode_grants",
            "Requests of workers for an input of a round that were granted",
            ["input"],
            registry=self.registry,
        )
        self._served = Counter(
            "oepnode_inputs_served",
            "Responses with an input, or a part of it, that were begun",
            ["input"],
            registry=self.registry,
        )

    def count_grant(self, what: str) -> None:
        """Count a grant of an input: ``document``, ``snapshot``, ``salt`` or ``signature``."""
        self._grants.labels(what).inc()

    def count_served(self, what: str) -> None:
        """Count a response with an input."""
        self._served.labels(what).inc()
