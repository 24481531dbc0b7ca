"""An outsider opens connections and sends nothing, or a byte a second.

Before: 1,100 idle connections at a limit of 1,024 open files silenced a service or a worker, since
each held a descriptor for as long as it liked, and the server had none left to accept another. A
round failed, because no worker got its inputs, and every failed attempt to accept was logged.

Now (`oepnode.adapters.http.server`): a listener has fewer connections than the process may open
files. Where there is no room, one that waits for its client is closed for a new one, first of all
those that have sent nothing; silence, headers and bodies have deadlines; accepting without a free
descriptor pauses.

What remains: whoever has the bandwidth of the whole line, or thousands of addresses, is kept out
by what stands in front (docs/services.md has the limits of a proxy).
"""

from pathlib import Path

import pytest

from tests.attacks.support.under_attack import DEADLINE_S, crowd, is_served, longest_wait, service

COUNT = 2_000
KINDS = ("idle", "slow")
ALL = [(name, kind) for name in ("registry", "sender", "relay", "worker") for kind in KINDS]
USUAL = {("registry", "slow"), ("worker", "idle")}
"""All listeners are served by the same code; the others are attacked in a campaign."""


@pytest.mark.parametrize(
    ("name", "kind"),
    [pytest.param(*pair, marks=[] if pair in USUAL else pytest.mark.campaign) for pair in ALL],
)
async def test_2000_connections_keep_no_worker_waiting(
    name: str, kind: str, tmp_path: Path
) -> None:
    with service(name, tmp_path) as url, crowd(kind, COUNT, url, tmp_path) as opened:
        assert opened == COUNT
        assert await longest_wait(name, url) < DEADLINE_S
    assert (tmp_path / f"{name}.log").stat().st_size < 100_000


@pytest.mark.parametrize("kind", ["idle", pytest.param("slow", marks=pytest.mark.campaign)])
async def test_without_bounds_the_attack_succeeds(kind: str, tmp_path: Path) -> None:
    with (
        service("registry", tmp_path, "bounds") as url,
        crowd(kind, COUNT, url, tmp_path),
    ):
        assert not await is_served("registry", url)
