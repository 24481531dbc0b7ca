"""Metrics of a service: what is counted, and that unknown values are absent."""

import asyncio

from prometheus_client import generate_latest

from oepnode.services.common.metrics import InputMetrics, ServiceMetrics
from oepnode.services.common.turns import Turns
from oepnode.services.relay.metrics import RelayMetrics
from oepnode.services.sender.metrics import SenderMetrics


def samples(metrics: ServiceMetrics) -> dict[str, float]:
    """The samples, without those that say when a counter was made."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs if "_created" not in name}


def test_what_never_happened_is_absent_where_it_has_a_kind() -> None:
    assert samples(InputMetrics()) == {}
    assert samples(SenderMetrics()) == {"oepnode_rounds_opened_total": 0}
    assert "oepnode_steps_relayed_total" not in "".join(samples(RelayMetrics()))


def test_requests_that_the_listener_rejected_are_counted() -> None:
    metrics = ServiceMetrics()
    for _ in range(3):
        metrics.count_early_rejection(429, "address.too_fast")
    assert samples(metrics) == {
        'oepnode_requests_total{endpoint="unknown",status="429"}': 3,
        'oepnode_requests_rejected_total{code="address.too_fast"}': 3,
    }


def test_grants_and_responses_are_counted_by_input() -> None:
    metrics = InputMetrics()
    metrics.count_grant("salt")
    metrics.count_grant("salt")
    metrics.count_served("snapshot")
    assert samples(metrics) == {
        'oepnode_grants_total{input="salt"}': 2,
        'oepnode_inputs_served_total{input="snapshot"}': 1,
    }


async def test_a_queue_is_shown_as_it_is() -> None:
    metrics, turns, go = ServiceMetrics(), Turns(at_a_time=2), asyncio.Event()
    metrics.watch("inputs", turns)

    def shown() -> tuple[float, float]:
        values = samples(metrics)
        return (
            values['oepnode_turns_in_use{queue="inputs"}'],
            values['oepnode_turns_waiting{queue="inputs"}'],
        )

    async def request(key: int) -> None:
        async with turns.turn(key):
            await go.wait()

    assert shown() == (0, 0)
    tasks = [asyncio.create_task(request(key)) for key in range(5)]
    for _ in range(3):
        await asyncio.sleep(0)
    assert shown() == (2, 3)
    tasks[0].cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert shown() == (2, 2)
    go.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert shown() == (0, 0)
