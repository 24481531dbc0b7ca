"""Keys and pseudonyms (rules-v1 section 7). The published vectors are in ``test_vectors``."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.rounds import pseudonyms
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.pseudonyms import UNASSIGNED
from oepnode.errors import DigestMismatch, EvidenceError
from tests.reference import pseudonyms as reference
from tests.support.envelope_documents import NMI, OTHER_NMI, SALT

CONTEXT = RoundContext(31337, bytes(range(20)), 7)

CONTEXTS = st.builds(
    RoundContext,
    st.integers(0, 2**256 - 1),
    st.binary(min_size=20, max_size=20),
    st.integers(0, 2**64 - 1),
)
IDS = st.text(max_size=64)


def test_a_salt_is_checked_against_its_digest() -> None:
    pseudonyms.check_salt(SALT, sha256(SALT).digest())


@pytest.mark.parametrize(
    "salt", [b"", SALT[:31], SALT + b"\x00", bytes(32), SALT[::-1], b"x" * 4096]
)
def test_another_salt_is_rejected_and_not_shown(salt: bytes) -> None:
    digest = sha256(SALT).digest()
    with pytest.raises(DigestMismatch) as rejected:
        pseudonyms.check_salt(salt, digest)
    assert isinstance(rejected.value, EvidenceError)
    assert (rejected.value.expected, rejected.value.received) == (digest, sha256(salt).digest())
    for secret in (SALT, *([salt] if salt else [])):
        assert secret.hex() not in str(rejected.value)


@pytest.mark.parametrize("salt", [b"", SALT[:31], SALT + b"\x00"])
def test_a_salt_of_another_length_is_rejected_even_where_its_digest_fits(salt: bytes) -> None:
    with pytest.raises(DigestMismatch):
        pseudonyms.check_salt(salt, sha256(salt).digest())


@given(context=CONTEXTS, salt=st.binary(min_size=32, max_size=32), identity=IDS)
def test_keys_and_pseudonyms_match_the_reference_model(
    context: RoundContext, salt: bytes, identity: str
) -> None:
    encoded = reference.round_context(context.chain_id, context.contract, context.number)
    assert context.encode() == encoded
    round_key = pseudonyms.round_key(salt, context)
    assert round_key == reference.round_key(salt, encoded)
    key = pseudonyms.aggregator_key(round_key, identity)
    assert key == reference.aggregator_key(round_key, identity)
    pseudonym = pseudonyms.aggregator_pseudonym(key, identity)
    assert pseudonym == reference.aggregator_pseudonym(key, identity)
    site_key = pseudonyms.site_key(key, NMI)
    assert site_key == reference.site_key(key, NMI)
    site = pseudonyms.site_pseudonym(site_key, NMI)
    assert site == reference.site_pseudonym(site_key, NMI)
    assert len({salt, round_key, key, pseudonym, site_key, site}) == 6


def test_many_pseudonyms_are_those_of_one_by_one() -> None:
    nmis = [NMI, OTHER_NMI, NMI]
    assert pseudonyms.pseudonyms_of(SALT, (nmi.encode() for nmi in nmis)) == [
        pseudonyms.site_pseudonym(pseudonyms.site_key(SALT, n), n) for n in nmis
    ]
    assert pseudonyms.pseudonyms_of(SALT, []) == []


def test_every_part_of_the_context_and_the_salt_changes_every_key() -> None:
    contexts = [
        CONTEXT,
        replace(CONTEXT, chain_id=1),
        replace(CONTEXT, contract=bytes(20)),
        replace(CONTEXT, number=8),
    ]
    result = [pseudonyms.round_key(salt, c) for salt in (SALT, bytes(32)) for c in contexts]
    result += [
        pseudonyms.aggregator_key(result[0], aggregator)
        for aggregator in (UNASSIGNED, "north", "south")
    ]
    result += [
        pseudonyms.aggregator_pseudonym(key, aggregator)
        for key in result
        for aggregator in (UNASSIGNED, "north", "south")
    ]
    result += [pseudonyms.site_key(key, nmi) for key in result for nmi in (NMI, OTHER_NMI)]
    result += [pseudonyms.site_pseudonym(key, nmi) for key in result for nmi in (NMI, OTHER_NMI)]
    assert len(set(result)) == len(result)
    assert {len(key) for key in result} == {pseudonyms.KEY_SIZE}
