"""A worker's metrics. Counts and durations only; no NMI, aggregator or key ever becomes a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class WorkerMetrics:
    """The metrics of one worker, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rounds_seen = Counter(
            "oepnode_rounds_seen",
            "Rounds opened in which this worker has a vote",
            registry=self.registry,
        )
        self.ballots_cast = Counter(
            "oepnode_ballots_cast", "Ballots of this worker on chain", registry=self.registry
        )
        self.abstentions = Counter(
            "oepnode_abstentions",
            "Abstentions of this worker on chain",
            ["reason"],
            registry=self.registry,
        )
        self.rounds_over = Counter(
            "oepnode_rounds_over",
            "Rounds that are over, by outcome for this worker",
            ["outcome"],
            registry=self.registry,
        )
        self.compute_seconds = Histogram(
            "oepnode_compute_seconds",
            "Time from inputs to result",
            buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
            registry=self.registry,
        )
        self.retries = Counter(
            "oepnode_retries",
            "Steps tried again because the outside did not answer",
            ["step"],
            registry=self.registry,
        )
        self.chain_head = Gauge(
            "oepnode_chain_head_block", "Newest block taken in", registry=self.registry
        )
        self.chain_time = Gauge(
            "oepnode_chain_time_seconds", "Time of that block", registry=self.registry
        )
        self.pending_effects = Gauge(
            "oepnode_pending_effects", "Effects asked for and not done", registry=self.registry
        )
