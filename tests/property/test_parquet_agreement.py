"""Documents in Parquet: the model, one process and several agree, on roots and on rejections.

A document of JSON is written in both shapes of Parquet. The model reads the file in its own plain
way; the product reads it here and in forked processes, with parts so small that a site is spread
over several. Section numbers are those of ``docs/spec/rules-v1.md``.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from oepnode.adapters.computing.processes import ForkedProcesses
from oepnode.adapters.computing.spill import Spill
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import partition, site_entries, woven_sites
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs import envelope_parquet
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.pipeline import PartitionedDocument
from oepnode.domain.rounds.workshop import Workshop
from oepnode.errors import DocumentFault
from tests.generators import strategies
from tests.generators.cases import Case
from tests.generators.parquet_documents import (
    DAMAGES,
    EDGE_DAMAGES,
    LIST_DAMAGES,
    columns_of,
    damaged,
    random_layout,
    shuffled,
    write,
)
from tests.reference.json_reader import Rejected
from tests.reference.model import Round, compute_round
from tests.support.partitioning import partition_document
from tests.support.sizes import sized

GENEROUS = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
OPERATOR = bytes(range(1, 21))


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
    case: Case, envelope: bytes, horizon: Horizon | None, workshop: Workshop | None = None
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


@contextmanager
def small_parts() -> Iterator[None]:
    """Everything is done in the smallest pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(envelope_parquet, "_VALUES_PER_BATCH", 16)
        patch.setattr(site_entries, "_CHUNK_BYTES", 1)
        patch.setattr(woven_sites, "_ROWS_PER_TASK", 4)
        patch.setattr(partition, "_LEAVES_PER_TASK", 2)
        yield


@contextmanager
def several_processes() -> Iterator[Workshop]:
    with (
        small_parts(),
        tempfile.TemporaryDirectory() as folder,
        Spill(Path(folder, "spill")) as spill,
    ):
        yield ForkedProcesses(spill, 2)


def assert_same(expected: Round, actual: PartitionedDocument) -> None:
    assert [(p.aggregator_id, p.nmis, p.entries, p.root, p.entry) for p in expected.partitions] == [
        (p.aggregator_id, tuple(p.nmis), tuple(p.entries), p.root, p.entry)
        for p in actual.result.partitions
    ]
    assert actual.result.root == expected.root
    assert actual.custody == expected.custody(OPERATOR)


@settings(GENEROUS, max_examples=sized(60))
@given(case=strategies.rounds(), seed=st.integers(0, 2**32 - 1), lists=st.booleans())
def test_same_root_in_every_form_and_way(case: Case, seed: int, lists: bool) -> None:
    rnd = random.Random(seed)
    expected = by_model(case, case.envelope)
    horizon = Horizon(expected.start, expected.count)
    columns = columns_of(case.envelope, Feed(case.profile, case.import_sign), lists=lists)
    mixed = columns if rnd.random() < 0.5 else shuffled(columns, rnd)
    document = write(mixed, random_layout(rnd, mixed))
    assert by_model(case, document) == expected
    assert_same(expected, by_product(case, document, horizon))
    assert_same(expected, by_product(case, case.envelope, horizon))
    with several_processes() as workshop:
        assert_same(expected, by_product(case, document, horizon, workshop))
        assert_same(expected, by_product(case, case.envelope, horizon, workshop))
    event(f"partitions: {expected.partition_count}")


def codes(case: Case, envelope: bytes, workshop: Workshop | None = None) -> set[str]:
    with pytest.raises(DocumentFault) as caught:
        by_product(case, envelope, Horizon(1_795_132_800, 12), workshop)
    assert all(fault.path.startswith("$") for fault in caught.value.faults)
    return {fault.code for fault in caught.value.faults}


@pytest.mark.parametrize("lists", [True, False], ids=["lists", "intervals"])
@pytest.mark.parametrize("kind", [*DAMAGES, *LIST_DAMAGES, *EDGE_DAMAGES])
@settings(GENEROUS, max_examples=sized(4))
@given(case=strategies.rounds(), seed=st.integers(0, 2**32 - 1))
def test_damaged_documents_are_rejected_alike(
    kind: str, lists: bool, case: Case, seed: int
) -> None:
    is_edge = case.profile == "edge"
    if (kind in LIST_DAMAGES and not lists) or (kind in EDGE_DAMAGES and not is_edge):
        return
    rnd = random.Random(seed)
    damage, rule = (DAMAGES | LIST_DAMAGES | EDGE_DAMAGES)[kind]
    columns = columns_of(case.envelope, Feed(case.profile, case.import_sign), lists=lists)
    document = damaged(columns, damage, rnd)
    with pytest.raises(Rejected) as expected:
        by_model(case, document)
    here = codes(case, document)
    assert rule in here or is_edge
    assert here & expected.value.rules
    if rnd.random() < 0.2:
        with several_processes() as workshop:
            assert codes(case, document, workshop) == here


@settings(GENEROUS, max_examples=sized(150))
@given(case=strategies.rounds(), seed=st.integers(0, 2**32 - 1), lists=st.booleans())
def test_changed_bytes_are_rejected_or_read_as_by_the_model(
    case: Case, seed: int, lists: bool
) -> None:
    rnd = random.Random(seed)
    columns = columns_of(case.envelope, Feed(case.profile, case.import_sign), lists=lists)
    document = bytearray(write(columns, random_layout(rnd, columns)))
    for _ in range(rnd.randrange(1, 4)):
        document[rnd.randrange(len(document))] = rnd.randrange(256)
    if rnd.random() < 0.2:
        del document[rnd.randrange(len(document)) :]
    if document[:4] != b"PAR1":
        return
    try:
        actual = by_product(case, bytes(document), None)
    except DocumentFault:
        event("rejected")
        return
    event("valid")
    assert actual.result.root == by_model(case, bytes(document)).root
