"""Blinding a document or a snapshot: tokens for NMIs, every other byte as it was."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.quantities import Feed
from oepnode.domain.nem.tokens import SiteIdKind, token_of
from oepnode.domain.rounds.inputs.blinding import DOCUMENT, SNAPSHOT, Blinder, Form
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.errors import DocumentFault
from tests.generators import strategies
from tests.generators.cases import Case
from tests.reference.nmi import checksum
from tests.reference.vectors.rounds import array_round, ndjson_round
from tests.support.envelope_documents import (
    NMI,
    OTHER_NMI,
    array,
    assignment,
    record,
    rejection,
    snapshot,
)

KEY = bytes(range(32))
TOKEN = token_of(KEY, NMI)
TEXT = array(record(), record(nmi=OTHER_NMI)).decode()


def blind(data: bytes, form: Form = DOCUMENT, size: int = 1 << 18) -> bytes:
    blinder = Blinder(KEY, form)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join([*map(blinder.feed, chunks), blinder.finish()])


def code_of(data: bytes | str, form: Form = DOCUMENT) -> str:
    data = data.encode() if isinstance(data, str) else data
    error = rejection(lambda octets: blind(octets, form), data)
    (fault,) = error.faults
    assert NMI not in str(error)
    assert "630" not in fault.message
    return fault.code


def named(nmi: str) -> str:
    return token_of(KEY, nmi)


def test_a_document_keeps_every_other_byte() -> None:
    data = array(record(), record(nmi=OTHER_NMI), record(nmi=f"{NMI}{checksum(NMI)}"))
    expected = re.sub(rb"(\d{10})\d?(?=\")", lambda m: named(m[1].decode()).encode(), data)
    assert blind(data) == expected
    assert NMI.encode() not in expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
@pytest.mark.parametrize("index", [0, 1])
def test_pieces_of_any_size_give_the_same(size: int, index: int) -> None:
    for text, form in zip((array_round, ndjson_round)[index](), (DOCUMENT, SNAPSHOT), strict=True):
        data = text.encode()
        assert blind(data, form, size) == blind(data, form)


@given(case=strategies.rounds(), size=st.integers(1, 500))
def test_a_blinded_round_is_the_round_with_tokens(case: Case, size: int) -> None:
    try:
        blinded = blind(case.envelope, DOCUMENT, size)
    except DocumentFault as exc:
        assert {fault.code for fault in exc.faults} <= {"nmi.in_text"}
        return
    rows = {(named(nmi), level) for nmi, level in case.rows}
    document = parse_document(blinded, Feed(case.profile, case.import_sign))
    assert document.site_id_kind is SiteIdKind.TOKEN
    assert {
        (nmi.decode(), int(level)) for nmi, level in zip(document.nmi, document.level, strict=True)
    } == rows
    parsed = parse_snapshot(blind(case.registry, SNAPSHOT, size))
    plain_snapshot = parse_snapshot(case.registry)
    assert sorted(parsed.nmi.tolist()) == sorted(
        named(nmi.decode()).encode() for nmi in plain_snapshot.nmi
    )


def test_spellings_of_json_are_followed() -> None:
    escaped = TEXT.replace('"nmi"', '"n\\u006di"').replace(NMI, "\\u0036" + NMI[1:])
    blinded = blind(escaped.encode()).decode()
    assert json.loads(blinded)[0]["nmi"] == TOKEN
    assert '"n\\u006di"' in blinded
    inner = record(operatingEnvelopes=[json.loads(TEXT)[0]["operatingEnvelopes"][0] | {"nmi": NMI}])
    (tree,) = json.loads(blind(array(inner)))
    assert tree["nmi"] == tree["operatingEnvelopes"][0]["nmi"] == TOKEN
    inner["operatingEnvelopes"][0]["nmi"] = None
    (tree,) = json.loads(blind(array(inner)))
    assert tree["operatingEnvelopes"][0]["nmi"] is None


def test_tokens_pass_unchanged() -> None:
    blinded = blind(TEXT.encode())
    blinder = Blinder(bytes(32), DOCUMENT)
    assert blinder.feed(blinded) + blinder.finish() == blinded
    assert blinder.kind is SiteIdKind.TOKEN
    assert not blinder.tokens


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (f'"{NMI}"', NMI, "field.type"),
        (f'"{NMI}"', f'["{NMI}"]', "field.type"),
        (f'"{NMI}"', f'"{NMI}5"', "nmi.checksum"),
        (f'"{NMI}"', f'" {NMI[1:]}"', "nmi.character"),
        (f'"{NMI}"', f'"{TOKEN}"', "nmi.mixed"),
        ('"nmi"', '"NMI"', "field.value"),
        ('"nmi"', '"Nmi"', "field.unknown"),
        ('"PRE"', f'"{NMI}"', "field.value"),
        ('"PRE"', f'"2026-11-20","{NMI}"', "field.value"),
        ('"oeObjectiveFunction":"', f'"oeObjectiveFunction":"for {NMI} ', "nmi.in_text"),
        ('"oeObjectiveFunction":"', f'"oeObjectiveFunction":"{OTHER_NMI}', "nmi.in_text"),
        ('"oeObjectiveFunction":"', f'"oeObjectiveFunction":{NMI},"x":"', "field.type"),
        ("[", f"{NMI}O[", "json.syntax"),
        ("[", "\ufeff[", "json.syntax"),
    ],
)
def test_nothing_that_may_hold_an_nmi_passes(old: str, new: str, code: str) -> None:
    assert old in TEXT
    assert code_of(TEXT.replace(old, new, 1)) == code


def test_an_nmi_in_lower_case_in_a_text_is_one() -> None:
    nmi = "QAB1234567"
    text = TEXT.replace(NMI, nmi).replace(
        '"oeObjectiveFunction":"', f'"oeObjectiveFunction":"for {nmi.lower()} '
    )
    assert code_of(text) == "nmi.in_text"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode()[:-30] + b'"',
        b"PAR1" + NMI.encode(),
        b"\x1f\x8b\x08",
        b'"' * 3,
    ],
)
def test_other_bytes_are_rejected(data: bytes) -> None:
    assert code_of(data) in {"json.syntax", "field.value"}


def test_a_string_without_an_end_takes_no_more_memory() -> None:
    blinder = Blinder(KEY, DOCUMENT)
    with pytest.raises(DocumentFault):
        for _ in range(8):
            blinder.feed(b'[{"oeObjectiveFunction":"' + b"x" * (1 << 18))
            blinder.feed(b"x" * (1 << 18))


def test_a_snapshot_is_blinded() -> None:
    tree: dict[str, Any] = snapshot(assignments=[assignment()])
    data = json.dumps(tree).encode()
    parsed = parse_snapshot(blind(data, SNAPSHOT))
    assert parsed.site_id_kind is SiteIdKind.TOKEN
    tree["aggregators"][0]["name"] = f"Owner of {tree['assignments'][0]['nmi']}"
    assert code_of(json.dumps(tree), SNAPSHOT) == "nmi.in_text"


def test_the_sources_state_each_field_that_may_hold_text() -> None:
    """A new field of text has to be named to pass, so that nobody forgets it here."""
    assert DOCUMENT.texts <= DOCUMENT.names
    assert SNAPSHOT.names - SNAPSHOT.texts == {
        "asOf",
        "aggregators",
        "assignments",
        "nmi",
        "from",
        "to",
    }
