from __future__ import annotations

import pytest

from oepnode.domain.rounds import relayed_steps
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.relayed_steps import RelayedStep
from oepnode.errors import EvidenceError

CONTEXT = RoundContext(246, bytes(range(20)), 7)
REVEAL = relayed_steps.encode(RelayedStep(CONTEXT, Result(b"\xab" * 32, 4)))


@pytest.mark.parametrize("result", [None, Result(bytes(32), 0), Result(b"\xff" * 32, 2**32 - 1)])
def test_a_step_is_read_back(result: Result | None) -> None:
    step = RelayedStep(CONTEXT, result)
    assert relayed_steps.decode(relayed_steps.encode(step)) == step


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        (b"", "not JSON"),
        (b"[" * 10_000, "this is not"),
        (b"\xff", "not JSON"),
        (b"{}", "chainId"),
        (REVEAL.replace(b'"root":"ab', b'"root":"'), "root"),
        (REVEAL.replace(b'"root":"ab', b'"root":"zz'), "root"),
        (REVEAL.replace(b'"root":"' + b"ab" * 32, b'"root":"'), "partitions without a root"),
        (REVEAL.replace(b'"partitions":4', b'"partitions":4294967296'), "partitions"),
        (REVEAL.replace(b'"partitions":4', b'"partitions":-1'), "partitions"),
        (REVEAL.replace(b'"round":7', b'"round":0'), "round"),
        (REVEAL.replace(b'"chainId":246', b'"chainId":0'), "chainId"),
        (REVEAL.replace(b'"contract":"0x', b'"contract":"'), "contract"),
        (REVEAL.replace(b'"round"', b'"more":1,"round"'), "more"),
    ],
)
def test_anything_else_is_named(line: bytes, reported: str) -> None:
    with pytest.raises(EvidenceError, match=reported):
        relayed_steps.decode(line)
