"""Opening the registry's database, and who changes it.

Guarantees: a password comes from a file, and is in no message.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from oepnode.client.files import FileName
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    from oepnode.adapters.storage.registry_db.database import RegistryDatabase

_MAX_AUTHOR: Final = 200


class DatabaseNotNamedError(ConfigError):
    """The registry's database is not named."""


class DatabaseTarget(Struct, frozen=True):
    """The registry's database.

    Attributes:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/DATABASE``.
        password_file: File with the password of a PostgreSQL database.
        config: The registry's settings file, which names both, in their place.
    """

    url: str | None = None
    password_file: FileName | None = None
    config: FileName | None = None


class PreparedDatabase(Struct, frozen=True):
    """A registry's database with the tables of this release.

    Attributes:
        kind: ``sqlite`` or ``postgresql``.
        was: Its state before: ``empty``, ``older`` or ``current``.
        revision: Number of its last change.
    """

    kind: str
    was: str
    revision: int


def prepare_database(target: DatabaseTarget) -> PreparedDatabase:
    """Make the tables of a registry's database, or bring them to this release. Safe to repeat.

    Raises:
        ConfigError: If the database is not named or not usable, or of a newer release.
        TransportError: If the server does not respond.
    """
    from oepnode.adapters.storage.registry_db.trail import revision_of

    database = connect(target)
    try:
        state = database.prepare(create=True)
        with database.reading() as connection:
            return PreparedDatabase(connection.dialect.name, state.value, revision_of(connection))
    finally:
        database.close()


@contextmanager
def open_database(target: DatabaseTarget) -> Iterator[RegistryDatabase]:
    """A registry's database with the tables of this release.

    Raises:
        ConfigError: If it is not named, not usable or has no tables, or of a newer release.
        TransportError: If the server does not respond.
    """
    database = connect(target)
    try:
        database.prepare()
        yield database
    finally:
        database.close()


def connect(target: DatabaseTarget) -> RegistryDatabase:
    """A registry's database, not checked yet.

    Raises:
        ConfigError: If it is not named or not usable.
    """
    from oepnode.adapters.storage.registry_db.database import connect_database
    from oepnode.config import RegistrySettings, load

    url, password_file, folder = target.url, target.password_file, None
    if target.config is not None:
        settings = load(RegistrySettings, Path(target.config))
        url, password_file = settings.database, settings.database_password_file
        folder = settings.data_dir
    if url is None:
        raise DatabaseNotNamedError("the registry's database is not named")
    return connect_database(url, None if password_file is None else Path(password_file), folder)


def author_or_user(author: str | None) -> str:
    """Who makes a change: as named, or the user of the operating system.

    Raises:
        ConfigError: If the name is empty, too long or not printable.
    """
    if author is None:
        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return f"user {os.getuid()}"
    if not author.strip() or len(author) > _MAX_AUTHOR or not author.isprintable():
        raise ConfigError(f"who makes the change must be 1 to {_MAX_AUTHOR} printable characters")
    return author
