"""One round per set of inputs, whatever is lost, crashes or is reorganised."""

import asyncio
import sqlite3

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import ConflictError, TransportError
from oepnode.services.sender.openings import Opening, Openings
from oepnode.services.sender.round_opener import OpenedRound, RoundOpener
from oepnode.services.sender.store import EnvelopeStore, StoredDocument
from tests.support.fake_chain import FakeChain, InMemoryChain

DOCUMENT = StoredDocument(b"\x01" * 32, 10, 1_795_000_200, 6, 1.0, ())
OTHER = StoredDocument(b"\x02" * 32, 10, 1_795_000_200, 6, 1.0, ())
REGISTRY = b"\x0a" * 32
DEPTH = 12


def opened(number: int, *, is_new: bool, is_settled: bool = True) -> OpenedRound:
    return OpenedRound(number, is_new, is_settled)


@pytest.fixture
def openings(envelopes: EnvelopeStore) -> Openings:
    return envelopes.openings


@pytest.fixture
def opener(chain: FakeChain, openings: Openings) -> RoundOpener:
    return RoundOpener(chain, openings)


@pytest.fixture
def patient(blockchain: InMemoryChain, openings: Openings) -> RoundOpener:
    """An opener on a chain whose blocks are settled when they are 12 deep."""
    return RoundOpener(FakeChain(blockchain, depth=DEPTH), openings)


def memory(openings: Openings, document: StoredDocument = DOCUMENT) -> Opening | None:
    return openings.of(document.digest, REGISTRY)


async def test_a_round_is_opened_with_the_documents_horizon(
    opener: RoundOpener, blockchain: InMemoryChain, openings: Openings
) -> None:
    assert await opener.open(DOCUMENT, REGISTRY) == opened(1, is_new=True)
    state = blockchain.rounds[1]
    assert (state.horizon_start, state.interval_count) == (1_795_000_200, 6)
    (event,) = blockchain.log
    assert memory(openings) == Opening(
        digest=DOCUMENT.digest,
        registry_digest=REGISTRY,
        after_round=0,
        block=event.location.block,
        round=1,
        transaction=event.location.transaction,
        is_settled=True,
    )


@pytest.mark.parametrize("phase", [Phase.VOTING, Phase.FINAL])
async def test_a_valid_round_is_returned_again(
    opener: RoundOpener, blockchain: InMemoryChain, phase: Phase
) -> None:
    await opener.open(DOCUMENT, REGISTRY)
    blockchain.set_phase(1, phase)
    assert await opener.open(DOCUMENT, REGISTRY) == opened(1, is_new=False)
    assert len(blockchain.rounds) == 1


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CANCELLED])
async def test_after_a_failed_round_a_new_one_is_opened(
    opener: RoundOpener, blockchain: InMemoryChain, phase: Phase
) -> None:
    await opener.open(DOCUMENT, REGISTRY)
    blockchain.set_phase(1, phase)
    assert await opener.open(DOCUMENT, REGISTRY) == opened(2, is_new=True)


async def test_another_snapshot_is_another_round(
    opener: RoundOpener, blockchain: InMemoryChain
) -> None:
    await opener.open(DOCUMENT, REGISTRY)
    assert await opener.open(DOCUMENT, b"\x0b" * 32) == opened(2, is_new=True)
    assert len(blockchain.rounds) == 2


async def test_requests_at_once_open_one_round(
    opener: RoundOpener, blockchain: InMemoryChain
) -> None:
    answers = await asyncio.gather(*(opener.open(DOCUMENT, REGISTRY) for _ in range(5)))
    assert sorted(answer.is_new for answer in answers) == [False] * 4 + [True]
    assert {answer.number for answer in answers} == {1}
    assert len(blockchain.rounds) == 1


# --- lost responses, and a chain that does not answer -------------------------------------------


async def test_a_lost_response_is_looked_up_on_chain(
    opener: RoundOpener, blockchain: InMemoryChain, chain: FakeChain, openings: Openings
) -> None:
    blockchain.loses_answers = True
    with pytest.raises(TransportError):
        await opener.open(DOCUMENT, REGISTRY)
    known = memory(openings)
    assert known is not None
    assert known.round is None
    blockchain.loses_answers = False
    # As after a restart: a new opener on the same store.
    again = RoundOpener(chain, openings)
    assert await again.open(DOCUMENT, REGISTRY) == opened(1, is_new=False)
    assert len(blockchain.rounds) == 1


async def test_another_requesters_round_is_not_mistaken(
    opener: RoundOpener, blockchain: InMemoryChain, chain: FakeChain
) -> None:
    blockchain.loses_answers = True
    with pytest.raises(TransportError):
        await chain.open_round(0, 1, OTHER.digest, REGISTRY)
    with pytest.raises(TransportError):
        await opener.open(DOCUMENT, REGISTRY)
    blockchain.loses_answers = False
    assert await opener.open(DOCUMENT, REGISTRY) == opened(2, is_new=False)


async def test_a_failed_round_is_not_the_outcome_of_a_later_attempt(
    opener: RoundOpener, blockchain: InMemoryChain, chain: FakeChain, openings: Openings
) -> None:
    await opener.open(DOCUMENT, REGISTRY)
    blockchain.set_phase(1, Phase.FAILED)
    known = memory(openings)
    assert known is not None
    pending = replace(known, after_round=1, round=None, transaction=b"", is_settled=False)
    openings.put(pending)  # a second round was sent, and its outcome is not known
    await opener.check()
    await chain.open_round(1_795_000_200, 6, DOCUMENT.digest, REGISTRY)  # now it is mined
    assert await opener.open(DOCUMENT, REGISTRY) == opened(2, is_new=False)
    assert len(blockchain.rounds) == 2


async def test_a_round_that_another_requester_opened_is_returned(
    opener: RoundOpener, blockchain: InMemoryChain, chain: FakeChain, openings: Openings
) -> None:
    await chain.open_round(1_795_000_200, 6, DOCUMENT.digest, REGISTRY)
    assert await opener.open(DOCUMENT, REGISTRY) == opened(1, is_new=False)
    assert len(blockchain.rounds) == 1
    known = memory(openings)
    assert known is not None
    assert known.round == 1


async def test_without_a_chain_nothing_is_sent_and_a_retry_works(
    opener: RoundOpener, blockchain: InMemoryChain
) -> None:
    blockchain.is_down = True
    with pytest.raises(TransportError):
        await opener.open(DOCUMENT, REGISTRY)
    blockchain.is_down = False
    assert await opener.open(DOCUMENT, REGISTRY) == opened(1, is_new=True)


async def test_a_rejection_ends_the_attempt(
    opener: RoundOpener, blockchain: InMemoryChain, openings: Openings
) -> None:
    blockchain.rejection = "EnforcedPause()"
    with pytest.raises(ConflictError, match="EnforcedPause"):
        await opener.open(DOCUMENT, REGISTRY)
    assert memory(openings) is None


async def test_a_rejection_leaves_the_earlier_round_known(
    opener: RoundOpener, blockchain: InMemoryChain, openings: Openings
) -> None:
    await opener.open(DOCUMENT, REGISTRY)
    known = memory(openings)
    blockchain.set_phase(1, Phase.FAILED)
    blockchain.rejection = "EnforcedPause()"
    with pytest.raises(ConflictError, match="EnforcedPause"):
        await opener.open(DOCUMENT, REGISTRY)
    assert memory(openings) == known


# --- openings that are not settled --------------------------------------------------------------


async def test_a_round_that_is_not_deep_yet_is_not_opened_twice(
    patient: RoundOpener, blockchain: InMemoryChain, openings: Openings
) -> None:
    assert await patient.open(DOCUMENT, REGISTRY) == opened(1, is_new=True, is_settled=False)
    for _ in range(DEPTH - 1):
        blockchain.mine(1)
        answer = await patient.open(DOCUMENT, REGISTRY)
        assert answer == opened(1, is_new=False, is_settled=False)
    blockchain.mine(1)
    await patient.check()
    assert openings.unsettled() == []
    assert await patient.open(DOCUMENT, REGISTRY) == opened(1, is_new=False)
    assert len(blockchain.rounds) == 1


async def test_it_is_not_opened_twice_after_a_restart(
    patient: RoundOpener, blockchain: InMemoryChain, openings: Openings
) -> None:
    blockchain.loses_answers = True
    with pytest.raises(TransportError):
        await patient.open(DOCUMENT, REGISTRY)
    blockchain.loses_answers = False
    again = RoundOpener(FakeChain(blockchain, depth=DEPTH), openings)
    assert await again.open(DOCUMENT, REGISTRY) == opened(1, is_new=False, is_settled=False)
    assert len(blockchain.rounds) == 1


@pytest.mark.parametrize("is_checked", [False, True], ids=["unnoticed", "noticed"])
async def test_after_a_reorganisation_every_document_has_its_own_round(
    patient: RoundOpener, blockchain: InMemoryChain, openings: Openings, is_checked: bool
) -> None:
    await patient.open(DOCUMENT, REGISTRY)
    blockchain.forget_rounds()
    if is_checked:
        await patient.check()
    assert await patient.open(OTHER, REGISTRY) == opened(1, is_new=True, is_settled=False)
    assert await patient.open(DOCUMENT, REGISTRY) == opened(2, is_new=True, is_settled=False)
    assert await patient.open(OTHER, REGISTRY) == opened(1, is_new=False, is_settled=False)
    digests = [event.envelope_digest for event in blockchain.log]  # type: ignore[union-attr]
    assert digests == [OTHER.digest, DOCUMENT.digest]


@pytest.mark.parametrize("is_checked", [False, True], ids=["unnoticed", "noticed"])
async def test_an_opening_that_vanished_is_reported_once(
    patient: RoundOpener, blockchain: InMemoryChain, openings: Openings, is_checked: bool
) -> None:
    await patient.open(DOCUMENT, REGISTRY)
    known = memory(openings)
    assert known is not None
    blockchain.forget_rounds()
    with capture_logs() as logs:
        if is_checked:
            await patient.check()
        await patient.open(OTHER, REGISTRY)  # takes its number
        await patient.check()
    (report,) = [line for line in logs if line["event"] == "opening_vanished"]
    assert (report["round"], report["document"]) == (1, DOCUMENT.digest.hex())
    assert report["transaction"] == known.transaction.hex()


async def test_a_settled_round_that_vanished_all_the_same_is_not_answered(
    opener: RoundOpener, blockchain: InMemoryChain
) -> None:
    await opener.open(DOCUMENT, REGISTRY)
    blockchain.forget_rounds()
    assert await opener.open(OTHER, REGISTRY) == opened(1, is_new=True)
    assert await opener.open(DOCUMENT, REGISTRY) == opened(2, is_new=True)


async def test_an_opening_that_vanished_is_no_round_of_the_newest_document(
    patient: RoundOpener, blockchain: InMemoryChain, envelopes: EnvelopeStore
) -> None:
    envelopes.add(DOCUMENT)
    await patient.open(DOCUMENT, REGISTRY)
    latest = envelopes.latest()
    assert latest is not None
    assert latest.round == 1
    blockchain.forget_rounds()
    await patient.check()
    latest = envelopes.latest()
    assert latest is not None
    assert (latest.round, latest.registry_digest) == (None, None)


async def test_an_opening_that_is_mined_again_is_found_under_its_new_number(
    patient: RoundOpener, blockchain: InMemoryChain, chain: FakeChain, openings: Openings
) -> None:
    for digest in (b"\x03" * 32, b"\x04" * 32):
        await chain.open_round(0, 1, digest, REGISTRY)
    await patient.open(DOCUMENT, REGISTRY)
    blockchain.forget_rounds()
    await chain.open_round(1_795_000_200, 6, DOCUMENT.digest, REGISTRY)
    assert await patient.open(DOCUMENT, REGISTRY) == opened(1, is_new=False, is_settled=False)
    assert len(blockchain.rounds) == 1
    known = memory(openings)
    assert known is not None
    assert (known.round, known.block) == (1, blockchain.log[-1].location.block)


async def test_an_absence_that_is_settled_is_not_followed_and_not_forgotten(
    patient: RoundOpener, blockchain: InMemoryChain, chain: FakeChain, openings: Openings
) -> None:
    await patient.open(DOCUMENT, REGISTRY)
    blockchain.forget_rounds()
    await patient.check()
    for _ in range(DEPTH):
        assert openings.unsettled() == [memory(openings)]
        blockchain.mine(1)
        await patient.check()
    assert openings.unsettled() == []
    # Its transaction was still pending, and is mined at last.
    await chain.open_round(1_795_000_200, 6, DOCUMENT.digest, REGISTRY)
    assert await patient.open(DOCUMENT, REGISTRY) == opened(1, is_new=False, is_settled=False)
    assert len(blockchain.rounds) == 1


async def test_a_node_that_is_behind_is_no_reorganisation(
    patient: RoundOpener, blockchain: InMemoryChain, openings: Openings
) -> None:
    await patient.open(DOCUMENT, REGISTRY)
    known = memory(openings)
    behind = RoundOpener(FakeChain(blockchain.at_depth(1)), openings)
    for attempt in (behind.check(), behind.open(DOCUMENT, REGISTRY)):
        with pytest.raises(TransportError, match="retry when the nodes have caught up") as caught:
            await attempt
        assert caught.value.code == "node.behind"
    assert memory(openings) == known
    assert len(blockchain.rounds) == 1


async def test_a_round_is_reported_where_only_its_depth_is_unknown(
    blockchain: InMemoryChain, openings: Openings
) -> None:
    chain = FakeChain(blockchain, depth=DEPTH)

    async def fails() -> FakeChain:
        raise TransportError("no answer")

    chain.settled = fails  # type: ignore[method-assign]
    answer = await RoundOpener(chain, openings).open(DOCUMENT, REGISTRY)
    assert answer == opened(1, is_new=True, is_settled=False)
    known = memory(openings)
    assert known is not None
    assert replace(known, transaction=b"") == Opening(
        digest=DOCUMENT.digest, registry_digest=REGISTRY, after_round=0, block=1, round=1
    )


async def test_an_internal_error_stops_no_later_check(
    patient: RoundOpener,
    blockchain: InMemoryChain,
    openings: Openings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("oepnode.services.sender.round_opener._CHECK_EVERY_S", 0.005)
    await patient.open(DOCUMENT, REGISTRY)
    blockchain.mine(DEPTH)
    find, failures = openings.unsettled, [sqlite3.OperationalError("disk is full")]

    def fails_once() -> list[Opening]:
        if failures:
            raise failures.pop()
        return find()

    monkeypatch.setattr(openings, "unsettled", fails_once)
    with capture_logs() as logs:
        watching = asyncio.create_task(patient.watch())
        async with asyncio.timeout(5):
            while find():
                await asyncio.sleep(0.005)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    (report,) = [line for line in logs if line["event"] == "openings_check_failed"]
    assert (report["error"], "disk" in str(report)) == ("OperationalError", False)
