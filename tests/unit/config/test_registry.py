"""Settings of the registry's database."""

from pathlib import Path

import pytest

from oepnode.config import RegistrySettings, load
from oepnode.errors import ConfigError

GOOD = """
data_dir = "data"
operators = ["0x1111111111111111111111111111111111111111"]
{}
[chain]
rpc_urls = ["https://n"]
chain_id = 246
contract = "0x1111111111111111111111111111111111111111"
"""
DATABASE = 'database = "sqlite:///registry.sqlite"\n'


def read(tmp_path: Path, text: str) -> RegistrySettings:
    path = tmp_path / "registry.toml"
    path.write_text(GOOD.format(text), "utf-8")
    return load(RegistrySettings, path)


def test_no_database_by_default(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert (settings.database, settings.publish) == (None, "by_hand")


def test_a_database_that_is_published_from(tmp_path: Path) -> None:
    words = DATABASE + 'publish = "on_schedule"\npublish_interval_s = 3600\n'
    settings = read(tmp_path, words + 'database_password_file = "password"\n')
    assert (settings.publish, settings.publish_interval_s) == ("on_schedule", 3600)
    assert settings.database_password_file == tmp_path / "password"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('publish = "on_change"', "needs a database"),
        (DATABASE + 'publish = "always"', "publish"),
        (DATABASE + 'publish = "on_schedule"\npublish_interval_s = 0', "publish_interval_s"),
        (f'{DATABASE}publish = "on_change"\nsnapshot_key = "{"0a" * 32}"', "exclude each other"),
    ],
)
def test_settings_that_contradict_each_other(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read(tmp_path, text)
