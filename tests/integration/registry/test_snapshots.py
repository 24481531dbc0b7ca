"""Snapshots published from the database: by command, after a change, on a schedule."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from sqlalchemy import text

from oepnode.adapters.http.server.serving import listening
from oepnode.adapters.storage.registry_db.database import RegistryDatabase
from oepnode.client.operation.registry.aggregators import put_aggregator
from oepnode.client.operation.registry.changes import assign
from oepnode.client.operation.registry.database import DatabaseTarget, connect, prepare_database
from oepnode.client.operation.registry.imports import import_assignments
from oepnode.client.operation.registry.snapshots import publish_from_database
from oepnode.config import ChainSettings, HttpSettings, RegistrySettings
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot, parse_snapshot
from oepnode.errors import ConfigError, ConflictError
from oepnode.services.registry import app as registry
from oepnode.services.registry import publisher as publishers
from oepnode.services.registry.database_snapshots import KEEP_ENDED_S, publish_database
from oepnode.services.registry.publisher import Mode, SnapshotPublisher
from oepnode.services.registry.store import RegistryStore
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain, FakeClock, InMemoryChain

NMI = "6305888444"
DAY = "2026-12-{:02}T04:00:00+10:00"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RegistryStore]:
    opened = RegistryStore(tmp_path / "data")
    yield opened
    opened.close()


def read(store: RegistryStore, digest: bytes) -> Snapshot:
    stored = store.snapshot(digest)
    assert stored is not None
    data = store.read("snapshot", stored)
    assert sha256(data).digest() == digest
    assert len(data) == stored.size
    salt = store.read("salt", stored)
    snapshot = parse_snapshot(data)
    assert sha256(salt).digest() == snapshot.salt_digest
    assert len(json.loads(data)["nonce"]) == 64
    return snapshot


def rows(snapshot: Snapshot) -> list[tuple[str, str, int, int]]:
    return [
        (nmi.decode(), snapshot.aggregators[holder].id, int(start), int(end))
        for nmi, holder, start, end in zip(
            snapshot.nmi, snapshot.aggregator, snapshot.start, snapshot.end, strict=True
        )
    ]


def test_a_snapshot_holds_the_database_and_is_published_once(
    target: DatabaseTarget, store: RegistryStore, tmp_path: Path
) -> None:
    assign(target, NMI, "north", DAY.format(1))
    assign(target, NMI, "south", DAY.format(3), DAY.format(5))
    first = publish_from_database(target, tmp_path / "data")
    assert first.is_new
    snapshot = read(store, bytes.fromhex(first.digest))
    assert [one.id for one in snapshot.aggregators] == ["north", "south"]
    assert [(holder, format_nem(start)) for _, holder, start, _ in rows(snapshot)] == [
        ("north", DAY.format(1)),
        ("south", DAY.format(3)),
        ("north", DAY.format(5)),
    ]
    again = publish_from_database(target, tmp_path / "data")
    assert (again.is_new, again.digest) == (False, first.digest)
    fresh = publish_from_database(target, tmp_path / "data", new_salt=True)
    assert fresh.is_new
    assert fresh.salt_digest != first.salt_digest
    assert rows(read(store, bytes.fromhex(fresh.digest))) == rows(snapshot)
    assign(target, NMI, "south", DAY.format(9))
    changed = publish_from_database(target, tmp_path / "data")
    assert changed.is_new
    assert store.count() == 3
    latest = store.latest()
    assert latest is not None
    assert latest.digest.hex() == changed.digest
    assert (tmp_path / "data" / "snapshots" / first.digest).is_file()


def test_a_snapshot_imported_again_changes_nothing(
    target: DatabaseTarget, store: RegistryStore, tmp_path: Path
) -> None:
    assign(target, NMI, "north", DAY.format(1), DAY.format(2))
    assign(target, "6305888445", "south", DAY.format(1))
    done = publish_from_database(target, tmp_path / "data")
    file = tmp_path / "data" / "snapshots" / done.digest
    report = import_assignments(target, file, replace=True)
    assert (report.new, report.changed, report.ended, report.unchanged) == (0, 0, 0, 2)
    assert report.aggregators == 0
    assert report.revision == done.revision


def test_the_database_records_what_was_published(
    target: DatabaseTarget, database: RegistryDatabase, tmp_path: Path
) -> None:
    done = publish_from_database(target, tmp_path / "data")
    query = "SELECT digest, salt_digest, nonce, revision, reason FROM publications"
    with database.reading() as connection:
        ((digest, salt_digest, nonce, revision, reason),) = connection.execute(text(query)).all()
    data = (tmp_path / "data" / "snapshots" / done.digest).read_bytes()
    assert (bytes(digest).hex(), bytes(salt_digest).hex()) == (done.digest, done.salt_digest)
    assert bytes(nonce).hex() == json.loads(data)["nonce"]
    assert (revision, reason) == (done.revision, "command")


def test_what_ended_long_ago_is_left_out(
    target: DatabaseTarget, database: RegistryDatabase, store: RegistryStore
) -> None:
    assign(target, NMI, "north", DAY.format(1), DAY.format(3))
    assign(target, NMI, "south", DAY.format(3))
    end = datetime.fromisoformat(DAY.format(3)).timestamp()
    for late, expected in ((KEEP_ENDED_S - 1, 2), (KEEP_ENDED_S, 1)):
        done = publish_database(store, database, end + late, "command", new_salt=True)
        assert len(rows(read(store, done.stored.digest))) == expected


def test_an_empty_database_is_not_published(empty: DatabaseTarget, tmp_path: Path) -> None:
    prepare_database(empty)
    with pytest.raises(ConflictError, match="registry import"):
        publish_from_database(empty, tmp_path / "data")
    with pytest.raises(ConfigError, match="data folder"):
        publish_from_database(empty)


def publisher(
    store: RegistryStore, database: RegistryDatabase, clock: FakeClock, mode: Mode
) -> SnapshotPublisher:
    return SnapshotPublisher(store, database, clock, mode, 3600)


def test_a_change_is_published_when_it_is_seen(
    target: DatabaseTarget, database: RegistryDatabase, store: RegistryStore
) -> None:
    watching = publisher(store, database, FakeClock(), "on_change")
    assert watching.publish_if_due()
    assert not watching.publish_if_due()
    assign(target, NMI, "north", DAY.format(1))
    assert watching.publish_if_due()
    assign(target, NMI, "north", DAY.format(1))
    assert not watching.publish_if_due()
    assert store.count() == 2


def test_a_schedule_holds_across_restarts(
    target: DatabaseTarget, database: RegistryDatabase, store: RegistryStore
) -> None:
    clock = FakeClock()
    assert publisher(store, database, clock, "on_schedule").publish_if_due()
    assign(target, NMI, "north", DAY.format(1))
    clock.time += 3599
    assert not publisher(store, database, clock, "on_schedule").publish_if_due()
    clock.time += 1
    assert publisher(store, database, clock, "on_schedule").publish_if_due()
    clock.time += 3600
    assert publisher(store, database, clock, "on_schedule").publish_if_due()
    assert store.count() == 3


def settings(target: DatabaseTarget, tmp_path: Path) -> RegistrySettings:
    return RegistrySettings(
        data_dir=tmp_path / "data",
        chain=ChainSettings(
            rpc_urls=("http://127.0.0.1:1",), chain_id=CHAIN_ID, contract="0x" + CONTRACT.hex()
        ),
        operators=("0x" + "71" * 20,),
        database=target.url,
        publish="on_change",
    )


async def latest(url: str) -> str | None:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/snapshots/latest") as got:
        body: dict[str, Any] = await got.json()
        return body.get("digest")


async def latest_other_than(url: str, known: str | None) -> str:
    for _ in range(400):
        digest = await latest(url)
        if digest not in (None, known):
            return str(digest)
        await asyncio.sleep(0.05)
    raise AssertionError("no newer snapshot was served")


async def test_the_registry_serves_a_snapshot_after_each_change(
    empty: DatabaseTarget,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publishers, "LOOK_EVERY_S", 0.05)
    clock = FakeClock()
    chosen = settings(empty, tmp_path)
    chain = FakeChain(InMemoryChain(clock))
    with structlog.testing.capture_logs() as logs:
        app = registry.application(chosen, chain, clock, database=connect(empty))
        async with listening(app, HttpSettings()) as url:
            await asyncio.sleep(0.3)
            assert await latest(url) is None
            await asyncio.to_thread(prepare_database, empty)
            await asyncio.to_thread(put_aggregator, empty, "north", "North", "0a" * 32)
            first = await latest_other_than(url, None)
            await asyncio.to_thread(assign, empty, NMI, "north", DAY.format(1))
            second = await latest_other_than(url, first)
    stored = parse_snapshot((tmp_path / "data" / "snapshots" / second).read_bytes())
    assert rows(stored)[-1][:2] == (NMI, "north")
    events = [entry["event"] for entry in logs]
    assert events.count("snapshot_not_published") <= 2, "one line for each kind of trouble"
    assert "registry init" in next(
        e["reason"] for e in logs if e["event"].endswith("not_published")
    )
    assert NMI not in str(logs)
