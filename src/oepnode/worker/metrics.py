"""Metrics of a worker: counts and durations. No NMI, aggregator or key ever becomes a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class WorkerMetrics:
    """The metrics of one worker, in their own registry."""

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
            "Ended rounds, by outcome for this worker",
            ["outcome"],
            registry=self.registry,
        )
        self.compute_seconds = Histogram(
            "oepnode_compute_seconds",
            "Seconds from inputs to result, of rounds that are over",
            buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
            registry=self.registry,
        )
        self.retries = Counter(
            "oepnode_retries",
            "Retries of steps that failed, mostly because an external service did not respond",
            ["step"],
            registry=self.registry,
        )
        self.chain_head = Gauge(
            "oepnode_chain_head_block",
            "Number of the newest processed block",
            registry=self.registry,
        )
        self.chain_time = Gauge(
            "oepnode_chain_time_seconds",
            "Time of the newest processed block, UTC seconds",
            registry=self.registry,
        )
        self.pending_effects = Gauge(
            "oepnode_pending_effects", "Effects in progress", registry=self.registry
        )
