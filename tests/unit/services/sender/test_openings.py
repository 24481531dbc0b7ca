"""The gateway's memory of the rounds that it opened."""

from pathlib import Path

from msgspec.structs import replace

from oepnode.services.sender.openings import Opening
from oepnode.services.sender.store import EnvelopeStore

OPENING = Opening(
    digest=b"\x01" * 32,
    registry_digest=b"\x0a" * 32,
    after_round=3,
    block=90,
    round=4,
    transaction=b"\x44" * 32,
)
OTHER = replace(OPENING, digest=b"\x02" * 32)


def test_an_opening_is_found_by_both_inputs(envelopes: EnvelopeStore) -> None:
    openings = envelopes.openings
    openings.put(OPENING)
    assert openings.of(OPENING.digest, OPENING.registry_digest) == OPENING
    assert openings.of(OPENING.digest, b"\x0b" * 32) is None
    assert openings.of(OTHER.digest, OPENING.registry_digest) is None


def test_a_later_opening_takes_the_place_of_an_earlier_one(envelopes: EnvelopeStore) -> None:
    openings = envelopes.openings
    openings.put(OPENING)
    settled = replace(OPENING, round=7, is_settled=True)
    openings.put(settled)
    assert openings.of(OPENING.digest, OPENING.registry_digest) == settled
    assert openings.unsettled() == []


def test_a_number_belongs_to_one_opening(envelopes: EnvelopeStore) -> None:
    openings = envelopes.openings
    settled = replace(OPENING, is_settled=True)
    assert openings.put(settled) == []
    assert openings.put(settled) == []
    assert openings.put(replace(OTHER, block=95)) == [settled]
    assert openings.of(OTHER.digest, OTHER.registry_digest) == replace(OTHER, block=95)
    assert openings.of(OPENING.digest, OPENING.registry_digest) == replace(
        OPENING, round=None, block=95
    )


def test_intents_do_not_take_numbers_away(envelopes: EnvelopeStore) -> None:
    openings = envelopes.openings
    openings.put(replace(OPENING, round=None))
    openings.put(replace(OTHER, round=None))
    assert openings.unsettled() == [replace(OPENING, round=None), replace(OTHER, round=None)]
    openings.drop(OPENING)
    assert openings.unsettled() == [replace(OTHER, round=None)]


def test_openings_outlive_a_restart(tmp_path: Path) -> None:
    store = EnvelopeStore(tmp_path)
    store.openings.put(OPENING)
    store.close()
    again = EnvelopeStore(tmp_path)
    assert again.openings.unsettled() == [OPENING]
    again.close()
