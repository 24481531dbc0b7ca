"""The sender's index of documents and rounds."""

from hashlib import sha256
from pathlib import Path

from oepnode.services.sender.store import EnvelopeStore, StoredDocument

REGISTRY = b"\x0a" * 32


def stored(name: bytes, received_at: float = 1.0) -> StoredDocument:
    return StoredDocument(sha256(name).digest(), 10, 1_795_000_200, 6, received_at, ("odd",))


def test_the_newest_document_is_the_one_received_last(envelopes: EnvelopeStore) -> None:
    assert envelopes.latest() is None
    first, second = stored(b"1"), stored(b"2")
    for document in (first, second, first):
        envelopes.add(document)
    latest = envelopes.latest()
    assert latest is not None
    assert (latest.digest, latest.round, latest.registry_digest) == (second.digest, None, None)
    assert (latest.size, latest.horizon_start, latest.interval_count) == (10, 1_795_000_200, 6)
    assert envelopes.count() == 2


def test_a_known_document_stays_as_it_is(envelopes: EnvelopeStore) -> None:
    envelopes.add(stored(b"1", received_at=1.0))
    envelopes.add(stored(b"1", received_at=2.0))
    document = envelopes.document(sha256(b"1").digest())
    assert document == stored(b"1", received_at=1.0)
    assert envelopes.document(b"\x00" * 32) is None


def test_the_newest_round_of_a_document_is_returned(envelopes: EnvelopeStore) -> None:
    document = stored(b"1")
    envelopes.add(document)
    envelopes.note_round(document.digest, b"\x0b" * 32, 4, 2.0)
    envelopes.note_round(document.digest, REGISTRY, 7, 3.0)
    latest = envelopes.latest()
    assert latest is not None
    assert (latest.round, latest.registry_digest) == (7, REGISTRY)
    assert envelopes.round_of(document.digest, b"\x0b" * 32) == 4
    assert envelopes.round_of(document.digest, b"\x0c" * 32) is None


def test_an_opening_keeps_where_it_began_until_it_ends(envelopes: EnvelopeStore) -> None:
    digest = stored(b"1").digest
    assert envelopes.begin_opening(digest, REGISTRY, 3) == 3
    assert envelopes.begin_opening(digest, REGISTRY, 9) == 3
    envelopes.abandon_opening(digest, REGISTRY)
    assert envelopes.begin_opening(digest, REGISTRY, 9) == 9
    envelopes.note_round(digest, REGISTRY, 10, 1.0)
    assert envelopes.begin_opening(digest, REGISTRY, 12) == 12


def test_everything_is_stored_across_a_restart(tmp_path: Path) -> None:
    store = EnvelopeStore(tmp_path)
    store.add(stored(b"1"))
    store.begin_opening(stored(b"1").digest, REGISTRY, 5)
    store.close()
    again = EnvelopeStore(tmp_path)
    assert again.document(stored(b"1").digest) == stored(b"1")
    assert again.begin_opening(stored(b"1").digest, REGISTRY, 8) == 5
    again.close()
