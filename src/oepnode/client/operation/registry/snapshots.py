"""Snapshots of the registry's database, published or written to be signed or blinded."""

from __future__ import annotations

import secrets
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from oepnode.client.files import FileName, writing
from oepnode.client.operation.registry.database import DatabaseTarget, open_database
from oepnode.client.operation.snapshots import PreparedSnapshot
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.pseudonyms import KEY_SIZE
from oepnode.errors import ConfigError


class DatabaseSnapshotFacts(Struct, frozen=True):
    """A snapshot of the registry's database that a registry now serves.

    Attributes:
        digest: SHA-256, 64 hex digits.
        as_of: NEM time.
        salt_digest: SHA-256 of its salt.
        size_bytes: Its size.
        revision: The registry's revision that it holds.
        is_new: Whether it was published just now; otherwise nothing had changed.
    """

    digest: str
    as_of: str
    salt_digest: str
    size_bytes: int
    revision: int
    is_new: bool


def publish_from_database(
    target: DatabaseTarget, data_dir: FileName | None = None, *, new_salt: bool = False
) -> DatabaseSnapshotFacts:
    """Publish a snapshot of the registry's database; it may be running. Safe to repeat.

    Args:
        target: The registry's database.
        data_dir: The registry's data folder; by default that of the settings file.
        new_salt: Publish with a fresh salt even if nothing has changed.

    Raises:
        ConfigError: If the database or the folder is not usable, or the registry serves signed
            snapshots alone.
        ConflictError: If the database is empty.
        TransportError: If the database does not respond.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.config import RegistrySettings, load
    from oepnode.services.registry.database_snapshots import publish_database
    from oepnode.services.registry.store import RegistryStore

    if target.config is not None:
        settings = load(RegistrySettings, Path(target.config))
        data_dir = data_dir or settings.data_dir
        if settings.snapshot_key is not None:
            raise ConfigError(
                "the registry serves signed snapshots alone (snapshot_key): write one "
                "('registry snapshot write'), sign it and publish it ('registry publish')"
            )
    if data_dir is None:
        raise ConfigError("name the registry's data folder, or its settings file")
    with open_database(target) as database:
        store = RegistryStore(Path(data_dir))
        try:
            done = publish_database(
                store, database, SystemClock().now(), "command", new_salt=new_salt
            )
        finally:
            store.close()
    return DatabaseSnapshotFacts(
        digest=done.stored.digest.hex(),
        as_of=format_nem(done.stored.as_of),
        salt_digest=done.stored.salt_digest.hex(),
        size_bytes=done.stored.size,
        revision=done.revision,
        is_new=done.is_new,
    )


def write_from_database(
    target: DatabaseTarget, out: FileName, salt_file: FileName
) -> PreparedSnapshot:
    """Write a snapshot of the registry's database to a file, to be blinded or signed.

    Args:
        target: The registry's database.
        out: File for the snapshot.
        salt_file: New file for its fresh salt.

    Raises:
        ConfigError: If the database or a file is not usable.
        ConflictError: If the database is empty.
        TransportError: If the database does not respond.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.adapters.crypto.keyfile import write_secret
    from oepnode.services.registry.database_snapshots import SnapshotText

    salt = secrets.token_bytes(KEY_SIZE)
    digest, size = sha256(), 0
    with open_database(target) as database, database.reading() as connection:
        text = SnapshotText(connection, int(SystemClock().now()), salt)
        write_secret(Path(salt_file), salt.hex().encode() + b"\n")
        with writing(Path(out)) as file:
            for piece in text.pieces():
                digest.update(piece)
                size += file.write(piece)
    return PreparedSnapshot(
        digest=digest.hexdigest(),
        salt_digest=text.salt_digest.hex(),
        size_bytes=size,
        file=str(out),
        salt_file=str(salt_file),
    )
