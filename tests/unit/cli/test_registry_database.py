"""``oepnode registry`` on its database, as a user types it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from tests.unit.cli.conftest import Run

NMI = "6305888444"
START = "2026-12-01T04:00:00+10:00"
LATER = "2026-12-05T04:00:00+10:00"


@pytest.fixture
def ready(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A database with two aggregators, named by the environment."""
    monkeypatch.setenv("OEPNODE_DATABASE", f"sqlite:///{tmp_path}/registry.sqlite")
    assert run("registry", "init").exit_code == 0
    for number, identity in enumerate(("north", "south")):
        key = f"{number:02x}" * 32
        words = ("--name", identity.title(), "--public-key", key, "--by", "Anna")
        assert run("registry", "aggregator", "add", identity, *words).exit_code == 0
    return run


def answer(run: Run, *words: str) -> Any:
    done = run("registry", *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_site_is_assigned_and_says_what_was_done(ready: Run) -> None:
    assert ready("registry", "assign", NMI, "north", "--from", START).exit_code == 0
    done = ready("registry", "assign", NMI, "south", "--from", LATER)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"removed: north from {START} to further notice",
        f"added: north from {START} to {LATER}",
        f"added: south from {LATER} to further notice",
        f"now: north from {START} to {LATER}",
        f"now: south from {LATER} to further notice",
    ]
    again = ready("registry", "assign", NMI, "south", "--from", LATER)
    assert again.stdout.startswith("nothing to change")
    taken = answer(ready, "unassign", NMI, "--from", START, "--to", LATER)
    assert (taken["nmi"], [one["aggregator"] for one in taken["held"]]) == (NMI, ["south"])


def test_the_history_of_a_site(ready: Run) -> None:
    ready("registry", "assign", NMI, "north", "--from", START, "--by", "Anna")
    ready("registry", "unassign", NMI, "--from", LATER, "--by", "Ben")
    done = ready("registry", "history", NMI)
    assert done.exit_code == 0
    assert "Anna: assign" in done.stdout
    assert "Ben: unassign" in done.stdout
    assert done.stdout.splitlines()[0] == f"now: north from {START} to {LATER}"
    assert [change["made_by"] for change in answer(ready, "history", NMI)["changes"]] == [
        "Anna",
        "Ben",
    ]


def test_aggregators(ready: Run) -> None:
    assert [one["id"] for one in answer(ready, "aggregator", "list")] == ["north", "south"]
    listed = ready("registry", "aggregator", "list")
    assert "South" in listed.stdout
    assert answer(ready, "aggregator", "remove", "north")["is_changed"]
    assert [one["id"] for one in answer(ready, "aggregator", "list")] == ["south"]
    assert ready("registry", "aggregator", "remove", "north").exit_code == 1


def test_a_file_is_counted_imported_and_published(
    ready: Run, small_sample: Path, tmp_path: Path
) -> None:
    file = str(small_sample / "registry.json")
    planned = answer(ready, "import", file, "--dry-run")
    assert planned["is_dry_run"]
    done = answer(ready, "import", file)
    assert done["new"] == planned["new"] > 0
    assert done["revision"] == planned["revision"] + 1
    data = tmp_path / "data"
    published = answer(ready, "snapshot", "publish", "--data-dir", str(data))
    snapshot = parse_snapshot((data / "snapshots" / published["digest"]).read_bytes())
    assert len(set(snapshot.nmi.tolist())) == done["new"]
    again = answer(ready, "snapshot", "publish", "--data-dir", str(data))
    assert (again["digest"], again["is_new"]) == (published["digest"], False)


def test_a_snapshot_is_written_signed_and_published(
    ready: Run, small_sample: Path, tmp_path: Path
) -> None:
    answer(ready, "import", str(small_sample / "registry.json"))
    out, salt, key = (str(tmp_path / name) for name in ("ready.json", "salt", "key"))
    written = answer(ready, "snapshot", "write", "--out", out, "--salt-file", salt)
    data = Path(out).read_bytes()
    assert written["digest"] == sha256(data).hexdigest()
    assert written["size_bytes"] == len(data)
    assert Path(salt).stat().st_mode & 0o777 == 0o600
    assert Path(out).stat().st_mode & 0o777 == 0o600
    assert ready("registry", "keygen", "--out", key).exit_code == 0
    assert ready("registry", "sign", out, "--key", key).exit_code == 0
    words = ("--salt-file", salt, "--signature", f"{out}.signature.json")
    published = answer(ready, "publish", out, *words, "--data-dir", str(tmp_path / "data"))
    assert published["digest"] == written["digest"]
    taken = ready("registry", "snapshot", "write", "--out", out, "--salt-file", salt)
    assert taken.exit_code == 2
    assert Path(out).read_bytes() == data


def test_a_faulty_table_ends_with_1_and_its_rows(ready: Run, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"nmi,aggregator,from,to\n{NMI},nobody,{START},\n")
    done = ready("registry", "import", str(file))
    assert done.exit_code == 1
    assert "$.rows[0].aggregator: assignment.aggregator" in done.output
    assert NMI not in done.output
    assert answer(ready, "history", NMI)["held"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("init",),
        ("assign", NMI, "north", "--from", START),
        ("unassign", NMI, "--from", START),
        ("history", NMI),
        ("import", "registry.json"),
        ("aggregator", "list"),
        ("snapshot", "publish", "--data-dir", "data"),
    ],
)
def test_a_database_must_be_named(
    run: Run, small_sample: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(small_sample)
    done = run("registry", *words)
    assert done.exit_code == 2
    assert "--database, --config or OEPNODE_DATABASE" in done.output


def test_the_settings_file_names_the_database(run: Run, tmp_path: Path) -> None:
    settings = tmp_path / "registry.toml"
    settings.write_text(
        'data_dir = "data"\ndatabase = "sqlite:///own.sqlite"\noperators = ["0x'
        + "11" * 20
        + '"]\n[chain]\nrpc_urls = ["https://n"]\nchain_id = 1\ncontract = "0x'
        + "22" * 20
        + '"\n'
    )
    words = ("--config", str(settings))
    assert run("registry", "init", *words).exit_code == 0
    assert (tmp_path / "data" / "own.sqlite").is_file()
    added = ("aggregator", "add", "north", "--name", "North", "--public-key", "0a" * 32)
    assert run("registry", *added, *words).exit_code == 0
    published = answer(run, "snapshot", "publish", *words)
    assert (tmp_path / "data" / "snapshots" / published["digest"]).is_file()
    settings.write_text(f'snapshot_key = "{"0c" * 32}"\n' + settings.read_text())
    done = run("registry", "snapshot", "publish", *words)
    assert done.exit_code == 2
    assert "registry snapshot write" in done.output
