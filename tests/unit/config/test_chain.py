"""Settings of the chain: its nodes, and how many must agree."""

import pytest
from pydantic import ValidationError

from oepnode.config import ChainSettings


def chain(*urls: str, **values: object) -> ChainSettings:
    fields = {"rpc_urls": urls, "chain_id": 246, "contract": "0x" + "11" * 20} | values
    return ChainSettings(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nodes", "agree", "quorum"),
    [(1, None, 1), (2, None, 2), (3, None, 2), (4, None, 3), (5, None, 3), (5, 5, 5), (3, 3, 3)],
)
def test_the_number_of_nodes_that_must_agree(nodes: int, agree: int | None, quorum: int) -> None:
    urls = [f"https://node-{index}.test" for index in range(nodes)]
    assert chain(*urls, agree=agree).quorum == quorum


@pytest.mark.parametrize(("nodes", "agree"), [(2, 1), (3, 1), (4, 2), (3, 4), (1, 2)])
def test_half_of_the_nodes_are_not_enough(nodes: int, agree: int) -> None:
    urls = [f"https://node-{index}.test" for index in range(nodes)]
    with pytest.raises(ValidationError, match=f"agree is {agree} of {nodes} nodes; set it from"):
        chain(*urls, agree=agree)


def test_a_node_is_named_once() -> None:
    with pytest.raises(ValidationError, match="names a node twice"):
        chain("https://node.test", "https://node.test")
    with pytest.raises(ValidationError):
        chain()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8545", "http://localhost:8545", "http://[::1]:8545", "https://n.test"]
)
def test_plain_http_stays_on_this_machine(url: str) -> None:
    assert chain(url).rpc_urls == (url,)


@pytest.mark.parametrize("url", ["http://10.0.0.5:8545", "http://n.test", "http://127.0.0.1.test"])
def test_plain_http_to_another_machine_must_be_allowed(url: str) -> None:
    with pytest.raises(ValidationError, match="use https, or set allow_plain_http"):
        chain(url)
    assert chain(url, allow_plain_http=True).rpc_urls == (url,)


@pytest.mark.parametrize("url", ["ftp://n.test", "n.test", "http://", "http://n.test:x", ""])
def test_a_url_of_another_kind_is_not_a_nodes(url: str) -> None:
    with pytest.raises(ValidationError, match="URL of a node"):
        chain(url)
