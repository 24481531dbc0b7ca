"""Tokens in the place of NMIs (rules-v1 section 4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem import nmi as nmis
from oepnode.domain.nem.nmi import ALPHABET, NmiError
from oepnode.domain.nem.tokens import SiteIdKind, kind_of, parse_site_id, token_of
from tests.reference import tokens as reference

KEYS = st.binary(min_size=32, max_size=32)
NMIS = st.text(ALPHABET, min_size=10, max_size=10)
TOKEN = "0123456789abcdef0123456789abcdef"


@given(key=KEYS, nmi=NMIS)
def test_a_token_matches_the_reference_model(key: bytes, nmi: str) -> None:
    token = token_of(key, nmi)
    assert token == reference.token(key, nmi)
    assert parse_site_id(token) == token
    assert kind_of(token) is SiteIdKind.TOKEN


@given(key=KEYS, nmi=NMIS)
def test_no_text_is_an_nmi_and_a_token(key: bytes, nmi: str) -> None:
    with pytest.raises(NmiError):
        nmis.parse(token_of(key, nmi))
    assert parse_site_id(f"{nmi}{nmis.checksum(nmi)}") == nmi
    assert kind_of(nmi) is SiteIdKind.NMI


@given(text=st.text(max_size=33))
def test_any_other_text_is_rejected_as_an_nmi_is(text: str) -> None:
    try:
        accepted = parse_site_id(text)
    except NmiError as exc:
        assert text not in str(exc) or len(text) < 3
    else:
        assert accepted in {text, text[:10]}


@pytest.mark.parametrize("text", [TOKEN.upper(), TOKEN[:-1] + "g", TOKEN[:-1] + " ", "０" * 32])
def test_thirty_two_other_characters_are_no_token(text: str) -> None:
    with pytest.raises(NmiError) as raised:
        parse_site_id(text)
    assert raised.value.code == "token.character"
    assert text not in str(raised.value)


@pytest.mark.parametrize("value", [None, 0, b"0" * 32, list(TOKEN)])
def test_another_type_is_rejected(value: Any) -> None:
    with pytest.raises(NmiError) as raised:
        parse_site_id(value)
    assert raised.value.code == "nmi.type"
