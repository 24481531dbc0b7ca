"""``oepnode envelope``: documents, bundles and limits files, shown and compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support import round_world
from tests.support.edge_files import FIVE, write
from tests.support.telemetry_columns import LATER, A, B, record
from tests.unit.cli.conftest import Run


def test_a_document_is_acknowledged(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "e.json", record(A, FIVE))
    assert run("envelope", "validate", file).exit_code == 0
    answer = json.loads(run("envelope", "validate", file, "--json").stdout)
    assert (answer["system"]["code"], answer["transaction"]["code"]) == ("accepted", "accepted")


def test_a_wrong_document_ends_with_1_and_every_fault(run: Run, tmp_path: Path) -> None:
    broken = record(A, [(5, -5), (-1, 5)]) | {"nmi": "630500000O"}
    done = run("envelope", "validate", write(tmp_path / "e.json", broken), "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert [f["code"] for f in answer["system"]["faults"]] == ["nmi.character"]
    assert {"limit.sign", "import_sign.mixed"} == set(answer["transaction"]["counts"])


def test_a_copy_of_a_record_is_a_caution_and_a_conflict_is_reported_with_other_faults(
    run: Run, tmp_path: Path
) -> None:
    file = write(tmp_path / "e.json", record(A, FIVE), record(A, FIVE))
    done = run("envelope", "validate", file, "--json")
    assert done.exit_code == 0
    answer = json.loads(done.stdout)["transaction"]
    assert (answer["code"], answer["warning_counts"]) == ("accepted", {"submission.duplicate": 2})
    assert "more warnings" not in run("envelope", "validate", file).stdout
    broken = record(B, FIVE) | {"oeObjectiveFunction": 5}
    file = write(tmp_path / "c.json", record(A, FIVE), record(A, [(5, -4)] * 2), broken)
    answer = json.loads(run("envelope", "validate", file, "--json").stdout)
    assert answer["system"]["counts"] == {"field.type": 1}
    assert answer["transaction"]["counts"] == {"submission.conflict": 2}


def test_the_wrong_timing_is_rejected_where_one_is_required(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "e.json", record(A, FIVE))
    assert run("envelope", "validate", file, "--timing", "PRE").exit_code == 0
    assert run("envelope", "validate", file, "--timing", "POST").exit_code == 1
    unknown = run("envelope", "validate", file, "--timing", "pre")
    assert (unknown.exit_code, "Value error" in unknown.stderr) == (2, False)


def test_profile_and_sign_of_the_feed(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "e.json", record(A, [(100, 5)]))
    assert run("envelope", "validate", file).exit_code == 1
    assert run("envelope", "validate", file, "--import-sign", "magnitude").exit_code == 0
    words = ("--import-sign", "magnitude", "--profile", "edge")
    assert run("envelope", "validate", file, *words).exit_code == 1
    assert run("envelope", "validate", file, "--profile", "narrow").exit_code == 2
    assert run("envelope", "validate", file, "--import-sign", "up").exit_code == 2


def test_limits_are_shown_by_site_and_by_interval(run: Run, tmp_path: Path) -> None:
    newer = record(A, [(3, -3)], submitted=LATER)
    file = write(tmp_path / "e.json", record(A, FIVE), record(B, FIVE), newer)
    done = run("envelope", "show", file)
    assert (done.exit_code, A in done.output, B in done.output) == (0, True, True)
    assert "1 more site; --json" in run("envelope", "show", file, "--rows", "1").output
    answer = json.loads(run("envelope", "show", file, "--nmi", A, "--json").stdout)["sites"]
    assert [site["nmi"] for site in answer] == [A]
    assert answer[0]["export_w"] == {
        "intervals": 2,
        "least": 3000,
        "most": 5000,
        "limits": [3000, 5000],
    }
    assert answer[0]["superseded_rows"] == 1
    assert "-5.00" in run("envelope", "show", file, "--nmi", A).output
    assert run("envelope", "show", file, "--nmi", "6305009999").exit_code == 2


def test_a_bundle_is_verified_and_shown(
    run: Run, folder: Path, reader: round_world.FakeReader
) -> None:
    del reader
    done = run("envelope", "show", "A1.oepb", "--key", "A1.json", "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert "verified against round 3" in answer["source"]
    assert {site["nmi"] for site in answer["sites"]} >= set(round_world.HELD["A1"])


def test_a_bundle_that_does_not_verify_is_not_used_as_envelopes(
    run: Run, folder: Path, reader: round_world.FakeReader
) -> None:
    del reader
    assert run("envelope", "show", "A1.oepb").exit_code == 2, "a bundle needs the key"
    assert run("envelope", "show", "A1.oepb", "--key", "A2.json").exit_code == 1
    data = bytearray((folder / "A1.oepb").read_bytes())
    data[-1] ^= 1
    (folder / "bad.oepb").write_bytes(data)
    assert run("envelope", "show", "bad.oepb", "--key", "A1.json").exit_code == 1


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_limits_that_verify_wrote_are_envelopes(
    run: Run, folder: Path, reader: round_world.FakeReader, form: str
) -> None:
    del reader
    words = ("--key", "A1.json", "--format", form, "--out", f"limits.{form}")
    assert run("aggregator", "verify", "A1.oepb", *words).exit_code == 0
    direct = run("envelope", "show", "A1.oepb", "--key", "A1.json", "--json")
    written = run("envelope", "show", f"limits.{form}", "--json")
    assert written.exit_code == 0, written.output

    def limits(done: Result) -> dict[tuple[str, str], object]:
        sites = json.loads(done.stdout)["sites"]
        return {(s["nmi"], s["level"]): (s["export_w"], s["import_w"]) for s in sites}

    assert limits(written) == limits(direct)
    assert run("envelope", "show", f"limits.{form}", "--key", "A1.json").exit_code == 2


@pytest.mark.parametrize("data", [b"", b"hello", b"PAR1 but not really", b"nmi,level\n1,2\n"])
def test_a_file_that_is_not_an_envelope_is_rejected(run: Run, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert run("envelope", "show", "x").exit_code in {1, 2}
    assert run("envelope", "show", "nowhere").exit_code == 2


def test_post_is_compared_with_pre(run: Run, tmp_path: Path) -> None:
    pre = write(tmp_path / "pre.json", record(A, FIVE), record(B, FIVE))
    post = write(tmp_path / "post.json", record(A, [(6.2, -4), (5, -5)], timing="POST"))
    answer = json.loads(run("envelope", "compare", pre, post, "--json").stdout)
    assert answer["total"] == {
        "sites": 1,
        "intervals": 2,
        "export_room_wh": 100,
        "import_room_wh": 0,
        "export_excess_wh": 0,
        "import_excess_wh": 83,
        "only_in_pre": 1,
        "only_in_post": 0,
        "intervals_only_in_pre": 0,
        "intervals_only_in_post": 0,
    }
    assert answer["sites"][0]["difference_w"] == [[1200, 0], [-1000, 0]]
    done = run("envelope", "compare", pre, post)
    assert (done.exit_code, "1 sites are in PRE only" in done.output) == (0, True)
    assert run("envelope", "compare", post, pre).exit_code == 1


def test_intervals_of_one_side_only_are_counted_and_have_no_difference(
    run: Run, tmp_path: Path
) -> None:
    """PRE has intervals 0 to 2, POST 0, 1 and 3; in the first of them they are equal."""
    pre = write(tmp_path / "pre.json", record(A, [(5, -5)] * 3))
    post = write(
        tmp_path / "post.json",
        record(A, [(5, -5), (6, -5)], timing="POST"),
        record(A, [(6, -6)], first=3, timing="POST"),
    )
    answer = json.loads(run("envelope", "compare", pre, post, "--json").stdout)
    assert answer["sites"][0]["difference_w"] == [[0, 1000, None], [0, 0, None]]
    for facts in (answer["total"], answer["sites"][0]):
        assert (facts["intervals_only_in_pre"], facts["intervals_only_in_post"]) == (1, 1)
    done = run("envelope", "compare", pre, post)
    note = "not compared: intervals of sites with a limit in PRE only (1) and in POST only (1)"
    assert note in " ".join(done.stderr.split())
    assert "not compared" not in run("envelope", "compare", pre, pre_as_post(tmp_path)).output


def pre_as_post(folder: Path) -> str:
    return write(folder / "same.json", record(A, [(6, -5)] * 3, timing="POST"))


def test_the_feed_of_both_documents_is_an_option(run: Run, tmp_path: Path) -> None:
    pre = write(tmp_path / "pre.json", record(A, [(5, 5)]))
    post = write(tmp_path / "post.json", record(A, [(5, 6)], timing="POST"))
    assert run("envelope", "compare", pre, post).exit_code == 1
    words = ("envelope", "compare", pre, post, "--import-sign", "magnitude")
    answer = json.loads(run(*words, "--json").stdout)
    assert answer["sites"][0]["difference_w"] == [[0], [1000]]
    assert run(*words, "--profile", "odd").exit_code == 2


@pytest.mark.parametrize(("profile", "code"), [("wide", 0), ("edge", 1)])
def test_the_profile_is_checked(run: Run, tmp_path: Path, profile: str, code: int) -> None:
    pre = write(tmp_path / "pre.json", record(A, [(150, -5)]))
    post = write(tmp_path / "post.json", record(A, [(150, -6)], timing="POST"))
    assert run("envelope", "compare", pre, post, "--profile", profile).exit_code == code
