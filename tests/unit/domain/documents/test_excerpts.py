"""Excerpts of documents: the same bytes at the same positions."""

import io
import pickle

import pytest

from oepnode.domain.documents.sources import BytesSource, SharedSource, excerpt, read_all

DATA = bytes(range(100))


@pytest.mark.parametrize(("start", "end"), [(0, 100), (10, 40), (60, None), (90, 200), (0, 0)])
def test_bytes_are_where_they_are_in_the_document(start: int, end: int | None) -> None:
    taken = pickle.loads(pickle.dumps(excerpt(BytesSource(DATA), start, end)))
    assert taken.size == 100
    with taken.open() as reader:
        assert reader.seek(start) == start
        assert reader.read() == DATA[start:end]
        at = reader.seek(start)
        assert at == reader.tell()
        if end != 0:
            buffer = bytearray(3)
            assert reader.readinto(buffer) == 3
            assert buffer == DATA[start : start + 3]
            assert reader.seek(1, io.SEEK_CUR) == start + 4
        assert reader.seek(-100, io.SEEK_END) == 0 if start == 0 else True


def test_bytes_before_the_excerpt_are_an_error_and_never_others() -> None:
    with excerpt(BytesSource(DATA), 10, 40).open() as reader:
        with pytest.raises(ValueError, match="negative"):
            reader.seek(9)
        assert reader.read() == b""


def test_a_document_that_is_everywhere_is_not_cut() -> None:
    shared = SharedSource(BytesSource(DATA))
    assert excerpt(shared, 10, 20) is shared
    assert (shared.size, read_all(shared)) == (100, DATA)
