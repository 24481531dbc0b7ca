"""``oepnode dispatch validate``: dispatch instructions in every form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.nem.nem_time import format_nem
from tests.support.edge_files import target, write
from tests.support.telemetry_columns import START
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("form", ["json", "ndjson", "parquet"])
def test_dispatch_instructions_are_acknowledged_in_every_form(
    run: Run, tmp_path: Path, form: str
) -> None:
    file = tmp_path / f"d.{form}"
    targets = [target(1), target(2)]
    if form == "parquet":
        read = dispatch.validate(json.dumps(targets).encode()).value
        assert read is not None
        read.write_parquet(file)
    else:
        file.write_text(
            "\n".join(map(json.dumps, targets)) if form == "ndjson" else json.dumps(targets)
        )
    done = run("dispatch", "validate", str(file))
    assert (done.exit_code, "✓ transaction acknowledgement" in done.stdout) == (0, True)
    answer = json.loads(run("dispatch", "validate", str(file), "--json").stdout)
    assert (answer["system"]["code"], answer["transaction"]["code"]) == ("accepted", "accepted")
    assert run("dispatch", "validate", str(file), "--date", "2026-11-20").exit_code == 1


def test_wrong_dispatch_instructions_end_with_1_and_every_fault(run: Run, tmp_path: Path) -> None:
    late = target(3) | {"submissionDateTime": format_nem(START + 901)}
    file = write(tmp_path / "d.json", target(1), target(1), late, target(4, "UNIT2"))
    done = run("dispatch", "validate", file, "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)["transaction"]
    assert answer["counts"] == {
        "duid.mixed": 1,
        "dispatch.issued_late": 1,
        "dispatch.gap": 1,
        "dispatch.duplicate": 1,
    }
    table = run("dispatch", "validate", file).stdout
    assert "$.records[3].duid" in table
    form = run("dispatch", "validate", write(tmp_path / "f.json", target(1) | {"duid": 5}))
    assert (form.exit_code, "✗ system acknowledgement" in form.stdout) == (1, True)
    assert run("dispatch", "validate", "nowhere").exit_code == 2
