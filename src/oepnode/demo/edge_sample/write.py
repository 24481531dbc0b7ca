"""Writes the EDGE datasets into the folder of a sample.

Guarantees: the same plan gives the same files; telemetry stays within the envelope of each NMI and
interval except for a seeded share of breaches, which ``edge.json`` counts; the other datasets
follow from the same flows, with a seeded share of missed targets and of offers above the
portfolio's limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import json as msgspec_json

from oepnode.demo.edge_sample.plan import EdgePlan, EdgeSummary
from oepnode.demo.edge_sample.portfolios import Portfolios
from oepnode.demo.sample.envelope import document_chunks, limit_chunks
from oepnode.demo.sample.limits import MOST_STEPS, LimitChunk
from oepnode.demo.sample.plan import SamplePlan, random_stream
from oepnode.demo.sample.sites import Sites, make_sites
from oepnode.domain.documents.arrays import Floats, Int16s
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.errors import ConfigError

FOLDER: Final = "edge"


def write_edge(
    plan: EdgePlan, out: Path, progress: Progress = lambda _stage, _done, _all: None
) -> EdgeSummary:
    """Write the datasets into the folder that `write_sample` has just made.

    Raises:
        ConfigError: If the folder cannot be written.
    """
    sites = make_sites(plan.sample)
    folder = out / FOLDER
    try:
        folder.mkdir()
        _write_post(plan.sample, sites, folder, progress)
        portfolios = Portfolios(plan, sites, folder)
        for chunk in limit_chunks(plan.sample):
            portfolios.add(chunk)
            progress("telemetry", chunk.sites.stop, plan.sample.nmis)
        summary = portfolios.close()
        text = msgspec_json.format(msgspec_json.encode(summary)) + b"\n"
        (folder / "edge.json").write_bytes(text)
    except OSError as exc:
        raise ConfigError(f"{folder}: cannot be written: {exc.strerror or exc}") from exc
    return summary


def _write_post(plan: SamplePlan, sites: Sites, folder: Path, progress: Progress) -> None:
    submitted = plan.horizon_start + plan.intervals * INTERVAL_S + INTERVAL_S
    chunks = document_chunks(
        plan, sites, _post_limits(plan), progress, timing="POST", submitted=submitted
    )
    with (folder / f"post-envelope.{plan.format}").open("xb") as file:
        file.writelines(chunks)


def _post_limits(plan: SamplePlan) -> Iterator[LimitChunk]:
    """Limits that the network could have carried: mostly above the PRE limits, rarely below."""
    random = random_stream(plan, "post")
    for chunk in limit_chunks(plan):
        size = chunk.exports.shape[0]
        room = random.normal(0.08, 0.05, (size, 1)) + 0.05 * random.standard_normal((1,))
        yield LimitChunk(
            chunk.sites,
            _scaled(chunk.exports, room + 0.03 * random.random(chunk.exports.shape)),
            _scaled(chunk.imports, room / 2 + 0.02 * random.random(chunk.imports.shape)),
        )


def _scaled(steps: Int16s, share: Floats) -> Int16s:
    return np.clip(steps * (1 + share), 100, MOST_STEPS).astype(np.int16)
