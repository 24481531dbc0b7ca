"""Names nodes that answer otherwise than the others, or not at all: in metrics and in the log."""

from __future__ import annotations

import structlog
from prometheus_client import CollectorRegistry, Counter

from oepnode.adapters.chain.throttle import Throttle

_log = structlog.get_logger("oepnode.chain")


class Disagreements:
    """Counts and logs the nodes that were outvoted.

    Args:
        registry: Registry of the program's metrics; without it there are none.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._differing = Counter(
            "oepnode_rpc_disagreements",
            "Answers of a node of the chain that differ from what the others agree on",
            ["node", "what"],
            registry=registry,
        )
        self._failing = Counter(
            "oepnode_rpc_failures",
            "Requests that a node of the chain did not answer usably, while others did",
            ["node", "what"],
            registry=registry,
        )
        self._throttle = Throttle()

    def differs(self, node: str, what: str) -> None:
        """A node's answer is not the one agreed on."""
        self._differing.labels(node, what).inc()
        if self._throttle.admits((node, what)):
            _log.warning("rpc_node_disagrees", node=node, what=what)

    def fails(self, node: str, what: str, why: str) -> None:
        """A node gave no usable answer."""
        self._failing.labels(node, what).inc()
        if self._throttle.admits((node, what, "")):
            _log.warning("rpc_node_failed", node=node, what=what, reason=why)
