"""Fetching through the chain and a network that are functions; real servers are in tests/attacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from oepnode.adapters.crypto import sealing
from oepnode.client.chain import ChainTarget
from oepnode.client.fetching import FetchPolicy, fetch_bundle
from oepnode.domain.rounds.bundle import sealing_info, unpack_file
from oepnode.errors import ConfigError, ConflictError, EvidenceError, OepError, TransportError
from tests.support.round_world import CONTEXT, PUBLIC, FakeReader, Workers, sealed

JUNK = sealing.seal_whole(PUBLIC["A1"], b"junk", sealing_info(CONTEXT))


@pytest.fixture(autouse=True)
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members keep their order instead of a random one."""
    monkeypatch.setattr("secrets.SystemRandom.shuffle", lambda self, members: None)


def test_the_first_worker_with_a_bundle_that_verifies_is_used(
    folder: Path, chain: ChainTarget, workers: Workers
) -> None:
    # Members 1, 3 and 4 matched the final root; the lying member 2 and the abstainer come last.
    workers.served = {
        "http://worker-3.test": JUNK,
        "http://worker-4.test": sealed("A1"),
        "http://worker-2.test": sealed("A1"),
    }
    fetched = fetch_bundle(folder / "A1.json", chain, out=folder / "new.oepb")
    assert workers.requested == [f"http://worker-{number}.test" for number in (1, 3, 4)]
    assert [attempt.outcome[:12] for attempt in fetched.attempts] == [
        "http://worke",
        "check format",
        "served a bun",
    ]
    assert (fetched.round, fetched.url, fetched.sites) == (3, "http://worker-4.test", 6)
    assert unpack_file((folder / "new.oepb").read_bytes()) == (
        CONTEXT,
        workers.served["http://worker-4.test"],
    )


@pytest.mark.parametrize(
    ("served", "family"),
    [
        ({}, TransportError),
        ({"http://worker-1.test": ConflictError("no such bundle")}, ConflictError),
        (
            {
                "http://worker-1.test": ConflictError("no such bundle"),
                "http://worker-5.test": JUNK,
            },
            EvidenceError,
        ),
    ],
)
def test_no_file_is_written_without_a_bundle(
    folder: Path,
    chain: ChainTarget,
    workers: Workers,
    served: dict[str, bytes | Exception],
    family: type[OepError],
) -> None:
    workers.served = served
    with pytest.raises(family, match="round 3: no worker"):
        fetch_bundle(folder / "A1.json", chain, out=folder / "new.oepb")
    assert not (folder / "new.oepb").exists()
    assert len(workers.requested) == 5


A2 = "0x" + "a2" * 20


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        (FetchPolicy(skip=(A2,)), [1, 4, 2, 5]),
        (FetchPolicy(skip=("http://worker-1.test/",)), [3, 4, 2, 5]),
        (FetchPolicy(workers=("http://worker-5.test", A2)), [5, 3]),
        (FetchPolicy(workers=(A2, "http://worker-5.test"), skip=(A2,)), [5]),
    ],
)
def test_workers_are_chosen_and_left_out(
    folder: Path,
    chain: ChainTarget,
    workers: Workers,
    policy: FetchPolicy,
    asked: list[int],
) -> None:
    with pytest.raises(TransportError):
        fetch_bundle(folder / "A1.json", chain, out=folder / "new.oepb", policy=policy)
    assert workers.requested == [f"http://worker-{number}.test" for number in asked]


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        (FetchPolicy(workers=("0x" + "ee" * 20,)), "no operator of the round's electorate"),
        (FetchPolicy(skip=("0x" + "ee" * 20,)), "no operator of the round's electorate"),
        (FetchPolicy(workers=("worker-1.test",)), "40 hex digits"),
        (FetchPolicy(workers=(A2,), skip=(A2,)), "every worker of the round is skipped"),
    ],
)
def test_workers_that_are_not_there(
    folder: Path, chain: ChainTarget, workers: Workers, policy: FetchPolicy, word: str
) -> None:
    with pytest.raises(ConfigError, match=word):
        fetch_bundle(folder / "A1.json", chain, out=folder / "new.oepb", policy=policy)
    assert workers.requested == []


def test_a_url_from_the_chain_cannot_write_to_the_terminal(
    folder: Path, chain: ChainTarget, workers: Workers, reader: FakeReader
) -> None:
    reader.endpoints[bytes.fromhex("a0" * 20)] = "http://\x1b[2Jworker.test\n"
    workers.served = {"http://worker-3.test": sealed("A1")}
    fetched = fetch_bundle(folder / "A1.json", chain, out=folder / "new.oepb")
    assert fetched.attempts[0].url == "http://?[2Jworker.test?"
