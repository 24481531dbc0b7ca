"""Databases that cannot be used: named by kind, without a password or a value."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from oepnode.adapters.storage.registry_db import dialects
from oepnode.client.operation.registry.aggregators import list_aggregators, put_aggregator
from oepnode.client.operation.registry.database import DatabaseTarget, prepare_database
from oepnode.errors import ConfigError, FatalError, TransportError
from tests.support.postgres import Postgres

SECRET = "a-password-in-a-url"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"postgresql+psycopg://me:{SECRET}@127.0.0.1/registry", "holds a password"),
        (f"mysql://{SECRET}@127.0.0.1/registry", "must be sqlite"),
        (f"postgresql://{SECRET}@127.0.0.1/registry", "must be sqlite"),
        ("sqlite://", "must be sqlite"),
        (f"postgresql+psycopg://{SECRET}", "must be sqlite"),
        (SECRET, "must be sqlite"),
        ("", "must be sqlite"),
    ],
)
def test_an_unusable_url_is_rejected_and_not_repeated(url: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as rejected:
        list_aggregators(DatabaseTarget(url))
    assert SECRET not in str(rejected.value)


def test_no_database_is_named() -> None:
    with pytest.raises(ConfigError, match="not named"):
        list_aggregators(DatabaseTarget())


def test_a_wrong_password_is_not_repeated(postgres: Postgres, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET)
    file.chmod(0o600)
    with pytest.raises(TransportError, match=r"127\.0\.0\.1") as rejected:
        prepare_database(DatabaseTarget(postgres.url("postgres"), file))
    assert SECRET not in str(rejected.value)
    assert rejected.value.__cause__ is None


def test_a_server_that_does_not_listen(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="did not respond"):
        prepare_database(DatabaseTarget("postgresql+psycopg://me@127.0.0.1:1/registry"))


def test_a_password_file_that_everybody_may_read(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod"):
        prepare_database(DatabaseTarget("postgresql+psycopg://me@127.0.0.1:1/registry", file))


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "registry.sqlite").write_bytes(b"something else entirely" * 100)
    with pytest.raises((FatalError, ConfigError)) as rejected:
        prepare_database(DatabaseTarget(f"sqlite:///{tmp_path}/registry.sqlite"))
    assert "registry" in str(rejected.value)


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not usable"):
        prepare_database(DatabaseTarget(f"sqlite:///{tmp_path}/missing/registry.sqlite"))


def test_a_file_of_sqlite_is_for_its_owner(tmp_path: Path) -> None:
    target = DatabaseTarget(f"sqlite:///{tmp_path}/registry.sqlite")
    prepare_database(target)
    put_aggregator(target, "north", "North", "0a" * 32)
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("registry.sqlite*")}
    assert set(modes.values()) == {0o600}


def test_a_writer_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "_BUSY_S", 0.1)
    target = DatabaseTarget(f"sqlite:///{tmp_path}/registry.sqlite")
    prepare_database(target)
    other = sqlite3.connect(tmp_path / "registry.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransportError, match="another process has been writing"):
        put_aggregator(target, "north", "North", "0a" * 32)
    other.execute("ROLLBACK")
    other.close()
    assert put_aggregator(target, "north", "North", "0a" * 32).is_changed
