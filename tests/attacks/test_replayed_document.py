"""The operator of the sender's gateway opens a round with yesterday's document again.

Who: whoever runs the gateway, or has the requester's key. Yesterday's document is really the
network's, and really signed by it, but its limits are old: where the network has cut a feeder's
limits since, the round would give them back. A signature alone does not stop that.

What stops it now: the signed statement has a sequence number that rises with every document. Each
worker remembers the number of every round's document durably
(``adapters/storage/sequence_memory.py``), and rejects a document with a lower number than an
earlier round's as ``signature.replayed``. The round itself and later ones are not looked at, so
that a round that is computed again, also after a reorganisation of the chain, is no replay. The
gateway applies the same rule when documents are published and rounds opened
(``services/sender/signatures.py``).

What remains: a worker that has just joined has no memory, and the gateway can repeat the newest
document for as long as the network publishes no newer one.
"""

from __future__ import annotations

import json
from pathlib import Path

from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Phase
from tests.attacks.support.gateway import hostile_gateway
from tests.support.round_world import ENVELOPE
from tests.support.signed_documents import statement


def todays() -> bytes:
    """A newer document of the same horizon, with a lower limit."""
    records = json.loads(ENVELOPE)
    records[0]["operatingEnvelopes"][0]["intervals"][0]["activePowerExportLimit"] = 0.5
    return json.dumps(records).encode()


TODAY, YESTERDAY = todays(), ENVELOPE


async def test_yesterdays_document_is_rejected_by_every_worker(tmp_path: Path) -> None:
    async with hostile_gateway(tmp_path) as gateway:
        assert await gateway.play(YESTERDAY, statement(YESTERDAY, 10)) is Phase.FINAL
        assert await gateway.play(TODAY, statement(TODAY, 11)) is Phase.FINAL
        gateway.stage.blockchain.set_phase(1, Phase.FAILED)  # so that the gateway opens another
        await gateway.play(YESTERDAY, statement(YESTERDAY, 10))
        assert gateway.abstentions(3) == [Reason.INPUT_INVALID] * 3
        assert gateway.stage.blockchain.rounds[3].root == b""


async def test_the_newest_document_may_have_another_round(tmp_path: Path) -> None:
    async with hostile_gateway(tmp_path) as gateway:
        assert await gateway.play(TODAY, statement(TODAY, 11)) is Phase.FINAL
        gateway.stage.blockchain.set_phase(1, Phase.FAILED)
        assert await gateway.play(TODAY, statement(TODAY, 11)) is Phase.FINAL


async def test_without_the_memory_the_attack_succeeds(tmp_path: Path) -> None:
    async with hostile_gateway(tmp_path) as gateway:
        assert await gateway.play(TODAY, statement(TODAY, 11)) is Phase.FINAL
        gateway.forget()
        assert await gateway.play(YESTERDAY, statement(YESTERDAY, 10)) is Phase.FINAL
        assert gateway.abstentions(2) == []
