"""Random documents on a Dask cluster: the roots and entries of the reference model."""

from __future__ import annotations

import random
from functools import partial

import pytest
from distributed import LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import partition
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs import document_readers
from oepnode.domain.rounds.inputs.json_document import JsonDocument
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.pipeline import PartitionedDocument
from oepnode.domain.rounds.workshop import Workshop
from oepnode.errors import DocumentFault
from tests.generators import strategies
from tests.generators.cases import Case
from tests.generators.parquet_documents import DAMAGES, Layout, columns_of, damaged, write
from tests.reference.model import Round, compute_round
from tests.support.dask_clusters import address_of, dask_workshop
from tests.support.partitioning import partition_document
from tests.support.sizes import sized

OPERATOR = bytes(range(1, 21))
GENEROUS = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every document has several parts, and all trees are hashed on the cluster."""
    monkeypatch.setattr(partition, "_LEAVES_PER_TASK", 2)
    monkeypatch.setattr(partition, "_WORTH_SENDING", 1)
    monkeypatch.setattr(document_readers, "JsonDocument", partial(JsonDocument, part_size=900))


def by_model(case: Case, envelope: bytes) -> Round:
    return compute_round(
        envelope,
        case.registry,
        case.salt,
        chain_id=case.chain_id,
        contract=case.contract,
        number=case.number,
        profile=case.profile,
        import_sign=case.import_sign,
    )


def by_product(
    case: Case, envelope: bytes, horizon: Horizon, workshop: Workshop | None = None
) -> PartitionedDocument:
    return partition_document(
        envelope,
        parse_snapshot(case.registry),
        case.salt,
        RoundContext(case.chain_id, case.contract, case.number),
        Feed(case.profile, case.import_sign),
        horizon=horizon,
        workshop=workshop,
        operator=OPERATOR,
    )


def assert_same(expected: Round, actual: PartitionedDocument) -> None:
    assert [(p.aggregator_id, p.nmis, p.entries, p.root, p.entry) for p in expected.partitions] == [
        (p.aggregator_id, tuple(p.nmis), tuple(p.entries), p.root, p.entry)
        for p in actual.result.partitions
    ]
    assert actual.result.root == expected.root
    assert actual.custody == expected.custody(OPERATOR)


@settings(GENEROUS, max_examples=sized(12))
@given(case=strategies.rounds(), lists=st.booleans(), rows=st.sampled_from([1, 3, 1000]))
def test_the_root_and_all_entries_are_the_models(
    cluster: LocalCluster, case: Case, lists: bool, rows: int
) -> None:
    expected = by_model(case, case.envelope)
    horizon = Horizon(expected.start, expected.count)
    columns = columns_of(case.envelope, Feed(case.profile, case.import_sign), lists=lists)
    for document in (case.envelope, write(columns, Layout(row_group=rows))):
        with dask_workshop(address_of(cluster)) as workshop:
            assert_same(expected, by_product(case, document, horizon, workshop))


@settings(GENEROUS, max_examples=sized(4))
@given(case=strategies.rounds(), seed=st.integers(0, 2**32 - 1))
def test_a_rejection_names_the_same_faults(cluster: LocalCluster, case: Case, seed: int) -> None:
    rnd = random.Random(seed)
    columns = columns_of(case.envelope, Feed(case.profile, case.import_sign), lists=True)
    document = damaged(columns, DAMAGES["wrong checksum"][0], rnd)
    horizon = Horizon(1_795_132_800, 12)
    with pytest.raises(DocumentFault) as expected:
        by_product(case, document, horizon)
    with dask_workshop(address_of(cluster)) as workshop, pytest.raises(DocumentFault) as actual:
        by_product(case, document, horizon, workshop)
    assert actual.value.faults == expected.value.faults
