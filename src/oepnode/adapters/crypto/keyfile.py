"""Account keys in files: raw hex, or an Ethereum keystore (Web3 Secret Storage v3) with a password.

Guarantees: a file that every user of the machine can read is rejected, and a key never enters a
message or a log. Leaves out hardware keys and remote signers.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any, Final

import structlog
from eth_account import Account
from eth_account.signers.local import LocalAccount
from msgspec import DecodeError
from msgspec import json as msgspec_json

from oepnode.adapters.storage.private import FILE_MODE, private_folder
from oepnode.errors import ConfigError, FatalError

_log = structlog.get_logger(__name__)

_HEX_KEY: Final = re.compile(r"(?:0x)?[0-9A-Fa-f]{64}", re.ASCII)
_MAX_BYTES: Final = 64 * 2**10
_NO_KEY: Final = "not an account key: 64 hex digits, or an Ethereum keystore in JSON"


def read_secret(path: Path, what: str) -> bytes:
    """Read a small secret file, without surrounding white space.

    Args:
        path: The file.
        what: Its purpose, for messages, such as ``account key``.

    Raises:
        ConfigError: If it cannot be read, is empty, is far too large, or is readable by everyone.
    """
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"{path}: {what} file not readable: {exc.strerror or exc}") from exc
    _check_mode(path, what, mode)
    if not data.strip() or len(data) > _MAX_BYTES:
        raise ConfigError(f"{path}: the {what} file is empty or far too large")
    return data.strip()


def write_secret(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read.

    Raises:
        ConfigError: If the file already exists, or cannot be written.
    """
    try:
        private_folder(path.parent)
    except FatalError as exc:
        raise ConfigError(str(exc)) from exc
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as exc:
        raise ConfigError(
            f"{path}: already exists; a key is never overwritten, name another file"
        ) from exc
    except OSError as exc:
        raise ConfigError(f"{path}: not writable: {exc.strerror or exc}") from exc


def load_account(path: Path) -> LocalAccount:
    """Load an account from its key file.

    Args:
        path: 64 hex digits with or without ``0x``, or a keystore in JSON, whose password is in the
            file with the same name and ``.password``.

    Raises:
        ConfigError: If the file contains no usable key, or the password does not open it.
    """
    data = read_secret(path, "account key")
    key = _open_keystore(path, data) if data[:1] == b"{" else _raw_key(path, data)
    try:
        account: LocalAccount = Account.from_key(key)
    except ValueError:
        # The foreign message may repeat the key, so it is dropped with its cause.
        raise ConfigError(f"{path}: its number is not a valid secp256k1 key") from None
    return account


def _check_mode(path: Path, what: str, mode: int) -> None:
    if mode & stat.S_IRWXO:
        raise ConfigError(f"{path}: the {what} file is readable by everyone; run chmod 600 on it")
    if mode & stat.S_IRWXG:
        _log.warning("secret_file_group_readable", path=str(path), fix="chmod 600")


def _raw_key(path: Path, data: bytes) -> bytes:
    text = data.decode("ascii", errors="replace")
    if not _HEX_KEY.fullmatch(text):
        raise ConfigError(f"{path}: {_NO_KEY}")
    return bytes.fromhex(text.removeprefix("0x"))


def _open_keystore(path: Path, data: bytes) -> bytes:
    try:
        keystore: dict[str, Any] = msgspec_json.decode(data, type=dict[str, Any])
    except (DecodeError, RecursionError):
        keystore = {}
    if not {"crypto", "Crypto"} & keystore.keys():
        raise ConfigError(f"{path}: {_NO_KEY}")
    password_file = path.with_name(f"{path.name}.password")
    if not password_file.exists():
        raise ConfigError(f"{path}: a keystore needs its password, in {password_file} (mode 600)")
    password = read_secret(password_file, "keystore password").decode("utf-8", "replace")
    try:
        return bytes(Account.decrypt(keystore, password))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ConfigError(
            f"{path}: the password in {password_file} does not open this keystore"
        ) from None
