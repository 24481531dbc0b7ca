"""Immutable files and their index."""

import sqlite3
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from oepnode.adapters.storage.digest_files import FileStore, make_folder
from oepnode.adapters.storage.sqlite_index import Index
from oepnode.errors import ConfigError, FatalError


def test_bytes_are_stored_under_their_digest_for_the_owner_only(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "documents")
    digest = store.put(b"some bytes")
    assert digest == sha256(b"some bytes").digest()
    assert store.read(digest, "document") == b"some bytes"
    assert stat.S_IMODE(store.path(digest).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "documents").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "documents").iterdir()] == [digest.hex()]


def test_nothing_is_visible_before_the_commit(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    incoming = store.incoming()
    incoming.write(b"half")
    digest = incoming.finish()
    assert not store.path(digest).exists()
    assert incoming.finish() == digest
    assert incoming.commit() == digest
    incoming.discard()
    assert store.path(digest).read_bytes() == b"half"


def test_discarded_bytes_leave_nothing(tmp_path: Path) -> None:
    incoming = FileStore(tmp_path).incoming()
    incoming.write(b"x")
    incoming.discard()
    incoming.discard()
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_crash_are_removed_and_documents_stay(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    kept = store.put(b"kept")
    store.incoming().write(b"lost")
    store.remove_leftovers()
    assert [path.name for path in tmp_path.iterdir()] == [kept.hex()]


def test_a_changed_or_missing_file_is_a_fault_of_the_storage(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    digest = store.put(b"right")
    store.path(digest).write_bytes(b"wrong")
    with pytest.raises(FatalError, match="changed"):
        store.read(digest, "document")
    with pytest.raises(FatalError, match="No such file"):
        store.read(b"\x00" * 32, "document")


def test_a_transaction_is_atomic(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite", "CREATE TABLE IF NOT EXISTS t (n INTEGER);")
    with index.transaction() as db:
        db.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(RuntimeError), index.transaction() as db:
        db.execute("INSERT INTO t VALUES (2)")
        raise RuntimeError
    with index.transaction() as db:
        assert db.execute("SELECT n FROM t").fetchall() == [(1,)]
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    index.close()
    index.close()
    with pytest.raises(sqlite3.ProgrammingError), index.transaction():
        pass


def test_a_file_other_than_a_database_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").write_bytes(b"no database, but long enough to be looked at")
    with pytest.raises(ConfigError, match=r"index\.sqlite"):
        Index(tmp_path / "index.sqlite", "CREATE TABLE t (n INTEGER);")


def test_a_file_instead_of_the_folder_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(ConfigError, match="data folder cannot be created"):
        make_folder(tmp_path / "data" / "documents")


@pytest.mark.parametrize("mode", [0o1777, 0o1755, 0o777])
def test_a_folder_that_all_users_share_is_rejected_and_stays_open(
    tmp_path: Path, mode: int
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    with pytest.raises(ConfigError, match="name a folder of the program's own"):
        make_folder(shared)
    assert shared.stat().st_mode & 0o7777 == mode
    assert list(shared.iterdir()) == []
