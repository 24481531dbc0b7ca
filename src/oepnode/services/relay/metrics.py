"""Metrics of the relay."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from oepnode.services.common.metrics import ServiceMetrics


class RelayMetrics(ServiceMetrics):
    """The metrics of one relay, in their own registry."""

    def __init__(self) -> None:
        super().__init__()
        self.votes_cast = Counter(
            "oepnode_votes_relayed",
            "Votes that this relay took to the chain",
            registry=self.registry,
        )
        self.steps = Counter(
            "oepnode_steps_relayed",
            "Reveals and closings that this relay carried out on chain",
            ["step"],
            registry=self.registry,
        )
        self.held_votes = Gauge(
            "oepnode_votes_held",
            "Signed votes in memory, cast or not, until the vote of their round is over",
            registry=self.registry,
        )
        self.held_steps = Gauge(
            "oepnode_steps_held",
            "Reveals and closings that wait until the chain shows them",
            registry=self.registry,
        )
