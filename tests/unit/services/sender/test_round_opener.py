"""One round per set of inputs, whatever is lost or crashes."""

import asyncio

import pytest

from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import ConflictError, TransportError
from oepnode.services.sender.metrics import SenderMetrics
from oepnode.services.sender.round_opener import RoundOpener
from oepnode.services.sender.store import EnvelopeStore, StoredDocument
from tests.support.fake_chain import FakeChain, FakeClock, InMemoryChain

DOCUMENT = StoredDocument(b"\x01" * 32, 10, 1_795_000_200, 6, 1.0, ())
REGISTRY = b"\x0a" * 32


@pytest.fixture
def opener(chain: FakeChain, clock: FakeClock, envelopes: EnvelopeStore) -> RoundOpener:
    envelopes.add(DOCUMENT)
    return RoundOpener(chain, clock, envelopes, SenderMetrics())


async def test_a_round_is_opened_with_the_documents_horizon(
    opener: RoundOpener, blockchain: InMemoryChain, envelopes: EnvelopeStore
) -> None:
    assert await opener.open(DOCUMENT, REGISTRY) == (1, True)
    state = blockchain.rounds[1]
    assert (state.horizon_start, state.interval_count) == (1_795_000_200, 6)
    assert envelopes.round_of(DOCUMENT.digest, REGISTRY) == 1


@pytest.mark.parametrize("phase", [Phase.VOTING, Phase.FINAL])
async def test_a_valid_round_is_returned_again(
    opener: RoundOpener, blockchain: InMemoryChain, phase: Phase
) -> None:
    await opener.open(DOCUMENT, REGISTRY)
    blockchain.set_phase(1, phase)
    assert await opener.open(DOCUMENT, REGISTRY) == (1, False)
    assert len(blockchain.rounds) == 1


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CANCELLED])
async def test_after_a_failed_round_a_new_one_is_opened(
    opener: RoundOpener, blockchain: InMemoryChain, phase: Phase
) -> None:
    await opener.open(DOCUMENT, REGISTRY)
    blockchain.set_phase(1, phase)
    assert await opener.open(DOCUMENT, REGISTRY) == (2, True)


async def test_another_snapshot_is_another_round(
    opener: RoundOpener, blockchain: InMemoryChain
) -> None:
    await opener.open(DOCUMENT, REGISTRY)
    assert await opener.open(DOCUMENT, b"\x0b" * 32) == (2, True)
    assert len(blockchain.rounds) == 2


async def test_requests_at_once_open_one_round(
    opener: RoundOpener, blockchain: InMemoryChain
) -> None:
    answers = await asyncio.gather(*(opener.open(DOCUMENT, REGISTRY) for _ in range(5)))
    assert sorted(answers) == [(1, False)] * 4 + [(1, True)]
    assert len(blockchain.rounds) == 1


async def test_a_lost_response_is_looked_up_on_chain(
    opener: RoundOpener,
    blockchain: InMemoryChain,
    chain: FakeChain,
    clock: FakeClock,
    envelopes: EnvelopeStore,
) -> None:
    blockchain.loses_answers = True
    with pytest.raises(TransportError):
        await opener.open(DOCUMENT, REGISTRY)
    assert envelopes.round_of(DOCUMENT.digest, REGISTRY) is None
    blockchain.loses_answers = False
    # As after a restart: a new opener on the same store.
    again = RoundOpener(chain, clock, envelopes, SenderMetrics())
    assert await again.open(DOCUMENT, REGISTRY) == (1, False)
    assert len(blockchain.rounds) == 1


async def test_another_requesters_round_is_not_mistaken(
    opener: RoundOpener, blockchain: InMemoryChain, chain: FakeChain
) -> None:
    blockchain.loses_answers = True
    with pytest.raises(TransportError):
        await chain.open_round(0, 1, b"\x02" * 32, REGISTRY)
    with pytest.raises(TransportError):
        await opener.open(DOCUMENT, REGISTRY)
    blockchain.loses_answers = False
    assert await opener.open(DOCUMENT, REGISTRY) == (2, False)


async def test_without_a_chain_nothing_is_sent_and_a_retry_works(
    opener: RoundOpener, blockchain: InMemoryChain
) -> None:
    blockchain.is_down = True
    with pytest.raises(TransportError):
        await opener.open(DOCUMENT, REGISTRY)
    blockchain.is_down = False
    assert await opener.open(DOCUMENT, REGISTRY) == (1, True)


async def test_a_rejection_ends_the_attempt(
    opener: RoundOpener, blockchain: InMemoryChain, chain: FakeChain, envelopes: EnvelopeStore
) -> None:
    blockchain.rejection = "EnforcedPause()"
    with pytest.raises(ConflictError, match="EnforcedPause"):
        await opener.open(DOCUMENT, REGISTRY)
    blockchain.rejection = ""
    await chain.open_round(0, 1, b"\x02" * 32, REGISTRY)
    assert envelopes.begin_opening(DOCUMENT.digest, REGISTRY, 1) == 1


async def test_each_round_is_counted_once_also_where_the_answer_was_lost(
    chain: FakeChain, clock: FakeClock, envelopes: EnvelopeStore, blockchain: InMemoryChain
) -> None:
    metrics = SenderMetrics()
    opener = RoundOpener(chain, clock, envelopes, metrics)
    envelopes.add(DOCUMENT)
    blockchain.loses_answers = True
    with pytest.raises(TransportError):
        await opener.open(DOCUMENT, REGISTRY)
    assert metrics.registry.get_sample_value("oepnode_rounds_opened_total") == 0
    blockchain.loses_answers = False
    for _ in range(3):
        await opener.open(DOCUMENT, REGISTRY)
    assert metrics.registry.get_sample_value("oepnode_rounds_opened_total") == 1
