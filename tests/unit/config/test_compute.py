"""Settings of computing: what a cluster needs, and where plain TCP may lead."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from oepnode.config import WorkerSettings, load
from oepnode.config.worker import ComputeSettings

WORKER = """
data_dir = "data"
key_file = "key.json"
operator = "0x1111111111111111111111111111111111111111"
sender_url = "https://s"
registry_url = "https://r"
[chain]
rpc_urls = ["https://n"]
chain_id = 246
contract = "0x1111111111111111111111111111111111111111"
[compute]
engine = "dask"
scheduler = "tls://h:1"
tls_ca_file = "tls/ca.pem"
tls_cert_file = "tls/cert.pem"
tls_key_file = "/etc/key.pem"
"""

TLS: dict[str, Any] = {
    "tls_ca_file": Path("ca.pem"),
    "tls_cert_file": Path("cert.pem"),
    "tls_key_file": Path("key.pem"),
}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"engine": "dask", "scheduler": "tcp://127.0.0.1:8786"},
        {"engine": "dask", "scheduler": "tcp://localhost:8786"},
        {"engine": "dask", "scheduler": "tcp://10.0.0.5:8786", "allow_plain_tcp": True},
        {"engine": "dask", "scheduler": "tls://10.0.0.5:8786"} | TLS,
        {"scheduler": "anything"},
    ],
)
def test_accepted(given: dict[str, Any]) -> None:
    assert ComputeSettings(**given).engine == given.get("engine", "local")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "set scheduler"),
        ({"scheduler": "10.0.0.5:8786"}, "must be tls://HOST:PORT"),
        ({"scheduler": "tls://10.0.0.5"} | TLS, "must be tls://HOST:PORT"),
        ({"scheduler": "tls://10.0.0.5:x"} | TLS, "malformed"),
        ({"scheduler": "http://10.0.0.5:80"}, "must be tls://HOST:PORT"),
        ({"scheduler": "tcp://10.0.0.5:8786"}, "allow_plain_tcp"),
        ({"scheduler": "tls://10.0.0.5:8786"}, "tls_ca_file"),
        ({"scheduler": "tls://10.0.0.5:8786"} | TLS | {"tls_key_file": None}, "tls_key_file"),
    ],
)
def test_rejected_with_the_fix(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ComputeSettings(engine="dask", **given)


def test_files_of_a_section_are_relative_to_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "worker.toml"
    path.write_text(WORKER, "utf-8")
    settings = load(WorkerSettings, path)
    assert settings.compute.tls_ca_file == tmp_path / "tls/ca.pem"
    assert settings.compute.tls_key_file == Path("/etc/key.pem")
    assert settings.data_dir == tmp_path / "data"
