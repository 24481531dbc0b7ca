"""``GET /v1/rounds/N/grants`` of both services: who was granted a round's inputs, signed."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from oepnode.adapters.crypto.grant_signature import recover_list_signer
from oepnode.domain.rounds.grants import GrantList, decode_list
from tests.attacks.support.round_services import (
    MEMBERS,
    REGISTRY_ACCOUNT,
    REQUESTER,
    RoundServices,
    address,
    operator,
    round_services,
)
from tests.integration.services.conftest import reason_of
from tests.support.fake_chain import FakeChain
from tests.support.round_world import COUNT, START


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[RoundServices]:
    async with round_services(tmp_path) as world:
        yield world


async def grants_of(url: str, number: int, account: object) -> GrantList:
    """The list that a service serves, signed by its account."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{url}/v1/rounds/{number}/grants") as response,
    ):
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-cache"
        grants, signature = decode_list(await response.read())
    assert recover_list_signer(grants, signature) == address(account)  # type: ignore[arg-type]
    return grants


async def rejection(url: str, number: object) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{url}/v1/rounds/{number}/grants") as response,
    ):
        return response.status, await reason_of(response)


async def test_each_service_lists_what_it_granted(services: RoundServices) -> None:
    number = await services.publish()
    assert (await grants_of(services.sender_url, number, REQUESTER)).grants == ()
    result = await services.compute(1, number)
    services.clock.time += 5
    await services.compute(1, number)  # a second time: the first grant counts
    await services.compute(0, number)
    await services.vote(1, number, result)
    documents = await grants_of(services.sender_url, number, REQUESTER)
    at = int(services.clock.time)
    assert [(g.operator, g.input, g.granted_at) for g in documents.grants] == [
        (operator(0), "document", at),
        (operator(1), "document", at - 5),
    ]
    assert (documents.is_final, documents.issued_at) == (False, at)
    for index in (0, 2):
        await services.vote(index, number, result)
    services.clock.time += 3
    inputs = await grants_of(services.registry_url, number, REGISTRY_ACCOUNT)
    assert [(g.operator, g.input) for g in inputs.grants] == [
        (operator(0), "salt"),
        (operator(0), "snapshot"),
        (operator(1), "salt"),
        (operator(1), "snapshot"),
    ]
    assert inputs.is_final


async def test_a_list_of_an_open_round_is_not_kept_for_long(services: RoundServices) -> None:
    number = await services.publish()
    first = await grants_of(services.sender_url, number, REQUESTER)
    await services.compute(0, number)
    services.clock.time += 3
    assert first.grants == ()
    assert len((await grants_of(services.sender_url, number, REQUESTER)).grants) == 1


async def test_a_list_is_not_final_while_the_last_vote_may_still_be_undone(
    services: RoundServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await services.publish()
    result = await services.compute(0, number)
    for index in (0, 1):
        await services.vote(index, number, result)
    confirmed = copy.copy(services.blockchain)

    async def settled(_: FakeChain) -> FakeChain:
        return FakeChain(confirmed)

    await services.vote(2, number, result)
    with monkeypatch.context() as context:
        context.setattr(FakeChain, "settled", settled)
        assert not (await grants_of(services.sender_url, number, REQUESTER)).is_final
    services.clock.time += 3
    assert (await grants_of(services.sender_url, number, REQUESTER)).is_final


@pytest.mark.parametrize("number", ["0", "01", "x", "9" * 17, "٣"])
async def test_a_malformed_round_is_rejected(services: RoundServices, number: str) -> None:
    assert await rejection(services.sender_url, number) == (400, "round.malformed")


async def test_an_unknown_round_is_rejected(services: RoundServices) -> None:
    assert await rejection(services.registry_url, 7) == (404, "round.unknown")


async def test_a_service_accuses_nobody_of_a_round_of_other_inputs(
    services: RoundServices,
) -> None:
    chain = FakeChain(services.blockchain, address(REQUESTER))
    number = (await chain.open_round(START, COUNT, b"\x0e" * 32, b"\x0f" * 32)).round
    for url in (services.sender_url, services.registry_url):
        assert await rejection(url, number) == (404, "grants.other_service")


async def test_where_anyone_may_read_documents_there_is_no_list(tmp_path: Path) -> None:
    async with round_services(tmp_path, document_access="anyone") as services:
        number = await services.publish()
        assert await rejection(services.sender_url, number) == (404, "grants.not_signed")


async def test_a_list_holds_no_nmi_and_no_salt(services: RoundServices) -> None:
    number = await services.publish()
    await services.compute(0, number)
    grants = await grants_of(services.registry_url, number, REGISTRY_ACCOUNT)
    text = json.dumps([str(g) for g in grants.grants])
    assert "63050000" not in text
    assert MEMBERS[0].address[2:].lower() not in text.lower()  # operators, not hot signers
