"""Metrics of the sender's gateway."""

from __future__ import annotations

from prometheus_client import Counter

from oepnode.services.common.metrics import InputMetrics


class SenderMetrics(InputMetrics):
    """The metrics of one gateway, in their own registry."""

    def __init__(self) -> None:
        super().__init__()
        self._checked = Counter(
            "oepnode_documents_checked",
            "Documents that were checked, by verdict",
            ["code"],
            registry=self.registry,
        )
        self.rounds_opened = Counter(
            "oepnode_rounds_opened",
            "Rounds opened by requests to this gateway, without those whose answer was lost",
            registry=self.registry,
        )

    def count_checked(self, code: str) -> None:
        """Count a document by its verdict: ``accepted`` or ``rejected``."""
        self._checked.labels(code).inc()
