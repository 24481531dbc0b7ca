from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from oepnode.client import ChainTarget
from oepnode.client.operation import contract
from oepnode.errors import ConfigError
from tests.support.round_world import CONTRACT

ADDRESS = "0x" + CONTRACT.hex()
RPC = "localhost:9"


@pytest.mark.parametrize(
    "journey",
    [
        lambda folder: contract.deploy_contract(ChainTarget(RPC), folder / "admin.key"),
        lambda _: contract.check_contract_code(ChainTarget(RPC, ADDRESS)),
    ],
)
def test_a_url_of_another_kind_is_rejected_before_a_node_is_called(
    journey: Callable[[Path], object], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="the JSON-RPC URL of a node must start with http://"):
        journey(tmp_path)
