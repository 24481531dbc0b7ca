from __future__ import annotations

import msgspec
import pytest

from oepnode.adapters.http import probe
from oepnode.client.operation.worker import worker_status
from oepnode.errors import TransportError
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
