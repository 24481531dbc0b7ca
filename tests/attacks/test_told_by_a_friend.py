"""A lazy worker votes for a root that a friend told it.

Who: an operator that wants the fee for voting and not the work. A blind ballot hides a root from
everyone who has not computed it, but a friend who has can simply say it; the lazy worker then casts
the ballot that it would have cast itself, and is counted as "matched". Before, nothing showed that
it never had the inputs.

What stops it now: sender and registry write every grant of an input into an append-only log before
the first byte leaves (``services/common/access_log.py``), and publish per round a list of them that
they sign (``services/common/grants.py``). ``audit round --grants`` marks each member that voted
without a grant, and exits with 1 (``client/grants.py``).

What remains: a lazy worker that requests the inputs and throws them away is not marked. Its custody
root must then be that of the data for its own operator, which somebody has to compute for it
(rules-v1 section 13, ``audit replay --custody``). Independence cannot be proven.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from oepnode.domain.rounds.grants import GrantFault
from oepnode.errors import EvidenceError
from oepnode.services.common.access_log import AccessLog
from tests.attacks.support.round_services import (
    MEMBERS,
    RoundServices,
    operator,
    round_services,
)

LAZY = 2


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[RoundServices]:
    async with round_services(tmp_path) as world:
        yield world


async def play(services: RoundServices) -> int:
    """A round in which two members compute, and the third votes for what they say."""
    number = await services.publish()
    result = await services.compute(0, number)
    assert await services.compute(1, number) == result
    for index in range(3):
        await services.vote(index, number, result)
    await services.reveal(number, result)
    return number


async def test_a_worker_that_was_told_the_root_is_marked_and_one_that_computed_is_not(
    services: RoundServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await play(services)
    urls = services.sender_url, services.registry_url
    audit = await services.audit(monkeypatch, number, *urls)
    assert [member.standing for member in audit.members] == ["matched"] * 3
    assert [member.is_marked for member in audit.members] == [False, False, True]
    assert audit.members[LAZY].missing_inputs == ("document", "salt", "snapshot")
    with pytest.raises(EvidenceError, match="without having been granted.*0x" + "a2" * 20):
        audit.require_inputs_granted()


async def test_without_the_lists_the_attack_succeeds(
    services: RoundServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await play(services)
    audit = await services.audit(monkeypatch, number)
    assert audit.members[LAZY].standing == "matched"
    assert not audit.members[LAZY].is_marked
    audit.require_equal_count()
    audit.require_inputs_granted()


async def test_without_the_record_before_the_first_byte_an_honest_worker_would_be_accused(
    services: RoundServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AccessLog, "note", lambda *_: True)
    number = await play(services)
    urls = services.sender_url, services.registry_url
    audit = await services.audit(monkeypatch, number, *urls)
    assert [member.is_marked for member in audit.members] == [True] * 3


async def test_the_lazy_worker_cannot_add_itself_to_a_list(
    services: RoundServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = await play(services)
    lists = []
    async with aiohttp.ClientSession() as http:
        for url in (services.sender_url, services.registry_url):
            async with http.get(f"{url}/v1/rounds/{number}/grants") as response:
                assert response.status == 200
                lists.append(await response.json())
    for index, value in enumerate(lists):
        own = [g | {"operator": "0x" + operator(LAZY).hex()} for g in value["grants"]]
        value["grants"] += own[: len(own) // 2]
        forged = tmp_path / f"forged-{index}.json"
        forged.write_text(json.dumps(value))
        with pytest.raises(GrantFault, match=r"grants\.signer"):
            await services.audit(monkeypatch, number, str(forged))


async def test_a_list_that_the_lazy_worker_signed_itself_is_rejected(
    services: RoundServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await play(services)
    with pytest.raises(GrantFault, match=r"grants\.signer"):
        await services.audit(
            monkeypatch,
            number,
            services.registry_url,
            registry_signer=MEMBERS[LAZY].address,
        )


async def test_a_list_made_while_the_vote_is_open_accuses_nobody(
    services: RoundServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await services.publish()
    with pytest.raises(GrantFault, match=r"grants\.not_final"):
        await services.audit(monkeypatch, number, services.sender_url)


async def test_a_grant_cannot_be_taken_back(services: RoundServices, tmp_path: Path) -> None:
    await play(services)
    index = sqlite3.connect(tmp_path / "sender" / "index.sqlite")
    for change in ("DELETE FROM access_log", "UPDATE access_log SET granted_at = 0"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            index.execute(change)
    index.close()
