"""Age of the newest block that each node names, as a metric."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge


class HeadAges:
    """The nodes' ages, as of the last time that all were asked.

    Args:
        registry: Registry of the program's metrics; without it there are none.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._ages = Gauge(
            "oepnode_rpc_head_age_seconds",
            "Age of the newest block that a node of the chain named when it was asked last; absent "
            "if it did not answer usably in time",
            ["node"],
            registry=registry or CollectorRegistry(),
        )

    def replace(self, ages: Mapping[str, float]) -> None:
        """Set the ages of the nodes that answered, and forget those of the others."""
        self._ages.clear()
        for node, age_s in ages.items():
            self._ages.labels(node).set(age_s)
