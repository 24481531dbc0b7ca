"""Bulk load and bulk change from files, compared with a table of one holder for each day."""

from __future__ import annotations

import json
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import text

from oepnode.adapters.storage.registry_db import assignment_rows
from oepnode.adapters.storage.registry_db.assignment_rows import read_assignments
from oepnode.adapters.storage.registry_db.database import RegistryDatabase
from oepnode.client.operation.registry.aggregators import list_aggregators
from oepnode.client.operation.registry.changes import assign
from oepnode.client.operation.registry.database import DatabaseTarget
from oepnode.client.operation.registry.history import site_history
from oepnode.client.operation.registry.imports import ImportReport, import_assignments
from oepnode.domain.rounds.inputs.assignments import OPEN_END
from oepnode.errors import ConflictError, DocumentFault
from tests.support.envelope_documents import aggregator, assignment, snapshot

NMIS = [f"63058884{number:02}" for number in range(40)]
DAYS = 20
HEADER = "nmi,aggregator,from,to"


def day(number: int) -> str:
    return f"2026-12-{number + 1:02}T04:00:00+10:00"


def write_csv(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def state(database: RegistryDatabase) -> tuple[int, int]:
    """Number of changes and of assignments."""
    with database.reading() as connection:
        query = "SELECT (SELECT count(*) FROM changes), (SELECT count(*) FROM assignments)"
        changes, rows = connection.execute(text(query)).one()
    return changes, rows


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.new, report.changed, report.ended, report.unchanged


def timelines(database: RegistryDatabase) -> dict[str, list[int]]:
    """Per site, the holder on each day and at last for good; 0 for nobody."""
    with database.reading() as connection:
        rows = read_assignments(connection, database.dialect)
    first = int(datetime.fromisoformat(day(0)).timestamp())
    lines: dict[str, list[int]] = {}
    for nmi, holder, start, end in zip(
        rows.nmi, rows.aggregator, rows.start, rows.end, strict=True
    ):
        line = lines.setdefault(nmi.decode(), [0] * (DAYS + 1))
        last = DAYS + 1 if end == OPEN_END else (int(end) - first) // 86_400
        for at in range((int(start) - first) // 86_400, last):
            assert line[at] == 0, "overlap"
            line[at] = int(holder)
    return lines


def random_rows(rnd: random.Random, may_end: bool) -> list[tuple[str, int, int, int | None]]:
    rows: list[tuple[str, int, int, int | None]] = []
    for nmi in rnd.sample(NMIS, rnd.randint(1, len(NMIS))):
        edges = sorted(rnd.sample(range(DAYS), rnd.randint(1, 4)))
        for start, end in zip(edges, [*edges[1:], None], strict=True):
            if rnd.random() < 0.7:
                rows.append((nmi, rnd.randint(0 if may_end else 1, 2), start, end))
    rnd.shuffle(rows)
    return rows


def as_csv(path: Path, rows: list[tuple[str, int, int, int | None]]) -> Path:
    names = ["", "north", "south"]
    lines = [
        f"{nmi},{names[holder]},{day(start)},{'' if end is None else day(end)}"
        for nmi, holder, start, end in rows
    ]
    return write_csv(path, *lines)


@pytest.mark.parametrize("seed", range(4))
def test_imports_write_over_what_they_cover(
    target: DatabaseTarget,
    database: RegistryDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    monkeypatch.setattr(assignment_rows, "_BULK", 1 if seed % 2 else 1_000_000)
    rnd = random.Random(seed)
    model: dict[str, list[int]] = {}
    for step in range(5):
        is_replacement = step == 3
        rows = random_rows(rnd, may_end=not is_replacement)
        before = {nmi: list(line) for nmi, line in model.items()}
        if is_replacement:
            model = {}
        for nmi, holder, start, end in rows:
            line = model.setdefault(nmi, [0] * (DAYS + 1))
            last = DAYS + 1 if end is None else end
            line[start:last] = [holder] * (last - start)
        model = {nmi: line for nmi, line in model.items() if any(line)}
        file = as_csv(tmp_path / f"{step}.csv", rows)
        planned = import_assignments(target, file, replace=is_replacement, dry_run=True)
        assert timelines(database) == before
        done = import_assignments(target, file, replace=is_replacement)
        assert counts(done) == counts(planned)
        assert timelines(database) == model
        assert done.new == len(model.keys() - before.keys())
        again = import_assignments(target, file, replace=is_replacement)
        assert counts(again)[:3] == (0, 0, 0)
        assert again.revision == done.revision
    for nmi in NMIS:
        trail: set[Any] = set()
        for change in site_history(target, nmi).changes:
            assert trail >= set(change.removed)
            trail = (trail - set(change.removed)) | set(change.added)
        assert trail == set(site_history(target, nmi).held), "the trail leads to what is"


def test_a_snapshot_is_imported_with_its_aggregators(
    target: DatabaseTarget, database: RegistryDatabase, tmp_path: Path
) -> None:
    rows = [assignment(nmi=nmi, aggregator="east") for nmi in NMIS]
    east = aggregator("east", publicKey="0c" * 32)
    file = tmp_path / "registry.json"
    file.write_text(json.dumps(snapshot(*rows, aggregators=[east])))
    done = import_assignments(target, file)
    assert (done.rows, done.new, done.aggregators) == (len(NMIS), len(NMIS), 1)
    assert [one.id for one in list_aggregators(target)] == ["east", "north", "south"]
    assert state(database)[1] == len(NMIS)
    again = import_assignments(target, file, replace=True)
    assert (counts(again), again.aggregators) == ((0, 0, 0, len(NMIS)), 0)


@pytest.mark.parametrize("as_text", [True, False])
def test_parquet_with_times_as_texts_or_timestamps(
    target: DatabaseTarget, tmp_path: Path, as_text: bool
) -> None:
    times = [day(1), day(2)]
    ends = [None, day(5)]
    frame = pl.DataFrame(
        {"nmi": NMIS[:2], "aggregator": ["north", "south"], "from": times, "to": ends},
        schema_overrides={"to": pl.String},
    )
    if not as_text:
        frame = frame.with_columns(
            pl.col("from", "to").str.to_datetime(time_zone="Australia/Brisbane")
        )
    frame.write_parquet(tmp_path / "rows.parquet")
    assert import_assignments(target, tmp_path / "rows.parquet").new == 2
    assert [one.end for one in site_history(target, NMIS[1]).held] == [day(5)]
    assert [one.start for one in site_history(target, NMIS[0]).held] == [day(1)]


@pytest.mark.parametrize(
    "data",
    [
        f'\ufeff{HEADER}\r\n"{NMIS[0]}","north","{day(1)}",\r\n',
        f"aggregator,from,nmi\nnorth,{day(1)},{NMIS[0]}",
        f"{HEADER}\n{NMIS[0]},north,{day(1)},\n\n",
    ],
)
def test_csv_of_any_program(target: DatabaseTarget, tmp_path: Path, data: str) -> None:
    (tmp_path / "rows.csv").write_bytes(data.encode())
    assert import_assignments(target, tmp_path / "rows.csv").new == 1


FAULTS = [
    (f"{NMIS[1]}0,north,{day(1)},", "nmi", "nmi.checksum"),
    (f"630588840O,north,{day(1)},", "nmi", "nmi.character"),
    (f",north,{day(1)},", "nmi", "field.missing"),
    (f"{'0a' * 16},north,{day(1)},", "nmi", "nmi.mixed"),
    (f"{NMIS[1]},nobody,{day(1)},", "aggregator", "assignment.aggregator"),
    (f"{NMIS[1]},north,,", "from", "field.missing"),
    (f"{NMIS[1]},north,2026-12-01T04:00:01+10:00,", "from", "time.grid"),
    (f"{NMIS[1]},north,{day(2)},{day(1)}", "to", "time.order"),
    (f"{NMIS[1]},north,{day(2)},never", "to", "time.format"),
    (f"{NMIS[0]},north,{day(2)},", "", "assignment.overlap"),
]


@pytest.mark.parametrize(("row", "column", "code"), FAULTS)
def test_a_faulty_file_is_rejected_with_its_rows_and_nothing_is_changed(
    target: DatabaseTarget,
    database: RegistryDatabase,
    tmp_path: Path,
    row: str,
    column: str,
    code: str,
) -> None:
    before = state(database)
    good = [f"{nmi},north,{day(1)},{day(3)}" for nmi in NMIS[2:]]
    file = write_csv(tmp_path / "rows.csv", f"{NMIS[0]},north,{day(1)},{day(3)}", *good, row)
    with pytest.raises(DocumentFault) as rejected:
        import_assignments(target, file)
    (fault,) = rejected.value.faults
    place = f"$.rows[{len(good) + 1}]"
    assert (fault.path, fault.code) == (f"{place}.{column}" if column else place, code)
    assert str(file) in str(rejected.value)
    assert not any(nmi in str(rejected.value) for nmi in NMIS)
    assert state(database) == before


def test_a_replacement_needs_an_aggregator_in_each_row(
    target: DatabaseTarget, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "rows.csv", f"{NMIS[0]},,{day(1)},")
    with pytest.raises(DocumentFault) as rejected:
        import_assignments(target, file, replace=True)
    assert rejected.value.faults[0].path == "$.rows[0].aggregator"
    assert import_assignments(target, file).unchanged == 0


@pytest.mark.parametrize(
    "data",
    [
        b"nmi,aggregator\n",
        b"nmi,aggregator,from,to,salt\n",
        b'nmi,aggregator,from,to\n"6305888400,north\n',
        b"nmi,aggregator,from,to\n6305888400,north,x,y,z\n",
        b"\x00\x01\x02",
        b"",
    ],
)
def test_a_file_of_another_form_is_rejected(
    target: DatabaseTarget, database: RegistryDatabase, tmp_path: Path, data: bytes
) -> None:
    before = state(database)
    (tmp_path / "rows.csv").write_bytes(data)
    with pytest.raises(DocumentFault) as rejected:
        import_assignments(target, tmp_path / "rows.csv")
    assert "6305888400" not in str(rejected.value)
    assert state(database) == before


def test_a_replacement_removes_the_others(
    target: DatabaseTarget, database: RegistryDatabase, tmp_path: Path
) -> None:
    for nmi in NMIS[:3]:
        assign(target, nmi, "north", day(1))
    rows = [
        f"{NMIS[0]},north,{day(1)},",
        f"{NMIS[1]},south,{day(1)},",
        f"{NMIS[9]},south,{day(1)},",
    ]
    file = write_csv(tmp_path / "rows.csv", *rows)
    assert counts(import_assignments(target, file, replace=True)) == (1, 1, 1, 1)
    assert timelines(database).keys() == {NMIS[0], NMIS[1], NMIS[9]}
    assert site_history(target, NMIS[2]).held == ()
    assert site_history(target, NMIS[2]).changes[-1].action == "import --replace"


def test_a_key_of_another_aggregator_is_rejected(
    target: DatabaseTarget, database: RegistryDatabase, tmp_path: Path
) -> None:
    before = state(database)
    file = tmp_path / "registry.json"
    file.write_text(json.dumps(snapshot(aggregators=[aggregator("east", publicKey="0a" * 32)])))
    with pytest.raises(ConflictError, match="aggregator north has this public key"):
        import_assignments(target, file)
    assert state(database) == before


def test_a_part_of_many_sites_is_changed(
    target: DatabaseTarget, database: RegistryDatabase, tmp_path: Path
) -> None:
    nmis = [f"630588{number:04}" for number in range(4000)]
    first = write_csv(tmp_path / "all.csv", *(f"{nmi},north,{day(1)}," for nmi in nmis))
    assert import_assignments(target, first).new == len(nmis)
    part = nmis[::5]
    file = write_csv(tmp_path / "part.csv", *(f"{nmi},south,{day(2)},{day(4)}" for nmi in part))
    for dry_run in (True, False):
        done = import_assignments(target, file, dry_run=dry_run)
        assert counts(done) == (0, len(part), 0, 0)
        assert state(database)[1] == len(nmis) + (0 if dry_run else 2 * len(part))
    lines = timelines(database)
    assert all(lines[nmi][3] == 2 for nmi in part)
    assert sum(line[3] == 2 for line in lines.values()) == len(part)
    assert all(line[1] == line[5] == 1 for line in lines.values())
