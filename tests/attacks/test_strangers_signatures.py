"""An outsider sends requests that are signed, by keys of nobody.

Before: a service recovered the signer of every request in Python, 8 ms each on its only thread, and
kept every request in an unbounded queue, also those of connections that were closed again. 38
requests a second starved registry and sender, and every worker abstained.

Now (`oepnode.services.common`): a request names its signer, and one that is no member's signer is
rejected by a look into memory (`known_signers`). For a member's name the signature is verified in
native code, in 0.3 ms. Only verified requests wait for a turn, a bounded number in total and for
each member (`turns`). A relay's ballots name no signer: native recovery comes first, then the look.

What remains: native code verifies some thousands of forged requests a second; more than that is for
the limit of requests an address, here and in a proxy.
"""

import asyncio
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

PER_S = 400
WARM_UP_S = 2.0


@pytest.mark.parametrize(
    ("name", "claims_worker"),
    [
        ("registry", False),
        ("registry", True),
        ("relay", True),
        # The sender's gateway authorizes with the same code as the registry.
        pytest.param("sender", False, marks=pytest.mark.campaign),
        pytest.param("sender", True, marks=pytest.mark.campaign),
        pytest.param("relay", False, marks=pytest.mark.campaign),
    ],
)
async def test_400_requests_a_second_keep_no_worker_waiting(
    name: str, claims_worker: bool, tmp_path: Path
) -> None:
    files = foreign_requests(tmp_path, name, claims_worker=claims_worker)
    with service(name, tmp_path) as url, crowd("strangers", PER_S, url, tmp_path, *files):
        assert await longest_wait(name, url) < DEADLINE_S


async def test_without_the_order_of_checks_the_attack_succeeds(tmp_path: Path) -> None:
    files = foreign_requests(tmp_path, "registry")
    with (
        service("registry", tmp_path, "order") as url,
        crowd("strangers", PER_S, url, tmp_path, *files),
    ):
        await asyncio.sleep(WARM_UP_S)
        assert not await is_served("registry", url)
