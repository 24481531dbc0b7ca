"""A part with its bytes, pickled, is read as it is from the whole document."""

from __future__ import annotations

import pickle

import pytest

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.sources import BytesSource, SharedSource
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.blocks import Block, DocumentReader
from oepnode.domain.rounds.inputs.csv_document import CsvDocument
from oepnode.domain.rounds.inputs.envelope_parquet import ParquetDocument
from oepnode.domain.rounds.inputs.envelope_reader import read_rows
from oepnode.domain.rounds.inputs.json_document import JsonDocument
from oepnode.domain.rounds.inputs.row_runs import RowRuns
from tests.generators.parquet_documents import Layout, columns_of, write
from tests.support.round_world import ENVELOPE

LINES = [
    "nmi,oeTiming,oeObjectiveFunction,oeApplicationLevel,diStartTime,activePowerExportLimitW",
    *(
        f"63050000{site:02},PRE,x,NMI,2026-11-20T0{hour}:00:00+10:00,{site * 10}"
        for site in range(1, 20)
        for hour in range(4)
    ),
]


def json_document() -> JsonDocument:
    return JsonDocument(BytesSource(ENVELOPE), Feed(), part_size=2000)


def csv_document() -> CsvDocument:
    return CsvDocument(BytesSource("\n".join(LINES).encode()), Feed(), part_size=500)


def parquet_document(*, lists: bool = True) -> ParquetDocument:
    columns = columns_of(ENVELOPE, Feed(), lists=lists)
    return ParquetDocument(BytesSource(write(columns, Layout(row_group=2))), Feed())


def facts(blocks: list[Block]) -> list[tuple[object, ...]]:
    return [
        (
            each.runs.nmi.tolist(),
            each.runs.start.tolist(),
            each.runs.bounds.tolist(),
            [None if limit is None else limit.tolist() for limit in each.runs.limits],
            each.runs.location.tolist(),
            each.log.findings,
            each.first_id,
        )
        for each in blocks
    ]


@pytest.mark.parametrize(
    "reader",
    [
        json_document(),
        csv_document(),
        parquet_document(),
        parquet_document(lists=False),
        JsonDocument(BytesSource(ENVELOPE), Feed()),
        CsvDocument(BytesSource("\n".join(LINES).encode()), Feed()),
    ],
    ids=["json", "csv", "lists", "intervals", "json in one", "csv in one"],
)
def test_a_part_alone_is_read_as_in_the_document(reader: DocumentReader) -> None:
    for part in range(reader.part_count):
        alone = reader.alone(part)
        assert alone is not None
        sent = pickle.loads(pickle.dumps(alone))
        blocks = list(sent.read(part))
        assert blocks
        assert facts(blocks) == facts(list(reader.read(part)))


def test_there_are_several_parts() -> None:
    assert json_document().part_count > 2
    assert csv_document().part_count > 2
    assert parquet_document().part_count > 2


def test_a_part_alone_has_no_other_bytes() -> None:
    for reader in (json_document(), csv_document(), parquet_document(lists=False)):
        whole, alone = len(pickle.dumps(reader)), reader.alone(1)
        assert alone is not None
        assert len(pickle.dumps(alone)) < whole


def test_a_shared_document_is_sent_by_name() -> None:
    source = SharedSource(BytesSource(ENVELOPE))
    reader = JsonDocument(source, Feed(), part_size=2000)
    assert reader.alone(1)._source is source


def test_rows_in_memory_stay_there() -> None:
    log = FaultLog("envelope document")
    reader: DocumentReader = RowRuns(read_rows(ENVELOPE, log, Feed()), log)
    assert reader.alone(0) is None
