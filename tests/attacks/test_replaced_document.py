"""The operator of the sender's gateway replaces the network's document by one of its own.

Who: whoever runs the gateway, or has its bearer token and the requester's key. Before, "the
sender" of a round was whoever could make the gateway store a document and open a round with it:
every worker fetched it by its digest, found the bytes to match, and voted for limits that the
network never published. The digest on chain proves that all workers got the same bytes, not whose
they are.

What stops it now: the network signs its documents with a key that is offline (Ed25519,
``domain/rounds/inputs/document_signatures.py``), and workers with ``documents.sender_key`` in
their settings accept no other (``adapters/http/signed_documents.py``); they abstain with
InputInvalid and say ``signature.missing`` or ``signature.invalid``.

What remains: it is a setting, which the operators of workers have to agree with the network. The
gateway can still withhold documents.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.inputs.document_signatures import SignedStatement
from oepnode.domain.rounds.onchain import Phase
from tests.attacks.support.gateway import hostile_gateway
from tests.support.round_world import ENVELOPE
from tests.support.signed_documents import OTHER, statement


def forged() -> bytes:
    """The network's document with one limit raised."""
    records = json.loads(ENVELOPE)
    records[0]["operatingEnvelopes"][0]["intervals"][0]["activePowerExportLimit"] = 4.5
    return json.dumps(records).encode()


FORGED = forged()


async def test_the_networks_own_document_is_voted_for(tmp_path: Path) -> None:
    async with hostile_gateway(tmp_path) as gateway:
        assert await gateway.play(ENVELOPE, statement(ENVELOPE, 1)) is Phase.FINAL


@pytest.mark.parametrize(
    "signed",
    [
        None,
        statement(FORGED, 2, key=OTHER),
        statement(FORGED, 2, "snapshot"),
        statement(FORGED, 2, size=5),
    ],
    ids=["unsigned", "signed by the operator", "of a snapshot", "of another size"],
)
async def test_another_document_is_rejected_by_every_worker(
    tmp_path: Path, signed: SignedStatement | None
) -> None:
    async with hostile_gateway(tmp_path) as gateway:
        await gateway.play(FORGED, signed)
        assert gateway.abstentions(1) == [Reason.INPUT_INVALID] * 3
        assert gateway.stage.blockchain.rounds[1].root == b""


async def test_the_statement_of_another_document_is_of_no_use(tmp_path: Path) -> None:
    async with hostile_gateway(tmp_path) as gateway:
        await gateway.publish(FORGED)
        await gateway.play(FORGED, statement(ENVELOPE, 1))
        assert gateway.abstentions(1) == [Reason.INPUT_INVALID] * 3


async def test_without_the_workers_key_the_attack_succeeds(tmp_path: Path) -> None:
    async with hostile_gateway(tmp_path, key=None) as gateway:
        assert await gateway.play(FORGED) is Phase.FINAL
        assert gateway.abstentions(1) == []
