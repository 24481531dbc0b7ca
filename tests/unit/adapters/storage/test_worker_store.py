"""A worker's store: durable and atomic."""

import sqlite3
import stat
from pathlib import Path

import pytest

from oepnode.adapters.storage.worker_store import SqliteStore
from oepnode.errors import FatalError
from oepnode.ports import Cursor, StoredEffect, StoredRound

EFFECTS = [StoredEffect("1/compute", 1, b"a"), StoredEffect("1/cast", 1, b"b")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "worker.sqlite"


def test_a_commit_survives_a_restart(path: Path) -> None:
    store = SqliteStore(path)
    assert store.cursors() == []
    store.set_cursor(Cursor(7, b"h" * 32))
    store.set_cursor(Cursor(8, b"i" * 32))
    store.commit(StoredRound(1, True, b"state"), EFFECTS)
    store.effect_done("1/compute")
    store.close()
    store.close()

    again = SqliteStore(path)
    assert again.cursors()[0] == Cursor(8, b"i" * 32)
    assert again.round(1) == StoredRound(1, True, b"state")
    assert again.pending_effects() == [EFFECTS[1]]
    again.close()


def test_a_crash_inside_a_commit_leaves_the_old_state(path: Path) -> None:
    store = SqliteStore(path)
    store.commit(StoredRound(1, True, b"old"), [])

    class Violation:
        id, round, payload = "1/cast", 1, object()  # SQLite cannot keep it

    with pytest.raises(FatalError, match="database failed"):
        store.commit(StoredRound(1, False, b"new"), [EFFECTS[0], Violation()])  # type: ignore[list-item]
    assert store.round(1) == StoredRound(1, True, b"old")
    assert store.pending_effects() == []
    store.close()


def test_an_effect_requested_again_is_pending_again(path: Path) -> None:
    store = SqliteStore(path)
    store.commit(StoredRound(1, True, b""), EFFECTS)
    for effect in EFFECTS:
        store.effect_done(effect.id)
    assert store.pending_effects() == []
    store.commit(StoredRound(1, True, b""), EFFECTS[1:])
    assert store.pending_effects() == EFFECTS[1:]
    store.close()


def test_rounds_come_newest_first_and_live_ones_alone(path: Path) -> None:
    store = SqliteStore(path)
    for number in range(1, 6):
        store.commit(StoredRound(number, number in (2, 5), b""), [])
    assert [stored.number for stored in store.rounds(3)] == [5, 4, 3]
    assert [stored.number for stored in store.rounds(9, live_only=True)] == [5, 2]
    assert store.round(9) is None
    store.close()


def test_the_file_is_for_its_owner_only(path: Path) -> None:
    SqliteStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_database_of_a_later_release_is_rejected(path: Path) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(FatalError, match="version 99"):
        SqliteStore(path)


def test_a_file_that_is_not_a_database_is_a_fatal_error(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, but long enough to be taken for one" * 50)
    with pytest.raises(FatalError):
        SqliteStore(path)


def test_a_closed_store_raises(path: Path) -> None:
    store = SqliteStore(path)
    store.close()
    with pytest.raises(FatalError, match="closed"):
        store.cursors()


def test_cursors_reach_back_to_the_first_with_growing_distances(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "worker.sqlite")
    for block in range(1, 401):
        store.set_cursor(Cursor(block, block.to_bytes(32)))
    distances = [400 - cursor.block for cursor in store.cursors()]
    assert distances[0] == 0
    assert len(distances) < 24
    for depth in range(1, 200):
        assert any(depth <= distance <= 2 * depth for distance in distances)
    store.close()


def test_going_back_forgets_the_cursors_above(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "worker.sqlite")
    for block in (5, 6, 20_000):
        store.set_cursor(Cursor(block, block.to_bytes(32)))
    store.set_cursor(Cursor(6, b"n" * 32))
    assert store.cursors() == [Cursor(6, b"n" * 32), Cursor(5, (5).to_bytes(32))]
    store.close()
