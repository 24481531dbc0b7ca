from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.adapters.http.client import RequestRejected
from oepnode.domain.rounds import bundle
from oepnode.domain.rounds.onchain import Phase
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.errors import ConfigError, TransportError
from tests.support.plain_bundle import pack_file
from tests.support.round_world import (
    CONTEXT,
    COUNT,
    FLEX,
    HELD,
    MOVING,
    PRIVATE,
    PUBLIC,
    RESULT,
    FakeReader,
    Workers,
    plaintext,
    sealed,
    state,
)
from tests.unit.cli.conftest import Run

OWN = ["--key", "A1.json"]


# --- keygen --------------------------------------------------------------------------------------


def test_keygen_writes_a_private_file_once(run: Run, tmp_path: Path) -> None:
    result = run("aggregator", "keygen", "--aggregator", "A1", "--out", "a1.json")
    assert result.exit_code == 0
    value = json.loads((tmp_path / "a1.json").read_text())
    assert list(value) == ["aggregator", "kind", "publicKey", "privateKey"]
    assert stat.S_IMODE((tmp_path / "a1.json").stat().st_mode) == 0o600
    assert result.stdout.strip() == value["publicKey"]
    assert value["privateKey"] not in result.output
    private = PrivateKey(KeyKind(value["kind"]), bytes.fromhex(value["privateKey"]))
    assert private.kind is KeyKind.HYBRID
    assert private.public_key.hex() == value["publicKey"]

    before = (tmp_path / "a1.json").read_bytes()
    again = run("aggregator", "keygen", "--aggregator", "A1", "--out", "a1.json", "--json")
    assert again.exit_code == 2
    assert "never overwritten" in again.stderr
    assert (tmp_path / "a1.json").read_bytes() == before


def test_keygen_rejects_an_id_that_no_registry_accepts(run: Run, tmp_path: Path) -> None:
    result = run("aggregator", "keygen", "--aggregator", "a b", "--out", "k.json")
    assert result.exit_code == 2
    assert "aggregator id 'a b': letters, digits and ._:- only" in result.stderr
    assert "(--aggregator)" in result.stderr
    assert not (tmp_path / "k.json").exists()


# --- fetch ---------------------------------------------------------------------------------------


def test_fetch_saves_the_first_bundle_that_verifies(
    run: Run,
    reader: FakeReader,
    workers: Workers,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Members 1, 3 and 4 matched the final root; the lying member 2 and the abstainer come last.
    monkeypatch.setattr("secrets.SystemRandom.shuffle", lambda self, members: None)
    workers.served = {
        "http://worker-1.test": TransportError("no answer"),
        "http://worker-3.test": sealing.seal_whole(
            PUBLIC["A1"], b"junk", bundle.sealing_info(CONTEXT)
        ),
        "http://worker-4.test": sealed("A1"),
        "http://worker-2.test": sealed("A1"),
    }
    result = run("aggregator", "fetch", *OWN, "--out", "got.oepb", "--json")
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert workers.requested == [f"http://worker-{n}.test" for n in (1, 3, 4)]
    assert (value["round"], value["url"], value["sites"]) == (3, "http://worker-4.test", 6)
    assert [a["outcome"][:12] for a in value["attempts"]] == [
        "no answer",
        "check format",
        "served a bun",
    ]
    assert bundle.unpack_file((folder / "got.oepb").read_bytes()) == (
        CONTEXT,
        workers.served["http://worker-4.test"],
    )


def test_fetch_names_the_worker_that_served_the_bundle(
    run: Run, reader: FakeReader, workers: Workers, folder: Path
) -> None:
    workers.served = {"http://worker-2.test": sealed("A1")}
    result = run("aggregator", "fetch", *OWN)
    assert result.exit_code == 0
    assert "0x" + "a1" * 20 in result.stdout
    assert "http://worker-1.test" in result.stderr
    assert (folder / "round-3.oepb").is_file()


def test_fetch_when_no_worker_responds(
    run: Run, reader: FakeReader, workers: Workers, folder: Path
) -> None:
    reader.endpoints.clear()
    result = run("aggregator", "fetch", *OWN)
    assert result.exit_code == 3
    assert "no worker responded" in result.stderr
    assert "no URL on chain" in result.stderr
    assert not (folder / "round-3.oepb").exists()


def test_fetch_when_no_worker_knows_the_key(
    run: Run, reader: FakeReader, workers: Workers, folder: Path
) -> None:
    rejection = RequestRejected("sealed bundle", 404, "not_found", "no such bundle")
    workers.served = {"http://worker-1.test": rejection}
    result = run("aggregator", "fetch", *OWN)
    assert result.exit_code == 1
    assert "another public key" in result.stderr


def test_fetch_when_all_that_is_served_is_wrong(
    run: Run, reader: FakeReader, workers: Workers, folder: Path
) -> None:
    workers.served = {f"http://worker-{n}.test": sealed("A2") for n in range(1, 6)}
    result = run("aggregator", "fetch", *OWN)
    assert result.exit_code == 1
    assert "check opening failed" in result.stderr


@pytest.mark.parametrize(
    ("number", "word"), [("1", "failed, no root got a quorum"), ("2", "cancelled")]
)
def test_fetch_of_a_round_without_a_result(
    run: Run, reader: FakeReader, workers: Workers, folder: Path, number: str, word: str
) -> None:
    result = run("aggregator", "fetch", *OWN, "--round", number)
    assert result.exit_code == 1
    assert word in result.stderr
    assert "no partition is delivered" in result.stderr
    assert "default limits" in result.stderr
    assert workers.requested == []


def test_fetch_of_a_round_that_is_open_or_unknown(
    run: Run, reader: FakeReader, workers: Workers, folder: Path
) -> None:
    reader.rounds[4] = state(4, Phase.VOTING)
    open_ = run("aggregator", "fetch", *OWN, "--round", "4")
    assert (open_.exit_code, "try again later" in open_.stderr) == (1, True)
    reader.rounds[4] = state(4, Phase.EXPIRED)
    expired = run("aggregator", "fetch", *OWN, "--round", "4")
    assert (expired.exit_code, "default limits" in expired.stderr) == (1, True)
    unknown = run("aggregator", "fetch", *OWN, "--round", "9")
    assert unknown.exit_code == 2
    assert "the newest is 4" in unknown.stderr


def test_fetch_reports_newer_rounds_without_a_result(
    run: Run, reader: FakeReader, workers: Workers, folder: Path
) -> None:
    reader.rounds[4] = state(4, Phase.FAILED)
    workers.served = {"http://worker-1.test": sealed("A1")}
    result = run("aggregator", "fetch", *OWN)
    assert result.exit_code == 0
    assert "round 4 is newer: failed" in result.stderr
    assert "default limits" in result.stderr


def test_fetch_when_no_round_is_final(
    run: Run, reader: FakeReader, workers: Workers, folder: Path
) -> None:
    del reader.rounds[3]
    result = run("aggregator", "fetch", *OWN)
    assert result.exit_code == 1
    assert "no round is final" in result.stderr


# --- the chain -----------------------------------------------------------------------------------


def test_commands_report_errors_of_the_chain(
    run: Run, reader: FakeReader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["aggregator", "verify", "A1.oepb", *OWN]
    reader.failure = TransportError("node https://node.test: the node did not answer")
    assert run(*words).exit_code == 3
    reader.failure = ConfigError("expected chain id 1, received 31337")
    assert run(*words).exit_code == 2
    reader.failure = None
    assert run(*words, "--contract", "0x12").exit_code == 2
    assert run(*words, "--rpc", "node.test").exit_code == 2
    monkeypatch.delenv("OEPNODE_RPC")
    unnamed = run(*words)
    assert (unnamed.exit_code, "OEPNODE_RPC" in unnamed.stderr) == (2, True)


# --- verify --------------------------------------------------------------------------------------


def test_verify_ticks_every_check(run: Run, reader: FakeReader, folder: Path) -> None:
    result = run("aggregator", "verify", "A1.oepb", *OWN)
    assert result.exit_code == 0, result.output
    for name in [*bundle.CHECKS, "pymerkle"]:
        assert f"✓ {name}:" in result.stdout
    assert "✗" not in result.stdout
    assert "verified: round 3, aggregator A1, 6 sites (5 NMIs), 6 intervals" in result.stdout
    assert RESULT.root.hex() in result.stdout


def test_verify_as_json(run: Run, reader: FakeReader, folder: Path) -> None:
    result = run("aggregator", "verify", "A2.oepb", "--key", "A2.json", "--json")
    value = json.loads(result.stdout)
    assert (value["verified"], value["sites"], value["nmis"], value["round"]) == (True, 3, 3, 3)
    assert value["root"] == "0x" + RESULT.root.hex()
    assert value["checks"] == [*bundle.CHECKS, "pymerkle"]


def test_verify_accepts_the_bare_bytes_of_a_worker(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    (folder / "bare").write_bytes(sealed("A1"))
    assert run("aggregator", "verify", "bare", *OWN, "--round", "3").exit_code == 0
    unnamed = run("aggregator", "verify", "bare", *OWN)
    assert (unnamed.exit_code, "(--round)" in unnamed.stderr) == (2, True)


def test_verify_points_out_a_superseded_round(run: Run, reader: FakeReader, folder: Path) -> None:
    reader.superseding = 5
    result = run("aggregator", "verify", "A1.oepb", *OWN)
    assert result.exit_code == 0
    assert "round 3 is superseded: round 5" in result.stderr


@pytest.mark.parametrize(("phase", "word"), [(Phase.FAILED, "failed"), (Phase.CANCELLED, "cancel")])
def test_verify_of_a_round_without_a_result(
    run: Run, reader: FakeReader, folder: Path, phase: Phase, word: str
) -> None:
    reader.rounds[3] = state(3, phase)
    result = run("aggregator", "verify", "A1.oepb", *OWN)
    assert result.exit_code == 1
    assert word in result.stderr
    assert "default limits" in result.stderr


def test_verify_with_a_wrong_key(run: Run, reader: FakeReader, folder: Path) -> None:
    result = run("aggregator", "verify", "A1.oepb", "--key", "A2.json")
    assert result.exit_code == 1
    assert "✗ opening" in result.stdout
    assert "✓" not in result.stdout
    assert "check opening failed" in result.stderr


def test_verify_of_another_round(run: Run, reader: FakeReader, folder: Path) -> None:
    reader.rounds[4] = state(4, Phase.FINAL)
    result = run("aggregator", "verify", "A1.oepb", *OWN, "--round", "4", "--json")
    assert result.exit_code == 1
    value = json.loads(result.stdout)
    assert (value["verified"], value["failed"]) == (False, "context")
    assert "the bundle is of round 3" in result.stderr


def test_verify_of_a_tampered_bundle(run: Run, reader: FakeReader, folder: Path) -> None:
    data = bytearray((folder / "A1.oepb").read_bytes())
    data[-1] ^= 1
    (folder / "A1.oepb").write_bytes(bytes(data))
    result = run("aggregator", "verify", "A1.oepb", *OWN)
    assert result.exit_code == 1
    assert "check opening failed" in result.stderr


def test_verify_names_the_check_that_fails(run: Run, reader: FakeReader, folder: Path) -> None:
    good = plaintext("A1")
    bad = good.replace(b"6305000001", b"6305000003", 1)
    message = sealing.seal_whole(PUBLIC["A1"], bad, bundle.sealing_info(CONTEXT))
    (folder / "bad.oepb").write_bytes(pack_file(CONTEXT, message))
    result = run("aggregator", "verify", "bad.oepb", *OWN)
    assert result.exit_code == 1
    assert "✓ sites" in result.stdout
    assert "✗ pseudonyms" in result.stdout
    assert "order" not in result.stdout
    assert "check pseudonyms failed" in result.stderr
    assert "63050" not in result.output


def test_verify_under_another_root(run: Run, reader: FakeReader, folder: Path) -> None:
    from tests.support.round_world import changed

    audit = json.loads(run("audit", "round", "3", "--json").stdout) | {"root": "0x" + "01" * 32}
    (folder / "round.json").write_text(json.dumps(audit))
    result = run("aggregator", "verify", "A1.oepb", *OWN, "--round-state", "round.json")
    assert (result.exit_code, "check inclusion failed" in result.stderr) == (1, True)
    reader.rounds[3] = changed(reader.rounds[3], root=b"\x01" * 32)
    result = run("aggregator", "verify", "A1.oepb", *OWN)
    assert result.exit_code == 1
    assert "record, events and count of the chain differ" in result.stderr


def test_verify_with_the_portfolio(run: Run, reader: FakeReader, folder: Path) -> None:
    portfolio = folder / "mine.txt"
    portfolio.write_text("\n".join([*HELD["A1"], MOVING, "6305000099", ""]))
    result = run("aggregator", "verify", "A1.oepb", *OWN, "--portfolio", "mine.txt")
    assert result.exit_code == 0
    assert "✓ portfolio" in result.stdout
    assert "1 NMIs of your list are not in the bundle" in result.stderr

    portfolio.write_text(MOVING)
    result = run("aggregator", "verify", "A1.oepb", *OWN, "--portfolio", "mine.txt")
    assert result.exit_code == 1
    assert "check portfolio failed: 4 NMIs" in result.stderr

    portfolio.write_text("6305000001\nO")
    result = run("aggregator", "verify", "A1.oepb", *OWN, "--portfolio", "mine.txt")
    assert (result.exit_code, "line 2" in result.stderr) == (2, True)
    portfolio.write_bytes(b"\xff")
    assert run("aggregator", "verify", "A1.oepb", *OWN, "--portfolio", "mine.txt").exit_code == 2


def test_verify_without_the_chain(
    run: Run, reader: FakeReader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = run("audit", "round", "3", "--json")
    (folder / "round.json").write_text(audit.stdout)
    reader.failure = TransportError("offline")
    offline = ["--round-state", "round.json"]
    result = run("aggregator", "verify", "A1.oepb", *OWN, *offline)
    assert result.exit_code == 0, result.output
    assert "was not checked" in result.stderr

    value = json.loads(audit.stdout) | {"phase": "failed"}
    (folder / "round.json").write_text(json.dumps(value))
    result = run("aggregator", "verify", "A1.oepb", *OWN, *offline)
    assert (result.exit_code, "default limits" in result.stderr) == (1, True)

    for text in ("{", "[]", json.dumps(value | {"root": "0x12"})):
        (folder / "round.json").write_text(text)
        assert run("aggregator", "verify", "A1.oepb", *OWN, *offline).exit_code == 2


def test_limits_in_every_format(run: Run, reader: FakeReader, folder: Path) -> None:
    words = ["aggregator", "verify", "A1.oepb", *OWN]
    csv = run(*words, "--format", "csv")
    assert "✓ opening" in csv.stderr
    frame = pl.read_csv(csv.stdout.encode(), schema_overrides={"nmi": pl.String})
    assert frame.height == 5 * COUNT + 3
    first = frame.filter(pl.col("nmi") == FLEX, pl.col("level") == "Flex").row(0, named=True)
    assert first == {
        "nmi": FLEX,
        "level": "Flex",
        "interval_start": "2026-11-18T21:10:00+10:00",
        "interval_end": "2026-11-18T21:15:00+10:00",
        "active_export_w": 10500,
        "active_import_w": -2000,
        "reactive_export_var": None,
        "reactive_import_var": None,
    }
    rows = json.loads(run(*words, "--format", "json").stdout)
    assert len(rows) == frame.height
    assert rows[0]["reactive_export_var"] is None
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        "parquet": pl.read_parquet,
        "csv": pl.read_csv,
    }
    for kind, read in readers.items():
        out = f"limits.{kind}"
        result = run(*words, "--format", kind, "--out", out, "--json")
        assert json.loads(result.stdout)["verified"] is True
        assert read(folder / out).height == frame.height
    table = run(*words, "--format", "table").stdout
    assert table.count(FLEX) == 2 * COUNT
    assert "–" in table


@pytest.mark.parametrize(
    "words",
    [
        ["--format", "parquet"],
        ["--out", "x.csv"],
        ["--format", "csv", "--json"],
        ["--format", "xml"],
        ["--format", "csv", "--out", "no/such/folder.csv"],
    ],
)
def test_contradictory_output_options_are_rejected(
    run: Run, reader: FakeReader, folder: Path, words: list[str]
) -> None:
    assert run("aggregator", "verify", "A1.oepb", *OWN, *words).exit_code == 2


def test_long_tables_are_cut_with_a_note(
    run: Run, reader: FakeReader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oepnode.cli.common.output.TABLE_ROWS", 4)
    table = run("aggregator", "verify", "A1.oepb", *OWN, "--format", "table").stdout
    assert "and 29 more rows" in table


def key_file(kind: KeyKind, public: str, private: str) -> str:
    return json.dumps({"kind": kind.value, "publicKey": public, "privateKey": private})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (None, "not readable"),
        ("{", "not JSON"),
        ("[]", "not a key file"),
        (key_file(KeyKind.X25519, "00" * 32, "11" * 32), "does not belong"),
        (key_file(KeyKind.HYBRID, "00" * 1216, "11" * 32), "does not belong"),
        (key_file(KeyKind.HYBRID, "00" * 32, "11" * 32), "publicKey has 64 hex digits; kind"),
        (key_file(KeyKind.X25519, "00" * 1216, "11" * 32), "publicKey has 2432 hex digits; kind"),
        (key_file(KeyKind.X25519, "00" * 32, "11" * 31), "privateKey has 62 hex digits; kind"),
        (json.dumps({"publicKey": "00" * 32, "privateKey": "11" * 32}), "not a key file"),
        (
            key_file(KeyKind.HYBRID, PUBLIC["A1"].hex(), PRIVATE["A1"].secret.hex()),
            "names no aggregator",
        ),
    ],
)
def test_files_that_are_not_key_files_are_rejected(
    run: Run, reader: FakeReader, folder: Path, text: str | None, word: str
) -> None:
    path = folder / "other.json"
    if text is not None:
        path.write_text(text)
        path.chmod(0o600)
    result = run("aggregator", "verify", "A1.oepb", "--key", "other.json")
    assert result.exit_code == 2
    assert word in result.stderr
    assert PRIVATE["A1"].secret.hex() not in result.output


def test_a_missing_bundle_file(run: Run, reader: FakeReader, folder: Path) -> None:
    result = run("aggregator", "verify", "none.oepb", *OWN)
    assert (result.exit_code, "not readable" in result.stderr) == (2, True)


def test_proofs_of_all_sites(run: Run, reader: FakeReader, folder: Path) -> None:
    words = ["aggregator", "site-proof", "--bundle", "A1.oepb", *OWN]
    result = run(*words, "--all", "--out", "proofs.ndjson")
    assert result.exit_code == 0, result.output
    assert "proofs of 5 sites in round 3, in proofs.ndjson" in result.output
    assert len((folder / "proofs.ndjson").read_bytes().splitlines()) == 5
    for wrong in (["--all"], ["--all", "--out", "p", MOVING], []):
        result = run(*words, *wrong)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "--all" in result.stderr
    assert not (folder / "p").exists()


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_limits_in_a_file_are_those_on_the_terminal(
    run: Run, reader: FakeReader, folder: Path, form: str
) -> None:
    words = ["aggregator", "verify", "A1.oepb", *OWN, "--format"]
    result = run(*words, form, "--out", "limits")
    assert result.exit_code == 0, result.output
    read = {"csv": pl.read_csv, "json": pl.read_json, "parquet": pl.read_parquet}[form]
    rows = read(folder / "limits").to_dicts()  # type: ignore[operator]
    shown = json.loads(run(*words, "json").stdout)
    assert [str(row["nmi"]) for row in rows] == [row["nmi"] for row in shown]
    assert [row["active_import_w"] for row in rows] == [row["active_import_w"] for row in shown]
