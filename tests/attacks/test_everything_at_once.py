"""An outsider does everything at once: idle and slow connections, and requests of strangers.

Before: each connection that was opened got an HTTP protocol with its task and timers, and for every
few that were closed all of them were ranked. Half of a listener's time went into
connections that never sent a request; with all kinds of attackers on all listeners a worker waited
for 20 seconds. A document whose upload took more than a second was closed for newcomers.

Now (`oepnode.adapters.http.server`): until a request has come a connection is a socket and its
bytes (`pending`); an order of closing is used for a while (`connections`); the system keeps
connections that send nothing to itself (`sockets`), where it can and still answers everybody. A
document that arrives fast outlasts newcomers.

What remains: some thousands of connections a second for each listener, opened again as soon as they
are closed, fill a core. `benchmarks/flood` shows what a machine stands.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.attacks.support.under_attack import (
    DEADLINE_S,
    crowd,
    foreign_requests,
    is_served,
    longest_wait,
    service,
)

COUNT = 2_000
PER_S = 400


@pytest.mark.parametrize(
    "name",
    [
        "registry",
        "relay",
        pytest.param("sender", marks=pytest.mark.campaign),
        pytest.param("worker", marks=pytest.mark.campaign),
    ],
)
async def test_everything_at_once_keeps_no_worker_waiting(name: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(service(name, tmp_path))
        for kind in ("idle", "slow"):
            assert stack.enter_context(crowd(kind, COUNT, url, tmp_path)) == COUNT
        if name != "worker":  # its public pages take no signed request
            files = foreign_requests(tmp_path, name)
            stack.enter_context(crowd("strangers", PER_S, url, tmp_path, *files))
        assert await longest_wait(name, url) < DEADLINE_S


async def test_two_listeners_at_once_keep_no_worker_waiting(tmp_path: Path) -> None:
    names = ("registry", "relay")
    with ExitStack() as stack:
        urls = {name: stack.enter_context(service(name, tmp_path)) for name in names}
        for name, url in urls.items():
            (tmp_path / f"to-{name}").mkdir()
            for kind in ("idle", "slow"):
                stack.enter_context(crowd(kind, COUNT, url, tmp_path / f"to-{name}"))
        waits = await asyncio.gather(*(longest_wait(name, url) for name, url in urls.items()))
        assert max(waits) < DEADLINE_S


@pytest.mark.campaign
async def test_without_bounds_everything_at_once_succeeds(tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(service("relay", tmp_path, "bounds"))
        for kind in ("idle", "slow"):
            stack.enter_context(crowd(kind, COUNT, url, tmp_path))
        assert not await is_served("relay", url)
