from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from oepnode.demo.edge_sample.offers import bands
from oepnode.demo.edge_sample.plan import EdgePlan, EdgeSummary
from oepnode.demo.edge_sample.write import write_edge
from oepnode.demo.sample.envelope import limit_chunks
from oepnode.demo.sample.plan import SamplePlan
from oepnode.demo.sample.write import write_sample
from oepnode.domain.edge.boffers import validate as boffers
from oepnode.domain.edge.boffers.bands import accumulate, dispatchable
from oepnode.domain.edge.boffers.validate import Context
from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.edge.envelopes.pre_post import compare
from oepnode.domain.edge.envelopes.table import EnvelopeTable, from_document
from oepnode.domain.edge.envelopes.validate import validate
from oepnode.domain.edge.forecasts import validate as forecasts
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.envelope_document import parse_history
from oepnode.errors import ConfigError


def made(
    plan: SamplePlan, folder: Path, breaches: float = 0.01
) -> tuple[EdgeSummary, EnvelopeTable]:
    name = write_sample(plan, folder).envelope_file
    summary = write_edge(EdgePlan(plan, breaches), folder)
    return summary, from_document(*parse_history((folder / name).read_bytes()))


def rows(folder: Path, aggregator: str, what: str = "telemetry") -> pl.DataFrame:
    return pl.read_parquet(sorted((folder / "edge" / aggregator / what).glob("*.parquet")))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EdgeSummary, EnvelopeTable]:
    folder = tmp_path_factory.mktemp("edge")
    return folder, *made(SamplePlan(nmis=30), folder)


def test_a_seed_decides_every_byte(tmp_path: Path) -> None:
    def all_bytes(name: str, seed: int) -> dict[str, bytes]:
        made(SamplePlan(nmis=12, intervals=6, seed=seed), tmp_path / name, 0.5)
        files = [path for path in (tmp_path / name / "edge").rglob("*") if path.is_file()]
        return {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files}

    first = all_bytes("a", 7)
    assert all_bytes("b", 7) == first
    other = all_bytes("c", 8)
    assert set(other) == set(first)
    assert all(other[name] != first[name] for name in first)


def test_the_sample_itself_is_the_same_with_and_without_edge(tmp_path: Path) -> None:
    plan = SamplePlan(nmis=12, intervals=6)
    without = write_sample(plan, tmp_path / "a")
    write_sample(plan, tmp_path / "b")
    write_edge(EdgePlan(plan), tmp_path / "b")
    again = json.loads((tmp_path / "b" / "sample.json").read_text())
    assert again["envelope_digest"] == without.envelope_digest
    assert again["registry_digest"] == without.registry_digest


def test_flows_are_consistent_and_limits_are_those_published(
    small: tuple[Path, EdgeSummary, EnvelopeTable],
) -> None:
    folder, _, envelopes = small
    telemetry = rows(folder, "sample-01")
    site = np.searchsorted(
        envelopes.nmis, telemetry["nmi"].cast(pl.String).to_numpy().astype("S10")
    )
    interval = (telemetry["minute"].to_numpy() - envelopes.horizon_start - 1) // 300
    assert np.array_equal(telemetry["export_limit_w"], envelopes.limits[site, 0, interval])
    assert np.array_equal(telemetry["import_limit_w"], envelopes.limits[site, 1, interval])
    assert np.array_equal(
        telemetry["envelope_submitted_us"], envelopes.submitted_us[site, interval]
    )
    generation, load = telemetry["controlled_generation_w"], telemetry["controlled_load_w"]
    uncontrolled = (telemetry["active_power_w"] - generation - load).to_numpy()
    assert (uncontrolled <= 0).all()
    assert generation.min() >= 0 >= load.max()  # type: ignore[operator]
    assert telemetry["energy_stored_wh"].min() >= 0  # type: ignore[operator]


def test_a_share_of_zero_gives_no_breaches(tmp_path: Path) -> None:
    summary, _ = made(SamplePlan(nmis=12, intervals=48, flex=0.5), tmp_path, 0)
    assert sum(summary.breach_minutes.values()) == 0
    for name in summary.telemetry_rows:
        telemetry = rows(tmp_path, name)
        flow = telemetry["controlled_generation_w"] + telemetry["controlled_load_w"]
        held = {
            level: ((power <= telemetry["export_limit_w"]) & (power >= telemetry["import_limit_w"]))
            for level, power in (("NMI", telemetry["active_power_w"]), ("Flex", flow))
        }
        by_nmi = telemetry.select("nmi").with_columns(**held).group_by("nmi").agg(pl.all().all())
        assert by_nmi.select(pl.col("NMI") | pl.col("Flex")).to_series().all()


def test_the_nmi_that_changes_aggregator_is_each_ones_for_half_the_day(
    small: tuple[Path, EdgeSummary, EnvelopeTable],
) -> None:
    folder, summary, envelopes = small
    first, second = rows(folder, "sample-01"), rows(folder, "sample-02")
    both = set(first["nmi"].cast(pl.String)) & set(second["nmi"].cast(pl.String))
    assert len(both) == 1
    moving = pl.col("nmi").cast(pl.String).is_in(both)
    half = envelopes.horizon_start + 144 * 300
    assert first.filter(moving)["minute"].max() == half
    assert second.filter(moving)["minute"].min() == half + 60
    held = (30 - 4) * 1440
    assert sum(summary.telemetry_rows.values()) == held


def test_forecasts_targets_and_boffers_are_accepted(
    small: tuple[Path, EdgeSummary, EnvelopeTable],
) -> None:
    folder, summary, _ = small
    for name in summary.telemetry_rows:
        base = folder / "edge" / name
        assert forecasts.validate_frame(rows(folder, name, "forecast")).accepted
        assert dispatch.validate((base / "dispatch.ndjson").read_bytes()).accepted
        unit = boffers.validate((base / "boffer.json").read_bytes(), Context(step=3))
        assert unit.accepted, unit.transaction.message
        assert unit.value is not None
        assert [len(day.periods) for day in unit.value.days] == [288, 288]
        sites = boffers.validate((base / "nmi-boffers.ndjson").read_bytes())
        assert sites.accepted, sites.transaction.message


def test_nmi_boffers_stay_within_the_envelopes(
    small: tuple[Path, EdgeSummary, EnvelopeTable],
) -> None:
    folder, _, envelopes = small
    data = (folder / "edge" / "sample-01" / "nmi-boffers.ndjson").read_bytes()
    received = boffers.validate(data)
    assert received.value is not None
    assert len(received.value.days) == 5
    for day in received.value.days:
        site = envelopes.nmis.tolist().index(day.identity.encode())
        low, high = dispatchable(day.avail)
        assert (high <= envelopes.limits[site, 0]).all()
        assert (low >= envelopes.limits[site, 1]).all()


def test_post_envelopes_are_valid_and_mostly_larger(
    small: tuple[Path, EdgeSummary, EnvelopeTable],
) -> None:
    folder, _, envelopes = small
    data = (folder / "edge" / "post-envelope.json").read_bytes()
    assert validate(data, timing="POST").accepted
    post = from_document(*parse_history(data))
    comparison = compare(envelopes, post)
    assert comparison.pre_only == comparison.post_only == 0
    assert (post.limits[:, :2] != NO_LIMIT).all()
    assert comparison.room_w.sum() > 3 * comparison.excess_w.sum() > 0


def test_pieces_of_any_size_hold_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = SamplePlan(nmis=40, intervals=6, format="ndjson")
    monkeypatch.setattr("oepnode.demo.sample.envelope._CHUNK_BYTES", 4000)
    monkeypatch.setattr("oepnode.demo.edge_sample.portfolios._PART_ROWS", 200)
    summary, _ = made(plan, tmp_path)
    parts = list((tmp_path / "edge" / "sample-01" / "telemetry").iterdir())
    assert len(parts) > 3
    assert rows(tmp_path, "sample-01").height == summary.telemetry_rows["sample-01"]
    assert (tmp_path / "edge" / "post-envelope.ndjson").is_file()


def test_bands_are_those_of_appendix_g_2_1() -> None:
    """90 kW of load, 50 of it controlled, and 60 kW of generation: −90, −40, 0, +20."""
    avail = bands(np.array([-40_000]), np.array([-50_000]), np.array([60_000]))
    accumulated = accumulate(avail)[0].tolist()
    assert accumulated[1] == -90_000
    assert accumulated[7] == -40_000
    assert accumulated[17] == 20_000
    assert accumulated[9] == 0


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_of_breaches_out_of_range_is_rejected(share: float) -> None:
    with pytest.raises(ConfigError, match="--breaches"):
        EdgePlan(SamplePlan(), share)


def test_limits_are_the_same_each_time_they_are_drawn() -> None:
    plan = SamplePlan(nmis=20, intervals=6)
    first, second = (list(limit_chunks(plan)) for _ in range(2))
    assert all(np.array_equal(a.exports, b.exports) for a, b in zip(first, second, strict=True))
