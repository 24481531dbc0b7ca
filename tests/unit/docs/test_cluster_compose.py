"""The compose file of a cluster: commands that Dask has, encrypted, and nothing on a disk."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from distributed.cli.dask_scheduler import main as dask_scheduler
from distributed.cli.dask_worker import main as dask_worker

FILE = Path(__file__).parents[3] / "deploy/cluster/compose.yaml"
SERVICES: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
COMMANDS = {"scheduler": dask_scheduler, "worker": dask_worker}
DEFAULT = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


def test_a_scheduler_and_three_workers() -> None:
    assert sorted(SERVICES) == ["scheduler", "worker-1", "worker-2", "worker-3"]


@pytest.mark.parametrize("name", SERVICES)
def test_dask_has_the_command_and_it_is_encrypted(name: str) -> None:
    service = SERVICES[name]
    program, kind, *arguments = [DEFAULT.sub(r"\1", word) for word in service["command"]]
    assert (program, kind) == ("dask", name.partition("-")[0])
    arguments = [word.replace("/tls/", f"{FILE.parent}/") for word in arguments]
    for pem in ("ca", "cert", "key"):  # click checks that the files exist
        arguments = [word.replace(f"{FILE.parent}/{pem}.pem", str(FILE)) for word in arguments]
    parsed = COMMANDS[kind].make_context(kind, arguments).params
    assert parsed["protocol"] == "tls"
    assert parsed["tls_ca_file"] and parsed["tls_cert"] and parsed["tls_key"]
    assert not parsed["dashboard"]
    assert parsed["dashboard_address"].startswith("127.0.0.1:")
    assert service["environment"]["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "True"
    assert service["environment"]["DASK_DISTRIBUTED__WORKER__MEMORY__SPILL"] == "False"
    assert service["environment"]["DASK_DISTRIBUTED__WORKER__MEMORY__TARGET"] == "False"
    assert service["read_only"]
    if kind == "worker":
        assert parsed["scheduler"] == "tls://127.0.0.1:8786"
        assert parsed["nthreads"] == 1
        assert any(place.startswith(parsed["local_directory"] + ":") for place in service["tmpfs"])
