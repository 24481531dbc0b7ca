"""Versions of the registry's database, and its migrations.

Guarantees: a migration happens whole or not at all; a database of a newer release is rejected.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_LOCATION: Final = "oepnode.adapters.storage.registry_db:migrations"
VERSION_TABLE: Final = "registry_schema"


class SchemaState(Enum):
    """Whether a database has the tables of this release."""

    EMPTY = "empty"
    CURRENT = "current"
    OLDER = "older"
    FOREIGN = "foreign"
    """Of a newer release, or not a registry's."""


def schema_state(connection: Connection) -> SchemaState:
    """Compare a database's version with that of this release."""
    options = {"version_table": VERSION_TABLE}
    present = MigrationContext.configure(connection, opts=options).get_current_revision()
    scripts = ScriptDirectory.from_config(_config())
    if present is None:
        return SchemaState.EMPTY
    if present == scripts.get_current_head():
        return SchemaState.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return SchemaState.OLDER if present in known else SchemaState.FOREIGN


def migrate(connection: Connection) -> None:
    """Bring a database to this release's version; the caller commits."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _LOCATION)
    config.set_main_option("path_separator", "os")
    return config
