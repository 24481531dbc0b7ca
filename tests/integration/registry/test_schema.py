"""Tables, migrations, and the rules that the database holds itself."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, text

from oepnode.adapters.storage.registry_db.database import RegistryDatabase
from oepnode.adapters.storage.registry_db.migrate import VERSION_TABLE, SchemaState
from oepnode.adapters.storage.registry_db.tables import ASSIGNMENTS, METADATA
from oepnode.client.operation.registry.aggregators import list_aggregators
from oepnode.client.operation.registry.database import (
    DatabaseTarget,
    connect,
    prepare_database,
)
from oepnode.domain.rounds.inputs.assignments import OPEN_END
from oepnode.errors import ConfigError, ConflictError

SITE = "6305888444"
OTHER = "6305888445"
Row = tuple[str, int, int, int, int | None]


def insert_rows(database: RegistryDatabase, *rows: Row) -> None:
    names = ("site", "aggregator", "start_s", "end_s", "prev_end")
    with database.writing() as connection:
        for row in rows:
            connection.execute(insert(ASSIGNMENTS), dict(zip(names, row, strict=True)))


def count(database: RegistryDatabase) -> int:
    with database.reading() as connection:
        return int(connection.execute(text("SELECT count(*) FROM assignments")).scalar_one())


def test_the_migrations_make_the_tables_of_the_code(database: RegistryDatabase) -> None:
    with database.reading() as connection:
        options = {"version_table": VERSION_TABLE}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    assert found == []


def test_tables_are_made_once(empty: DatabaseTarget) -> None:
    assert prepare_database(empty).was == "empty"
    assert prepare_database(empty).was == "current"


def test_a_database_without_tables_is_rejected_with_the_fix(empty: DatabaseTarget) -> None:
    with pytest.raises(ConfigError, match="registry init"):
        list_aggregators(empty)


def test_a_database_of_a_newer_release_is_rejected(
    target: DatabaseTarget, database: RegistryDatabase
) -> None:
    with database.writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    opened = connect(target)
    for create in (False, True):
        with pytest.raises(ConfigError, match="newer release"):
            opened.prepare(create=create)
    opened.close()


def test_an_older_database_is_migrated_when_it_is_opened(
    empty: DatabaseTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_database(empty)
    states = iter([SchemaState.OLDER, SchemaState.OLDER])
    done: list[bool] = []
    module = "oepnode.adapters.storage.registry_db.database"
    monkeypatch.setattr(f"{module}.schema_state", lambda _: next(states))
    monkeypatch.setattr(f"{module}.migrate", lambda _: done.append(True))
    opened = connect(empty)
    assert opened.prepare() is SchemaState.OLDER
    assert done == [True]
    opened.close()


CHAIN: list[Row] = [
    (SITE, 1, 300, 600, None),
    (SITE, 2, 600, 900, 600),
    (SITE, 1, 1200, OPEN_END, 900),
]


def test_a_chain_of_assignments_is_accepted(database: RegistryDatabase) -> None:
    insert_rows(database, *CHAIN, (OTHER, 1, 0, OPEN_END, None))
    insert_rows(database, ("0a" * 16, 1, 0, 300, None))
    assert count(database) == 5


@pytest.mark.parametrize(
    "row",
    [
        (SITE, 1, 0, 300, None),
        (SITE, 1, 900, 1200, None),
        (SITE, 1, 900, 1200, 600),
        (SITE, 1, 900, 1200, 900),
        (SITE, 1, 300, 900, 600),
        (SITE, 1, 300, 1500, 900),
        (SITE, 1, 0, OPEN_END, None),
        (SITE, 1, 3000, 3300, 2700),
        (SITE, 1, 600, 1500, 1200),
        (OTHER, 1, 300, 600, 600),
    ],
)
def test_the_database_rejects_an_overlap_and_a_broken_chain(
    database: RegistryDatabase, row: Row
) -> None:
    insert_rows(database, *CHAIN)
    with pytest.raises(ConflictError) as rejected:
        insert_rows(database, row)
    assert row[0] not in str(rejected.value)
    assert count(database) == len(CHAIN)


@pytest.mark.parametrize(
    "row",
    [
        (SITE, 1, 301, 600, None),
        (SITE, 1, 300, 601, None),
        (SITE, 1, 300, 300, None),
        (SITE, 1, -300, 300, None),
        (SITE, 9, 300, 600, None),
        (SITE.lower() + "5", 1, 300, 600, None),
        ("63058884O4", 1, 300, 600, None),
        ("0A" * 16, 1, 300, 600, None),
        ("", 1, 300, 600, None),
    ],
)
def test_the_database_rejects_what_a_snapshot_may_not_hold(
    database: RegistryDatabase, row: Row
) -> None:
    with pytest.raises(ConflictError):
        insert_rows(database, row)
    assert count(database) == 0


def test_taking_away_a_link_of_the_chain_is_rejected(database: RegistryDatabase) -> None:
    insert_rows(database, *CHAIN)
    with pytest.raises(ConflictError), database.writing() as connection:
        connection.execute(text("DELETE FROM assignments WHERE start_s = 600"))
    assert count(database) == len(CHAIN)


@pytest.mark.parametrize("table", ["changes", "aggregator_trail"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET {} = 'x'"])
def test_the_audit_trail_only_grows(database: RegistryDatabase, table: str, statement: str) -> None:
    column = "made_by" if table == "changes" else "id"
    with pytest.raises(ConflictError), database.writing() as connection:
        connection.execute(text(statement.format(table, column)))
    with database.reading() as connection:
        rows = connection.execute(text(f"SELECT {column} FROM {table}")).scalars().all()
    assert len(rows) == 2
    assert "x" not in rows


def test_rules_that_are_checked_at_the_end_are_checked(database: RegistryDatabase) -> None:
    def insert_at_once(*rows: Row) -> None:
        with (
            database.writing() as connection,
            database.dialect.foreign_keys_at_the_end(connection, ASSIGNMENTS),
        ):
            database.dialect.load(connection, ASSIGNMENTS, rows)

    insert_at_once(*CHAIN)
    for row in ((OTHER, 1, 300, 600, 300), (OTHER, 9, 300, 600, None)):
        with pytest.raises(ConflictError):
            insert_at_once(row)
    assert count(database) == len(CHAIN)
    with pytest.raises(ConflictError):
        insert_rows(database, (OTHER, 9, 300, 600, None))
    with database.reading() as connection:
        options = {"version_table": VERSION_TABLE}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    assert found == []
