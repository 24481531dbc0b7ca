from __future__ import annotations

import pytest

from oepnode.client import ChainTarget, list_rounds
from oepnode.client.chain import node_settings, parse_address
from oepnode.errors import ConfigError, TransportError
from tests.support.round_world import CONTRACT, FakeReader

ADDRESS = "0x" + CONTRACT.hex()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (ChainTarget(), "no chain is named"),
        (ChainTarget("https://node.test"), "no chain is named"),
        (ChainTarget(contract=ADDRESS), "no chain is named"),
        (ChainTarget("node.test", ADDRESS), "the JSON-RPC URL of a node must start with http"),
        (
            ChainTarget("https://node.test", "0x12"),
            "'0x12': an address must be 0x and 40 hex",
        ),
        (
            ChainTarget("https://node.test", "0x" + "g" * 40),
            "an address must be 0x and 40 hex",
        ),
    ],
)
def test_a_target_that_names_no_contract(
    reader: FakeReader, target: ChainTarget, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        list_rounds(target)


def test_an_error_of_the_connection_is_the_callers(reader: FakeReader, chain: ChainTarget) -> None:
    reader.failure = TransportError("node https://node.test: did not respond")
    with pytest.raises(TransportError, match="did not respond"):
        list_rounds(chain)


async def test_a_notebook_whose_event_loop_is_running_can_call_it(
    reader: FakeReader, chain: ChainTarget
) -> None:
    assert len(list_rounds(chain)) == 3


def test_an_address_in_any_case() -> None:
    assert parse_address("0x" + "aB" * 20) == parse_address("AB" * 20) == b"\xab" * 20


def test_for_a_vote_the_chain_is_read_by_depth() -> None:
    """It cannot wait for the chain's tag; without a number the depth is the chain's."""
    target = ChainTarget("https://node.test", ADDRESS)
    assert node_settings(target).finality == "finalized"
    settings = node_settings(target.at_depth())
    assert (settings.finality, settings.confirmations) == ("depth", None)
