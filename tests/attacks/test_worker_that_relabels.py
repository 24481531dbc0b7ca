"""A worker serves one aggregator the partition of another, again and again.

Who: one enrolled worker whose vote matched. It seals the partition of A2 to A1, with A1's id in it
and every hash right.

Before: `aggregator fetch` asked the matched workers in the order of their index. It took this
bundle for A1's, and had it noticed, each retry would have asked the same worker first.

Now: the bundle fails the check ``aggregator-pseudonym`` by itself
(``oepnode.domain.rounds.bundle``), and ``oepnode.client.fetching`` takes any failed check as a
reason to ask the next worker, in an order that is random for each fetch, and names the liar in its
report. ``--skip`` leaves it out.

What remains: nothing of it reaches the aggregator's file. The liar has read A2's NMIs, which every
enrolled worker of a round that is not blind can.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import json as msgspec_json
from typer.testing import CliRunner

from oepnode import wiring
from oepnode.cli.main import app
from oepnode.domain.rounds import bundle_reading, bundle_writing
from oepnode.domain.rounds.entries import decode_partition
from tests.attacks.support.misbehaving import Server, response, serving
from tests.support.round_world import (
    CONTRACT,
    HELD,
    MEMBERS,
    RESULT,
    FakeReader,
    index_of,
    sealed,
    write_folder,
)

LIAR, HONEST = MEMBERS[0].operator, MEMBERS[3].operator
STOLEN = RESULT.partitions[index_of("A2")]
FETCH = ["aggregator", "fetch", "--key", "A1.json", "--out", "got.oepb", "--allow-private"]


def relabelled() -> bytes:
    """A2's partition in a bundle that names A1."""
    parts = [replace(p, aggregator_id="A1") if p is STOLEN else p for p in RESULT.partitions]
    return b"".join(bundle_writing.build(replace(RESULT, partitions=tuple(parts)), index_of("A2")))


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    """A chain on which the liar comes first, as it would by chance."""
    reader = FakeReader()
    reader.endpoints.clear()
    monkeypatch.setattr(wiring, "chain_reader", reader.connect)
    monkeypatch.setattr("secrets.SystemRandom.shuffle", lambda self, members: None)
    monkeypatch.setenv("OEPNODE_RPC", "https://node.test")
    monkeypatch.setenv("OEPNODE_CONTRACT", "0x" + CONTRACT.hex())
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path)
    return reader


@pytest.fixture
def liar() -> Iterator[Server]:
    """The worker that relabels."""
    with serving(response(sealed("A1", relabelled()))) as server:
        yield server


@pytest.fixture
def honest() -> Iterator[Server]:
    """A worker that serves the reader's own bundle."""
    with serving(response(sealed("A1"))) as server:
        yield server


def fetch(reader: FakeReader, liar: Server, honest: Server, *more: str) -> dict[str, object]:
    reader.endpoints |= {LIAR: liar.url, HONEST: honest.url}
    result = CliRunner().invoke(app, [*FETCH, "--json", *more])
    assert result.exit_code == 0, result.output
    value: dict[str, object] = msgspec_json.decode(result.stdout)
    return value


def limits_of(folder: Path) -> str:
    words = ["aggregator", "verify", "got.oepb", "--key", "A1.json", "--format", "csv"]
    assert CliRunner().invoke(app, [*words, "--out", "limits.csv"]).exit_code == 0
    return (folder / "limits.csv").read_text()


def test_the_next_worker_is_asked_and_the_liar_named(
    reader: FakeReader, liar: Server, honest: Server, tmp_path: Path
) -> None:
    value = fetch(reader, liar, honest)
    assert value["worker"] == "0x" + HONEST.hex()
    first = value["attempts"][0]  # type: ignore[index]
    assert first["operator"] == "0x" + LIAR.hex()
    assert "check aggregator-pseudonym failed" in first["outcome"]
    text = limits_of(tmp_path)
    assert HELD["A1"][0] in text
    assert HELD["A2"][0] not in text


def test_the_liar_can_be_left_out(reader: FakeReader, liar: Server, honest: Server) -> None:
    fetch(reader, liar, honest, "--skip", "0x" + LIAR.hex())
    fetch(reader, liar, honest, "--skip", liar.url)
    assert liar.requests == []


def test_without_check_and_retry_the_attack_succeeds(
    reader: FakeReader,
    liar: Server,
    honest: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = decode_partition(STOLEN.entry).pseudonym
    monkeypatch.setattr(bundle_reading, "aggregator_pseudonym", lambda key, aggregator_id: given)
    value = fetch(reader, liar, honest)
    assert value["worker"] == "0x" + LIAR.hex()
    assert HELD["A2"][0] in limits_of(tmp_path)


def test_without_the_retry_the_liar_shuts_the_aggregator_out(
    reader: FakeReader, liar: Server, honest: Server, tmp_path: Path
) -> None:
    reader.endpoints |= {LIAR: liar.url, HONEST: honest.url}
    result = CliRunner().invoke(app, [*FETCH, "--worker", "0x" + LIAR.hex()])
    assert result.exit_code == 1
    assert not (tmp_path / "got.oepb").exists()
