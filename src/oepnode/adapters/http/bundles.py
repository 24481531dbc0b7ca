"""Fetches a sealed bundle from a worker, which may serve anything in any way.

Guarantees: one request to the endpoint's own host, at a public address unless it is allowed
otherwise; no redirect, no cookie, no content decoding, no second attempt; at most the bytes of the
largest bundle that is possible, and none of the worker's own words in messages. Leaves out opening
and verifying. Source: ``docs/spec/bundle.md`` section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import aiohttp
from msgspec import Struct

from oepnode.adapters.crypto import sealing
from oepnode.adapters.http import endpoints
from oepnode.adapters.http.client import RequestRejected, require_identity
from oepnode.adapters.http.redact import network_reason
from oepnode.domain.rounds import bundle
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.errors import TransportError

_CHUNK_BYTES: Final = 1 << 18
_WHAT: Final = "sealed bundle"


class BundleRequest(Struct, frozen=True):
    """A request for a bundle.

    Attributes:
        endpoint: The worker's base URL from the chain.
        round_number: The round.
        name: Result of `bundle.bundle_name`.
        kind: Kind of key that it is sealed to.
        largest: Bytes of the largest plaintext accepted.
        timeout_s: Deadline, in seconds.
        allow_private: Connect to addresses that are not public.
    """

    endpoint: str
    round_number: int
    name: str
    kind: KeyKind
    largest: int
    timeout_s: float
    allow_private: bool


async def fetch(
    request: BundleRequest,
    keep: Callable[[bytes], None],
    received: Callable[[int], None] = lambda _: None,
) -> None:
    """Fetch a sealed bundle from one worker.

    Args:
        request: The request.
        keep: Called with each piece; they are a bundle only where no error is raised.
        received: Called with the size of each piece.

    Raises:
        RequestRejected: If the worker has no such bundle.
        EndpointError: If its endpoint is not one that is requested.
        TransportError: If it does not respond as it should.
    """
    base = endpoints.parse(request.endpoint, allow_private=request.allow_private)
    url = endpoints.url_of(base, f"/v1/rounds/{request.round_number}/bundles/{request.name}")
    session = endpoints.public_session(
        allow_private=request.allow_private, timeout_s=request.timeout_s
    )
    try:
        async with session, session.get(url, allow_redirects=False) as response:
            sizes = bundle_sizes(request.kind, request.largest)
            _check_head(response, sizes)
            await _read(response, sizes, keep, received)
    except TimeoutError as exc:
        raise TransportError(f"no complete response within {request.timeout_s:.0f} s") from exc
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        raise TransportError(network_reason(exc)) from exc


def bundle_sizes(kind: KeyKind, largest: int) -> list[int]:
    """The lengths that a sealed bundle can have, rising: a bundle is padded to a power of two."""
    sizes, size = [], bundle.MIN_SIZE
    while size <= min(largest, bundle.MAX_SIZE):
        sizes.append(sealing.sealed_size(kind, size))
        size *= 2
    return sizes


def _check_head(response: aiohttp.ClientResponse, sizes: list[int]) -> None:
    status = response.status
    if status == 404:
        raise RequestRejected(_WHAT, status, "", "the worker has no such bundle")
    if status != 200:
        raise TransportError(f"status {status} instead of a bundle")
    require_identity(response, "its answer")
    stated = response.content_length
    if stated is not None and stated not in sizes:
        raise TransportError(_wrong_size(f"{stated} bytes", sizes))


async def _read(
    response: aiohttp.ClientResponse,
    sizes: list[int],
    keep: Callable[[bytes], None],
    received: Callable[[int], None],
) -> None:
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        size += len(chunk)
        if size > sizes[-1]:
            raise TransportError(_wrong_size("more", sizes))
        keep(chunk)
        received(len(chunk))
    if size not in sizes:
        raise TransportError(_wrong_size(f"{size} bytes", sizes))


def _wrong_size(served: str, sizes: list[int]) -> str:
    return (
        f"{served} were served, which no bundle has: the largest accepted one has {sizes[-1]} bytes"
    )
