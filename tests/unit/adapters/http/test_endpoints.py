"""Which endpoints are requested, and which addresses count as public."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from oepnode.adapters.http import endpoints
from oepnode.adapters.http.endpoints import EndpointError, is_public, parse


@pytest.mark.parametrize(
    "url",
    [
        "http://worker.example",
        "https://worker.example:8443/oepnode/v2",
        "HTTPS://Worker.Example",
        "http://8.8.8.8:80",
        "http://[2606:4700::1111]:80/base",
        "http://xn--bcher-kva.example/~a_b-c.d",
    ],
)
def test_plain_urls_are_accepted(url: str) -> None:
    assert parse(url) == url
    assert parse(url + "/") == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "worker.example",
        "ftp://worker.example",
        "//worker.example",
        "http:/worker.example",
        "http://",
        "http://user@worker.example",
        "http://user:pw@worker.example",
        "http://worker.example?a=1",
        "http://worker.example/?a=1",
        "http://worker.example#a",
        "http://worker.example/a#",
        "http://worker.example/a%2fb",
        "http://worker.example/a;b",
        "http://worker.example\\a",
        "http://worker.example/a b",
        "http://worker.example/a\n",
        "http://worker.example:",
        "http://worker.example:0",
        "http://worker.example:65536",
        "http://worker.example:٣",
        "http://wörker.example",
        "http://[fe80::1%25eth0]",
        "http://worker.example/../a",
        "http://worker.example/./a",
        " http://worker.example",
    ],
)
def test_anything_else_is_rejected_without_being_repeated(url: str) -> None:
    for allow_private in (False, True):
        with pytest.raises(EndpointError) as caught:
            parse(url, allow_private=allow_private)
        assert len(url) < 8 or url not in str(caught.value)


PRIVATE = [
    "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
    "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::",
    "::1", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::1", "2001:db8::1",
    "64:ff9b:1::7f00:1", "fec0::1", "::127.0.0.1", "::ffff:0:127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)
    url = f"http://[{address}]" if ":" in address else f"http://{address}"
    with pytest.raises(EndpointError, match="not public"):
        parse(url)
    assert parse(url, allow_private=True) == url


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("text", ["", "worker.example", "fe80::1%eth0", "127.1", "2130706433"])
def test_what_is_no_public_address(text: str) -> None:
    assert not is_public(text)


class Names:
    """Replaces the resolver of the system: one list of addresses for each lookup."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": address} for address in self.answers.pop(0)]

    async def close(self) -> None:
        """Nothing is open."""


def resolver(monkeypatch: pytest.MonkeyPatch, allow_private: bool, *answers: list[str]) -> Any:
    monkeypatch.setattr(endpoints, "ThreadedResolver", lambda: Names(*answers))
    return endpoints._CheckingResolver(allow_private=allow_private)


async def test_the_connector_gets_the_addresses_that_were_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A second lookup, which could give another answer, is never made.
    checking = resolver(monkeypatch, False, ["8.8.8.8", "1.1.1.1"])
    got = await checking.resolve("worker.example", 80, socket.AF_INET)
    assert [result["host"] for result in got] == ["8.8.8.8", "1.1.1.1"]


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["fe80::1%eth0"]])
async def test_a_name_that_leads_inside_is_rejected(
    monkeypatch: pytest.MonkeyPatch, answer: list[str]
) -> None:
    with pytest.raises(EndpointError, match="not public"):
        await resolver(monkeypatch, False, answer).resolve("worker.example")
    allowed = resolver(monkeypatch, True, answer)
    assert len(await allowed.resolve("worker.example")) == len(answer)
