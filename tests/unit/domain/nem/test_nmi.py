"""NMIs and their checksum (rules-v1 section 4, AEMO NMI Procedure)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.nmi import ALPHABET, NmiError, checksum, parse
from oepnode.errors import EvidenceError
from tests.reference import nmi as reference

AEMO = {
    "2001985732": 8,
    "2001985733": 6,
    "3075621875": 8,
    "4316854005": 9,
    "6305888444": 6,
    "7001888333": 8,
    "QAAAVZZZZZ": 3,
    "NCCC519495": 5,
    "SMVEW00085": 8,
    "VKTS876510": 8,
}
NMI = "6305888444"
NMIS = st.text(ALPHABET, min_size=10, max_size=10)
BAD = [*sorted({chr(code) for code in range(256)} - set(ALPHABET)), *"０ＡΑ😀", "\ud800"]


def rejected(text: Any) -> NmiError:
    with pytest.raises(NmiError) as raised:
        parse(text)
    assert isinstance(raised.value, EvidenceError)
    return raised.value


@pytest.mark.parametrize(("nmi", "digit"), AEMO.items())
def test_the_published_vectors(nmi: str, digit: int) -> None:
    assert checksum(nmi) == digit
    assert parse(nmi) == nmi
    assert parse(f"{nmi}{digit}") == nmi


@pytest.mark.parametrize("nmi", AEMO)
def test_every_other_eleventh_character_is_rejected(nmi: str) -> None:
    for character in {*map(chr, range(32, 127)), "８", "\x00"} - {str(AEMO[nmi])}:
        assert rejected(nmi + character).code == "nmi.checksum"


@pytest.mark.parametrize("character", BAD, ids=ascii)
def test_every_other_character_is_rejected_at_every_position(character: str) -> None:
    for index in range(10):
        text = NMI[:index] + character + NMI[index + 1 :]
        for whole in (text, text + "6"):
            error = rejected(whole)
            assert error.code == "nmi.character"
            assert f"character {index + 1} is {character!a};" in str(error)
        with pytest.raises(NmiError, match=f"character {index + 1} "):
            checksum(text)


@pytest.mark.parametrize("length", [0, 1, 9, 12, 20, 10_000])
def test_every_other_length_is_rejected(length: int) -> None:
    error = rejected("6" * length)
    assert error.code == "nmi.length"
    assert str(error) == f"an NMI must have 10 characters, received {length}"


@pytest.mark.parametrize("value", [None, 6305888444, 6305888444.0, b"6305888444", list(NMI), True])
def test_every_other_type_is_rejected(value: Any) -> None:
    assert rejected(value).code == "nmi.type"
    with pytest.raises(NmiError) as raised:
        checksum(value)
    assert raised.value.code == "nmi.type"


def test_the_checksum_is_of_ten_characters_only() -> None:
    with pytest.raises(NmiError) as raised:
        checksum("63058884446")
    assert raised.value.code == "nmi.length"


@given(nmi=NMIS)
def test_the_checksum_matches_the_reference_model(nmi: str) -> None:
    assert checksum(nmi) == reference.checksum(nmi)
    assert parse(f"{nmi}{checksum(nmi)}") == nmi


@given(text=st.text(max_size=13))
def test_any_text_is_an_nmi_or_rejected(text: str) -> None:
    try:
        nmi = parse(text)
    except NmiError:
        assert reference.nmi_or_rule(text)[0] is None
    else:
        assert reference.nmi_or_rule(text) == (nmi, None)


@given(nmi=NMIS, tail=st.text(ALPHABET.lower() + "/ ", min_size=0, max_size=4))
def test_no_message_repeats_an_nmi(nmi: str, tail: str) -> None:
    for text in (nmi + tail, nmi.lower(), nmi[:9] + "!", nmi + tail + nmi):
        try:
            parse(text)
        except NmiError as error:
            assert nmi not in str(error)
            assert text not in str(error)
