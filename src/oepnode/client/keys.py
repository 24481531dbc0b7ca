"""Secrets in files: key pairs of aggregators and auditors, and the salt of a snapshot.

Guarantees: mode 0600, never overwritten, and a private key that does not fit its public key is
rejected. The file is JSON: ``{"aggregator", "kind", "publicKey", "privateKey"}``; ``kind`` is
``mlkem768-x25519`` with a public key of 2432 hex digits or ``x25519`` with one of 64, the private
key has 64 hex digits, and an auditor's file has no ``aggregator``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from oepnode.adapters.crypto.hpke import DEFAULT_KIND, PRIVATE_SIZE, PrivateKey
from oepnode.client.files import FileName
from oepnode.domain.rounds.onchain import parse_bytes32
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.errors import ConfigError

_Hex = Annotated[str, Meta(pattern="^[0-9a-f]*\\Z")]
_ID: Final = re.compile("[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


class KeyFileError(ConfigError):
    """A file holds no key pair, or none of an aggregator."""


class AggregatorIdError(ConfigError):
    """An aggregator's id is not one of the NMI registry's form."""


class _File(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    kind: KeyKind
    public_key: _Hex
    private_key: _Hex
    aggregator: str | UnsetType = UNSET


class KeyPair:
    """A key pair and its aggregator's id.

    Guarantees: the private key is in no repr, and the pair has no JSON; hence it is no struct.
    """

    __slots__ = ("_values",)

    def __init__(self, aggregator_id: str, private_key: PrivateKey) -> None:
        self._values = (aggregator_id, private_key.public_key, private_key)

    @property
    def aggregator_id(self) -> str:
        """The aggregator's id in the NMI registry; empty for an auditor."""
        return self._values[0]

    @property
    def public_key(self) -> bytes:
        """To be put into the NMI registry or a worker's settings."""
        return self._values[1]

    @property
    def private_key(self) -> PrivateKey:
        """The private key, which has no repr either."""
        return self._values[2]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyPair) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"KeyPair({self.aggregator_id!r}, {self.public_key.hex()})"


def create_key_pair(
    file: FileName, aggregator_id: str = "", kind: KeyKind = DEFAULT_KIND
) -> KeyPair:
    """Make a key pair and write it to a new file.

    Args:
        file: The file, which must not exist.
        aggregator_id: The aggregator's id in the NMI registry; empty for an auditor.
        kind: Kind of the keys.

    Raises:
        ConfigError: If the id is invalid, or the file exists or cannot be written.
    """
    from oepnode.adapters.crypto import keyfile

    path = Path(file)
    if aggregator_id and not _ID.fullmatch(aggregator_id):
        raise AggregatorIdError(
            f"aggregator id {aggregator_id!r}: letters, digits and ._:- only, up to 64, the first "
            "a letter or digit"
        )
    pair = KeyPair(aggregator_id, PrivateKey.generate(kind))
    keyfile.write_secret(path, encode_key_pair(pair))
    return pair


def load_key_pair(file: FileName) -> KeyPair:
    """Read a key pair.

    Raises:
        ConfigError: If the file cannot be read, is open to everybody, or holds no key pair.
    """
    from oepnode.adapters.crypto import keyfile

    path = Path(file)
    return _decoded(path, keyfile.read_secret(path, "key pair"))


def aggregator_key(key: FileName | KeyPair) -> KeyPair:
    """An aggregator's key pair, read where its file is given.

    Raises:
        ConfigError: As `load_key_pair`, or if the file names no aggregator.
    """
    if isinstance(key, KeyPair):
        return key
    pair = load_key_pair(key)
    if not pair.aggregator_id:
        raise KeyFileError(f"{key}: the key file names no aggregator")
    return pair


def read_salt(file: FileName) -> bytes:
    """Read the salt of a registry snapshot, 32 bytes.

    Raises:
        ConfigError: If the file cannot be read, is open to everybody, or is not 64 hex digits.
    """
    from oepnode.adapters.crypto import keyfile

    text = keyfile.read_secret(Path(file), "snapshot salt").decode("ascii", errors="replace")
    try:
        return parse_bytes32(text, "a salt")
    except ValueError as exc:
        raise ConfigError(f"{file}: {exc}") from None


def encode_key_pair(pair: KeyPair) -> bytes:
    """The content of a key file. It holds the private key."""
    values = {
        "kind": pair.private_key.kind.value,
        "publicKey": pair.public_key.hex(),
        "privateKey": pair.private_key.secret.hex(),
    }
    if pair.aggregator_id:
        values = {"aggregator": pair.aggregator_id} | values
    return msgspec.json.format(msgspec.json.encode(values), indent=2) + b"\n"


def _decoded(path: Path, data: bytes) -> KeyPair:
    try:
        file = msgspec.json.decode(data, type=_File)
    # The foreign messages may repeat the key, so they are dropped with their cause.
    except msgspec.ValidationError:
        raise KeyFileError(
            f"{path}: not a key file: a field is missing, unknown or invalid"
        ) from None
    except (ValueError, RecursionError):
        raise KeyFileError(f"{path}: not a key file: not JSON") from None
    if file.aggregator is not UNSET and not _ID.fullmatch(file.aggregator):
        raise KeyFileError(f"{path}: not a key file: its aggregator id is malformed")
    for field, text, size in (
        ("publicKey", file.public_key, file.kind.public_size),
        ("privateKey", file.private_key, PRIVATE_SIZE),
    ):
        if len(text) != 2 * size:
            raise KeyFileError(
                f"{path}: {field} has {len(text)} hex digits; kind {file.kind.value} has {2 * size}"
            )
    private = PrivateKey(file.kind, bytes.fromhex(file.private_key))
    if private.public_key.hex() != file.public_key:
        raise KeyFileError(
            f"{path}: the private key does not belong to the public key; restore the file from a "
            "copy, or name another key file"
        )
    identity = "" if file.aggregator is UNSET else file.aggregator
    return KeyPair(identity, private)
