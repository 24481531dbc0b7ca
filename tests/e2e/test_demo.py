"""The demo as a newcomer runs it: two rounds, five workers, one of them lying."""

import base64
import contextlib
import json
import signal
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo import run_demo

SOURCES = (
    "inputs",
    "sender/data/documents",
    "sender/data/summaries",
    "registry/data/snapshots",
    "registry/data/salts",
)
"""Files of the sender and the registry that only they and the workers may read."""


@dataclass
class Played:
    """A demo that has run to its end."""

    code: int
    output: str
    summary: dict[str, Any]
    folder: Path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    base = tmp_path_factory.mktemp("demo")
    folder, out = base / "kept", base / "out.json"
    words = ["--workers", "5", "--byzantine", "1", "--rounds", "2", "--nmis", "120"]
    # Bounds for a busy machine: all vote, so that nobody waits for a window to end.
    words += ["--vote-window", "120", "--reveal-window", "60"]
    words += ["--folder", str(folder), "--json", str(out)]
    done = run_demo(*words)
    assert out.is_file(), done.stdout + done.stderr
    return Played(done.returncode, done.stdout, json.loads(out.read_text("utf-8")), folder)


def test_every_round_is_final_with_the_honest_workers(played: Played) -> None:
    assert played.code == 0, played.output
    assert played.summary["ok"] is True
    assert [line["round"] for line in played.summary["rounds"]] == [1, 2]
    for line in played.summary["rounds"]:
        assert (line["status"], line["quorum"], line["members"]) == ("finalised", 4, 5)
        assert line["matched"] == ["worker-1", "worker-2", "worker-3", "worker-4"]
        assert (line["mismatched"], line["abstained"]) == (["worker-5"], [])
    roots = {line["root"] for line in played.summary["rounds"]}
    assert len(roots) == 2


def test_every_aggregator_verifies_every_round(played: Played) -> None:
    reports = played.summary["aggregators"]
    assert len(reports) == 3
    assert all(report["verified"] and report["rounds"] == 2 for report in reports)
    # 120 NMIs, 4 of nobody, and one that changes aggregator and so has two sites
    assert sum(report["sites"] for report in reports) == 120 - 4 + 1
    assert played.summary["unassigned_nmis"] == 4


def test_a_kept_bundle_verifies_against_the_kept_round(played: Played) -> None:
    """docs/edge-guide.md starts from this bundle."""
    key = played.folder / "inputs" / "keys" / "sample-01.key.json"
    words = [str(played.folder / "aggregators" / "sample-01-2.bundle"), "--key", str(key)]
    words += ["--round-state", str(played.folder / "observed" / "round-2.json"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "oepnode", "aggregator", "verify", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["round"] == 2


def test_the_liar_is_named(played: Played) -> None:
    assert played.summary["caught"] == ["worker-5"]
    assert "worker-5 voted for a different root" in played.output


def test_every_round_is_replayed_from_its_sealed_inputs(played: Played) -> None:
    assert all(line["replayed"] for line in played.summary["rounds"])


def test_with_a_relay_workers_need_no_gas(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = ["--relay", "--workers", "3", "--nmis", "20", "--json", str(out)]
    done = run_demo(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(out.read_text("utf-8"))
    assert summary["ok"] is True
    assert summary["without_gas"] == ["worker-2", "worker-3"]
    assert summary["rounds"][0]["matched"] == ["worker-1", "worker-2", "worker-3"]


def test_in_blind_mode_workers_see_no_nmi(tmp_path: Path) -> None:
    """tests/attacks/test_workers_see_no_nmi.py searches the workers' memory and traffic as well."""
    folder, out = tmp_path / "kept", tmp_path / "out.json"
    words = ["--blind", "--workers", "2", "--nmis", "20", "--vote-window", "120"]
    done = run_demo(*words, "--folder", str(folder), "--json", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(out.read_text("utf-8"))
    assert (summary["ok"], summary["nmis_seen"]) == (True, 0)
    assert summary["rounds"][0]["replayed"]
    # 4 NMIs are nobody's; one changes aggregator, and both find it.
    assert sum(report["resolved"] for report in summary["aggregators"]) == 20 - 4 + 1
    assert "the workers saw 20 tokens and 0 NMIs" in done.stdout
    nmis = {r["nmi"].encode() for r in json.loads((folder / "inputs/envelope.json").read_bytes())}
    others = [p for p in folder.rglob("*") if p.is_file() and folder / "inputs" not in p.parents]
    assert len(others) > 20
    assert _leaks(others, nmis) == set()
    key = (folder / "blinding.key").read_bytes().strip()
    assert _leaks([path for path in others if path.name != "blinding.key"], {key}) == set()


def _forms(secret: bytes) -> set[bytes]:
    """The forms that a secret could have in a log, a database or a transaction."""
    return {
        secret,
        secret.hex().encode(),
        secret.hex().upper().encode(),
        base64.b64encode(secret).rstrip(b"="),
    }


def _secrets(folder: Path) -> set[bytes]:
    records = json.loads((folder / "inputs" / "envelope.json").read_bytes())
    nmis = {record["nmi"].encode() for record in records}
    assert len(nmis) == 120
    salt = bytes.fromhex((folder / "inputs" / "salt").read_text("ascii").strip())
    return {form for secret in (*nmis, salt) for form in _forms(secret)}


def _files(folder: Path, *, sources: bool) -> list[Path]:
    paths = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name.startswith(SOURCES) == sources:
            paths.append(path)
    return paths


def _leaks(paths: list[Path], secrets: set[bytes]) -> set[str]:
    return {
        str(path) for path in paths for data in [path.read_bytes()] for s in secrets if s in data
    }


def test_no_nmi_and_no_salt_leaves_the_sources(played: Played) -> None:
    secrets = _secrets(played.folder)
    watched = _files(played.folder, sources=False)
    kinds = {"logs", "observed", "sender", "registry", "aggregators"}
    kinds |= {f"worker-{seat}" for seat in range(1, 6)}
    assert kinds <= {path.relative_to(played.folder).parts[0] for path in watched}
    assert {path.suffix for path in watched} >= {".log", ".sqlite", ".metrics", ".html", ".json"}
    metrics = {path.stem for path in watched if path.suffix == ".metrics"}
    assert metrics >= {"sender", "registry", "worker-1"}
    assert _leaks(watched, secrets) == set()


def test_the_search_for_leaks_would_find_one(played: Played) -> None:
    sources = _files(played.folder, sources=True)
    assert len(_leaks(sources, _secrets(played.folder))) >= 5


def test_public_data_names_no_aggregator(played: Played) -> None:
    names = {report["id"].encode() for report in played.summary["aggregators"]}
    names = {form for name in names for form in _forms(name)}
    watched = [*(played.folder / "observed").iterdir(), *(played.folder / "logs").glob("worker*")]
    assert len(watched) > 15
    assert _leaks(watched, names) == set()


def test_what_a_worker_writes_is_for_its_owner_alone(played: Played) -> None:
    written = [
        path for data in played.folder.glob("worker-*/data") for path in (data, *data.rglob("*"))
    ]
    assert len(written) > 5 * 5
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in written}
    assert [p for p in written if modes[p] != (0o700 if p.is_dir() else 0o600)] == []


def _children_of(pid: int) -> set[int]:
    children = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = path.read_text("ascii", errors="replace").rpartition(")")[2].split()
            if int(words[1]) == pid:
                children.add(int(path.parent.name))
    return children


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_demo_that_is_ended_leaves_no_process_behind(number: signal.Signals) -> None:
    words = ["--workers", "2", "--nmis", "12"]
    demo = subprocess.Popen(
        [sys.executable, "-u", "-m", "oepnode", "demo", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.strip().startswith("workers"):
            break
    children = _children_of(demo.pid)
    assert len(children) >= 5  # Anvil, sender, registry and two workers
    demo.send_signal(number)
    assert demo.wait(60) == 130
    demo.stdout.close()
    assert [pid for pid in children if _is_alive(pid)] == []
