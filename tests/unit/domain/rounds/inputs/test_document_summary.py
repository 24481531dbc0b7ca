"""The summary of a document that is kept for the next one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.document_summary import (
    Summary,
    decode_summary,
    encode_summary,
)
from oepnode.errors import EvidenceError
from tests.support.envelope_documents import START_S, array, record
from tests.support.sites import even, nmi_of, span, summary, written

TOKEN = "0123456789abcdef0123456789abcdef"


def fields(one: Summary) -> tuple[object, ...]:
    arrays = one.keys.tolist(), one.first.tolist(), one.last.tolist()
    return one.horizon_start, one.interval_count, one.opened_at, one.medians, *arrays


def test_it_has_the_horizon_the_sites_and_the_medians() -> None:
    data = written({1: span([0, 1], 5, -2), 2: span([1, 2, 3], 7, -3), 3: span([2], 9, -9)})
    one = summary(data, START_S - 60)
    assert (one.horizon_start, one.interval_count, one.horizon_end) == (START_S, 4, START_S + 1200)
    assert one.opened_at == START_S - 60
    assert one.medians == (7000, 3000)
    assert one.keys.tolist() == [f"{nmi_of(number)}0".encode() for number in (1, 2, 3)]
    assert (one.first.tolist(), one.last.tolist()) == ([0, 1, 2], [1, 3, 2])


def test_a_kind_without_limits_has_no_median() -> None:
    assert summary(even([1, 2], import_kw=None)).medians == (5000, None)


@given(
    numbers=st.sets(st.integers(0, 50), min_size=1),
    opened_at=st.none() | st.integers(0, 2**40),
    length=st.integers(1, 9),
)
def test_its_bytes_read_back(numbers: set[int], opened_at: int | None, length: int) -> None:
    one = summary(even(numbers, length), opened_at)
    assert fields(decode_summary(encode_summary(one))) == fields(one)
    assert encode_summary(decode_summary(encode_summary(one))) == encode_summary(one)


def test_a_document_of_tokens_reads_back_as_such() -> None:
    one = summary(array(record(nmi=TOKEN)))
    assert decode_summary(encode_summary(one)).site_id_kind is SiteIdKind.TOKEN


def test_it_takes_fifteen_bytes_a_site() -> None:
    sizes = [len(encode_summary(summary(even(range(count))))) for count in (100, 200)]
    assert 1500 <= sizes[1] - sizes[0] < 1510


def test_damaged_bytes_are_rejected_and_not_quoted() -> None:
    data = encode_summary(summary(even([1, 2, 3])))
    for broken in (b"", data[:-1], data[:40], b"[]", data.replace(b"630580000", b"630580", 1)):
        with pytest.raises(EvidenceError) as raised:
            decode_summary(broken)
        assert nmi_of(1)[:6] not in str(raised.value)


def test_its_repr_shows_no_nmi() -> None:
    assert nmi_of(1)[:6] not in repr(summary(even([1, 2])))
