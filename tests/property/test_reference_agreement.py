"""The product and the reference model agree: on every root, and on every rejection.

The model (``tests/reference``) shares no code with ``oepnode``. Section numbers are those
of ``docs/spec/rules-v1.md``.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.ballot import ballot_hash, result_hash
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.partition import RoundResult
from oepnode.errors import DigestMismatch, DocumentFault
from tests.generators import strategies
from tests.generators.cases import Case
from tests.generators.damage import Damaged
from tests.generators.damaged_bytes import BYTE_DAMAGES, tamper
from tests.generators.damaged_envelopes import ENVELOPE_DAMAGES
from tests.generators.damaged_registries import REGISTRY_DAMAGES
from tests.generators.json_text import Style, write_document
from tests.reference.envelope import read_envelope
from tests.reference.json_reader import Rejected
from tests.reference.model import Round, compute_round
from tests.reference.registry import read_registry
from tests.support.partitioning import partition_round
from tests.support.sizes import sized

MEMBER = 9
GENEROUS = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def by_model(case: Case, envelope: bytes, registry: bytes) -> Round:
    return compute_round(
        envelope,
        registry,
        case.salt,
        chain_id=case.chain_id,
        contract=case.contract,
        number=case.number,
        profile=case.profile,
        import_sign=case.import_sign,
    )


def by_product(case: Case, envelope: bytes, registry: bytes) -> RoundResult:
    feed = Feed(case.profile, case.import_sign)
    context = RoundContext(case.chain_id, case.contract, case.number)
    return partition_round(envelope, parse_snapshot(registry), case.salt, context, feed)


def assert_same(case: Case, expected: Round, actual: RoundResult) -> None:
    def parts(result: Round | RoundResult) -> list[tuple[object, ...]]:
        return [
            (p.aggregator_id, p.key, tuple(p.nmis), tuple(p.entries), p.root, p.entry)
            for p in result.partitions
        ]

    assert parts(actual) == parts(expected)
    assert actual.root == expected.root
    assert actual.partition_count == expected.partition_count
    digest = result_hash(actual.root, actual.partition_count)
    assert digest == expected.result_hash
    ballot = ballot_hash(case.chain_id, case.contract, case.number, MEMBER, digest)
    assert ballot == expected.ballot(MEMBER)


@settings(GENEROUS, max_examples=sized(200))
@given(case=strategies.rounds())
def test_model_reads_what_the_strategy_meant(case: Case) -> None:
    document = read_envelope(case.envelope, case.profile, case.import_sign)
    assert document.rows == case.rows
    assert document.sites == case.sites
    snapshot = read_registry(case.registry)
    holders = {(nmi, start): snapshot.holder(nmi, start) for nmi, start in case.holders}
    assert holders == case.holders


@settings(GENEROUS, max_examples=sized(400))
@given(case=strategies.rounds())
def test_same_root_for_random_documents(case: Case) -> None:
    expected = by_model(case, case.envelope, case.registry)
    assert_same(case, expected, by_product(case, case.envelope, case.registry))
    event(f"partitions: {expected.partition_count}")
    event(f"unassigned: {any(p.aggregator_id == '' for p in expected.partitions)}")


@settings(GENEROUS, max_examples=sized(100))
@given(case=strategies.rounds(), style=strategies.styles(), seed=st.integers(0, 2**32 - 1))
def test_spelling_and_order_do_not_change_the_root(case: Case, style: Style, seed: int) -> None:
    """The same records, shuffled and written again, have the same root."""
    rnd = random.Random(seed)
    shuffled = rnd.sample(case.records, len(case.records))
    again = write_document(shuffled, style, rnd)
    assert by_product(case, again, case.registry).root == (
        by_product(case, case.envelope, case.registry).root
    )


def assert_rejected_alike(damaged: Damaged) -> None:
    case, is_registry = damaged.case, damaged.kind in REGISTRY_DAMAGES
    envelope = case.envelope if is_registry else damaged.data
    registry = damaged.data if is_registry else case.registry
    with pytest.raises(Rejected) as expected:
        by_model(case, envelope, registry)
    assert expected.value.rules & damaged.rules
    with pytest.raises(DocumentFault) as actual:
        by_product(case, envelope, registry)
    rules = {fault.code for fault in actual.value.faults}
    assert actual.value.more or rules & damaged.rules
    assert all(fault.path.startswith("$") for fault in actual.value.faults)


@pytest.mark.parametrize("kind", [*ENVELOPE_DAMAGES, *BYTE_DAMAGES])
@settings(GENEROUS, max_examples=sized(10))
@given(data=st.data())
def test_both_reject_a_damaged_envelope(kind: str, data: st.DataObject) -> None:
    assert_rejected_alike(data.draw(strategies.damaged_envelopes(kind)))


@pytest.mark.parametrize("kind", list(REGISTRY_DAMAGES))
@settings(GENEROUS, max_examples=sized(10))
@given(data=st.data())
def test_both_reject_a_damaged_registry(kind: str, data: st.DataObject) -> None:
    assert_rejected_alike(data.draw(strategies.damaged_registries(kind)))


@settings(GENEROUS, max_examples=sized(400))
@given(case=strategies.rounds(), seed=st.integers(0, 2**64 - 1), is_registry=st.booleans())
def test_tampered_documents_are_read_or_rejected_alike(
    case: Case, seed: int, is_registry: bool
) -> None:
    """A few random bytes changed: both reject, or both read the same."""
    envelope, registry = case.envelope, case.registry
    if is_registry:
        registry = tamper(registry, seed)
    else:
        envelope = tamper(envelope, seed)
    try:
        expected = by_model(case, envelope, registry)
    except Rejected as exc:
        event(f"rejected: {sorted(exc.rules)[0]}")
        with pytest.raises((DocumentFault, DigestMismatch)):
            by_product(case, envelope, registry)
    else:
        event("still valid")
        assert_same(case, expected, by_product(case, envelope, registry))
