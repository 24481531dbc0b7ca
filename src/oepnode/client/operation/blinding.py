"""Blind mode: the blinded snapshot of a registry with its token lists, and blinded documents.

Guarantees: a blinding key is in a file of mode 0600 and in no result or message; a file is complete
or not there. Source: ``docs/design.md §4``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct

from oepnode.adapters.crypto import blinding_key, sealing
from oepnode.adapters.storage.digest_files import make_folder
from oepnode.adapters.storage.files import write_whole
from oepnode.client.files import FileName, name_file, not_writable, read_file, reason_of
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds import token_list
from oepnode.domain.rounds.inputs.blinding import DOCUMENT, SNAPSHOT, Blinder
from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator, parse_snapshot
from oepnode.domain.rounds.inputs.snapshot_salts import has_nonce, with_fields
from oepnode.domain.rounds.token_list import TokenList
from oepnode.errors import ConfigError

_MAX_SNAPSHOT_BYTES: Final = 4 * 2**30
_CHUNK_BYTES: Final = 2**20
_NONCE_BYTES: Final = 32
_OWNER_ONLY: Final = 0o600


class SealedTokens(Struct, frozen=True):
    """An aggregator's sealed token list: its id, and the list's file."""

    aggregator: str
    file: str


class BlindedSnapshot(Struct, frozen=True):
    """A blinded registry snapshot, and what belongs to it.

    Attributes:
        digest: SHA-256 of the blinded snapshot, 64 hex digits.
        file: The blinded snapshot.
        key_file: The blinding key.
        nmis: Number of NMIs that have a token.
        token_lists: One for each aggregator, sealed to its public key.
    """

    digest: str
    file: str
    key_file: str
    nmis: int
    token_lists: tuple[SealedTokens, ...]


class BlindedDocument(Struct, frozen=True):
    """A blinded envelope document.

    Attributes:
        digest: SHA-256, 64 hex digits.
        file: The file.
        size_bytes: Its size.
        nmis: Number of NMIs that have a token.
    """

    digest: str
    file: str
    size_bytes: int
    nmis: int


class NotOfNmisError(ConfigError):
    """A document has no NMIs that could be blinded."""


def blind_snapshot(
    snapshot: FileName,
    out: FileName,
    *,
    key: FileName | None = None,
    new_key: FileName | None = None,
) -> BlindedSnapshot:
    """Blind a registry snapshot, and seal each aggregator's token list to its public key.

    A snapshot without a nonce gets one.

    Args:
        snapshot: JSON, with NMIs.
        out: New or empty folder: ``registry.json``, and the lists in ``tokens/``.
        key: The blinding key of the series that the snapshot continues.
        new_key: New file for a fresh blinding key, which begins a series.

    Raises:
        ConfigError: If not exactly one key is named, or a file or folder is not usable.
        NotOfNmisError: If the snapshot has tokens already, or no assignment.
        DocumentFault: If the snapshot violates the rules.
    """
    folder = Path(out)
    secret, key_file = _blinding_key(key, new_key)
    _require_empty(folder)
    data = read_file(Path(snapshot), "registry snapshot", _MAX_SNAPSHOT_BYTES)
    with name_file(snapshot):
        if not has_nonce(data):  # the sealed lists name the digest, so it cannot come later
            data = with_fields(data, nonce=secrets.token_bytes(32))
        parsed = parse_snapshot(data)
        if parsed.site_id_kind is not SiteIdKind.NMI:
            raise NotOfNmisError(f"{snapshot}: has no NMIs: tokens already, or no assignment")
        if not has_nonce(data):  # afterwards it must not change: the lists name its digest
            data = with_fields(data, secrets.token_bytes(_NONCE_BYTES))
        blinder = Blinder(secret, SNAPSHOT)
        blinded = blinder.feed(data) + blinder.finish()
    digest = sha256(blinded).digest()
    lists = token_list.lists_of(parse_snapshot(blinded), digest, blinder.tokens)
    sealed = [
        _seal(aggregator, tokens)
        for aggregator, tokens in zip(parsed.aggregators, lists, strict=True)
    ]
    if new_key is not None:
        blinding_key.write_blinding_key(key_file, secret)
    make_folder(folder)
    make_folder(folder / "tokens")
    for name, content in sealed:
        write_whole(folder / "tokens" / name, content)
    write_whole(folder / "registry.json", blinded)
    return BlindedSnapshot(
        digest=digest.hex(),
        file=str(folder / "registry.json"),
        key_file=str(key_file),
        nmis=len(blinder.tokens),
        token_lists=tuple(
            SealedTokens(aggregator.id, str(folder / "tokens" / name))
            for aggregator, (name, _) in zip(parsed.aggregators, sealed, strict=True)
        ),
    )


def blind_document(document: FileName, key: FileName, out: FileName) -> BlindedDocument:
    """Replace the NMIs of an envelope document by tokens; it is streamed.

    Leaves out all checks but of what may hold an NMI: the document is validated where it is
    published.

    Args:
        document: JSON or NDJSON, with NMIs.
        key: The blinding key of the registry's snapshots.
        out: File for the blinded document.

    Raises:
        ConfigError: If a file is not usable.
        NotOfNmisError: If the document has tokens already, or no record.
        DocumentFault: If a text has a place where it may hold an NMI unseen.
    """
    target = Path(out)
    blinder = Blinder(blinding_key.read_blinding_key(Path(key)), DOCUMENT)
    part = target.with_name(target.name + ".part")
    hash_, size = sha256(), 0
    try:
        with name_file(document), _new_file(part) as file:
            for chunk in _blinded(Path(document), blinder):
                hash_.update(chunk)
                size += file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if blinder.kind is not SiteIdKind.NMI:
            raise NotOfNmisError(f"{document}: has no NMIs: tokens already, or no record")
        part.replace(target)
    except OSError as exc:
        raise not_writable(target, exc) from exc
    finally:
        part.unlink(missing_ok=True)
    return BlindedDocument(hash_.hexdigest(), str(target), size, len(blinder.tokens))


def read_token_lists(folder: FileName, snapshot: bytes) -> dict[str, bytes]:
    """The sealed token lists of a blinded snapshot by name, as `blind_snapshot` wrote them.

    Args:
        folder: The folder ``tokens``.
        snapshot: The blinded snapshot's bytes.

    Raises:
        NotOfNmisError: If the snapshot has NMIs, so that no token list belongs to it.
        ConfigError: If a list is missing, or a file is of no aggregator of the snapshot.
    """
    parsed = parse_snapshot(snapshot)
    if parsed.site_id_kind is SiteIdKind.NMI:
        raise NotOfNmisError("the snapshot is not blinded, so it has no token lists")
    digest = sha256(snapshot).digest()
    names = {token_list.list_name(digest, a.public_key): a.id for a in parsed.aggregators}
    try:
        present = {path.name for path in Path(folder).iterdir()}
    except OSError as exc:
        raise ConfigError(f"{folder}: folder not readable: {reason_of(exc)}") from exc
    for name in sorted(present - names.keys()):
        raise ConfigError(f"{folder}/{name}: no token list of an aggregator of this snapshot")
    for name in sorted(names.keys() - present):
        raise ConfigError(f"{folder}: the token list of aggregator {names[name]} is missing")
    limit = token_list.MAX_SIZE << 1
    return {name: read_file(Path(folder) / name, "sealed token list", limit) for name in names}


def _blinding_key(key: FileName | None, new_key: FileName | None) -> tuple[bytes, Path]:
    if (key is None) == (new_key is None):
        raise ConfigError("name one blinding key: that of the series, or a new file for a new one")
    if key is not None:
        return blinding_key.read_blinding_key(Path(key)), Path(key)
    path = Path(new_key or "")
    if path.exists():
        raise ConfigError(f"{path}: already exists; a key is never overwritten, name another file")
    return blinding_key.new_blinding_key(), path


def _seal(aggregator: Aggregator, tokens: TokenList) -> tuple[str, bytes]:
    """Name and content of an aggregator's sealed list."""
    padded = token_list.pad(token_list.write(tokens))
    info = token_list.sealing_info(tokens.snapshot)
    name = token_list.list_name(tokens.snapshot, aggregator.public_key)
    return name, sealing.seal_whole(aggregator.public_key, padded, info)


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: not an empty folder; name a new one, nothing is overwritten")


def _blinded(document: Path, blinder: Blinder) -> Iterator[bytes]:
    try:
        with document.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield blinder.feed(chunk)
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{document}: envelope document not readable: {reason_of(exc)}") from exc
    yield blinder.finish()


def _new_file(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "wb")
