"""Files that the EDGE sections of the page on Python name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from oepnode.demo.edge_sample.plan import EdgePlan
from oepnode.demo.edge_sample.write import write_edge
from oepnode.demo.sample.plan import SamplePlan
from oepnode.demo.sample.write import write_sample


def write_edge_files(folder: Path) -> None:
    """Write a sample day into ``day``, and the NMIs of its first aggregator into ``mine.txt``."""
    import polars as pl

    plan = SamplePlan(nmis=24, day=date(2026, 11, 20), unassigned=2)
    write_sample(plan, folder / "day")
    write_edge(EdgePlan(plan, 0.005), folder / "day")
    telemetry = pl.read_parquet(folder / "day" / "edge" / "sample-01" / "telemetry")
    nmis = telemetry["nmi"].cast(pl.String).unique().sort().to_list()
    (folder / "mine.txt").write_text("\n".join(nmis))
