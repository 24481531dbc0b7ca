"""No result about a round shows an NMI, a key or a salt where it is printed, logged or raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from msgspec import Struct

from oepnode.client import (
    ArchivedInputs,
    ChainTarget,
    InputFiles,
    KeyPair,
    RoundSelector,
    audit_round,
    check_bundle,
    check_site_proof,
    cut_site_proof,
    fetch_bundle,
    final_round,
    list_rounds,
    replay_round,
    verify_bundle,
    verify_site_proof,
)
from oepnode.client.keys import load_key_pair
from oepnode.domain.rounds import computation, site_proof
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from tests.support.round_world import (
    CONTEXT,
    ENVELOPE,
    HELD,
    INPUTS,
    MOVING,
    NOBODYS,
    PRIVATE,
    REGISTRY,
    SALT,
    FakeReader,
    Workers,
    opened,
    sealed,
    verified,
)

NMI = HELD["A1"][0]
NMIS = {nmi for held in HELD.values() for nmi in held} | {MOVING, NOBODYS}
KEYS = [*(key.secret for key in PRIVATE.values()), SALT, verified().key]
Journey = Callable[[Path, RoundSelector], object]


def bundle(folder: Path) -> tuple[Path, Path]:
    return folder / "A1.oepb", folder / "A1.json"


def proof(folder: Path, selector: RoundSelector, *, disclose_key: bool = False) -> Path:
    cut = cut_site_proof(NMI, *bundle(folder), selector, disclose_key=disclose_key)
    (folder / "proof.json").write_bytes(cut.data)
    return folder / "proof.json"


def inputs(folder: Path) -> InputFiles:
    return InputFiles(folder / "envelope.json", folder / "registry.json", folder / "salt")


JOURNEYS: dict[str, Journey] = {
    "audit_round": lambda _, s: audit_round(s.chain, 3),
    "check_bundle": lambda f, s: check_bundle(*bundle(f), s, {NMI}),
    "check_bundle, verified": lambda f, s: check_bundle(*bundle(f), s),
    "check_site_proof": lambda f, s: check_site_proof(proof(f, s, disclose_key=True), s),
    "cut_site_proof": lambda f, s: cut_site_proof(NMI, *bundle(f), s),
    "fetch_bundle": lambda f, s: fetch_bundle(f / "A1.json", s.chain, out=f / "new.oepb"),
    "final_round": lambda _, s: final_round(s.chain),
    "list_rounds": lambda _, s: list_rounds(s.chain),
    "load_key_pair": lambda f, _: load_key_pair(f / "A1.json"),
    "replay_round": lambda f, s: replay_round(s.chain, 3, inputs(f)),
    "replay_round, archived": lambda f, s: replay_round(
        s.chain, 3, ArchivedInputs(f / "round-3.sealed", f / "auditor.json")
    ),
    "verify_bundle": lambda f, s: verify_bundle(*bundle(f), s),
    "verify_site_proof": lambda f, s: verify_site_proof(proof(f, s), s),
    "a proof that is read": lambda f, s: site_proof.read(proof(f, s).read_bytes()),
    "a document": lambda *_: parse_document(ENVELOPE),
    "a snapshot": lambda *_: parse_snapshot(REGISTRY),
    "inputs": lambda *_: INPUTS,
    "a computation": lambda *_: computation.compute(INPUTS, CONTEXT, opened()),
}


@pytest.mark.parametrize("journey", JOURNEYS.values(), ids=JOURNEYS)
def test_no_value_of_a_result_shows_an_nmi_or_a_secret(
    journey: Journey, folder: Path, chain: ChainTarget, reader: FakeReader, workers: Workers
) -> None:
    workers.served = {"http://worker-1.test": sealed("A1")}
    values = list(values_in(journey(folder, RoundSelector(chain))))
    assert values
    for value in values:
        shown = f"{value!r} {value}"
        assert not [nmi for nmi in NMIS if nmi in shown], type(value)
        assert not [key for key in KEYS if key.hex() in shown or repr(key) in shown], type(value)


def values_in(value: object) -> Iterator[object]:
    """A result, its report, and every structure in them."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from values_in(item)
    elif isinstance(value, Struct) or is_dataclass(value):
        yield value
        names = value.__struct_fields__ if isinstance(value, Struct) else _names(value)
        for name in names:
            yield from values_in(getattr(value, name))
        if callable(report := getattr(value, "report", None)):
            yield from values_in(report())
    elif isinstance(value, Exception | KeyPair):
        yield value


def _names(value: object) -> Iterator[str]:
    assert is_dataclass(value)
    return (field.name for field in fields(value))
