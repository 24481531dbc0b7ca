"""The product writes and opens the published vectors of archives."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.adapters.storage.input_archive import open_inputs, seal_inputs
from oepnode.domain.documents.sources import read_all
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.computation import Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import EvidenceError

VECTORS = Path(__file__).resolve().parents[4] / "docs" / "spec" / "vectors"
KEY = PrivateKey.generate()
CONTEXT = RoundContext(31337, b"\x12" * 20, 1)
unhex = bytes.fromhex


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


ARCHIVES = load("archive.json")


def sealed(plaintext: bytes) -> bytes:
    """A plaintext sealed as an archive of `CONTEXT`."""
    return sealing.seal_whole(KEY.public_key, plaintext, b"oep1 inputs" + CONTEXT.encode())


@pytest.mark.parametrize("case", ARCHIVES["archives"], ids=lambda case: case["round"])
def test_archive(case: dict[str, Any]) -> None:
    inputs = load(case["round"])["inputs"]
    documents = inputs["envelope"].encode(), inputs["registry"].encode()
    made = Inputs(*documents, unhex(inputs["salt"]), Feed(inputs["profile"], inputs["importSign"]))
    context = RoundContext(
        int(inputs["chainId"]), unhex(inputs["contract"][2:]), int(inputs["round"])
    )
    archive = b"".join(seal_inputs(KEY.public_key, context, made))
    plaintext = sealing.open_whole(KEY, archive, unhex(case["info"]))
    head = unhex(case["head"])
    assert plaintext[: len(head)] == head
    assert zlib.decompress(plaintext[len(head) :]) == b"".join(documents)
    assert open_inputs(KEY, archive, context) == made


def test_the_shortest_archive() -> None:
    case = ARCHIVES["shortest"]
    opened = open_inputs(KEY, sealed(unhex(case["plaintext"])), CONTEXT)
    assert read_all(opened.envelope).decode() == case["envelope"]
    assert read_all(opened.registry).decode() == case["registry"]


@pytest.mark.parametrize("case", ARCHIVES["rejected"], ids=lambda case: case["what"])
def test_rejected_archive(case: dict[str, Any]) -> None:
    with pytest.raises(EvidenceError):
        open_inputs(KEY, sealed(unhex(case["plaintext"])), CONTEXT)
