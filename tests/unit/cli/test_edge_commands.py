"""``oepnode envelope``, ``telemetry``, ``dispatch`` and ``forecast`` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from oepnode.cli.main import app
from oepnode.cli.telemetry import intervals
from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.edge.telemetry.json_format import write_telemetry
from oepnode.domain.nem.nem_time import format_nem
from tests.support import round_world as world
from tests.support.telemetry_columns import EARLY, LATER, START, A, B, C, frame, reading, record

Run = Callable[..., Result]
MICROS = 1_000_000
FIVE = [(5, -5)] * 2


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("edge") / "s"
    words = ["--nmis", "24", "--unassigned", "2", "--edge", "--breaches", "0.02", "--flex", "0.25"]
    done = CliRunner().invoke(app, ["sample", "--out", str(out), *words])
    assert done.exit_code == 0, done.output
    return out


def write(path: Path, *records: dict[str, object]) -> str:
    path.write_text(json.dumps(records))
    return str(path)


def telemetry_file(path: Path, *rows: dict[str, object]) -> str:
    path.write_bytes(write_telemetry(frame(*rows)))
    return str(path)


def target(interval: int, duid: str = "UNIT1", kilowatts: float = -30) -> dict[str, object]:
    """A dispatch instruction for an interval, counted from ``START``."""
    end = format_nem(START + 300 * interval)
    return {"duid": duid, "diEndTime": end, "dispatchTarget": kilowatts}


def measured(duid: str, load: float = -30) -> dict[str, object]:
    """Telemetry of a unit: one minute, the last of the first interval; -70 kW in all."""
    reading = {
        "measurementDateTime": format_nem(START + 300),
        "activePower": -70,
        "controlledGeneration": 0,
        "controlledLoad": load,
        "energyStored": 35,
    }
    return {"duid": duid, "duidTelemetryIntervals": [reading]}


# --- envelope ------------------------------------------------------------------------------------


def test_a_document_is_acknowledged(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "e.json", record(A, FIVE))
    assert run("envelope", "validate", file).exit_code == 0
    told = json.loads(run("envelope", "validate", file, "--json").stdout)
    assert (told["system"]["code"], told["transaction"]["code"]) == ("accepted", "accepted")


def test_a_wrong_document_ends_with_1_and_every_fault(run: Run, tmp_path: Path) -> None:
    broken = record(A, [(5, -5), (-1, 5)]) | {"nmi": "630500000O"}
    done = run("envelope", "validate", write(tmp_path / "e.json", broken), "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert [f["code"] for f in told["system"]["faults"]] == ["nmi.character"]
    assert {"limit.sign", "import_sign.mixed"} == set(told["transaction"]["counts"])


def test_a_copy_of_a_record_is_a_caution_and_a_conflict_is_told_beside_other_faults(
    run: Run, tmp_path: Path
) -> None:
    file = write(tmp_path / "e.json", record(A, FIVE), record(A, FIVE))
    done = run("envelope", "validate", file, "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)["transaction"]
    assert (told["code"], told["warning_counts"]) == ("accepted", {"submission.duplicate": 2})
    assert "more warnings" not in run("envelope", "validate", file).stdout
    broken = record(B, FIVE) | {"oeObjectiveFunction": 5}
    file = write(tmp_path / "c.json", record(A, FIVE), record(A, [(5, -4)] * 2), broken)
    told = json.loads(run("envelope", "validate", file, "--json").stdout)
    assert told["system"]["counts"] == {"field.type": 1}
    assert told["transaction"]["counts"] == {"submission.conflict": 2}


def test_the_wrong_timing_is_rejected_where_one_is_asked_for(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "e.json", record(A, FIVE))
    assert run("envelope", "validate", file, "--timing", "PRE").exit_code == 0
    assert run("envelope", "validate", file, "--timing", "POST").exit_code == 1
    assert run("envelope", "validate", file, "--timing", "pre").exit_code == 2


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
    assert "1 more sites" in run("envelope", "show", file, "--rows", "1").output
    told = json.loads(run("envelope", "show", file, "--nmi", A, "--json").stdout)["sites"]
    assert [site["nmi"] for site in told] == [A]
    assert told[0]["export_w"] == {
        "intervals": 2,
        "least": 3000,
        "most": 5000,
        "limits": [3000, 5000],
    }
    assert told[0]["superseded_rows"] == 1
    assert "-5.00" in run("envelope", "show", file, "--nmi", A).output
    assert run("envelope", "show", file, "--nmi", "6305009999").exit_code == 2


def test_a_bundle_is_verified_and_shown(run: Run, folder: Path, reader: world.FakeReader) -> None:
    del reader
    done = run("envelope", "show", "A1.oepb", "--key", "A1.json", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert "verified against round 3" in told["source"]
    assert {site["nmi"] for site in told["sites"]} >= set(world.HELD["A1"])


def test_a_bundle_that_does_not_verify_is_no_envelope(
    run: Run, folder: Path, reader: world.FakeReader
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
    run: Run, folder: Path, reader: world.FakeReader, form: str
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
def test_what_is_no_envelope_is_rejected(run: Run, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert run("envelope", "show", "x").exit_code in {1, 2}
    assert run("envelope", "show", "nowhere").exit_code == 2


def test_post_beside_pre(run: Run, tmp_path: Path) -> None:
    pre = write(tmp_path / "pre.json", record(A, FIVE), record(B, FIVE))
    post = write(tmp_path / "post.json", record(A, [(6.2, -4), (5, -5)], timing="POST"))
    told = json.loads(run("envelope", "compare", pre, post, "--json").stdout)
    assert told["total"] == {
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
    assert told["sites"][0]["difference_w"] == [[1200, 0], [-1000, 0]]
    done = run("envelope", "compare", pre, post)
    assert (done.exit_code, "1 sites stand in PRE only" in done.output) == (0, True)
    assert run("envelope", "compare", post, pre).exit_code == 1


# --- telemetry -----------------------------------------------------------------------------------


def test_sample_telemetry_is_acknowledged(run: Run, sample: Path) -> None:
    for name in ("telemetry", "telemetry/part-0001.parquet", "telemetry-one-nmi.json"):
        file = str(sample / "edge" / "sample-02" / name)
        assert run("telemetry", "validate", file).exit_code == 0
    whole = run("telemetry", "validate", file, "--day", "2026-11-20")
    assert whole.exit_code == 0, whole.output
    assert run("telemetry", "validate", file, "--day", "2026-11-21").exit_code == 1
    assert run("telemetry", "validate", file, "--day", "today").exit_code == 2


def test_a_gap_is_told_and_conformance_goes_on(run: Run, tmp_path: Path) -> None:
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


def test_telemetry_whose_form_is_wrong_is_not_judged(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("[{}]")
    envelope = write(tmp_path / "e.json", record(A, FIVE))
    done = run("telemetry", "conformance", "t.json", "--envelope", envelope)
    assert done.exit_code == 1
    assert "rejected" in done.stderr


def test_the_sample_has_just_the_breaches_that_it_says(run: Run, sample: Path) -> None:
    counted = json.loads((sample / "edge" / "edge.json").read_text())
    for name in ("sample-01", "sample-02", "sample-03"):
        file = str(sample / "edge" / name / "telemetry")
        words = ("--envelope", str(sample / "envelope.json"), "--json")
        done = run("telemetry", "conformance", file, *words)
        told = json.loads(done.stdout)
        assert done.exit_code == 1
        assert {level["level"] for level in told["levels"]} == {"NMI", "Flex"}
        found = sum(level["breach_intervals"] for level in told["levels"])
        assert found == counted["breach_intervals"][name] > 0
        minutes = [level["minutes"] for level in told["levels"]]
        beyond = sum(m["export_minutes"] + m["import_minutes"] for m in minutes)
        assert beyond == counted["breach_minutes"][name]
        assert all(
            m[flag] == 0
            for m in minutes
            for flag in ("wrong_limits_stated", "superseded_envelope", "unknown_envelope")
        )
        rows = sum(m["readings"] for m in minutes)
        assert rows == counted["telemetry_rows"][name]


def test_a_bundle_is_directly_an_envelope_of_conformance(
    run: Run, folder: Path, reader: world.FakeReader, tmp_path: Path
) -> None:
    del reader
    nmi = world.HELD["A1"][0]
    shift = world.START - START
    rows = [
        reading(nmi, i, power, export_limit_w=1500, import_limit_w=-2000)
        | {"minute": START + shift + 60 * i, "submitted_us": (START + shift + 9000) * MICROS}
        for i, power in ((1, 1500), (2, 1600), (3, -2100))
    ]
    file = telemetry_file(tmp_path / "t.json", *rows)
    words = ("--envelope", "A1.oepb", "--key", "A1.json", "--json")
    done = run("telemetry", "conformance", file, *words)
    told = json.loads(done.stdout)
    assert (done.exit_code, told["conforms"]) == (1, False)
    site = told["levels"][0]["sites"][0]
    assert (site["nmi"], site["worst_export_w"], site["worst_import_w"]) == (nmi, 100, 100)
    tolerant = run("telemetry", "conformance", file, *words, "--tolerance-w", "100")
    assert (tolerant.exit_code, json.loads(tolerant.stdout)["conforms"]) == (1, None)


def at_rest(nmis: list[str], intervals: int) -> list[dict[str, object]]:
    """Telemetry without any flow, of as many intervals from `world.START` on."""
    return [
        reading(nmi, i) | {"minute": world.START + 60 * i}
        for nmi in nmis
        for i in range(1, 5 * intervals + 1)
    ]


def test_a_bundles_nmis_that_were_left_out_do_not_conform(
    run: Run, folder: Path, reader: world.FakeReader, tmp_path: Path
) -> None:
    del reader, folder
    held = [*world.HELD["A1"], world.MOVING]
    words = ("--envelope", "A1.oepb", "--key", "A1.json")
    some = telemetry_file(tmp_path / "some.json", *at_rest(held[:2], world.COUNT))
    done = run("telemetry", "conformance", some, *words)
    last = "incomplete: 3 of 5 NMIs not measured; minutes: 75 missing, 60 wrong limits stated"
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, last)
    assert f"not measured: {', '.join(held[2:])}" in done.stdout.splitlines()
    told = json.loads(run("telemetry", "conformance", some, *words, "--json").stdout)
    assert (told["conforms"], told["coverage"]["held_by"]) == (None, "bundle")
    assert told["coverage"]["unmeasured"] == held[2:]
    assert {site["nmi"] for site in told["levels"][0]["sites"]} == set(held)
    whole = telemetry_file(tmp_path / "whole.json", *at_rest(held, world.COUNT))
    assert run("telemetry", "conformance", whole, *words).exit_code == 0
    gap = telemetry_file(tmp_path / "gap.json", *at_rest(held, world.COUNT)[1:])
    assert run("telemetry", "conformance", gap, *words).exit_code == 1
    assert run("telemetry", "conformance", gap, *words, "--missing-minutes", "1").exit_code == 0
    early = telemetry_file(tmp_path / "early.json", *at_rest(held, 5))
    done = run("telemetry", "conformance", early, *words)
    assert done.exit_code == 1
    assert "incomplete: 5 intervals of measured NMIs not judged whole" in done.stdout
    few = tmp_path / "mine.txt"
    few.write_text("\n".join(held[:2]))
    narrowed = run("telemetry", "conformance", some, *words, "--portfolio", str(few))
    assert narrowed.exit_code == 1, "a portfolio takes nothing out of a bundle"


def test_a_portfolio_says_whose_nmis_of_a_document_must_be_measured(
    run: Run, tmp_path: Path
) -> None:
    envelope = write(tmp_path / "e.json", record(A, FIVE), record(B, FIVE), record(C, FIVE))
    file = telemetry_file(tmp_path / "t.json", *(reading(A, i) for i in range(1, 11)))
    words = ("telemetry", "conformance", file, "--envelope", envelope)
    done = run(*words)
    last = "conforms; 2 of 3 NMIs of the document not measured (--portfolio says which must be)"
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, last)
    facts = json.loads(run(*words, "--json").stdout)["coverage"]
    assert (facts["held_by"], facts["unmeasured_nmis"], facts["unmeasured"]) == (None, 2, None)
    ours = tmp_path / "ours.txt"
    ours.write_text(f"{A}\n{B}\n6305009999\n")
    done = run(*words, "--portfolio", str(ours))
    last = "incomplete: 1 of 2 NMIs not measured, 1 NMI without an envelope; minutes: 10 missing"
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, last)
    ours.write_text(A)
    assert run(*words, "--portfolio", str(ours)).stdout.splitlines()[-1] == "conforms"
    ours.write_text("nobody")
    assert run(*words, "--portfolio", str(ours)).exit_code == 2
    limits = tmp_path / "l.csv"
    limits.write_text(
        "nmi,level,interval_start,active_export_w,active_import_w,reactive_export_var,"
        "reactive_import_var\n"
        + "".join(f"{nmi},NMI,{format_nem(START)},5000,-5000,,\n" for nmi in (A, B))
    )
    done = run("telemetry", "conformance", file, "--envelope", str(limits))
    assert (done.exit_code, "1 of 2 NMIs not measured" in done.stdout) == (1, True)
    ours.write_text(A)
    narrow = ("--envelope", str(limits), "--portfolio", str(ours))
    assert run("telemetry", "conformance", file, *narrow).exit_code == 0


def test_each_interval_in_breach_is_told_with_its_limits(run: Run, tmp_path: Path) -> None:
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


def test_a_replaced_envelope_and_a_conflict_are_in_the_verdict_with_their_nmi(
    run: Run, tmp_path: Path
) -> None:
    envelope = write(tmp_path / "e.json", record(A, FIVE), record(A, [(3, -3)], submitted=LATER))
    rows = [reading(A, i, 4000) for i in range(1, 11)]
    words = ("telemetry", "conformance", "--envelope", envelope)
    done = run(*words, telemetry_file(tmp_path / "t.json", *rows))
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (
        0,
        "conforms; minutes: 5 superseded envelope",
    )
    assert any(
        line.startswith(A) and "5 superseded envelope" in line for line in done.stdout.splitlines()
    )
    others = [reading(A, 6, 3999), reading(A, 7, 4000), reading(A, 7, 4000)]
    done = run(*words, telemetry_file(tmp_path / "c.json", *rows, *others))
    assert done.stdout.splitlines()[-1] == "conforms; minutes: 1 not judged, 5 superseded envelope"
    assert "3 doubled, 1 in conflict" in done.stdout


def test_a_doubled_minute_is_added_to_the_unit_once(run: Run, tmp_path: Path) -> None:
    rows = [reading(A, 5, -30_000), reading(A, 5, -30_000)]
    wanted = write(tmp_path / "d.json", target(1))
    words = ("telemetry", "conformance", "--dispatch", wanted)
    assert run(*words, telemetry_file(tmp_path / "t.json", *rows)).exit_code == 0
    conflict = telemetry_file(tmp_path / "c.json", *rows, reading(A, 5, 0))
    done = run(*words, conflict)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "not judged")
    assert "1 minute not held against targets" in done.stderr
    unit = [measured("UNIT1"), measured("UNIT1")]
    at_flex = (*words, "--summation", "Flex")
    assert run(*at_flex, write(tmp_path / "u.json", *unit)).exit_code == 0
    unit.append(measured("UNIT1", -5))
    assert run(*at_flex, write(tmp_path / "u.json", *unit)).exit_code == 1


def test_where_nothing_was_judged_nothing_conforms(run: Run, tmp_path: Path) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1), reading(A, 2))
    foreign = write(tmp_path / "e.json", record(B, FIVE))
    words = ("telemetry", "conformance", file)
    done = run(*words, "--envelope", foreign)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1] == (
        "not judged; 1 of 1 NMI of the document not measured (--portfolio says which must be); "
        "minutes: 2 not judged"
    )
    told = run(*words, "--envelope", foreign, "--json")
    assert (told.exit_code, json.loads(told.stdout)["conforms"]) == (1, None)
    target = {"duid": "UNIT1", "diEndTime": format_nem(START + 300), "dispatchTarget": -30}
    wanted = write(tmp_path / "d.json", target)
    done = run(*words, "--dispatch", wanted)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "not judged")
    envelope = write(tmp_path / "own.json", record(A, FIVE))
    told = run(*words, "--envelope", envelope, "--dispatch", wanted, "--json")
    assert (told.exit_code, json.loads(told.stdout)["conforms"]) == (1, None)


def test_the_verdict_says_what_it_leaves_out(run: Run, tmp_path: Path) -> None:
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
    narrow = ("--tolerance-percent", "2", "--default-export-kw", "1")
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
    flex = json.loads(run(*words, "--summation", "Flex").stdout)["dispatch"]
    assert flex["verdicts"]["within"] < verdicts["within"]
    assert run(*words, "--step", "1").exit_code == 2
    assert run(*words, "--summation", "flex").exit_code == 2


def test_telemetry_of_the_unit_itself_against_targets(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "t.json", measured("UNIT1"))
    wanted = write(tmp_path / "d.json", target(1))
    words = ("telemetry", "conformance", file, "--dispatch", wanted)
    assert run(*words).exit_code == 1
    assert run(*words, "--summation", "Flex").exit_code == 0
    envelope = write(tmp_path / "e.json", record(A, FIVE))
    assert run("telemetry", "conformance", file, "--envelope", envelope).exit_code == 2


def test_targets_of_another_unit_are_no_targets(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "t.json", measured("UNIT1"))
    words = ("telemetry", "conformance", file, "--summation", "Flex", "--dispatch")
    other = run(*words, write(tmp_path / "o.json", target(1, "UNIT2")), "--json")
    assert other.exit_code == 1
    assert [f["code"] for f in json.loads(other.stdout)["faults"]] == ["duid.mismatch"]
    for text in ("duid.mismatch", "UNIT1", "UNIT2", "HLD §4.2.1"):
        assert text in other.stderr
    own = run(*words, write(tmp_path / "d.json", target(1)), "--json")
    assert (own.exit_code, json.loads(own.stdout)["dispatch"]["duid"]) == (0, "UNIT1")
    assert "1 target of UNIT1" in run(*words, str(tmp_path / "d.json")).stdout


def test_of_mixed_targets_the_duid_that_is_ours_is_named(run: Run, tmp_path: Path) -> None:
    both = [target(1), target(1, "UNIT2", 5)]
    wanted = write(tmp_path / "d.json", *both)
    unit = write(tmp_path / "u.json", measured("UNIT1"))
    sites = telemetry_file(tmp_path / "n.json", *(reading(A, i, -30_000) for i in range(1, 6)))
    for file in (unit, sites):
        words = ("telemetry", "conformance", file, "--dispatch", wanted, "--tolerance-w", "0")
        rejected = run(*words)
        assert (rejected.exit_code, rejected.stdout) == (1, "")
        assert "duid.mixed" in rejected.stderr
        assert "goes on" not in rejected.stderr
        absent = run(*words, "--id", "UNIT3")
        assert (absent.exit_code, "duid.absent" in absent.stderr) == (1, True)
    done = run(*words, "--id", "UNIT1", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["dispatch"]["verdicts"]["within"] == 1
    assert "1 rows are of other DUIDs than UNIT1" in done.stderr
    alone = run("telemetry", "conformance", sites, "--envelope", "e.json", "--id", "UNIT1")
    assert (alone.exit_code, "goes with --dispatch" in alone.stderr) == (2, True)


def test_of_mixed_telemetry_the_duid_that_is_ours_is_named(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "u.json", measured("UNIT1"), measured("UNIT2", -5))
    wanted = write(tmp_path / "d.json", target(1))
    words = ("telemetry", "conformance", file, "--dispatch", wanted, "--summation", "Flex")
    rejected = run(*words)
    assert (rejected.exit_code, "duid.mixed" in rejected.stderr) == (1, True)
    assert run(*words, "--id", "UNIT1").exit_code == 0
    assert run(*words, "--id", "UNIT2").exit_code == 1, "the targets are UNIT1's"


def test_a_boffer_is_scored_by_its_own_units_telemetry(run: Run, tmp_path: Path) -> None:
    end = format_nem(START + 300)
    rows = f"unit,level,interval_end,cleared_w\nUNIT2,Flex,{end},-30000\n"
    (tmp_path / "c.csv").write_text(rows)
    score = ("forecast", "accuracy", "--cleared", "c.csv", "--telemetry")
    done = run(*score, write(tmp_path / "u.json", measured("UNIT1")))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "duid.mismatch" in done.stderr
    assert run(*score, write(tmp_path / "v.json", measured("UNIT2"))).exit_code == 0
    both = write(tmp_path / "w.json", measured("UNIT1"), measured("UNIT2"))
    mixed = run(*score, both)
    assert (mixed.exit_code, "duid.mixed" in mixed.stderr) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--dispatch", "d.json", "--plot", "x.png"],
        ["--envelope", "e.json", "--plot", "x.pdf"],
        ["--envelope", "e.json", "--heatmap", "x"],
        ["--envelope", "e.json", "--plot", "x.png", "--nmi", "6305009999"],
        ["--envelope", "e.json", "--nmi", "123"],
    ],
)
def test_options_that_do_not_fit_are_rejected(run: Run, tmp_path: Path, words: list[str]) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1))
    write(tmp_path / "e.json", record(A, FIVE))
    done = run("telemetry", "conformance", file, *words)
    assert done.exit_code in {1, 2}
    assert not (tmp_path / "x.png").exists()


def test_pictures_are_drawn_and_the_same_input_gives_the_same_bytes(
    run: Run, sample: Path, tmp_path: Path
) -> None:
    file = str(sample / "edge" / "sample-02" / "telemetry")
    words = ("telemetry", "conformance", file, "--envelope", str(sample / "envelope.json"))
    for place in ("1", "2"):
        done = run(*words, "--plot", f"b{place}.svg", "--heatmap", f"h{place}.svg")
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
    """The envelope that a measurement states, not the latest one, is what binds it."""
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


# --- dispatch ------------------------------------------------------------------------------------


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
    told = json.loads(run("dispatch", "validate", str(file), "--json").stdout)
    assert (told["system"]["code"], told["transaction"]["code"]) == ("accepted", "accepted")
    assert run("dispatch", "validate", str(file), "--day", "2026-11-20").exit_code == 1


def test_wrong_dispatch_instructions_end_with_1_and_every_fault(run: Run, tmp_path: Path) -> None:
    late = target(3) | {"submissionDateTime": format_nem(START + 901)}
    file = write(tmp_path / "d.json", target(1), target(1), late, target(4, "UNIT2"))
    done = run("dispatch", "validate", file, "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)["transaction"]
    assert told["counts"] == {
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


# --- forecast ------------------------------------------------------------------------------------


def test_a_forecast_is_acknowledged_and_scored(run: Run, sample: Path) -> None:
    base = sample / "edge" / "sample-01"
    assert run("forecast", "validate", str(base / "forecast")).exit_code == 0
    words = ("forecast", "accuracy", str(base / "forecast"), "--telemetry", str(base / "telemetry"))
    told = json.loads(run(*words, "--json").stdout)
    counted = json.loads((sample / "edge" / "edge.json").read_text())["forecast_rows"]
    assert told["all_nmis"]["count"] == counted["sample-01"]
    assert (told["unmeasured_forecasts"], told["unforecast_intervals"]) == (0, 0)
    assert told["unit"]["count"] == 288
    assert told["unit"]["rmse_w"] < len(told["sites"]) * told["all_nmis"]["rmse_w"]
    mean = json.loads(run(*words, "--against", "mean", "--json").stdout)
    assert mean["all_nmis"]["rmse_w"] != told["all_nmis"]["rmse_w"]
    assert "unit" in run(*words).output
    assert run(*words, "--against", "middle").exit_code == 2


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_boffer_is_scored_as_the_units_forecast(run: Run, sample: Path, form: str) -> None:
    base = sample / "edge" / "sample-01"
    out = f"cleared.{form}"
    words = ("--price", "120", "--date", "2026-11-20", "--out", out)
    assert run("boffer", "clear", str(base / "boffer.json"), *words).exit_code == 0
    score = ("forecast", "accuracy", "--telemetry", str(base / "telemetry"), "--cleared", out)
    told = json.loads(run(*score, "--json").stdout)["boffer"]
    assert (told["count"], told["unmeasured"]) == (288, 0)
    both = json.loads(run(*score, str(base / "forecast"), "--json").stdout)
    assert both["boffer"] == told
    assert both["unit"]["count"] == 288
    assert "Boffer" in run(*score).output


def test_what_is_not_a_units_cleared_quantities_is_rejected(
    run: Run, sample: Path, tmp_path: Path
) -> None:
    base = sample / "edge" / "sample-01"
    score = ("forecast", "accuracy", "--telemetry", str(base / "telemetry"))
    assert run(*score).exit_code == 2
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert run(*score, "--cleared", "x.csv").exit_code == 2
    words = ("--price", "120", "--out", "sites.csv")
    assert run("boffer", "clear", str(base / "nmi-boffers.ndjson"), *words).exit_code == 0
    assert run(*score, "--cleared", "sites.csv").exit_code == 2


def test_a_forecast_without_a_measurement_is_told(run: Run, tmp_path: Path) -> None:
    forecast = {"nmi": A, "measurementDatetime": format_nem(START + 300), "uncontrolFcst": -1}
    file = write(tmp_path / "f.json", forecast)
    measured = telemetry_file(tmp_path / "t.json", reading(B, 5))
    done = run("forecast", "accuracy", file, "--telemetry", measured)
    assert done.exit_code == 1
    assert "1 forecasts without a measurement" in done.stderr
    assert "1 measured intervals without a forecast" in done.stderr
    done = run("forecast", "accuracy", file, "--telemetry", measured, "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["unit"] == {
        "count": 0,
        "bias_w": None,
        "mae_w": None,
        "rmse_w": None,
        "within": None,
        "worst_w": 0,
    }


def test_a_folder_of_parquet_must_hold_some(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("telemetry", "validate", "empty").exit_code == 2
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "empty" / "a.parquet")
    assert run("telemetry", "validate", "empty").exit_code == 1
    pl.DataFrame({"y": [1]}).write_parquet(tmp_path / "empty" / "b.parquet")
    assert run("telemetry", "validate", "empty").exit_code == 2


# --- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tolerance-w", "99999999999999999999"], "--tolerance-w"),
        (["--target-tolerance-w", "99999999999999999999"], "--target-tolerance-w"),
        (["--tolerance-percent", "nan"], "--tolerance-percent"),
        (["--tolerance-percent", "0.05"], "--tolerance-percent"),
        (["--target-tolerance-percent", "0.05"], "--target-tolerance-percent"),
        (["--default-export-kw", "inf"], "--default-export-kw is a number of kW"),
        (["--default-export-kw", "nan"], "--default-export-kw is a number of kW"),
        (["--default-export-kw", "5.0001"], "--default-export-kw: at most 3 decimals"),
        (["--default-export-kw", "-5"], "--default-export-kw"),
        (["--default-import-kw", "1e400"], "--default-import-kw: at most"),
        (["--step", "9"], "--step"),
        (["--step", "0"], "--step"),
    ],
)
def test_options_of_conformance_out_of_range_are_named(
    run: Run, tmp_path: Path, words: list[str], said: str
) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1))
    envelope = write(tmp_path / "e.json", record(A, FIVE))
    base = ("telemetry", "conformance", file, "--envelope", envelope)
    assert run(*base, "--default-export-kw", "5.001", "--tolerance-percent", "0.3").exit_code == 0
    done = run(*base, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_options_of_accuracy_out_of_range_are_named(run: Run, tmp_path: Path) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1))
    for words in (["--tolerance-w", "99999999999999999999"], ["--tolerance-percent", "0.05"]):
        done = run("forecast", "accuracy", file, "--telemetry", file, *words)
        assert (done.exit_code, words[0] in done.stderr) == (2, True)


@pytest.mark.parametrize("day", ["0001-01-01", "1969-12-31", "2106-01-01", "9999-12-31", "today"])
@pytest.mark.parametrize("dataset", ["telemetry", "forecast", "dispatch"])
def test_a_day_that_no_timestamp_can_name_is_rejected(
    run: Run, tmp_path: Path, dataset: str, day: str
) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1))
    done = run(dataset, "validate", file, "--day", day)
    assert (done.exit_code, "--day is yyyy-mm-dd" in done.stderr) == (2, True)
    for first_or_last in ("1970-01-01", "2105-12-31"):
        assert run(dataset, "validate", file, "--day", first_or_last).exit_code == 1


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_limits_file_judges_by_submissions_as_its_document_does(
    run: Run, tmp_path: Path, form: str
) -> None:
    envelope = write(tmp_path / "e.json", record(A, FIVE), record(A, [(3, -3)], submitted=LATER))
    new = {"envelope_submitted_us": LATER * MICROS, "export_limit_w": 3000, "import_limit_w": -3000}
    rows = [reading(A, 1, 4000), reading(A, 2, 3100, **new), *(reading(A, i) for i in range(3, 11))]
    file = telemetry_file(tmp_path / "t.json", *rows)
    assert run("envelope", "show", envelope, "--out", f"l.{form}").exit_code == 0
    words = ("telemetry", "conformance", file, "--json", "--envelope")
    told = [json.loads(run(*words, source).stdout) for source in (envelope, f"l.{form}")]
    assert told[0]["levels"] == told[1]["levels"]
    assert told[1]["levels"][0]["minutes"]["superseded_envelope"] == 4
    assert told[1]["levels"][0]["minutes"]["export_minutes"] == 1
    assert told[0]["coverage"] == told[1]["coverage"]
    assert told[1]["coverage"]["held_by"] is None, "a document's are of all aggregators"
    assert run("envelope", "show", envelope, "--out", "l.txt").exit_code == 2


def test_the_columns_of_the_intervals_file_are_documented() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "edge" / "telemetry.md").read_text(
        "utf-8"
    )
    for name, meaning in intervals.COLUMNS.items():
        assert f"| `{name}` | {meaning} |" in page.splitlines()
