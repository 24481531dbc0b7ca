"""One stray date in a small document takes down every worker at once.

Who: nobody in particular; a sender's export with one wrong date is enough, and an attacker at the
sender needs no more. All workers compute the same document in the same minute, so all of them fail.

Before: a site entry is a dense array over the document's horizon, and the horizon reached up to 7
days wherever the first and the last row were. In a document of 4.3 MiB, 20,000 sites with one row
each, a single row a week later made every entry 16 KB long: more than 600 MiB in each worker.

Now: sites × intervals of the horizon must be at most 16 × rows (rules-v1 section 5, "Density"), and
``oepnode.domain.rounds.inputs.horizons`` checks it before it allocates anything of that
size. The gateway parses a document with the same code before it publishes it, so the sender learns
of it first, and no round is opened.

What remains: a document that really has that many rows needs that much memory; it is as large
itself. That computing has a memory limit of its own in a worker is another matter.

The tests measure the peak memory of a child process that parses and partitions the document.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from oepnode.domain.edge.envelopes.publication import check_publication
from oepnode.domain.nem.quantities import Feed

SITES = 20_000
STRAY = "2026-11-27T10:00:00+10:00"
SALT = bytes(32)
CHILD = """
import sys
from pathlib import Path
from oepnode.domain.documents.sources import BytesSource
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs import horizons
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.pipeline import Pipeline
from oepnode.errors import DocumentFault

if sys.argv[1] == "without the rule":
    horizons.MAX_CELLS_PER_ROW = 10**9
folder, outcome = Path(sys.argv[2]), "computed"
try:
    document = (folder / sys.argv[3]).read_bytes()
    snapshot = parse_snapshot((folder / "registry.json").read_bytes())
    horizon = Horizon(1795132800, 2016 if sys.argv[3].startswith("stray") else 1)
    pipeline = Pipeline(snapshot, bytes(32), RoundContext(1, bytes(20), 1), horizon)
    pipeline.partition(open_document(BytesSource(document), Feed()))
except DocumentFault as exc:
    outcome = exc.faults[0].code
# Not ru_maxrss, which begins with the memory of the process that forked this one.
status = Path("/proc/self/status").read_text().split()
print(outcome, int(status[status.index("VmHWM:") + 1]) // 1024)
"""


def record(number: int, end: str) -> dict[str, Any]:
    interval = {"activePowerExportLimit": 1.5, "activePowerImportLimit": -2, "diEndTime": end}
    return {
        "nmi": f"6305{number:06}",
        "oeTiming": "PRE",
        "oeObjectiveFunction": "Maximise service",
        "oeApplicationLevel": "NMI",
        "operatingEnvelopes": [{"intervals": [interval]}],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two documents that differ in one date, and a snapshot that assigns nothing."""
    path = tmp_path_factory.mktemp("stray")
    good = [record(number, "2026-11-20T10:05:00+10:00") for number in range(SITES)]
    (path / "good.json").write_text(json.dumps(good))
    (path / "stray.json").write_text(json.dumps([*good[:-1], record(SITES - 1, STRAY)]))
    snapshot = {
        "asOf": "2026-11-20T04:00:00+10:00",
        "saltDigest": sha256(SALT).hexdigest(),
        "aggregators": [],
        "assignments": [],
    }
    (path / "registry.json").write_text(json.dumps(snapshot))
    return path


def compute(folder: Path, document: str, how: str = "as released") -> tuple[str, int]:
    """Outcome and peak memory in MiB of a process that computes the document's partition."""
    command = [sys.executable, "-c", CHILD, how, str(folder), document]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    outcome, peak = done.stdout.split()
    return outcome, int(peak)


def test_a_stray_date_is_rejected_in_the_memory_of_the_document_without_it(folder: Path) -> None:
    size = (folder / "stray.json").stat().st_size / 2**20
    assert 3.5 < size < 5
    outcome, plain = compute(folder, "good.json")
    assert outcome == "computed"
    outcome, peak = compute(folder, "stray.json")
    assert outcome == "horizon.sparse"
    assert peak <= plain + 16, (peak, plain)


def test_without_the_rule_the_attack_succeeds(folder: Path) -> None:
    _, plain = compute(folder, "good.json")
    outcome, peak = compute(folder, "stray.json", "without the rule")
    assert outcome == "computed"
    assert peak > plain + 300, (peak, plain)


@pytest.mark.parametrize("profile", ["wide", "edge"])
@pytest.mark.parametrize("packed", [False, True], ids=["whole", "in blocks"])
def test_the_gateway_says_what_is_wrong_before_it_publishes(
    folder: Path, profile: Any, packed: bool
) -> None:
    data = (folder / "stray.json").read_bytes()
    checked = check_publication(gzip.compress(data) if packed else data, Feed(profile))
    assert not checked.accepted
    answers = (checked.system, checked.transaction)
    (fault,) = (fault for answer in answers for fault in answer.faults)
    assert (fault.path, fault.code) == ("$", "horizon.sparse")
    assert "20000 sites over a horizon of 2016 intervals" in fault.message
    assert fault.value is not None and STRAY[:10] in fault.value
