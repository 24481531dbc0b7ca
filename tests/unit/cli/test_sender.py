"""``oepnode sender check``: a document is checked offline as a gateway checks it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.envelope_documents import array, assignment, dump, interval, record, snapshot
from tests.support.sites import even, nmi_of, span, written
from tests.unit.cli.conftest import Run

OPENING = "2026-11-20T10:00:00+10:00"


def save(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


@pytest.fixture
def document(tmp_path: Path) -> str:
    return save(tmp_path / "e.json", even([1, 2, 3]))


def checked(run: Run, *words: str, code: int = 0) -> dict[str, Any]:
    done = run("sender", "check", *words, "--json")
    assert done.exit_code == code
    assert "63058" not in done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["accepted"] == (code == 0)
    return answer


def test_a_good_document_is_accepted(run: Run, document: str) -> None:
    answer = checked(run, document, "--opening", OPENING)
    data = Path(document).read_bytes()
    assert (answer["digest"], answer["size_bytes"]) == (sha256(data).hexdigest(), len(data))
    assert answer["facts"]["sites"] == 3
    assert answer["transaction"]["warnings"] == []
    printed = run("sender", "check", document).stdout
    assert "✓ transaction acknowledgement: accepted, all rules hold" in printed
    assert "horizon end" in printed


def test_a_rule_that_is_broken_rejects(run: Run, tmp_path: Path) -> None:
    file = save(tmp_path / "e.json", array(record(interval(activePowerExportLimit=-1))))
    answer = checked(run, file, code=1)
    assert answer["facts"] is None
    assert answer["transaction"]["counts"] == {"limit.sign": 1}
    assert "✗ transaction acknowledgement: rejected" in run("sender", "check", file).stdout


@pytest.mark.parametrize(
    ("data", "opening", "code", "check"),
    [
        (written({1: span(range(6), 5170)}), OPENING, "limit.large", "large_limit"),
        (written({1: span([0, 2])}), OPENING, "site.hole", "hole"),
        (even([1]), "2026-11-20T09:00:00+10:00", "horizon.shift", "shift"),
    ],
    ids=["watts written as kW", "a hole", "an hour off"],
)
def test_oddities_warn_and_by_option_reject_or_pass(
    run: Run, tmp_path: Path, data: bytes, opening: str, code: str, check: str
) -> None:
    words = [save(tmp_path / "e.json", data), "--opening", opening]
    assert checked(run, *words)["transaction"]["warning_counts"] == {code: 1}
    rejected = checked(run, *words, "--reject", check, code=1)
    assert rejected["transaction"]["faults"][0]["rule"] == f"setting plausibility.{check}"
    assert checked(run, *words, "--ignore", check)["transaction"]["warning_counts"] == {}


def test_a_larger_limit_may_be_usual(run: Run, tmp_path: Path) -> None:
    file = save(tmp_path / "e.json", even([1], export_kw=5170))
    assert checked(run, file, "--max-kw", "6000")["transaction"]["warnings"] == []


def test_the_gateways_settings_decide(run: Run, tmp_path: Path) -> None:
    file = save(tmp_path / "e.json", even([1, 2], export_kw=5170, import_kw=2))
    listed = nmi_of(1).encode()
    (tmp_path / "sites").write_bytes(listed)
    config = tmp_path / "sender.toml"
    config.write_text(
        f"""
        data_dir = "data"
        key_file = "key"
        token_file = "token"
        registry_file = "sites"
        document_access = "anyone"
        [chain]
        rpc_urls = ["http://127.0.0.1:1"]
        chain_id = 1
        contract = "0x{"11" * 20}"
        [feed]
        import_sign = "magnitude"
        [plausibility]
        large_limit = "reject"
        """
    )
    answer = checked(run, file, "--config", str(config), code=1)
    assert answer["transaction"]["counts"] == {"limit.large": 2}
    assert answer["facts"]["unassigned_sites"] == 1
    checked(run, file, "--config", str(config), "--ignore", "large_limit")
    config.write_text("plausibility = 5")
    assert run("sender", "check", file, "--config", str(config)).exit_code == 2


def test_an_unknown_check_is_a_wrong_option(run: Run, document: str) -> None:
    done = run("sender", "check", document, "--reject", "holes")
    assert done.exit_code == 2
    assert "no check is named 'holes'" in done.stderr


def test_the_document_before_shows_what_changes(run: Run, tmp_path: Path, document: str) -> None:
    before = save(tmp_path / "before.json", even([2, 3, 4, 5], export_kw=4))
    previous = checked(run, document, "--previous", before)["facts"]["previous"]
    assert (previous["new_sites"], previous["vanished_sites"]) == (1, 2)
    assert (previous["superseded_limits"], previous["changed_limits"]) == (12, 12)
    assert (
        "previous vanished sites" in run("sender", "check", document, "--previous", before).stdout
    )


def test_a_document_before_that_is_wrong_is_named(run: Run, tmp_path: Path, document: str) -> None:
    before = save(tmp_path / "before.json", b"[]")
    done = run("sender", "check", document, "--previous", before)
    assert done.exit_code == 1
    assert "before.json" in done.stderr


@pytest.mark.parametrize(
    "registry",
    [dump(snapshot(assignment(nmi=nmi_of(1)))).encode(), nmi_of(1).encode() + b"\n"],
    ids=["snapshot", "list"],
)
def test_the_registry_shows_sites_without_aggregator(
    run: Run, tmp_path: Path, document: str, registry: bytes
) -> None:
    file = save(tmp_path / "registry", registry)
    answer = checked(run, document, "--registry", file)
    assert answer["facts"]["unassigned_sites"] == 2
    assert [f["path"] for f in answer["transaction"]["warnings"]] == [
        "$.records[1]",
        "$.records[2]",
    ]


def test_a_missing_file_and_a_wrong_time_are_wrong_usage(run: Run, document: str) -> None:
    assert run("sender", "check", "absent.json").exit_code == 2
    assert run("sender", "check", document, "--opening", "10:00").exit_code == 2
