"""The tables of docs/scale.md are those that its figures give."""

import json

from benchmarks import scale_model


def test_the_page_has_what_the_model_calculates() -> None:
    figures = json.loads(scale_model.FIGURES.read_text("utf-8"))
    page = scale_model.PAGE.read_text("utf-8")
    assert scale_model.with_tables(page, scale_model.tables(figures)) == page


def test_twice_the_sites_are_twice_the_bytes_and_the_time() -> None:
    figures = json.loads(scale_model.FIGURES.read_text("utf-8"))
    model = scale_model.Model(figures)
    figures["assumed"]["sites"] *= 2
    double = scale_model.Model(figures)
    assert double.sealed_gb == 2 * model.sealed_gb
    assert round(double.local_s(8) / model.local_s(8), 9) == 2
    assert round(double.cluster_s(24) / model.cluster_s(24), 9) == 2


def test_figures_of_a_benchmark_replace_those_of_the_file() -> None:
    figures = json.loads(scale_model.FIGURES.read_text("utf-8"))
    row = {
        "sites": 1000,
        "intervals": 288,
        "cpu_seconds": 0.02,
        "seconds": 0.01,
        "megabytes": 0.75,
        "spilled_mib": 2.28,
        "peak_mib": 100,
    }
    stage = {"sites": 1000, "digests, snapshot": 0.001, "trees": 0.002}
    card = {"cores": 2, "cpu": "a CPU", "sha256_gb_per_s": 1.0, "python": "3.11"}
    scale_model.take_partition(figures, {"machine": card, "rows": [row], "stages": [stage]})
    measured = figures["measured"]
    assert measured["trees_us"]["value"] == 4
    assert measured["snapshot_us"]["value"] == 1
    assert measured["read_us"]["value"] == 15
    assert measured["parquet_bytes"]["value"] == 750
    assert "a CPU" in figures["machine"]
    assert json.loads(scale_model.dumped(figures)) == figures
