"""The sender's index of documents and rounds."""

from hashlib import sha256
from pathlib import Path

from oepnode.services.sender.openings import Opening
from oepnode.services.sender.store import EnvelopeStore, StoredDocument

REGISTRY = b"\x0a" * 32


def stored(name: bytes, received_at: float = 1.0) -> StoredDocument:
    return StoredDocument(sha256(name).digest(), 10, 1_795_000_200, 6, received_at, ("odd",))


def opening(digest: bytes, registry: bytes, number: int | None) -> Opening:
    return Opening(digest=digest, registry_digest=registry, after_round=3, block=9, round=number)


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
    envelopes.openings.put(opening(document.digest, b"\x0b" * 32, 4))
    envelopes.openings.put(opening(document.digest, REGISTRY, 7))
    envelopes.openings.put(opening(document.digest, b"\x0c" * 32, None))
    latest = envelopes.latest()
    assert latest is not None
    assert (latest.round, latest.registry_digest) == (7, REGISTRY)


def test_everything_is_stored_across_a_restart(tmp_path: Path) -> None:
    store = EnvelopeStore(tmp_path)
    store.add(stored(b"1"))
    store.close()
    again = EnvelopeStore(tmp_path)
    assert again.document(stored(b"1").digest) == stored(b"1")
    again.close()
