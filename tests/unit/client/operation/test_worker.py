from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from oepnode.adapters.computing import dask_cluster
from oepnode.adapters.computing.messages import ClusterAddress
from oepnode.adapters.http import probe
from oepnode.client.operation.worker import check_worker, worker_status
from oepnode.config import ChainSettings, HttpSettings, WorkerSettings
from oepnode.config.worker import ComputeSettings
from oepnode.errors import ComputationFault, TransportError
from oepnode.worker.status.view import WorkerStatus

STATUS = WorkerStatus("0.1", "0x01", "0x02", 1, "0x03", None, "", "", "", [])


def serve(monkeypatch: pytest.MonkeyPatch, body: bytes) -> list[str]:
    urls: list[str] = []

    def get(url: str, timeout_s: float) -> bytes:
        urls.append(url)
        return body

    monkeypatch.setattr(probe, "get", get)
    return urls


def test_a_running_worker_reports_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = serve(monkeypatch, msgspec.json.encode(STATUS))
    assert worker_status("http://worker.test/") == STATUS
    assert urls == ["http://worker.test/v1/status"]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_another_server_is_not_a_worker(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    serve(monkeypatch, body)
    with pytest.raises(TransportError, match="no oepnode worker responded at this URL"):
        worker_status("http://elsewhere.test")


def settings(folder: Path, host: str = "127.0.0.1") -> WorkerSettings:
    return WorkerSettings(
        chain=ChainSettings(
            rpc_urls=("http://127.0.0.1:1",), chain_id=1, contract="0x" + "c0" * 20
        ),
        data_dir=folder,
        key_file=folder / "no-key",
        operator="0x" + "a0" * 20,
        sender_url="http://sender.test",
        registry_url="http://registry.test",
        status=HttpSettings(host=host),
    )


def verdicts(of: WorkerSettings) -> dict[str, bool]:
    return {line.check: line.fine for line in check_worker(of)}


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.5", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("8.8.8.8", False),
        ("worker.example", False),
    ],
)
def test_a_status_listener_for_anyone_is_not_fine(tmp_path: Path, host: str, fine: bool) -> None:
    assert verdicts(settings(tmp_path, host))["status listener"] is fine


def test_a_data_folder_that_others_can_enter_is_not_fine(tmp_path: Path) -> None:
    assert verdicts(settings(tmp_path / "missing"))["data folder"]
    tmp_path.chmod(0o755)
    assert not verdicts(settings(tmp_path))["data folder"]
    tmp_path.chmod(0o700)
    assert verdicts(settings(tmp_path))["data folder"]


@pytest.mark.parametrize(("problem", "fine"), [("", True), ("compute.scheduler is silent", False)])
def test_a_cluster_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str, fine: bool
) -> None:
    asked: list[ClusterAddress] = []

    def check(cluster: ClusterAddress) -> str:
        asked.append(cluster)
        if problem:
            raise ComputationFault(problem)
        return "3 Dask workers"

    monkeypatch.setattr(dask_cluster, "check_cluster", check)
    local = settings(tmp_path)
    assert "cluster" not in [line.check for line in check_worker(local)]
    compute = ComputeSettings(engine="dask", scheduler="tcp://127.0.0.1:9")
    lines = check_worker(local.model_copy(update={"compute": compute}))
    (line,) = [line for line in lines if line.check == "cluster"]
    assert (line.fine, line.what) == (fine, problem or "3 Dask workers")
    assert asked == [ClusterAddress("tcp://127.0.0.1:9")]
