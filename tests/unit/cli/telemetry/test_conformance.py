"""``oepnode telemetry conformance``: the verdict, its intervals, targets and options."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from oepnode.client.edge.levels import COLUMNS, STATED
from oepnode.domain.nem.nem_time import format_nem
from tests.support import round_world
from tests.support.edge_files import FIVE, measured, target, telemetry_file, write
from tests.support.telemetry_columns import EARLY, LATER, START, A, B, C, reading, record
from tests.unit.cli.conftest import Run

MICROS = 1_000_000


def test_a_gap_is_reported_and_conformance_continues(run: Run, tmp_path: Path) -> None:
    rows = [reading(A, i, submitted_us=(START + 9000) * MICROS) for i in (1, 2, 4)]
    file = telemetry_file(tmp_path / "t.json", *rows)
    done = run("telemetry", "validate", file, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["transaction"]["counts"] == {"telemetry.gap": 1}
    envelope = write(tmp_path / "e.json", record(A, [(5, -5)]))
    report = run("telemetry", "conformance", file, "--envelope", envelope, "--json")
    assert report.exit_code == 0
    assert "rejected" in report.stderr
    level = json.loads(report.stdout)["levels"][0]
    assert (level["minutes"]["readings"], level["missing_minutes"]) == (3, 2)


def test_telemetry_of_the_wrong_form_is_not_assessed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("[{}]")
    envelope = write(tmp_path / "e.json", record(A, FIVE))
    done = run("telemetry", "conformance", "t.json", "--envelope", envelope)
    assert done.exit_code == 1
    assert "rejected" in done.stderr


def test_the_sample_has_just_the_breaches_that_it_counts(run: Run, sample: Path) -> None:
    counted = json.loads((sample / "edge" / "edge.json").read_text())
    for name in ("sample-01", "sample-02", "sample-03"):
        file = str(sample / "edge" / name / "telemetry")
        words = ("--envelope", str(sample / "envelope.json"), "--json")
        done = run("telemetry", "conformance", file, *words)
        answer = json.loads(done.stdout)
        assert done.exit_code == 1
        assert {level["level"] for level in answer["levels"]} == {"NMI", "Flex"}
        breaches = sum(level["breach_intervals"] for level in answer["levels"])
        assert breaches == counted["breach_intervals"][name] > 0
        minutes = [level["minutes"] for level in answer["levels"]]
        beyond = sum(m["export_minutes"] + m["import_minutes"] for m in minutes)
        assert beyond == counted["breach_minutes"][name]
        assert all(m[flag] == 0 for m in minutes for flag in STATED)
        rows = sum(m["readings"] for m in minutes)
        assert rows == counted["telemetry_rows"][name]


def test_a_bundle_is_directly_an_envelope_of_conformance(
    run: Run, folder: Path, reader: round_world.FakeReader, tmp_path: Path
) -> None:
    del reader
    nmi = round_world.HELD["A1"][0]
    shift = round_world.START - START
    rows = [
        reading(nmi, i, power, export_limit_w=1500, import_limit_w=-2000)
        | {"minute": START + shift + 60 * i, "submitted_us": (START + shift + 9000) * MICROS}
        for i, power in ((1, 1500), (2, 1600), (3, -2100))
    ]
    file = telemetry_file(tmp_path / "t.json", *rows)
    words = ("--envelope", "A1.oepb", "--key", "A1.json", "--json")
    done = run("telemetry", "conformance", file, *words)
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["conforms"]) == (1, False)
    site = answer["levels"][0]["sites"][0]
    assert (site["nmi"], site["worst_export_w"], site["worst_import_w"]) == (nmi, 100, 100)
    tolerant = run("telemetry", "conformance", file, *words, "--tolerance-w", "100")
    assert (tolerant.exit_code, json.loads(tolerant.stdout)["conforms"]) == (1, None)


def at_rest(nmis: list[str], intervals: int) -> list[dict[str, object]]:
    """Telemetry without any flow, of as many intervals from `round_world.START` on."""
    return [
        reading(nmi, i) | {"minute": round_world.START + 60 * i}
        for nmi in nmis
        for i in range(1, 5 * intervals + 1)
    ]


def test_a_bundles_nmis_that_were_left_out_do_not_conform(
    run: Run, folder: Path, reader: round_world.FakeReader, tmp_path: Path
) -> None:
    del reader, folder
    portfolio = [*round_world.HELD["A1"], round_world.MOVING]
    words = ("--envelope", "A1.oepb", "--key", "A1.json")
    partial = telemetry_file(tmp_path / "some.json", *at_rest(portfolio[:2], round_world.COUNT))
    done = run("telemetry", "conformance", partial, *words)
    last = "incomplete: 3 of 5 NMIs not measured; minutes: 75 missing, 60 wrong limits stated"
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, last)
    assert f"not measured: {', '.join(portfolio[2:])}" in done.stdout.splitlines()
    answer = json.loads(run("telemetry", "conformance", partial, *words, "--json").stdout)
    assert (answer["conforms"], answer["coverage"]["expected_by"]) == (None, "bundle")
    assert answer["coverage"]["unmeasured"] == portfolio[2:]
    assert {site["nmi"] for site in answer["levels"][0]["sites"]} == set(portfolio)
    complete = telemetry_file(tmp_path / "whole.json", *at_rest(portfolio, round_world.COUNT))
    assert run("telemetry", "conformance", complete, *words).exit_code == 0
    gap = telemetry_file(tmp_path / "gap.json", *at_rest(portfolio, round_world.COUNT)[1:])
    assert run("telemetry", "conformance", gap, *words).exit_code == 1
    assert run("telemetry", "conformance", gap, *words, "--missing-minutes", "1").exit_code == 0
    early = telemetry_file(tmp_path / "early.json", *at_rest(portfolio, 5))
    done = run("telemetry", "conformance", early, *words)
    assert done.exit_code == 1
    assert "incomplete: 5 intervals of measured NMIs not fully measured" in done.stdout
    few = tmp_path / "mine.txt"
    few.write_text("\n".join(portfolio[:2]))
    narrowed = run("telemetry", "conformance", partial, *words, "--portfolio", str(few))
    assert narrowed.exit_code == 1, "a portfolio removes nothing from a bundle"


def test_a_portfolio_names_the_nmis_of_a_document_that_must_be_measured(
    run: Run, tmp_path: Path
) -> None:
    envelope = write(tmp_path / "e.json", record(A, FIVE), record(B, FIVE), record(C, FIVE))
    file = telemetry_file(tmp_path / "t.json", *(reading(A, i) for i in range(1, 11)))
    words = ("telemetry", "conformance", file, "--envelope", envelope)
    done = run(*words)
    last = "conforms; 2 of 3 NMIs of the document not measured (--portfolio says which must be)"
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, last)
    facts = json.loads(run(*words, "--json").stdout)["coverage"]
    assert (facts["expected_by"], facts["unmeasured_nmis"], facts["unmeasured"]) == (None, 2, None)
    portfolio_file = tmp_path / "ours.txt"
    portfolio_file.write_text(f"{A}\n{B}\n6305009999\n")
    done = run(*words, "--portfolio", str(portfolio_file))
    last = "incomplete: 1 of 2 NMIs not measured, 1 NMI without an envelope; minutes: 10 missing"
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, last)
    portfolio_file.write_text(A)
    assert run(*words, "--portfolio", str(portfolio_file)).stdout.splitlines()[-1] == "conforms"
    portfolio_file.write_text("nobody")
    assert run(*words, "--portfolio", str(portfolio_file)).exit_code == 2
    limits = tmp_path / "l.csv"
    limits.write_text(
        "nmi,level,interval_start,active_export_w,active_import_w,reactive_export_var,"
        "reactive_import_var\n"
        + "".join(f"{nmi},NMI,{format_nem(START)},5000,-5000,,\n" for nmi in (A, B))
    )
    done = run("telemetry", "conformance", file, "--envelope", str(limits))
    assert (done.exit_code, "1 of 2 NMIs not measured" in done.stdout) == (1, True)
    portfolio_file.write_text(A)
    narrow = ("--envelope", str(limits), "--portfolio", str(portfolio_file))
    assert run("telemetry", "conformance", file, *narrow).exit_code == 0


def test_each_interval_in_breach_is_reported_with_its_limits(run: Run, tmp_path: Path) -> None:
    rows = [reading(A, 1, 5100), reading(A, 2, 5300), reading(A, 6), reading(B, 6, -5050)]
    file = telemetry_file(tmp_path / "t.json", *rows)
    envelope = write(tmp_path / "e.json", record(A, FIVE), record(B, FIVE))
    words = ("telemetry", "conformance", file, "--envelope", envelope)
    done = run(*words, "--out", "i.csv")
    assert f"{A}  {format_nem(START + 300)}        2" in done.stdout
    assert "1 more interval in breach" in run(*words, "--rows", "1").stdout
    sites = json.loads(run(*words, "--json", "--out", "i.parquet").stdout)["levels"][0]["sites"]
    assert [site["breaching_intervals"] for site in sites] == [
        [
            {
                "interval_end": format_nem(START + 300 * interval),
                "minutes": minutes,
                "beyond_export_w": export,
                "beyond_import_w": import_,
                "export_limit_w": 5000,
                "import_limit_w": -5000,
            }
        ]
        for interval, minutes, export, import_ in ((1, 2, 300, 0), (2, 1, 0, 50))
    ]
    table = pl.read_parquet(tmp_path / "i.parquet")
    assert pl.read_csv(tmp_path / "i.csv", schema_overrides=table.schema).equals(table)
    assert table["nmi"].to_list() == [A, A, B]
    assert table["is_breach"].to_list() == [True, False, True]
    assert table["least_headroom_w"].to_list() == [-300, 5000, -50]
    assert run(*words, "--out", "i.txt").exit_code == 2
    dispatch = write(tmp_path / "d.json", target(1))
    words = ("telemetry", "conformance", file, "--dispatch", dispatch)
    assert run(*words, "--out", "i.csv").exit_code == 2


def test_a_superseded_envelope_and_a_conflict_are_in_the_verdict_with_their_nmi(
    run: Run, tmp_path: Path
) -> None:
    envelope = write(tmp_path / "e.json", record(A, FIVE), record(A, [(3, -3)], submitted=LATER))
    rows = [reading(A, i, 4000) for i in range(1, 11)]
    words = ("telemetry", "conformance", "--envelope", envelope)
    done = run(*words, telemetry_file(tmp_path / "t.json", *rows))
    lines, doubt = done.stdout.splitlines(), "5 superseded envelope"
    assert (done.exit_code, lines[-1]) == (0, f"conforms; minutes: {doubt}")
    assert any(line.startswith(A) and doubt in line for line in lines)
    others = [reading(A, 6, 3999), reading(A, 7, 4000), reading(A, 7, 4000)]
    done = run(*words, telemetry_file(tmp_path / "c.json", *rows, *others))
    assert done.stdout.splitlines()[-1] == "conforms; minutes: 1 not judged, 5 superseded envelope"
    assert "3 duplicate, 1 in conflict" in done.stdout


def test_a_duplicate_minute_is_added_to_the_unit_once(run: Run, tmp_path: Path) -> None:
    rows = [reading(A, 5, -30_000), reading(A, 5, -30_000)]
    targets = write(tmp_path / "d.json", target(1))
    words = ("telemetry", "conformance", "--dispatch", targets)
    assert run(*words, telemetry_file(tmp_path / "t.json", *rows)).exit_code == 0
    conflict = telemetry_file(tmp_path / "c.json", *rows, reading(A, 5, 0))
    done = run(*words, conflict)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "not judged")
    assert "1 minute not checked against targets" in done.stderr
    unit = [measured("UNIT1"), measured("UNIT1")]
    flex = (*words, "--level", "Flex")
    assert run(*flex, write(tmp_path / "u.json", *unit)).exit_code == 0
    unit.append(measured("UNIT1", -5))
    assert run(*flex, write(tmp_path / "u.json", *unit)).exit_code == 1


def test_where_nothing_was_assessed_nothing_conforms(run: Run, tmp_path: Path) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1), reading(A, 2))
    foreign = write(tmp_path / "e.json", record(B, FIVE))
    words = ("telemetry", "conformance", file)
    done = run(*words, "--envelope", foreign)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1] == (
        "not judged; 1 of 1 NMI of the document not measured (--portfolio says which must be); "
        "minutes: 2 not judged"
    )
    answer = run(*words, "--envelope", foreign, "--json")
    assert (answer.exit_code, json.loads(answer.stdout)["conforms"]) == (1, None)
    target = {"duid": "UNIT1", "diEndTime": format_nem(START + 300), "dispatchTarget": -30}
    targets = write(tmp_path / "d.json", target)
    done = run(*words, "--dispatch", targets)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "not judged")
    envelope = write(tmp_path / "own.json", record(A, FIVE))
    answer = run(*words, "--envelope", envelope, "--dispatch", targets, "--json")
    assert (answer.exit_code, json.loads(answer.stdout)["conforms"]) == (1, None)


def test_the_verdict_counts_the_minutes_left_out(run: Run, tmp_path: Path) -> None:
    rows = [reading(A, 1), reading(A, 2, export_limit_w=4000), reading(B, 1)]
    file = telemetry_file(tmp_path / "t.json", *rows)
    words = ("telemetry", "conformance", file, "--envelope")
    done = run(*words, write(tmp_path / "e.json", record(A, FIVE)))
    assert done.exit_code == 0
    last = "conforms; minutes: 1 not judged, 8 missing, 1 wrong limits stated"
    assert done.stdout.splitlines()[-1] == last
    levels = write(tmp_path / "l.json", record(A, FIVE), record(B, FIVE, level="Flex"))
    last = run(*words, levels).stdout.splitlines()[-1]
    assert last == "conforms; minutes: 17 missing, 1 wrong limits stated"


def test_tolerances_and_defaults_are_options(run: Run, tmp_path: Path) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1, 5100), reading(B, 6, 1100))
    envelope = write(tmp_path / "e.json", record(A, FIVE), record(B, [(5, -5)]))
    words = ("telemetry", "conformance", file, "--envelope", envelope)
    assert run(*words).exit_code == 1
    assert run(*words, "--tolerance-percent", "2").exit_code == 0
    assert run(*words, "--breach-minutes", "2").exit_code == 0
    imports = ("--default-import-kw", "-5")
    narrow = ("--tolerance-percent", "2", "--default-export-kw", "1", *imports)
    assert run(*words, *narrow).exit_code == 1
    assert run(*words, "--default-import-kw", "5").exit_code == 2


def test_dispatch_targets_at_both_summations(run: Run, sample: Path) -> None:
    base = sample / "edge" / "sample-01"
    words = ["telemetry", "conformance", str(base / "telemetry"), "--json"]
    words += ("--dispatch", str(base / "dispatch.ndjson"), "--target-tolerance-percent", "10")
    done = run(*words)
    counted = json.loads((sample / "edge" / "edge.json").read_text())["targets_off"]["sample-01"]
    verdicts = json.loads(done.stdout)["dispatch"]["verdicts"]
    assert verdicts["above"] + verdicts["below"] == counted > 0
    assert verdicts["unmeasured"] == 0
    assert "fewer than" in done.stderr, "one NMI goes to another aggregator at noon"
    flex = json.loads(run(*words, "--level", "Flex").stdout)["dispatch"]
    assert flex["verdicts"]["within"] < verdicts["within"]
    assert run(*words, "--step", "1").exit_code == 2
    assert run(*words, "--level", "flex").exit_code == 2


def test_telemetry_of_the_unit_itself_is_checked_against_targets(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "t.json", measured("UNIT1"))
    targets = write(tmp_path / "d.json", target(1))
    words = ("telemetry", "conformance", file, "--dispatch", targets)
    assert run(*words).exit_code == 1
    assert run(*words, "--level", "Flex").exit_code == 0
    envelope = write(tmp_path / "e.json", record(A, FIVE))
    assert run("telemetry", "conformance", file, "--envelope", envelope).exit_code == 2


def test_targets_of_another_unit_are_not_used(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "t.json", measured("UNIT1"))
    words = ("telemetry", "conformance", file, "--level", "Flex", "--dispatch")
    other = run(*words, write(tmp_path / "o.json", target(1, "UNIT2")), "--json")
    assert other.exit_code == 1
    assert [f["code"] for f in json.loads(other.stdout)["faults"]] == ["duid.mismatch"]
    for text in ("duid.mismatch", "UNIT1", "UNIT2", "HLD §4.2.1"):
        assert text in other.stderr
    own = run(*words, write(tmp_path / "d.json", target(1)), "--json")
    assert (own.exit_code, json.loads(own.stdout)["dispatch"]["duid"]) == (0, "UNIT1")
    assert "1 target of UNIT1" in run(*words, str(tmp_path / "d.json")).stdout


def test_mixed_targets_need_a_duid(run: Run, tmp_path: Path) -> None:
    both = [target(1), target(1, "UNIT2", 5)]
    targets = write(tmp_path / "d.json", *both)
    unit = write(tmp_path / "u.json", measured("UNIT1"))
    sites = telemetry_file(tmp_path / "n.json", *(reading(A, i, -30_000) for i in range(1, 6)))
    for file in (unit, sites):
        words = ("telemetry", "conformance", file, "--dispatch", targets, "--tolerance-w", "0")
        rejected = run(*words)
        assert (rejected.exit_code, rejected.stdout) == (1, "")
        assert "duid.mixed" in rejected.stderr
        assert "goes on" not in rejected.stderr
        absent = run(*words, "--duid", "UNIT3")
        assert (absent.exit_code, "duid.absent" in absent.stderr) == (1, True)
    done = run(*words, "--duid", "UNIT1", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["dispatch"]["verdicts"]["within"] == 1
    assert "1 rows are of other DUIDs than UNIT1" in done.stderr
    alone = run("telemetry", "conformance", sites, "--envelope", "e.json", "--duid", "UNIT1")
    assert (alone.exit_code, "goes with --dispatch" in alone.stderr) == (2, True)


def test_mixed_telemetry_needs_a_duid(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "u.json", measured("UNIT1"), measured("UNIT2", -5))
    targets = write(tmp_path / "d.json", target(1))
    words = ("telemetry", "conformance", file, "--dispatch", targets, "--level", "Flex")
    rejected = run(*words)
    assert (rejected.exit_code, "duid.mixed" in rejected.stderr) == (1, True)
    assert run(*words, "--duid", "UNIT1").exit_code == 0
    assert run(*words, "--duid", "UNIT2").exit_code == 1, "the targets are UNIT1's"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--dispatch", "d.json", "--plot", "x.png"],
        ["--envelope", "e.json", "--plot", "x.pdf"],
        ["--envelope", "e.json", "--heatmap", "x"],
        ["--envelope", "e.json", "--plot", "x.png", "--nmi", "6305009999"],
        ["--envelope", "e.json", "--plot", "x.png", "--nmi", "123"],
        ["--envelope", "e.json", "--nmi", A],
        ["--envelope", "e.json", "--default-export-kw", "1"],
        ["--envelope", "e.json", "--target-tolerance-w", "1"],
        ["--envelope", "e.json", "--duid", "UNIT1"],
        ["--envelope", "e.json", "--level", "Flex"],
        ["--envelope", "e.json", "--step", "2"],
        ["--dispatch", "d.json", "--tolerance-w", "1"],
        ["--dispatch", "d.json", "--key", "k.json"],
        ["--dispatch", "d.json", "--round-state", "r.json"],
        ["--dispatch", "d.json", "--profile", "edge"],
        ["--dispatch", "d.json", "--import-sign", "magnitude"],
        ["--dispatch", "d.json", "--default-export-kw", "1", "--default-import-kw", "-1"],
    ],
)
def test_options_that_do_not_fit_are_rejected(run: Run, tmp_path: Path, words: list[str]) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1))
    write(tmp_path / "e.json", record(A, FIVE))
    write(tmp_path / "d.json", target(1))
    done = run("telemetry", "conformance", file, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert not (tmp_path / "x.png").exists()


def test_targets_of_step_1_are_rejected_before_any_file_is_read(run: Run) -> None:
    words = ("--dispatch", "absent.json", "--envelope", "absent.json", "--step", "1")
    done = run("telemetry", "conformance", "absent.json", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "dispatch targets bind in steps 2 and 3" in done.stderr


def test_pictures_are_drawn_and_the_same_input_gives_the_same_bytes(
    run: Run, sample: Path, tmp_path: Path
) -> None:
    file = str(sample / "edge" / "sample-02" / "telemetry")
    words = ("telemetry", "conformance", file, "--envelope", str(sample / "envelope.json"))
    for number in ("1", "2"):
        done = run(*words, "--plot", f"b{number}.svg", "--heatmap", f"h{number}.svg")
        assert done.exit_code == 1
    for kind in ("b", "h"):
        first = (tmp_path / f"{kind}1.svg").read_bytes()
        assert first.startswith(b"<?xml")
        assert first == (tmp_path / f"{kind}2.svg").read_bytes()
    assert b"breach" in (tmp_path / "b1.svg").read_bytes()
    show = ("envelope", "show", str(sample / "envelope.json"))
    nmi = json.loads(run(*show, "--json").stdout)["sites"][0]["nmi"]
    assert run(*show, "--nmi", nmi, "--plot", "one.png").exit_code == 0
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert run(*show, "--plot", "one.png").exit_code == 2


def test_telemetry_by_its_submission_timestamp(run: Run, tmp_path: Path) -> None:
    """A measurement is bound by the envelope that it states, not by the latest one."""
    envelope = write(
        tmp_path / "e.json", record(A, FIVE), record(A, [(3, -3)] * 2, submitted=LATER)
    )
    words = ("telemetry", "conformance", "--envelope", envelope, "--json")
    old = telemetry_file(tmp_path / "old.json", reading(A, 1, 4000))
    done = run(*words, old)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["levels"][0]["minutes"]["superseded_envelope"] == 1
    new = {"envelope_submitted_us": LATER * MICROS, "export_limit_w": 3000, "import_limit_w": -3000}
    assert run(*words, telemetry_file(tmp_path / "n.json", reading(A, 1, 4000, **new))).exit_code
    assert EARLY < LATER


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tolerance-w", "99999999999999999999"], "--tolerance-w"),
        (["--target-tolerance-w", "99999999999999999999"], "--target-tolerance-w"),
        (["--tolerance-percent", "nan"], "--tolerance-percent"),
        (["--tolerance-percent", "0.05"], "--tolerance-percent"),
        (["--target-tolerance-percent", "0.05"], "--target-tolerance-percent"),
        (["--default-export-kw", "inf"], "--default-export-kw must be a number of kW"),
        (["--default-export-kw", "nan"], "--default-export-kw must be a number of kW"),
        (["--default-export-kw", "5.0001"], "--default-export-kw: at most 3 decimals"),
        (["--default-export-kw", "-5"], "--default-export-kw"),
        (["--default-import-kw", "1e400"], "--default-import-kw: at most"),
        (["--step", "9"], "--step"),
        (["--step", "0"], "--step"),
    ],
)
def test_options_of_conformance_out_of_range_are_named(
    run: Run, tmp_path: Path, words: list[str], message: str
) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1))
    envelope = write(tmp_path / "e.json", record(A, FIVE))
    base = ("telemetry", "conformance", file, "--envelope", envelope)
    defaults = ("--default-export-kw", "5.001", "--default-import-kw", "-5.001")
    assert run(*base, *defaults, "--tolerance-percent", "0.3").exit_code == 0
    done = run(*base, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_limits_file_gives_the_result_of_its_document(
    run: Run, tmp_path: Path, form: str
) -> None:
    envelope = write(tmp_path / "e.json", record(A, FIVE), record(A, [(3, -3)], submitted=LATER))
    new = {"envelope_submitted_us": LATER * MICROS, "export_limit_w": 3000, "import_limit_w": -3000}
    rows = [reading(A, 1, 4000), reading(A, 2, 3100, **new), *(reading(A, i) for i in range(3, 11))]
    file = telemetry_file(tmp_path / "t.json", *rows)
    assert run("envelope", "show", envelope, "--out", f"l.{form}").exit_code == 0
    words = ("telemetry", "conformance", file, "--json", "--envelope")
    answer = [json.loads(run(*words, source).stdout) for source in (envelope, f"l.{form}")]
    assert answer[0]["levels"] == answer[1]["levels"]
    assert answer[1]["levels"][0]["minutes"]["superseded_envelope"] == 4
    assert answer[1]["levels"][0]["minutes"]["export_minutes"] == 1
    assert answer[0]["coverage"] == answer[1]["coverage"]
    assert answer[1]["coverage"]["expected_by"] is None, "a document's are of all aggregators"
    assert run("envelope", "show", envelope, "--out", "l.txt").exit_code == 2


def test_the_columns_of_the_intervals_file_are_documented() -> None:
    page = (Path(__file__).resolve().parents[4] / "docs" / "edge" / "telemetry.md").read_text(
        "utf-8"
    )
    for name, meaning in COLUMNS.items():
        assert f"| `{name}` | {meaning} |" in page.splitlines()
