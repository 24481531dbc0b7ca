"""Account keys in files."""

import json
import stat
from pathlib import Path

import pytest
import structlog
from eth_account import Account

from oepnode.adapters.crypto.keyfile import (
    load_account,
    read_secret,
    write_secret,
)
from oepnode.errors import ConfigError

KEY = b"\x5a" * 32
ACCOUNT = Account.from_key(KEY)


def secret(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text", [KEY.hex(), "0x" + KEY.hex(), KEY.hex().upper() + "\n", f" {KEY.hex()} "]
)
def test_a_key_in_hex_is_loaded(tmp_path: Path, text: str) -> None:
    assert load_account(secret(tmp_path / "key", text.encode())).address == ACCOUNT.address


def test_a_keystore_is_opened_with_its_password(tmp_path: Path) -> None:
    keystore = Account.encrypt(KEY, "a password", kdf="pbkdf2", iterations=2)
    path = secret(tmp_path / "key.json", json.dumps(keystore).encode())
    with pytest.raises(ConfigError, match=r"needs its password, in .*/key\.json\.password"):
        load_account(path)
    password = secret(tmp_path / "key.json.password", b"a password\n")
    assert load_account(path).address == ACCOUNT.address
    secret(password, b"another")
    with pytest.raises(ConfigError, match=r"key\.json\.password does not open"):
        load_account(path)


def test_json_of_another_kind_is_no_account_key(tmp_path: Path) -> None:
    path = secret(tmp_path / "network.json", b'{"publicKey": "00", "privateKey": "5ec4e7"}')
    with pytest.raises(ConfigError, match=r"not an account key: 64 hex digits") as rejected:
        load_account(path)
    assert "5ec4e7" not in str(rejected.value)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"crypto": 5}',
        b'{"version": 3, "crypto": {}}',
        b"{" * 100_000,
        b"{\xff}",
        b'{"version": 3',
    ],
)
def test_a_broken_keystore_is_rejected(tmp_path: Path, data: bytes) -> None:
    path = secret(tmp_path / "key.json", data)
    secret(tmp_path / "key.json.password", b"p")
    with pytest.raises(ConfigError):
        load_account(path)


@pytest.mark.parametrize(
    "text",
    ["", "  \n", KEY.hex()[:-1], KEY.hex() + "0", "zz" * 32, "00" * 32, "ff" * 32, "ab" * 40_000],
)
def test_a_malformed_key_is_rejected_without_quoting_it(tmp_path: Path, text: str) -> None:
    path = secret(tmp_path / "key", text.encode())
    with pytest.raises(ConfigError) as rejected:
        load_account(path)
    assert str(path) in str(rejected.value)
    assert not text.strip() or text not in str(rejected.value)
    assert rejected.value.__cause__ is None


def test_a_file_readable_by_everyone_is_rejected(tmp_path: Path) -> None:
    path = secret(tmp_path / "key", KEY.hex().encode(), 0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_account(path)


def test_a_file_readable_by_its_group_is_logged(tmp_path: Path) -> None:
    path = secret(tmp_path / "key", KEY.hex().encode(), 0o640)
    with structlog.testing.capture_logs() as logs:
        assert load_account(path).address == ACCOUNT.address
    assert [line["event"] for line in logs] == ["secret_file_group_readable"]
    assert KEY.hex() not in str(logs)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not readable"):
        load_account(tmp_path / "none")
    with pytest.raises(ConfigError, match="not readable"):
        read_secret(tmp_path, "token")


def test_a_new_key_is_for_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "worker"
    write_secret(path, KEY.hex().encode() + b"\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_account(path).address == ACCOUNT.address
    with pytest.raises(ConfigError, match="never overwritten"):
        write_secret(path, (b"\x11" * 32).hex().encode())
    assert load_account(path).address == ACCOUNT.address


def test_an_unwritable_path_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="not writable"):
        write_secret(tmp_path / "file" / "key", b"x")
    with pytest.raises(ConfigError, match="not writable"):
        write_secret(tmp_path / ("k" * 300), b"x")
