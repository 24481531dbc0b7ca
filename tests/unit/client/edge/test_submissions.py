"""Submissions loaded and validated from files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from oepnode.client.edge import submissions
from oepnode.client.edge.submissions import (
    load_dispatch,
    load_forecast,
    load_telemetry,
    select_duid,
    validate_dispatch,
    validate_forecast,
    validate_telemetry,
)
from oepnode.domain.edge.telemetry.duid import SeveralDuidsError
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import Feed
from oepnode.errors import ConfigError, DocumentFault
from tests.support import edge_documents
from tests.support.telemetry_columns import START, A, reading
from tests.unit.client.edge.conftest import Write

MICROS = 1_000_000


def instruction(duid: str) -> dict[str, object]:
    return {"duid": duid, "diEndTime": format_nem(START + 300), "dispatchTarget": 5}


def test_telemetry_of_nmis_has_no_duid_and_no_notes(write_telemetry: Write) -> None:
    loaded = load_telemetry(str(write_telemetry("t.json", reading(A, 1))))
    assert (loaded.name, loaded.rows.height, loaded.duid) == ("t.json", 1, None)
    assert loaded.notes == ()


def test_parquet_and_a_folder_of_it_are_read_as_json_is(
    write_telemetry: Write, tmp_path: Path
) -> None:
    loaded = load_telemetry(write_telemetry("t.json", reading(A, 1), reading(A, 2)))
    (tmp_path / "parts").mkdir()
    loaded.rows.write_parquet(tmp_path / "parts" / "a.parquet")
    again = load_telemetry(tmp_path / "parts")
    assert again.rows.to_dicts() == loaded.rows.to_dicts()


def test_broken_rules_are_a_note_and_a_broken_form_an_error(
    write_telemetry: Write, write: Write
) -> None:
    late = {"submitted_us": (START + 9000) * MICROS}
    rows = (reading(A, minute, **late) for minute in (1, 2, 4))
    loaded = load_telemetry(write_telemetry("gap.json", *rows))
    (note,) = loaded.notes
    assert "gap.json: the transaction would be rejected: 1 fault: telemetry.gap" in note
    with pytest.raises(DocumentFault):
        load_telemetry(write("form.json", {}))
    with pytest.raises(ConfigError, match=r"t\.json: not readable"):
        load_telemetry(Path("absent") / "t.json")


def test_rows_of_other_duids_are_left_out_where_one_is_named(write: Write) -> None:
    file = write("d.json", instruction("UNIT1"), instruction("UNIT2"))
    with pytest.raises(SeveralDuidsError, match=r"d\.json: dispatch instruction") as mixed:
        load_dispatch(file)
    assert [fault.code for fault in mixed.value.faults] == ["duid.mixed"]
    assert mixed.value.faults[0].value == "UNIT1, UNIT2"
    loaded = load_dispatch(file, duid="UNIT2")
    assert (loaded.duid, loaded.rows.height, loaded.other_duid_rows) == ("UNIT2", 1, 1)
    assert any("1 rows are of other DUIDs than UNIT2" in note for note in loaded.notes)
    with pytest.raises(DocumentFault) as caught:
        select_duid(validate_dispatch(file), "UNIT3")
    assert [fault.code for fault in caught.value.faults] == ["duid.absent"]


def test_each_dataset_is_validated_with_both_acknowledgements(tmp_path: Path) -> None:
    documents = {
        validate_telemetry: edge_documents.document(edge_documents.nmi_telemetry()),
        validate_forecast: edge_documents.document(
            edge_documents.forecast(1), edge_documents.forecast(2)
        ),
        validate_dispatch: edge_documents.document(
            edge_documents.instruction(1), edge_documents.instruction(2)
        ),
    }
    for number, (validate, data) in enumerate(documents.items()):
        file = tmp_path / f"{number}.json"
        file.write_bytes(data)
        assert validate(file).accepted
        on_date = validate(file, date=date.fromisoformat(edge_documents.DAY))
        assert not on_date.accepted, "two intervals do not cover a day"


def test_the_profile_of_the_feed_limits_telemetry(write_telemetry: Write) -> None:
    file = write_telemetry("t.json", reading(A, 1, export_limit_w=150_000))
    assert validate_telemetry(file).system.accepted
    assert not validate_telemetry(file, feed=Feed(profile="edge")).system.accepted


def test_a_forecast_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "f.json"
    file.write_bytes(edge_documents.document(edge_documents.forecast(1)))
    assert load_forecast(file).rows.height == 1
    assert file.stat().st_size < submissions.MAX_SIZE
