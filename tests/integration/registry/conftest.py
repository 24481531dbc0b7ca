"""The registry's database, each test on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oepnode.adapters.storage.registry_db.database import RegistryDatabase
from oepnode.client.operation.registry.aggregators import put_aggregator
from oepnode.client.operation.registry.database import DatabaseTarget, connect, prepare_database
from tests.support.postgres import Postgres, find_programs


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    programs = find_programs()
    if programs is None:
        reason = "PostgreSQL is not installed; on Debian: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    server = Postgres(programs)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseTarget:
    """A database without tables."""
    if request.param == "sqlite":
        return DatabaseTarget(f"sqlite:///{tmp_path}/registry.sqlite")
    server: Postgres = request.getfixturevalue("postgres")
    password = tmp_path / "password"
    password.write_text(server.password + "\n")
    password.chmod(0o600)
    return DatabaseTarget(server.url(server.create()), password)


@pytest.fixture
def target(empty: DatabaseTarget) -> DatabaseTarget:
    """A database with two aggregators."""
    prepare_database(empty)
    put_aggregator(empty, "north", "North", "0a" * 32)
    put_aggregator(empty, "south", "South", "0b" * 32)
    return empty


@pytest.fixture
def database(target: DatabaseTarget) -> Iterator[RegistryDatabase]:
    opened = connect(target)
    yield opened
    opened.close()
