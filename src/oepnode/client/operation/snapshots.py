"""Registry snapshots: prepared with a nonce and a salt, published, and the state of a registry.

Guarantees: a snapshot is published with a nonce, so that its digest says nothing to those who can
guess its content, and by default with a salt that no other snapshot has. Source:
docs/services.md, docs/operators.md.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.files import FileName, name_file, read_file, write_file
from oepnode.client.keys import read_salt
from oepnode.client.operation.blinding import read_token_lists
from oepnode.client.operation.signing import load_statement
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.inputs.document_signatures import (
    SignatureFault,
    SignedStatement,
    check_size,
)
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.inputs.snapshot_salts import (
    check_strength,
    has_nonce,
    is_same_but_nonce,
    with_fields,
)
from oepnode.domain.rounds.pseudonyms import KEY_SIZE, check_salt
from oepnode.errors import ConfigError, EvidenceError

if TYPE_CHECKING:
    from oepnode.services.registry.store import RegistryStore, StoredSnapshot

_MAX_SNAPSHOT_BYTES: Final = 4 * 2**30
_NONCE_BYTES: Final = 32


class SaltNotNamedError(ConfigError):
    """Neither a salt nor a new one is named, or both are."""


class PublishedSnapshot(Struct, frozen=True):
    """A registry snapshot that a registry now serves; ``as_of`` is NEM time."""

    digest: str
    as_of: str
    salt_digest: str
    size_bytes: int


class PreparedSnapshot(Struct, frozen=True):
    """A snapshot that is ready to be signed; its salt is in ``salt_file``."""

    digest: str
    salt_digest: str
    size_bytes: int
    file: str
    salt_file: str


class RegistryStatus(Struct, frozen=True):
    """The state of a registry's data folder.

    Attributes:
        snapshots: Number of snapshots.
        digest: SHA-256 of the newest snapshot, or None.
        as_of: NEM time of the newest snapshot, or None.
        readers: Operators that know a salt in use.
        former_workers: Those of them that are no workers any more.
    """

    snapshots: int
    digest: str | None
    as_of: str | None
    readers: tuple[str, ...]
    former_workers: tuple[str, ...]

    def require_fresh_salt(self) -> None:
        """Reject a registry whose salt in use is known to a former worker.

        Raises:
            EvidenceError: With the operators.
        """
        if self.former_workers:
            raise EvidenceError(
                "the salt in use is known to former workers, who can link later rounds: "
                f"{', '.join(self.former_workers)}; publish a new snapshot with a new salt"
            )


def prepare_snapshot(
    snapshot: FileName, out: FileName, salt_file: FileName, *, new_salt: bool = False
) -> PreparedSnapshot:
    """Write a snapshot with a fresh nonce, and with a fresh salt where one is requested.

    Args:
        snapshot: JSON; its nonce and, with ``new_salt``, its salt digest may be missing.
        out: File for the snapshot as it is to be signed and published.
        salt_file: The salt as 64 hex digits; with ``new_salt`` a new file.
        new_salt: Whether to make a salt.

    Raises:
        DocumentFault: If the snapshot violates the rules.
        DigestMismatch: If the salt is not the snapshot's.
        WeakSaltError: If the salt is not random.
        ConfigError: If a file cannot be read or written.
    """
    from oepnode.adapters.crypto.keyfile import write_secret

    data = read_file(Path(snapshot), "registry snapshot", _MAX_SNAPSHOT_BYTES)
    salt = secrets.token_bytes(KEY_SIZE) if new_salt else read_salt(salt_file)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    prepared = with_fields(data, nonce, salt if new_salt else None)
    with name_file(snapshot):
        parsed = parse_snapshot(prepared)
    check_salt(salt, parsed.salt_digest)
    check_strength(salt)
    if new_salt:
        write_secret(Path(salt_file), salt.hex().encode() + b"\n")
    write_file(Path(out), prepared)
    return PreparedSnapshot(
        digest=sha256(prepared).hexdigest(),
        salt_digest=parsed.salt_digest.hex(),
        size_bytes=len(prepared),
        file=str(out),
        salt_file=str(salt_file),
    )


def publish_snapshot(
    snapshot: FileName,
    salt_file: FileName | None,
    data_dir: FileName,
    token_lists: FileName | None = None,
    *,
    new_salt: bool = False,
    reuse_salt: bool = False,
    signature: FileName | None = None,
    snapshot_key: str | None = None,
) -> PublishedSnapshot:
    """Store a registry snapshot and its salt in a registry's data folder; it may be running.

    A snapshot without a nonce gets one, unless it is signed or blinded. Publishing again is safe.

    Args:
        snapshot: JSON.
        salt_file: The salt as 64 hex digits; None with ``new_salt``.
        data_dir: The registry's data folder.
        token_lists: Folder of the sealed token lists of a blinded snapshot. It is published as it
            is, and must have a nonce.
        new_salt: Make a salt, which is then only in the data folder.
        reuse_salt: Accept a salt that another snapshot has.
        signature: File with the signed statement about the snapshot. A signed snapshot is published
            as it is, and must have a nonce.
        snapshot_key: Public key that the snapshot must be signed with.

    Raises:
        DocumentFault: If the snapshot violates the rules.
        EvidenceError: If salt or signature are not the snapshot's, or the salt is not random.
        ConflictError: If another snapshot has the salt.
        ConfigError: If a file cannot be read, or the arguments contradict each other.
    """
    from oepnode.adapters.clock import SystemClock
    from oepnode.services.registry.store import RegistryStore
    from oepnode.services.registry.token_shelf import TokenShelf

    if new_salt == (salt_file is not None):
        raise SaltNotNamedError("name the snapshot's salt, or have a new one made, not both")
    data = read_file(Path(snapshot), "registry snapshot", _MAX_SNAPSHOT_BYTES)
    is_fixed = signature is not None or token_lists is not None
    if is_fixed and (new_salt or not has_nonce(data)):
        raise ConfigError(
            "a signed or blinded snapshot is published as it is: give it its salt and a nonce "
            "first ('registry prepare'), then blind it, then sign it"
        )
    signed = _read_signed(data, signature, snapshot_key)
    with name_file(snapshot):
        lists = {} if token_lists is None else read_token_lists(token_lists, data)
    salt = secrets.token_bytes(KEY_SIZE) if salt_file is None else read_salt(salt_file)
    store = RegistryStore(Path(data_dir))
    try:
        with name_file(snapshot):
            stored = None if is_fixed or new_salt else _known(store, data, salt)
            if stored is None:
                final = data if is_fixed else _completed(data, salt if new_salt else None)
                now = SystemClock().now()
                stored = store.publish(final, salt, now, signed, reuse_salt=reuse_salt)
        if lists:
            TokenShelf(Path(data_dir)).put(stored.digest, lists)
    finally:
        store.close()
    return PublishedSnapshot(
        stored.digest.hex(), format_nem(stored.as_of), stored.salt_digest.hex(), stored.size
    )


def registry_status(chain: ChainTarget, data_dir: FileName) -> RegistryStatus:
    """Read the state of a registry, and compare the readers of its salt with the workers.

    Raises:
        ConfigError: If the folder or the chain cannot be used.
        TransportError: If the node does not respond.
    """
    from oepnode.services.registry.departed import DepartedReaders
    from oepnode.services.registry.store import RegistryStore

    if not (Path(data_dir) / "index.sqlite").is_file():
        raise ConfigError(f"{data_dir}: no registry's data folder")
    store = RegistryStore(Path(data_dir))

    async def check() -> tuple[frozenset[bytes], tuple[bytes, ...]]:
        async with chains.open_reader(chain) as reader:
            readers = DepartedReaders(reader, store)
            return await readers.of_salts_in_use(), await readers.check()

    try:
        readers, departed = chains.run(check())
        newest = store.latest()
        return RegistryStatus(
            snapshots=store.count(),
            digest=None if newest is None else newest.digest.hex(),
            as_of=None if newest is None else format_nem(newest.as_of),
            readers=tuple(map(hexed, sorted(readers))),
            former_workers=tuple(map(hexed, departed)),
        )
    finally:
        store.close()


def _completed(data: bytes, new_salt: bytes | None) -> bytes:
    """The snapshot with a nonce, and with a new salt where one is given."""
    nonce = None if has_nonce(data) and new_salt is None else secrets.token_bytes(_NONCE_BYTES)
    return data if nonce is None else with_fields(data, nonce, new_salt)


def _known(store: RegistryStore, data: bytes, salt: bytes) -> StoredSnapshot | None:
    """The stored snapshot that this one without a nonce became when it was published before."""
    if has_nonce(data):
        return None
    for stored in store.with_salt(salt):
        if is_same_but_nonce(data, store.read("snapshot", stored)):
            return stored
    return None


def _read_signed(
    data: bytes, signature: FileName | None, snapshot_key: str | None
) -> SignedStatement | None:
    """The verified statement about a snapshot, or None where none is given or demanded."""
    from oepnode.adapters.crypto.document_key import verify_statement

    if signature is None:
        if snapshot_key is not None:
            raise SignatureFault(
                "signature.missing", "the snapshot must be signed; give its signed statement"
            )
        return None
    signed = load_statement(signature)
    key = signed.public_key
    if snapshot_key is not None:
        key = chains.parse_bytes32(snapshot_key, "a public key (Ed25519)")
    verify_statement(signed, "snapshot", sha256(data).digest(), key)
    check_size(signed, len(data))
    return signed
