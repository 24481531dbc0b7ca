"""Requests for bundles without a network; hostile servers are in tests/attacks."""

from __future__ import annotations

import pytest

from oepnode.adapters.crypto import sealing
from oepnode.adapters.http import bundles
from oepnode.adapters.http.bundles import BundleRequest
from oepnode.adapters.http.endpoints import EndpointError
from oepnode.domain.rounds import bundle
from oepnode.domain.rounds.recipient_keys import KeyKind


@pytest.mark.parametrize("url", ["", "ftp://w.test", "w.test", "file:///etc/passwd", "http://["])
async def test_a_malformed_endpoint(url: str) -> None:
    request = BundleRequest(url, 3, "ab" * 32, KeyKind.HYBRID, 1 << 20, 1, allow_private=True)
    with pytest.raises(EndpointError, match="not a plain http"):
        await bundles.fetch(request, lambda _: None)


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_bundle_has_one_of_few_lengths(kind: KeyKind) -> None:
    expected = [sealing.sealed_size(kind, 1 << bits) for bits in range(16, 21)]
    assert bundles.bundle_sizes(kind, 1 << 20) == expected
    assert bundles.bundle_sizes(kind, (1 << 21) - 1) == expected
    assert bundles.bundle_sizes(kind, 1 << 60)[-1] == sealing.sealed_size(kind, bundle.MAX_SIZE)
