"""``oepnode boffer constrain``: Boffers constrained to a bundle or an envelope document."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from oepnode.domain.edge.boffers.frame import from_frame
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.nem.nem_time import format_nem, period_start
from tests.support.boffers import avail
from tests.support.round_world import ENVELOPE, FLEX, HELD, MOVING, START, FakeReader
from tests.unit.cli.boffer.conftest import (
    BUNDLE,
    D3_PRICES,
    SITE,
    WORLD_DAY,
    WORLD_PERIOD,
    boffer_file,
    make_day,
    sites_boffer,
)
from tests.unit.cli.conftest import Run


def units_boffer(kilowatts: dict[int, float]) -> list[BofferDay]:
    """A unit's Boffer for the 48 hours from the start of the bundle's trading day."""
    at = (period_start(WORLD_DAY, 1) - 12) * 1_000_000
    return [
        make_day("UNIT1", on, D3_PRICES, avail(kilowatts, 288), submitted_us=at)
        for on in (WORLD_DAY, WORLD_DAY + timedelta(days=1))
    ]


def test_constrain_to_a_verified_bundle(run: Run, reader: FakeReader, folder: Path) -> None:
    """The first site may export 1.5 kW, and import 2 kW in the first interval, 7 in the last."""
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {3: -4, 13: 1, 19: 7})])
    result = run("boffer", "constrain", file, *BUNDLE, "--out", "constrained.json", "--json")
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert value["envelope"]["kind"] == "bundle"
    assert "verified against round 3" in value["envelope"]["text"]
    (offer,) = value["offers"]
    assert offer["breaches"] == 6
    assert offer["generation_cut_wh"] == 6 * 6500 // 12
    at = {"period": WORLD_PERIOD, "interval_end": format_nem(START + 300)}
    assert [t for t in offer["trims"] if t["period"] == WORLD_PERIOD] == [
        at | {"quantity": "band 3", "offered_w": -4000, "kept_w": -2000},
        at | {"quantity": "band 19", "offered_w": 7000, "kept_w": 500},
    ]
    again = run("boffer", "constrain", "constrained.json", *BUNDLE, "--check")
    assert again.exit_code == 0
    assert "✓ no interval breaches" in again.stdout


def test_constrain_gives_the_same_from_bundle_and_document(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    (folder / "envelope.json").write_bytes(ENVELOPE)
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {3: -4, 19: 7})])
    outs = [
        json.loads(run("boffer", "constrain", file, *source, "--json").stdout)["offers"]
        for source in (BUNDLE, ["--envelope", "envelope.json"])
    ]
    assert outs[0] == outs[1]


def test_constrain_rejects_a_bundle_that_does_not_verify(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    result = run(
        "boffer", "constrain", file, "--envelope", "A2.oepb", "--key", "A1.json", "--out", "o.json"
    )
    assert result.exit_code == 1
    assert not (folder / "o.json").exists()
    no_key = run("boffer", "constrain", file, "--envelope", "A1.oepb")
    assert no_key.exit_code == 2
    assert "--key" in no_key.stderr


def test_constrain_check_gives_exit_code_1(run: Run, reader: FakeReader, folder: Path) -> None:
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    result = run("boffer", "constrain", file, *BUNDLE, "--check")
    assert result.exit_code == 1
    assert "✗ 6 intervals breach" in result.stdout
    mixed = run("boffer", "constrain", file, *BUNDLE, "--check", "--out", "o.json")
    assert mixed.exit_code == 2
    assert not (folder / "o.json").exists()


def test_constrain_a_unit_to_the_sum_over_its_portfolio(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    """Sites 1 to 4 may export 1.5, 2.5, 3.5 and 4.5 kW: 12 kW in all."""
    (folder / "mine.txt").write_text("\n".join(HELD["A1"]))
    file = boffer_file(folder / "b.json", units_boffer({13: 10, 19: 7}))
    words = ("--portfolio", "mine.txt", "--covered", "--json")
    result = run("boffer", "constrain", file, *BUNDLE, *words)
    assert result.exit_code == 0, result.output
    offer, _ = json.loads(result.stdout)["offers"]
    assert offer["breaching_intervals"][0]["export_limit_w"] == 12_000
    assert {(t["quantity"], t["kept_w"]) for t in offer["trims"]} == {("band 19", 2000)}


def test_constrain_a_unit_to_a_document_needs_its_portfolio(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    """The document has the sites of three aggregators, which export 50.5 kW; A1's four 12 kW."""
    (folder / "envelope.json").write_bytes(ENVELOPE)
    (folder / "mine.txt").write_text("\n".join(HELD["A1"]))
    (folder / "none.txt").write_text("\n")
    file = boffer_file(folder / "b.json", units_boffer({13: 10, 19: 7}))
    words = ("boffer", "constrain", file, "--envelope", "envelope.json", "--covered")
    rejected = run(*words, "--out", "o.json")
    assert (rejected.exit_code, rejected.stdout) == (2, "")
    assert "10 sites" in rejected.stderr
    assert "--portfolio" in rejected.stderr
    assert not (folder / "o.json").exists()
    assert run("envelope", "show", "envelope.json", "--out", "limits.csv").exit_code == 0
    of_document = run(*words[:4], "limits.csv", "--covered")
    assert (of_document.exit_code, "--portfolio" in of_document.stderr) == (2, True)
    assert "names no NMI" in run(*words, "--portfolio", "none.txt").stderr
    offer, _ = json.loads(run(*words, "--portfolio", "mine.txt", "--json").stdout)["offers"]
    assert (offer["summed_nmis"], offer["breaches"]) == (4, 6)
    table = run(*words, "--portfolio", "mine.txt").stdout.splitlines()
    assert table[0].endswith(
        "document envelope.json: 10 sites, PRE, 6 intervals from 2026-11-18T21:10:00+10:00"
    )
    assert [line.split()[:3] for line in table[1:3]] == [
        ["unit", "level", "NMIs"],
        ["UNIT1", "NMI", "4"],
    ]
    bundle = json.loads(
        run(
            *words[:3],
            *BUNDLE,
            "--covered",
            "--default-export-kw",
            "0",
            "--default-import-kw",
            "0",
            "--json",
        ).stdout
    )
    assert bundle["offers"][0]["summed_nmis"] == 5, "those of the bundle, with the one that moves"


def test_constrain_a_pre_boffer_to_post_envelopes_only_where_allowed(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    (folder / "post.json").write_bytes(ENVELOPE.replace(b'"PRE"', b'"POST"'))
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    words = ("boffer", "constrain", file, "--envelope", "post.json")
    rejected = run(*words, "--out", "o.json")
    assert (rejected.exit_code, rejected.stdout) == (2, "")
    assert "--post-envelopes" in rejected.stderr
    assert not (folder / "o.json").exists()
    done = run(*words, "--post-envelopes")
    assert done.exit_code == 0, done.output
    assert "10 sites, POST, 6 intervals" in done.stdout


def test_constrain_reads_envelopes_as_their_feed_writes_them(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    records = json.loads(ENVELOPE)
    for record in records:
        for row in record["operatingEnvelopes"][0]["intervals"]:
            row["activePowerImportLimit"] *= -1
    (folder / "e.json").write_text(json.dumps(records))
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {3: -4})])
    words = ("boffer", "constrain", file, "--envelope", "e.json")
    assert run(*words).exit_code == 1
    value = json.loads(run(*words, "--import-sign", "magnitude", "--json").stdout)
    assert value["offers"][0]["breaching_intervals"][0]["import_limit_w"] == -2000
    assert run(*words, "--import-sign", "odd").exit_code == 2


def test_constrain_needs_a_default_where_another_aggregator_has_the_site(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    """One site of the bundle moves to A2 half-way, and has no limits here from then on."""
    file = boffer_file(folder / "b.json", [sites_boffer(MOVING, {19: 7})])
    result = run("boffer", "constrain", file, *BUNDLE)
    assert result.exit_code == 2
    assert "6 limits are not published" in result.stderr
    assert MOVING not in result.stderr
    options = ["--default-export-kw", "0", "--default-import-kw", "0", "--json"]
    value = json.loads(run("boffer", "constrain", file, *BUNDLE, *options).stdout)
    assert value["defaults_used"] == 6
    kept = [t["kept_w"] for t in value["offers"][0]["trims"]]
    assert kept == [0, 0, 0]


def test_constrain_at_the_level_of_the_boffer(run: Run, reader: FakeReader, folder: Path) -> None:
    flex = boffer_file(folder / "f.json", [sites_boffer(FLEX, {19: 20}, level="Flex")])
    value = json.loads(run("boffer", "constrain", flex, *BUNDLE, "--json").stdout)
    assert value["offers"][0]["trims"][0]["kept_w"] == 10_500
    other = boffer_file(folder / "g.json", [sites_boffer(HELD["A3"][0], {19: 20}, level="Flex")])
    options = ["--envelope", "A3.oepb", "--key", "A3.json"]
    result = run("boffer", "constrain", other, *options)
    assert result.exit_code == 1
    assert "application level Flex" in result.stderr


def test_constrain_leaves_uncovered_intervals_alone(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    periods = list(range(WORLD_PERIOD, WORLD_PERIOD + 8))
    at = (START - 600) * 1_000_000
    day = make_day(
        SITE, WORLD_DAY, D3_PRICES, avail({19: 7}, 8), periods=periods, kind="NMI", submitted_us=at
    )
    file = boffer_file(folder / "b.json", [day])
    assert run("boffer", "constrain", file, *BUNDLE).exit_code == 2
    result = run("boffer", "constrain", file, *BUNDLE, "--covered", "--json")
    value = json.loads(result.stdout)
    assert (value["breaches"], value["intervals_outside"]) == (6, 2)
    table = run("boffer", "constrain", file, *BUNDLE, "--covered")
    assert "2 intervals lie outside" in table.stderr


def test_constrain_writes_with_a_new_submission_time(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    time = ["--submitted", "2026-11-18T20:59:59+10:00"]
    for name in ("o.json", "o.ndjson", "o.parquet"):
        assert run("boffer", "constrain", file, *BUNDLE, *time, "--out", name).exit_code == 0
    record = json.loads((folder / "o.ndjson").read_text())
    assert record["submissionDateTime"].startswith("2026-11-18T20:59:59")
    assert from_frame(pl.read_parquet(folder / "o.parquet")).days[0].avail[0, 18] == 1500
    wrong = run("boffer", "constrain", file, *BUNDLE, "--submitted", "now")
    assert wrong.exit_code == 2


def test_constrain_draws_before_and_after(run: Run, reader: FakeReader, folder: Path) -> None:
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {3: -4, 19: 7})])
    assert run("boffer", "constrain", file, *BUNDLE, "--plot", "c.svg").exit_code == 0
    text = (folder / "c.svg").read_text()
    for words in ("offered +7 kW", "+1.5 kW", "export limit"):
        assert words in text
    absent = run("boffer", "constrain", file, *BUNDLE, "--plot", "c.svg", "--period", "1")
    assert absent.exit_code == 2


def test_constrain_and_compare_round_one_energy_alike(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    """18 W for five minutes are 1.5 Wh: energy cut is energy missing, with the other sign."""
    at = (START - 600) * 1_000_000
    day = make_day(
        SITE,
        WORLD_DAY,
        D3_PRICES,
        avail({19: 1.518}),
        periods=[WORLD_PERIOD],
        kind="NMI",
        submitted_us=at,
    )
    file = boffer_file(folder / "b.json", [day])
    done = run("boffer", "constrain", file, *BUNDLE, "--out", "constrained.json")
    assert "✓ 1 interval breaches the envelope and was trimmed" in done.stdout
    assert done.stdout.splitlines()[2].split()[-2:] == ["0.002", "kWh"]
    report = run("boffer", "compare", file, "constrained.json").stdout.splitlines()[1].split()
    assert report[-2:] == ["-0.002", "kWh"]
    cleared = run("boffer", "clear", file, "--price", "0")
    assert cleared.stdout.splitlines()[-1].split(": ")[1].startswith("1 interval, load")


@pytest.mark.parametrize("name", ["o.csv", "o.txt", "o"])
def test_constrain_writes_no_json_under_another_name(
    run: Run, reader: FakeReader, folder: Path, name: str
) -> None:
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    done = run("boffer", "constrain", file, *BUNDLE, "--out", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{name}: the name must end in .json, .ndjson or .parquet" in done.stderr
    assert not (folder / name).exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--default-export-kw", "1"], "go together"),
        (
            ["--default-export-kw", "inf", "--default-import-kw", "0"],
            "--default-export-kw must be a number",
        ),
        (["--default-export-kw", "1", "--default-import-kw", "1"], "not positive"),
        (["--date", "2020-01-01"], "--date"),
        (["--plot", "c.gif"], "ends in .svg or .png"),
        (["--submitted", "2026-11-18T20:59:59+10:00"], "goes with --out"),
        (["--period", "1"], "goes with --plot"),
    ],
)
def test_constrain_rejects_wrong_options(
    run: Run, reader: FakeReader, folder: Path, options: list[str], text: str
) -> None:
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    result = run("boffer", "constrain", file, *BUNDLE, *options)
    assert result.exit_code == 2
    assert text in result.stderr
