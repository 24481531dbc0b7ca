"""Documents in Parquet: every value, places of faults, and files that are hostile by themselves."""

from __future__ import annotations

import io
import random
import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oepnode.domain.documents.sources import BytesSource
from oepnode.domain.nem.nmi import checksum
from oepnode.domain.nem.quantities import NO_LIMIT, Feed
from oepnode.domain.rounds.inputs import envelope_parquet, parquet_form, parquet_metadata
from oepnode.domain.rounds.inputs.blocks import SharedChecks
from oepnode.domain.rounds.inputs.envelope_parquet import ParquetDocument
from oepnode.domain.rounds.inputs.parquet_form import LIMITS
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from oepnode.errors import DocumentFault, Finding
from tests.generators.parquet_documents import Columns, Layout, write

START = 1_795_132_800
US = 1_000_000
NMI = "6305888444"
EXPORT, IMPORT, REACTIVE, _ = LIMITS


def lists(count: int = 3, /, **changes: Any) -> Columns:
    """Rows of three intervals each."""
    columns: Columns = {
        "nmi": [f"6305{number:06}" for number in range(count)],
        "oeTiming": ["PRE"] * count,
        "oeObjectiveFunction": ["fair"] * count,
        "oeApplicationLevel": ["NMI"] * count,
        "submissionTimestamp": [None] * count,
        "startTime": [START * US] * count,
        EXPORT: [[1, 2, 3]] * count,
        IMPORT: [[-1, -2, -3]] * count,
    }
    return columns | changes


def read(data: bytes, feed: Feed | None = None) -> list[Runs]:
    """Runs of all blocks; raises what they report."""
    reader, checks, runs = ParquetDocument(BytesSource(data), feed or Feed()), SharedChecks(), []
    for part in range(reader.part_count):
        for block in reader.read(part):
            checks.add(block)
            runs.append(block.runs)
    checks.finish()
    checks.log.raise_if_any()
    return runs


def faults(data: bytes, feed: Feed | None = None) -> list[Finding]:
    with pytest.raises(DocumentFault) as caught:
        read(data, feed)
    return list(caught.value.faults)


def places(columns: Columns, feed: Feed | None = None, **layout: Any) -> list[tuple[str, str]]:
    return [(each.path, each.code) for each in faults(write(columns, Layout(**layout)), feed)]


def test_a_row_is_read_with_all_its_values() -> None:
    (runs,) = read(
        write(
            lists(
                1,
                oeTiming=["POST"],
                oeApplicationLevel=["Flex"],
                submissionTimestamp=[START * US + 7],
                **{IMPORT: [[-1, None, -3]]},
            ),
            Layout(),
        )
    )
    assert (runs.nmi.tolist(), runs.level.tolist(), runs.timing.tolist()) == (
        [b"6305000000"],
        [1],
        [1],
    )
    assert (runs.objectives, runs.objective.tolist()) == (("fair",), [0])
    assert (runs.submitted.tolist(), runs.start.tolist()) == ([START * US + 7], [START])
    assert runs.bounds.tolist() == [0, 3]
    export, imported, *rest = runs.limits
    assert export is not None and export.tolist() == [1, 2, 3]
    assert imported is not None and imported.tolist() == [-1, NO_LIMIT, -3]
    assert rest == [None, None]


def test_limits_without_nulls_are_not_copied() -> None:
    (runs,) = read(write(lists(), Layout()))
    assert runs.limits[0] is not None and not runs.limits[0].flags.owndata


def test_an_absent_submission_is_none_and_an_absent_list_no_limit() -> None:
    columns = lists(2, **{IMPORT: [[-1, -2, -3], None]})
    del columns["submissionTimestamp"]
    (runs,) = read(write(columns, Layout()))
    assert runs.submitted.tolist() == [NO_SUBMISSION] * 2
    assert runs.limits[1] is not None
    assert runs.limits[1].tolist() == [-1, -2, -3, *[NO_LIMIT] * 3]


def test_rows_of_one_interval_are_joined_where_they_follow_one_another() -> None:
    columns = lists(4, nmi=[NMI, NMI, NMI, "6305000001"])
    start = columns.pop("startTime")[0]
    columns["diStartTime"] = [start, start + 300 * US, start + 900 * US, start + 1200 * US]
    columns[EXPORT], columns[IMPORT] = [1, 2, 3, 4], [-1, -2, None, -4]
    (runs,) = read(write(columns, Layout()))
    assert runs.bounds.tolist() == [0, 2, 3, 4]
    assert runs.start.tolist() == [START, START + 900, START + 1200]
    assert runs.location[:, 0].tolist() == [0, 2, 3]
    assert runs.limits[1] is not None and runs.limits[1].tolist() == [-1, -2, NO_LIMIT, -4]


def test_imports_as_magnitudes_are_negated() -> None:
    (runs,) = read(write(lists(1, **{IMPORT: [[1, 2, 3]]}), Layout()), Feed("wide", "magnitude"))
    assert runs.limits[1] is not None and runs.limits[1].tolist() == [-1, -2, -3]


def test_a_checksum_digit_is_dropped_and_tokens_are_read() -> None:
    (runs,) = read(write(lists(1, nmi=["6305000000" + str(checksum("6305000000"))]), Layout()))
    assert runs.nmi.tolist() == [b"6305000000"]
    (runs,) = read(write(lists(2, nmi=["ab" * 16, "cd" * 16]), Layout()))
    assert runs.nmi.dtype == np.dtype("S32")


@pytest.mark.parametrize("group", [1, 2, 1000])
@pytest.mark.parametrize("batch", [1, 1 << 22])
def test_a_fault_has_the_number_of_its_row(
    monkeypatch: pytest.MonkeyPatch, group: int, batch: int
) -> None:
    monkeypatch.setattr(envelope_parquet, "_VALUES_PER_BATCH", batch)
    columns = lists(5)
    columns[EXPORT] = [[1, 2, 3]] * 3 + [[1, 2, -3]] + [[1, 2, 3]]
    assert places(columns, row_group=group) == [(f"$.rows[3].{EXPORT}[2]", "limit.sign")]
    columns = lists(5, nmi=[NMI] * 4 + ["O"])
    assert ("$.rows[4].nmi", "nmi.length") in places(columns, row_group=group)


def test_each_value_is_checked() -> None:
    edge = Feed("edge")
    zeros = {EXPORT: [[0, 10, 20]] * 3, IMPORT: [[0, -10, -20]] * 3}
    assert read(write(lists(**zeros), Layout()), edge)
    assert places(lists(**zeros | {EXPORT: [[0] * 3, [0, 5, 0], [0, 0, 100_000]]}), edge) == [
        (f"$.rows[1].{EXPORT}[1]", "limit.decimals"),
        (f"$.rows[2].{EXPORT}[2]", "limit.range"),
    ]
    assert places(lists(**zeros | {IMPORT: [[0] * 3, [0, None, 0], None]}), edge) == [
        (f"$.rows[{row}].{IMPORT}[{at}]", "field.type")
        for row, at in ((1, 1), *((2, n) for n in range(3)))
    ]
    assert places(lists(**{EXPORT: [[NO_LIMIT, 0, 0]] * 3}))[0][1] == "limit.range"
    both = lists(**{IMPORT: [[-1] * 3, [1] * 3, [-1] * 3]})
    assert {code for _, code in places(both)} == {"limit.sign", "import_sign.mixed"}
    nothing = lists(**{EXPORT: [[1, None, 1]] * 3, IMPORT: [[-1, None, -1]] * 3})
    assert places(nothing) == [(f"$.rows[{row}][1]", "interval.no_limit") for row in range(3)]


def test_mixed_kinds_and_signs_are_found_across_parts() -> None:
    mixed = lists(2, nmi=[NMI, "ab" * 16])
    assert ("$.rows[1].nmi", "nmi.mixed") in places(mixed, row_group=1)
    signs = lists(2, **{IMPORT: [[-1] * 3, [1] * 3]})
    assert ("$.rows[1]." + IMPORT + "[0]", "import_sign.mixed") in places(signs, row_group=1)


def test_more_faults_than_are_shown_are_counted() -> None:
    columns = lists(1, **{EXPORT: [[-1] * 500], IMPORT: [[0] * 500]})
    with pytest.raises(DocumentFault) as caught:
        read(write(columns, Layout()))
    assert (len(caught.value.faults), caught.value.more) == (100, 400)


def test_no_message_holds_an_identifier() -> None:
    for nmi in ("6305888O44", "63058884441", "63058884", "ABCDEF0123456789ABCDEF0123456789"):
        for fault in faults(write(lists(1, nmi=[nmi]), Layout())):
            assert nmi not in str(fault)


# --- files ---------------------------------------------------------------------------------------


def good() -> bytes:
    return write(lists(), Layout())


@pytest.mark.parametrize(
    "data",
    [
        b"PAR1",
        b"PAR1PAR1",
        b"PAR1" + bytes(4) + b"PAR1",
        good()[:-1],
        good()[: len(good()) // 2],
        good() + b"\n",
        good()[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1",
        good()[:-8] + (len(good()) - 8).to_bytes(4, "little") + b"PAR1",
        good()[:-4] + b"PARE",
    ],
)
def test_what_is_no_whole_file_is_rejected(data: bytes) -> None:
    assert [fault.code for fault in faults(data)] == ["parquet.format"]


def test_a_footer_of_many_megabytes_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    size = parquet_form.MAX_FOOTER + 1
    data = b"PAR1" + bytes(size) + size.to_bytes(4, "little") + b"PAR1"
    monkeypatch.setattr(parquet_metadata, "open_file", lambda *_: pytest.fail("it was parsed"))
    assert [fault.code for fault in faults(data)] == ["parquet.bounds"]


def test_a_file_of_a_hundred_thousand_columns_is_rejected_within_little_memory() -> None:
    out = io.BytesIO()
    names = [f"c{number}" for number in range(100_000)]
    schema = pa.schema([(name, pa.int32()) for name in names])
    with pq.ParquetWriter(out, schema, store_schema=False):
        pass
    tracemalloc.start()
    found = faults(out.getvalue())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [fault.code for fault in found] == ["parquet.format"]
    assert peak < 8 << 20


def test_more_columns_than_the_form_has_are_rejected_by_their_number() -> None:
    columns = lists() | {f"x{number}": ["y"] * 3 for number in range(50)}
    (fault,) = faults(write(columns, Layout()))
    assert (fault.path, fault.code, fault.value) == ("$", "field.unknown", "58 columns")


def test_values_beyond_what_a_file_of_that_size_can_hold_are_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_form, "SPARE_VALUES", 0)
    monkeypatch.setattr(parquet_form, "VALUES_PER_BYTE", 1)
    columns = lists(1, **{EXPORT: [[0] * 2000] * 1, IMPORT: [[0] * 2000]})
    many = {name: values * 50 for name, values in columns.items()}
    monkeypatch.setattr(
        envelope_parquet, "open_file", lambda *_, **__: pytest.fail("a column was read")
    )
    assert [fault.code for fault in faults(write(many, Layout()))] == ["parquet.bounds"]


def test_pages_that_cannot_be_decoded_are_a_fault_of_their_rows() -> None:
    rnd = random.Random(5)
    plain = write(lists(200), Layout(row_group=100, compression="none"))
    codes = set()
    for _ in range(60):
        data = bytearray(plain)
        for _ in range(20):
            data[rnd.randrange(4, len(data) // 2)] = rnd.randrange(256)
        try:
            read(bytes(data))
        except DocumentFault as exc:
            codes |= {fault.code for fault in exc.faults}
    assert "parquet.format" in codes


def test_a_row_group_with_nulls_everywhere_is_read_to_its_end() -> None:
    columns = {name: [None] * 3 for name in lists()}
    found = {code for _, code in places(columns)}
    assert {"field.type", "time.missing", "array.length"} <= found
