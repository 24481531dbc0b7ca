"""A worker shuts an aggregator out, or uses its machine, by how it serves bundles.

Who: one enrolled worker. Its endpoint on chain, and every byte behind it, are its own choice.

Before: `aggregator fetch` asked the workers one after the other with a deadline for each. A 1 MB
gzip body became 2.2 GiB of memory; one byte a second held up each worker's turn for minutes; an
endpoint like ``http://127.0.0.1:8080/admin/delete?all=1#`` was requested as it stood, on the
aggregator's own machine; ``user:pw@`` in it sent a password to a third party; 64 MiB of empty site
entries cost six times their size.

Now: ``oepnode.adapters.http.endpoints`` accepts a host, a port and a path and nothing else, and
connects to public addresses only, checked after the name is resolved;
``oepnode.adapters.http.bundles`` accepts no encoding, follows nothing and reads at most one of the
lengths that a bundle can have; ``oepnode.client.race`` starts the next worker after a failure at
once and after slowness soon, under one deadline; ``oepnode.domain.rounds.bundle`` proves the
number of sites before it cuts anything.

What remains: where every worker is hostile or silent, there is no bundle, and the report names
what each one did. Of a round of many sites a bundle of the accepted size is held in memory.
"""

from __future__ import annotations

import asyncio
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from oepnode import wiring
from oepnode.adapters.crypto import sealing
from oepnode.adapters.http import bundles as http_bundles
from oepnode.adapters.http import endpoints
from oepnode.adapters.http.client import HttpClient
from oepnode.client import race
from oepnode.client.bundles import unseal
from oepnode.client.chain import ChainTarget
from oepnode.client.fetching import FetchedBundle, FetchPolicy, NoEndpointError, fetch_bundle
from oepnode.client.keys import KeyPair
from oepnode.client.rounds import FinalRound
from oepnode.domain.rounds import bundle
from oepnode.domain.rounds.entries import smallest_site
from oepnode.errors import EvidenceError, TransportError
from tests.attacks.support.misbehaving import Answer, Server, dripping, endless, response, serving
from tests.support.plain_bundle import body_of, framed
from tests.support.round_world import (
    CONTEXT,
    CONTRACT,
    MEMBERS,
    PRIVATE,
    PUBLIC,
    RESULT,
    FakeReader,
    plaintext,
    sealed,
)

PAIR = KeyPair("A1", PRIVATE["A1"])
CHAIN = ChainTarget("https://node.test", "0x" + CONTRACT.hex())
FINAL = FinalRound(CONTEXT, RESULT.root, RESULT.partition_count, (), "test")
HERE = FetchPolicy(allow_private=True, hedge_s=15, timeout_s=60)
IMPATIENT = FetchPolicy(allow_private=True, hedge_s=0.3, timeout_s=60)
HOSTILE, HONEST = MEMBERS[0].operator, MEMBERS[2].operator


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two workers that matched, the hostile one always first; the others have no URL."""
    reader = FakeReader()
    reader.endpoints.clear()
    monkeypatch.setattr(wiring, "chain_reader", reader.connect)
    monkeypatch.setattr("secrets.SystemRandom.shuffle", lambda self, members: None)
    with ExitStack() as stack:
        yield World(reader, stack)


class World:
    """A round whose workers are real servers."""

    def __init__(self, reader: FakeReader, stack: ExitStack) -> None:
        self.reader = reader
        self._stack = stack
        self.bundle = sealed("A1")
        self.honest = self.start(HONEST, response(self.bundle))

    def start(self, operator: bytes, answer: Answer, endpoint: str = "{}") -> Server:
        """Start a worker; ``{}`` in its endpoint is the server's URL."""
        server = self._stack.enter_context(serving(answer))
        self.reader.endpoints[operator] = endpoint.replace("{}", server.url)
        return server

    def fetch(self, folder: Path, policy: FetchPolicy = HERE) -> FetchedBundle:
        """Fetch as the aggregator does."""
        return fetch_bundle(PAIR, CHAIN, out=folder / "got.oepb", policy=policy)


def outcome(fetched: FetchedBundle) -> str:
    """What became of the hostile worker, once the honest one has served."""
    assert fetched.worker == "0x" + HONEST.hex()
    first = fetched.attempts[0]
    assert first.operator == "0x" + HOSTILE.hex()
    return first.outcome


def peak_of(call: Any) -> int:
    """Most bytes that a call allocates at one time."""
    tracemalloc.start()
    try:
        call()
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


# --- what it serves ------------------------------------------------------------------------------

BOMB = zlib.compress(bytes(150_000_000), wbits=31)


def test_a_bomb_of_zeros_is_never_unpacked(world: World, tmp_path: Path) -> None:
    world.start(HOSTILE, response(BOMB, "200 OK", "Content-Encoding: gzip"))
    got: list[FetchedBundle] = []
    assert peak_of(lambda: got.append(world.fetch(tmp_path))) < 20_000_000
    assert "encoded, and no encoding was accepted" in outcome(got[0])


def test_nor_behind_a_second_header(world: World, tmp_path: Path) -> None:
    both = ("Content-Encoding: identity", "Content-Encoding: gzip")
    world.start(HOSTILE, response(BOMB, "200 OK", *both))
    assert "encoded" in outcome(world.fetch(tmp_path))


def test_without_it_the_bomb_goes_off(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = endpoints.public_session

    def decoding(**more: Any) -> Any:
        session = ours(**more)
        session._auto_decompress = True
        return session

    monkeypatch.setattr(endpoints, "public_session", decoding)
    monkeypatch.setattr(http_bundles, "_check_head", lambda response, sizes: None)
    world.start(HOSTILE, response(BOMB, "200 OK", "Content-Encoding: gzip"))
    assert "150000000 bytes were served, which no bundle has" in outcome(world.fetch(tmp_path))


def test_a_byte_now_and_then_does_not_hold_up_the_others(world: World, tmp_path: Path) -> None:
    world.start(HOSTILE, dripping(0.02, size=66_726))
    started = time.monotonic()
    assert "slower than another" in outcome(world.fetch(tmp_path, IMPATIENT))
    assert time.monotonic() - started < 60  # of 22 minutes


def test_without_the_next_worker_it_shuts_the_aggregator_out(world: World, tmp_path: Path) -> None:
    world.start(HOSTILE, dripping(0.02, size=66_726))
    alone = FetchPolicy(allow_private=True, hedge_s=3600, timeout_s=2)
    with pytest.raises(TransportError, match="before the deadline"):
        world.fetch(tmp_path, alone)
    assert not (tmp_path / "got.oepb").exists()


def test_one_deadline_covers_all(world: World, tmp_path: Path) -> None:
    for member in MEMBERS:
        world.start(member.operator, dripping(0.02, size=66_726))
    started = time.monotonic()
    with pytest.raises(TransportError) as caught:
        world.fetch(tmp_path, FetchPolicy(allow_private=True, hedge_s=0.2, timeout_s=2))
    assert time.monotonic() - started < 2 * len(MEMBERS)  # that of one after the other
    for member in MEMBERS:
        assert "0x" + member.operator.hex() in str(caught.value)


def test_without_it_each_worker_has_a_deadline_of_its_own(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = race.run

    async def endless(workers: Any, ask: Any, *, hedge_s: float, timeout_s: float) -> Any:
        return await ours(workers, ask, hedge_s=hedge_s, timeout_s=3600)

    monkeypatch.setattr(race, "run", endless)
    for member in MEMBERS:
        world.start(member.operator, dripping(0.02, size=66_726))
    started = time.monotonic()
    with pytest.raises(TransportError):
        world.fetch(tmp_path, FetchPolicy(allow_private=True, hedge_s=3600, timeout_s=0.6))
    assert time.monotonic() - started >= len(MEMBERS) * 0.6


@pytest.mark.parametrize("size", [0, 1, 66_725, 66_727, 10**12])
def test_a_length_that_no_bundle_has_is_not_even_read(
    world: World, tmp_path: Path, size: int
) -> None:
    world.start(HOSTILE, dripping(0.02, size))
    assert "which no bundle has" in outcome(world.fetch(tmp_path))


def test_without_the_lengths_it_is_read_and_waited_for(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bundles, "_check_head", lambda response, sizes: None)
    world.start(HOSTILE, dripping(0.02, 10**12))
    assert "slower than another" in outcome(world.fetch(tmp_path, IMPATIENT))


def test_a_body_without_an_end_is_cut_off(world: World, tmp_path: Path) -> None:
    world.start(HOSTILE, endless())
    policy = FetchPolicy(allow_private=True, hedge_s=10, max_bytes=1 << 20)
    assert "more were served" in outcome(world.fetch(tmp_path, policy))


def test_a_portfolio_bounds_the_bundle(world: World, tmp_path: Path) -> None:
    world.start(HOSTILE, endless())
    policy = FetchPolicy(allow_private=True, hedge_s=10)
    out = tmp_path / "got.oepb"
    fetched = fetch_bundle(PAIR, CHAIN, out=out, policy=policy, portfolio=["6305000001"] * 9)
    assert "accepted one has 66726 bytes" in outcome(fetched)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (bytes(66_726), "check opening failed"),
        (sealed("A1")[:-1] + b"\x00", "check opening failed"),
        (sealed("A3"), "check opening failed"),
        (sealed("A1", bytes(1 << 16)), "check format failed"),
        (sealed("A1", plaintext("A3")), "check aggregator failed"),
    ],
    ids=["zeros", "a changed byte", "another's", "sealed zeros", "another's plaintext"],
)
def test_after_any_check_that_fails_the_next_worker_is_asked(
    world: World, tmp_path: Path, data: bytes, word: str
) -> None:
    world.start(HOSTILE, response(data))
    assert word in outcome(world.fetch(tmp_path))
    written = (tmp_path / "got.oepb").read_bytes()
    assert bundle.unpack_file(written) == (CONTEXT, world.bundle)


@pytest.mark.parametrize(
    "status", ["301 Moved", "500 Oops", "404 Not Found", "206 Partial Content"]
)
def test_other_statuses_lead_to_the_next_worker(world: World, tmp_path: Path, status: str) -> None:
    world.start(HOSTILE, response(b"\x1b[31mwords of its own", status))
    words = outcome(world.fetch(tmp_path))
    assert status[:3] in words
    assert "words of its own" not in words


async def test_nor_is_an_answer_of_a_service(world: World) -> None:
    server = world.start(HOSTILE, response(BOMB, "200 OK", "Content-Encoding: gzip"))
    client = HttpClient(server.url, 10, wait=lambda _: asyncio.sleep(0))
    with pytest.raises(TransportError, match="encoded"):
        await client.get("/v1/snapshots/latest", "newest snapshot", 1 << 30)
    await client.close()


# --- how many sites it claims --------------------------------------------------------------------


def empty_entries(count: int) -> bytes:
    """A bundle that the reader can open, with that many empty entries."""
    return framed(
        msgspec.structs.replace(
            body_of(plaintext("A1")),
            lengths=bytes(4 * count),
            nmis=b"6305000001" * count,
            entries=b"",
        )
    )


def test_millions_of_empty_entries_are_counted_before_they_are_cut() -> None:
    data = empty_entries(1_000_000)
    message = sealing.seal_whole(PUBLIC["A1"], data, bundle.sealing_info(CONTEXT))

    def read() -> None:
        with pytest.raises(EvidenceError, match="check site-count failed"):
            unseal([message], PAIR, FINAL)

    assert peak_of(read) < len(data)


def test_as_many_sites_as_a_body_can_have_cost_less_than_was_received() -> None:
    # Entries of the least length that are none: the columns are kept until the first of them.
    count = 200_000
    data = framed(
        msgspec.structs.replace(
            body_of(plaintext("A1")),
            lengths=smallest_site().to_bytes(4) * count,
            nmis=b"6305000001" * count,
            entries=bytes(smallest_site() * count),
        )
    )
    message = sealing.seal_whole(PUBLIC["A1"], data, bundle.sealing_info(CONTEXT))

    def read() -> None:
        with pytest.raises(EvidenceError, match="check site-count failed"):
            unseal([message], PAIR, FINAL)

    assert peak_of(read) < len(data)


# --- where it sends the aggregator ---------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint",
    [
        "{}/admin/delete?all=1#",
        "{}/admin/delete#",
        "{}?x",
        "{}/a/../../admin",
        "{}/a%2f..%2fadmin",
        "{}\\admin",
        "{}/\r\nX-Header: 1",
        "http://user:pw@127.0.0.1:{port}",
        "http://127.0.0.1:{port}@evil.test",
        "file:///etc/passwd",
        "http://127.0.0.1:99999",
        "http://127.0.0.1 :80",
        "",
    ],
)
def test_an_endpoint_that_is_no_plain_url_is_not_requested(
    world: World, tmp_path: Path, endpoint: str
) -> None:
    victim = world.start(HOSTILE, response(sealed("A1")))
    world.reader.endpoints[HOSTILE] = endpoint.replace("{}", victim.url).replace(
        "{port}", str(victim.port)
    )
    assert "URL" in outcome(world.fetch(tmp_path)) or endpoint in {
        "{}/a/../../admin",
        "http://127.0.0.1:99999",
    }
    assert victim.requests == []


def test_without_the_parser_the_request_is_the_workers_own(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "parse", lambda text, allow_private: text)
    monkeypatch.setattr(endpoints, "url_of", lambda base, path: base + path)
    victim = world.start(HOSTILE, response(b""), "{}/admin/delete?all=1#")
    world.fetch(tmp_path)
    assert victim.requests[0].startswith("GET /admin/delete?all=1 HTTP/1.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_an_address_of_the_aggregators_own_network_is_not_requested(
    world: World, tmp_path: Path, host: str
) -> None:
    victim = world.start(HOSTILE, response(sealed("A1")))
    world.reader.endpoints[HOSTILE] = f"http://{host}:{victim.port}"
    honest = FetchPolicy(workers=("0x" + HOSTILE.hex(), world.honest.url), timeout_s=10)
    fetched = fetch_bundle(PAIR, CHAIN, out=tmp_path / "got.oepb", policy=honest)
    assert "not public" in fetched.attempts[0].outcome
    assert (fetched.url, fetched.worker, victim.requests) == (world.honest.url, "", [])
    alone = FetchPolicy(workers=("0x" + HOSTILE.hex(),), timeout_s=10)
    with pytest.raises(NoEndpointError, match="not public"):
        fetch_bundle(PAIR, CHAIN, out=tmp_path / "none.oepb", policy=alone)
    assert victim.requests == []


def test_without_the_check_of_addresses_it_is(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "is_public", lambda _: True)
    victim = world.start(HOSTILE, response(b""), "{}/admin")
    world.fetch(tmp_path, FetchPolicy(timeout_s=10))
    assert victim.requests[0].startswith("GET /admin/v1/rounds/")


def test_allowed_on_request_as_on_a_test_network(world: World, tmp_path: Path) -> None:
    victim = world.start(HOSTILE, response(b""))
    world.fetch(tmp_path, HERE)
    assert len(victim.requests) == 1


def test_a_redirect_is_not_followed(world: World, tmp_path: Path) -> None:
    victim = world.start(MEMBERS[4].operator, response(b""))
    world.start(HOSTILE, response(b"", "302 Found", f"Location: {victim.url}/admin"))
    assert "status 302" in outcome(world.fetch(tmp_path))
    assert victim.requests == []


def test_without_that_the_worker_chooses_the_next_url(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = aiohttp.ClientSession.get

    def following(session: Any, url: Any, **more: Any) -> Any:
        return ours(session, url, **more | {"allow_redirects": True})

    monkeypatch.setattr(aiohttp.ClientSession, "get", following)
    victim = world.start(MEMBERS[4].operator, response(b""))
    world.start(HOSTILE, response(b"", "302 Found", f"Location: {victim.url}/admin"))
    world.fetch(tmp_path)
    assert victim.requests[0].startswith("GET /admin HTTP/1.1")


def test_nothing_about_the_aggregator_is_sent(world: World, tmp_path: Path) -> None:
    server = world.start(HOSTILE, response(b""))
    world.fetch(tmp_path)
    (head,) = server.requests
    names = {line.split(":")[0].lower() for line in head.splitlines()[1:] if line}
    assert names == {"host", "accept", "accept-encoding", "user-agent", "connection"}
    assert "Python" not in head


# --- which workers are asked ---------------------------------------------------------------------


def test_a_worker_can_be_left_out_or_chosen(world: World, tmp_path: Path) -> None:
    hostile = world.start(HOSTILE, response(b""))
    skipping = FetchPolicy(allow_private=True, skip=("0x" + HOSTILE.hex(),))
    assert len(world.fetch(tmp_path, skipping).attempts) == 1
    chosen = FetchPolicy(workers=(world.honest.url,))
    assert world.fetch(tmp_path, chosen).url == world.honest.url
    assert hostile.requests == []


def test_the_order_is_random(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reader = FakeReader()
    monkeypatch.setattr(wiring, "chain_reader", reader.connect)
    asked: list[str] = []

    async def nothing(request: http_bundles.BundleRequest, *_: object) -> None:
        asked.append(request.endpoint)
        raise TransportError("silent")

    monkeypatch.setattr(http_bundles, "fetch", nothing)
    for _ in range(40):
        with pytest.raises(TransportError):
            fetch_bundle(PAIR, CHAIN, out=tmp_path / "got.oepb")
    first = {asked[at] for at in range(0, len(asked), 5)}
    assert first == {f"http://worker-{number}.test" for number in (1, 3, 4)}  # those that matched
