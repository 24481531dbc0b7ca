"""Settings: from TOML and the environment, with errors that name the setting."""

from pathlib import Path

import pytest

from oepnode.config import WorkerSettings, load
from oepnode.errors import ConfigError

GOOD = """
data_dir = "data"
key_file = "/keys/signer"
operator = "0xAbcdefabcdefabcdefabcdefabcdefabcdefabcd"
sender_url = "http://s"
registry_url = "http://r"

[chain]
rpc_urls = ["https://n"]
chain_id = 246
contract = "0x1111111111111111111111111111111111111111"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "worker.toml"
    path.write_text(text, "utf-8")
    return path


def test_settings_with_their_defaults(tmp_path: Path) -> None:
    settings = load(WorkerSettings, written(tmp_path, GOOD))
    assert settings.poll_interval_s == 1800
    assert settings.operator == "0x" + "abcdef" * 6 + "abcd"
    assert settings.archive_key is None
    assert (settings.http.host, settings.feed.profile) == ("127.0.0.1", "wide")
    assert (settings.relay.url, settings.relay.direct_before_s) == (None, 60)


def test_a_relay_has_its_own_table(tmp_path: Path) -> None:
    relay = '[relay]\nurl = "https://relay"\ndirect_before_s = 90\n'
    settings = load(WorkerSettings, written(tmp_path, GOOD + relay))
    assert (settings.relay.url, settings.relay.direct_before_s) == ("https://relay", 90)
    with pytest.raises(ConfigError, match=r"relay\.direct_before_s"):
        load(WorkerSettings, written(tmp_path, GOOD + relay.replace("90", "44")))


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(WorkerSettings, written(tmp_path, GOOD))
    assert settings.data_dir == tmp_path / "data"
    assert settings.key_file == Path("/keys/signer")


def test_the_environment_overrides_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OEPNODE_CHAIN__RPC_URLS", '["https://other"]')
    monkeypatch.setenv("OEPNODE_POLL_INTERVAL_S", "60")
    settings = load(WorkerSettings, written(tmp_path, GOOD))
    assert (settings.chain.rpc_urls, settings.chain.chain_id) == (("https://other",), 246)
    assert settings.poll_interval_s == 60


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("operator", "operatr"), "unknown setting operatr"),
        (("operator", "operatr"), "setting operator is missing"),
        (
            ('operator = "0xAb', 'operator = "Zb'),
            "setting operator: an address must be",
        ),
        (("chain_id = 246", "chain_id = 0"), "chain.chain_id"),
        (("chain_id = 246", ""), "chain.chain_id"),
        (("chain_id = 246", 'chain_id = 246\nchainid = "x"'), "chain.chainid"),
        (('sender_url = "http://s"', 'sender_url = "http://s"\narchive_key = "x"'), "archive_key"),
        (('data_dir = "data"', "data_dir = 'data'\npoll_interval_s = -1"), "poll_interval_s"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, change: tuple[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load(WorkerSettings, written(tmp_path, GOOD.replace(*change)))


def test_a_file_that_is_not_toml_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not readable as TOML"):
        load(WorkerSettings, written(tmp_path, "data_dir = "))


def test_a_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such settings file"):
        load(WorkerSettings, tmp_path / "none.toml")
