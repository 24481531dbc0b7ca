"""URLs that strangers chose: the endpoints of workers as they stand on chain.

Guarantees: `parse` accepts a plain http or https URL and nothing else; a session of
`public_session` connects only to addresses that are public, including after the host's name was
resolved, and to no other address than the one that was checked. Leaves out what is fetched.
Source: ``docs/spec/bundle.md`` section 2; RFC 3986, RFC 6890 (special addresses).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from oepnode.errors import TransportError

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[A-Za-z0-9._~-]*)*)",
    re.ASCII | re.IGNORECASE,
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_LOCAL: Final = tuple(
    map(ipaddress.ip_network, ("64:ff9b:1::/48", "fec0::/10", "::/96", "::ffff:0:0:0/96"))
)
"""NAT64 of a site, site-local, and IPv4 inside IPv6 of obsolete kinds: global to `ipaddress`."""
_USER_AGENT: Final = "oepnode"
_NOT_PUBLIC: Final = (
    "its endpoint leads to an address that is not public (loopback, private, link-local, reserved)"
)
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class EndpointError(TransportError):
    """A worker's endpoint is not one that is requested."""


def parse(text: str, *, allow_private: bool = False) -> str:
    """The base URL of an endpoint, without a slash at its end.

    Args:
        text: From the chain.
        allow_private: Accept addresses that are not public.

    Raises:
        EndpointError: If it is not a plain http or https URL (a user name, a query, a fragment, an
            escape or a dot segment included), or names an address that is not public.
    """
    match = _URL.fullmatch(text)
    if match is None:
        raise EndpointError(
            "its endpoint on chain is not a plain http:// or https:// URL: host, port and path only"
        )
    if int(match["port"] or 1) not in range(1, 1 << 16):
        raise EndpointError("its endpoint on chain has no usable port")
    if {".", ".."} & set(match["path"].split("/")):
        raise EndpointError("the path of its endpoint on chain has a dot segment")
    if not allow_private:
        _require_public(match["host"].strip("[]"))
    return text.rstrip("/")


def public_session(*, allow_private: bool, timeout_s: float) -> aiohttp.ClientSession:
    """A session that decodes no content, keeps no cookies and connects to public addresses only.

    Args:
        allow_private: Connect to any address.
        timeout_s: Deadline of a request, in seconds.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=_CheckingResolver(allow_private=allow_private),
            use_dns_cache=False,
            force_close=True,
        ),
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        headers={"Accept-Encoding": "identity", "User-Agent": _USER_AGENT},
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


def url_of(base: str, path: str) -> URL:
    """A URL below the result of `parse`, requested exactly as it is written."""
    return URL(base + path, encoded=True)


def is_public(address: str) -> bool:
    """Whether an IP address can be reached by everybody, and is nobody's own network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if any(parsed in network for network in _LOCAL):
        return False
    return all(
        candidate.is_global and not candidate.is_multicast for candidate in _embedded(parsed)
    )


class _CheckingResolver(AbstractResolver):
    """Resolves a name once and checks each address; the connector uses these addresses alone."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The public addresses of a host.

        Raises:
            EndpointError: If one of its addresses is not public.
        """
        results = await self._resolver.resolve(host, port, family)
        if not self._allow_private:
            for result in results:
                if not is_public(result["host"]):
                    raise EndpointError(_NOT_PUBLIC)
        return results

    async def close(self) -> None:
        """Nothing is open."""
        await self._resolver.close()


def _require_public(host: str) -> None:
    """Reject an IP address that is not public; a name is checked when it is resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(host):
        raise EndpointError(_NOT_PUBLIC)


def _embedded(address: _Address) -> list[_Address]:
    """The address and the IPv4 addresses inside it, through which it may be routed."""
    found: list[_Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo or ()
        inner = [address.ipv4_mapped, address.sixtofour, *teredo]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.ipv4_mapped is not None:
            found = []
        found += [candidate for candidate in inner if candidate is not None]
    return found
