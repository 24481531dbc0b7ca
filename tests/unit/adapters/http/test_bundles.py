from __future__ import annotations

import pytest

from oepnode.adapters.http import bundles, client
from oepnode.adapters.http.client import RequestRejected, Response
from oepnode.errors import TransportError


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """Requests to the network, which responds 200 with the URL, or 404 for round 9."""
    calls: list[tuple[str, str, int]] = []

    async def exchange(
        self: object, method: str, url: str, body: object, headers: object, limit: int
    ) -> Response:
        calls.append((method, url, limit))
        return Response(404 if "/rounds/9/" in url else 200, url.encode())

    monkeypatch.setattr(client._Network, "exchange", exchange)
    return calls


async def test_the_bundle_is_requested_by_name(requested: list[tuple[str, str, int]]) -> None:
    got = await bundles.fetch("http://w.test/base/", 3, "ab" * 32)
    url = f"http://w.test/base/v1/rounds/3/bundles/{'ab' * 32}"
    assert got == url.encode()
    assert requested == [("GET", url, (1 << 33) + 48)]


async def test_a_worker_without_the_bundle(requested: list[tuple[str, str, int]]) -> None:
    with pytest.raises(RequestRejected):
        await bundles.fetch("http://w.test", 9, "ab" * 32)


@pytest.mark.parametrize("url", ["", "ftp://w.test", "w.test", "file:///etc/passwd"])
async def test_a_malformed_endpoint(url: str, requested: list[tuple[str, str, int]]) -> None:
    with pytest.raises(TransportError, match="not a usable URL"):
        await bundles.fetch(url, 3, "ab" * 32)
    assert requested == []


async def test_an_endpoint_that_the_client_cannot_read() -> None:
    with pytest.raises(TransportError):
        await bundles.fetch("http://[", 3, "ab" * 32)
