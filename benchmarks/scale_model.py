"""What a round of many sites costs, calculated from measured figures; the tables of docs/scale.md.

    python -m benchmarks.scale_model            print the tables
    python -m benchmarks.scale_model --write    put them into docs/scale.md
    ... --partition FILE, --cluster FILE, --bundles FILE
                                                first take the figures that the benchmark of this
                                                name wrote with --json

Figures are in scale_figures.json: one that is measured again is changed there and nowhere else.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, Final

FIGURES: Final = Path(__file__).with_name("scale_figures.json")
PAGE: Final = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN: Final = "<!-- Written by benchmarks/scale_model.py; do not edit. -->"
END: Final = "<!-- End of what is written. -->"
_CORES: Final = (2, 8, 16)
_MACHINES: Final = (3, 6, 12)
_CORES_EACH: Final = 8


def main() -> None:
    """Print or write the tables."""
    parser = argparse.ArgumentParser()
    for name in TAKERS:
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    figures = json.loads(FIGURES.read_text("utf-8"))
    reports = {name: getattr(chosen, name) for name in TAKERS}
    for name, path in reports.items():
        if path is not None:
            TAKERS[name](figures, json.loads(path.read_text("utf-8")))
    if any(reports.values()):
        FIGURES.write_text(dumped(figures), "utf-8")
    if chosen.write:
        PAGE.write_text(with_tables(PAGE.read_text("utf-8"), tables(figures)), "utf-8")
    else:
        print(tables(figures))


def dumped(figures: dict[str, Any]) -> str:
    """The figures as the file has them: a measured one a line."""
    head = {key: value for key, value in figures.items() if key not in ("measured", "assumed")}
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    measured = [
        f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in figures["measured"].items()
    ]
    assumed = [
        f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in figures["assumed"].items()
    ]
    return "\n".join(
        [
            "{",
            *lines,
            '  "measured": {',
            ",\n".join(measured),
            "  },",
            '  "assumed": {',
            ",\n".join(assumed),
            "  }",
            "}\n",
        ]
    )


def take_partition(figures: dict[str, Any], report: dict[str, Any]) -> None:
    """Replace what ``benchmarks/partition`` measures by the figures of a report."""
    measured = figures["measured"]
    rows = [row for row in report["rows"] if row["intervals"] == figures["intervals"]]
    row = max(rows, key=lambda each: int(each["sites"]))
    sites, name = row["sites"], f"benchmarks/partition, {row['sites']:,} x {row['intervals']}"
    stage = next(each for each in report["stages"] if each["sites"] == sites)
    share = row["cpu_seconds"] / row["seconds"]
    of_all = 1e6 * row["cpu_seconds"] / sites
    trees = 1e6 * stage["trees"] * share / sites
    snapshot = 1e6 * stage["digests, snapshot"] / sites
    measured["trees_us"] |= {"value": round(trees, 2), "by": f"{name}, stage trees"}
    measured["snapshot_us"] |= {"value": round(snapshot, 2), "by": f"{name}, digests, snapshot"}
    measured["read_us"] |= {
        "value": round(of_all - trees - snapshot, 2),
        "by": f"{name}: {row['cpu_seconds']} s of CPU time, less the two rows below",
    }
    size = 1e6 * row["megabytes"] / sites
    measured["parquet_bytes"] |= {"value": round(size), "by": f"size of the document of {name}"}
    kept = row["spilled_mib"] * 2**20 / sites
    measured["entry_bytes"] |= {"value": round(kept), "by": f"{name}: spilled"}
    peak = row["peak_mib"] * 2**20 / sites
    measured["memory_bytes"] |= {"value": round(peak), "by": f"{name}: peak of all processes"}
    card = report["machine"]
    figures["machine"] = (
        f"{card['cores']} cores of {card['cpu']}, SHA-256 {card['sha256_gb_per_s']} GB/s a core, "
        f"Python {card['python']}"
    )


def take_cluster(figures: dict[str, Any], report: dict[str, Any]) -> None:
    """Replace what ``benchmarks/cluster`` measures by the figures of a report."""
    name = f"benchmarks/cluster, {report['sites']:,} x {report['intervals']}"
    for figure in ("head_bytes", "fetch_us", "spread_overhead"):
        figures["measured"][figure] |= {"value": report[figure], "by": name}


def take_bundles(figures: dict[str, Any], report: dict[str, Any]) -> None:
    """Replace what ``benchmarks/bundles`` measures by the figures of a report."""
    delivery = report["delivery"]
    sites, name = delivery["sites"], f"benchmarks/bundles, {delivery['sites']:,} sites"
    seal = 1e6 * delivery["seal_to_files_cpu_s"] / sites
    figures["measured"]["seal_us"] |= {"value": round(seal, 1), "by": name}
    size = 1e6 * delivery["sealed_mb"] / sites
    figures["measured"]["sealed_bytes"] |= {"value": round(size), "by": name}


TAKERS: Final = {"partition": take_partition, "cluster": take_cluster, "bundles": take_bundles}


class Model:
    """A round of the assumed size.

    Args:
        figures: As in scale_figures.json.
    """

    def __init__(self, figures: dict[str, Any]) -> None:
        self.of = {name: each["value"] for name, each in figures["measured"].items()}
        self.given = figures["assumed"]
        self.sites = self.given["sites"]

    def gigabytes(self, name: str) -> float:
        """Of all sites together."""
        return float(self.sites * self.of[name] / 1e9)

    @property
    def sealed_gb(self) -> float:
        """All bundles of a round."""
        return self.gigabytes("sealed_bytes")

    @property
    def serial_s(self) -> float:
        """What one process of the worker's machine does alone."""
        return float(self.sites * self.of["snapshot_us"] / 1e6)

    def seal_s(self, cores: int) -> float:
        """Sealing all bundles."""
        busy = self.given["busy"] if cores > 1 else 1
        return float(self.sites * self.of["seal_us"] / 1e6 / (cores * busy))

    @property
    def fetch_s(self) -> float:
        """Fetching all entries from Dask workers, one part after another."""
        return float(self.sites * self.of["fetch_us"] / 1e6)

    def local_s(self, cores: int) -> float:
        """To the root on one machine."""
        spread = self.sites * (self.of["read_us"] + self.of["trees_us"]) / 1e6
        return self.serial_s + float(spread / (cores * self.given["busy"]))

    def transfer_s(self, gigabytes: float) -> float:
        """Over the network of the worker's machine."""
        return gigabytes * 8 / float(self.given["network_gbit_s"])

    def cluster_s(self, cores: int) -> float:
        """To the root on a cluster of so many cores, documents sent by the worker's machine."""
        spread = self.sites * self.of["read_us"] * self.of["spread_overhead"] / 1e6
        work = float(spread / (cores * self.given["busy"]))
        through = self.transfer_s(self.gigabytes("parquet_bytes") + self.gigabytes("head_bytes"))
        trees = self.sites * self.of["trees_us"] / 1e6 / cores
        return self.serial_s + max(work, through) + float(trees)


def tables(figures: dict[str, Any]) -> str:
    """All tables, Markdown."""
    model = Model(figures)
    sites, members = model.sites, model.given["members"]
    rounds = model.given["kept_hours"] * 60 // model.given["round_minutes"]
    per_day = 24 * 60 // model.given["round_minutes"]
    fetched = model.gigabytes("parquet_bytes") + model.gigabytes("snapshot_bytes")
    lines = [
        f"**Measured** ({figures['machine']}):",
        "",
        "| figure | value | from |",
        "|---|---:|---|",
    ]
    for each in figures["measured"].values():
        lines.append(f"| {each['what']} | {each['value']:,} | {each['by']} |")
    given = model.given
    lines += [
        "",
        f"**Assumed**: {sites:,} sites × {figures['intervals']} intervals, every "
        f"{given['round_minutes']} minutes; {given['aggregators']} aggregators; "
        f"{given['network_gbit_s']} Gbit/s between machines; processes busy "
        f"{given['busy']:.0%} of the time.",
        "",
        "**Calculated: minutes of one round, one worker**",
        "",
        "| machines | to the root | sealing | together | of the cycle |",
        "|---|---:|---:|---:|---:|",
    ]
    for cores in _CORES:
        lines.append(_minutes(model, f"one, {cores} cores", model.local_s(cores), cores))
    for machines in _MACHINES:
        name = f"the worker's own and {machines} × {_CORES_EACH} cores with Dask workers"
        root = model.cluster_s(machines * _CORES_EACH)
        fetch = max(model.fetch_s, model.transfer_s(model.gigabytes("entry_bytes")))
        lines.append(_minutes(model, name, root, 1, fetch))
    lines += [
        "",
        "**Calculated: bytes**",
        "",
        f"| what | one worker | electorate of {members} |",
        "|---|---:|---:|",
        _bytes("fetched a round: document and snapshot", fetched, members),
        _bytes(
            "the same where 95 % of the document's parts are those of the last round",
            model.gigabytes("parquet_bytes") * 0.05 + model.gigabytes("snapshot_bytes"),
            members,
        ),
        _bytes("memory of the worker's machine", model.gigabytes("memory_bytes"), members),
        _bytes("its disk until bundles are sealed", model.gigabytes("entry_bytes"), members),
        _bytes("memory of all Dask workers", model.gigabytes("entry_bytes"), members),
        _bytes(
            "to Dask workers a round: parts (0 with shares_documents)",
            model.gigabytes("parquet_bytes"),
            members,
        ),
        _bytes(
            "from Dask workers a round: results, then entries",
            model.gigabytes("head_bytes") + model.gigabytes("entry_bytes"),
            members,
        ),
        _bytes("sealed bundles of a round", model.sealed_gb, members),
        _bytes(f"sealed bundles of {given['kept_hours']} hours", model.sealed_gb * rounds, members),
        "",
        f"The sender's gateway serves {fetched * members:,.0f} GB a round to {members} workers: "
        f"{fetched * members * 8 / (given['round_minutes'] * 60):.1f} Gbit/s on average, and "
        f"{fetched * members * 8 / 300:.1f} Gbit/s if all are to have it within 5 minutes. The "
        f"chain sees none of this: a round of {members} is {model.of['gas_round'] / 1e6:.2f}M gas, "
        f"{model.of['gas_round'] * per_day / 1e6:.0f}M a day, for any number of sites.",
    ]
    return "\n".join(lines)


def _minutes(model: Model, name: str, root_s: float, cores: int, fetch_s: float = 0) -> str:
    sealing = model.seal_s(cores) + fetch_s
    both = root_s + sealing
    share = both / (model.given["round_minutes"] * 60)
    return f"| {name} | {root_s / 60:.1f} | {sealing / 60:.1f} | {both / 60:.1f} | {share:.0%} |"


def _bytes(what: str, gigabytes: float, members: int) -> str:
    return f"| {what} | {gigabytes:,.1f} GB | {gigabytes * members:,.0f} GB |"


def with_tables(page: str, text: str) -> str:
    """The page with these tables between its two marks."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("docs/scale.md has lost a mark")
    return f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}"


if __name__ == "__main__":
    main()
