"""Speed of sealing a round's bundles, verifying one, and paths; started by ``benchmarks/bundles``.

The round is computed first from the document of ``benchmarks/partition`` (not measured), its
entries in files as after a real computation. Then, in one run on the same machine:

- *seal*: the bundles of all aggregators, with the code that a worker runs, in its processes; once
  without keeping them (to compare with the AEAD) and once into files that are made durable;
- *verify*: the largest aggregator's own bundle from its file, all checks, in one process;
- *AEAD alone*: ChaCha20-Poly1305 over as many chunks of 64 KiB as those bundles have, padding
  included, in place, in one process; *hash alone*: SHA-256 of each entry of the own bundle. Both
  from a buffer of 16 MiB, so that the memory's speed is in them.

- *reading alone*: every entry of the bundles read back from its file, in the order of the trees;
- *all hashes*: besides, those of pseudonyms and tree nodes, which the checks need as well.

Ratios compare seconds of all processors, which other programs on the machine change less than the
time by the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import measure_partition as partition  # noqa: E402
from benchmarks import partition_data as data  # noqa: E402
from oepnode.adapters.crypto.hpke import PrivateKey  # noqa: E402
from oepnode.domain.rounds.computation import Computation  # noqa: E402
from oepnode.domain.rounds.context import RoundContext  # noqa: E402
from oepnode.domain.rounds.recipient_keys import KeyKind  # noqa: E402
from oepnode.domain.rounds.workshop import Workshop  # noqa: E402

CONTEXT: Final = RoundContext(1, bytes(20), 1)

MOST: Final = 1.5
LEAST_PATHS: Final = 500_000
LEAST_VERIFIED: Final = 100_000
CHUNK: Final = 1 << 16
BUFFER: Final = 1 << 24


def main() -> None:
    """Measure both rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sites", type=int, default=1_000_000)
    parser.add_argument("--intervals", type=int, default=288)
    parser.add_argument("--paths", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir(), "oepnode-partition")
    )
    chosen = parser.parse_args()
    chosen.data.mkdir(parents=True, exist_ok=True)
    # Paths first, while the heap is small: the collector of garbage would walk a round's.
    report = {"machine": partition.machine(), "paths": paths(chosen), "delivery": delivery(chosen)}
    show(report)
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=2) + "\n")


# --- sealing and verifying -----------------------------------------------------------------------


def delivery(chosen: argparse.Namespace) -> dict[str, Any]:
    """Compute, seal and verify."""
    from oepnode.adapters.computing.processes import ForkedProcesses, usable_cores
    from oepnode.adapters.computing.spill import Spill

    with (
        tempfile.TemporaryDirectory(dir=chosen.data) as folder,
        Spill(Path(folder, "spill")) as spill,
    ):
        workshop = ForkedProcesses(spill, chosen.processes or usable_cores())
        round_ = computed(chosen, workshop)
        return sealing(round_, workshop, Path(folder)) | verifying(round_, Path(folder))


def computed(chosen: argparse.Namespace, workshop: Workshop) -> Computation:
    """The round, with keys that its bundles can be sealed to."""
    from oepnode.adapters.storage.document_file import FileSource
    from oepnode.domain.nem.quantities import Feed
    from oepnode.domain.rounds.entries import Horizon
    from oepnode.domain.rounds.inputs.document_readers import open_document
    from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator, parse_snapshot
    from oepnode.domain.rounds.pipeline import Pipeline

    document, registry = partition.made(chosen.data, chosen.sites, chosen.intervals)
    snapshot = parse_snapshot(registry.read_bytes())
    horizon = Horizon(data.START, chosen.intervals)
    rounds = Pipeline(snapshot, data.SALT, CONTEXT, horizon, workshop)
    result = rounds.partition(open_document(FileSource(document), Feed())).result
    names = [f"A{number:02}" for number in range(data.AGGREGATORS)]
    return Computation(result, {n: Aggregator(n, n, private(n).public_key) for n in names}, ())


def private(name: str) -> PrivateKey:
    """The private key of an aggregator."""
    return PrivateKey(KeyKind.X25519, sha256(name.encode()).digest())


def sealing(round_: Computation, workshop: Workshop, folder: Path) -> dict[str, Any]:
    """Seal all bundles, once without keeping them and once into files."""
    from oepnode.adapters.computing.job import seal_bundles

    def write(name: str, pieces: Iterable[bytes]) -> None:
        with Path(folder, name).open("wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())

    def forget(_: str, pieces: Iterable[bytes]) -> None:
        for _piece in pieces:
            pass

    seal, (count, skipped) = timed(lambda: seal_bundles(CONTEXT, round_, workshop, forget))
    if skipped:
        raise SystemExit(f"{len(skipped)} bundles were not sealed: {skipped[0]}")
    stored, _ = timed(lambda: seal_bundles(CONTEXT, round_, workshop, write))
    parts = [part for part in round_.result.partitions if part.aggregator_id]
    read, _ = timed(lambda: [len(entry) for part in parts for entry in part.entries])
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    alone = encrypting(size)
    return {
        "bundles": count,
        "sites": sum(part.site_count for part in parts),
        "sealed_mb": round(size / 1e6),
        "seal_cpu_s": seal["cpu"],
        "seal_s": seal["wall"],
        "seal_to_files_cpu_s": stored["cpu"],
        "seal_to_files_s": stored["wall"],
        "aead_alone_s": alone,
        "reading_entries_alone_s": read["cpu"],
        "seal_to_aead": seal["cpu"] / alone,
        "seal_to_aead_and_reading": seal["cpu"] / (alone + read["cpu"]),
    }


def verifying(round_: Computation, folder: Path) -> dict[str, Any]:
    """Verify the largest bundle from its file."""
    from oepnode.client import bundle_files, bundles
    from oepnode.client.keys import KeyPair
    from oepnode.client.rounds import FinalRound
    from oepnode.domain.rounds.bundle import bundle_name

    result = round_.result
    own = max(result.partitions, key=lambda part: part.site_count)
    pair = KeyPair(own.aggregator_id, private(own.aggregator_id))
    file = Path(folder, bundle_name(CONTEXT, pair.public_key))
    final = FinalRound(CONTEXT, result.root, result.partition_count, (), "the computation")

    def read() -> int:
        with bundle_files.open_bundle(file, 1 << 33) as opened:
            return bundles.unseal_partition(opened.pieces, pair, final).site_count

    verify, count = timed(read)
    if count != own.site_count:
        raise SystemExit("the bundle has another number of sites")
    aead, hashes = decrypting(file.stat().st_size), hashing(own.sizes)
    demanded = aead + hashes + small_hashes(count)
    return {
        "own_sites": count,
        "own_mb": round(file.stat().st_size / 1e6),
        "verify_cpu_s": verify["cpu"],
        "verify_s": verify["wall"],
        "verify_added_mib": verify["peak_mib"],
        "own_aead_alone_s": aead,
        "own_hash_alone_s": hashes,
        "own_all_hashes_and_aead_s": demanded,
        "verify_to_aead_and_hash": verify["cpu"] / (aead + hashes),
        "verify_to_aead_and_all_hashes": verify["cpu"] / demanded,
        "must": MOST,
    }


def timed(work: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """Seconds of a piece of work, of all processors and by the clock, and the memory it added."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = _status("VmRSS")
    began, cpu = time.perf_counter(), cpu_seconds()
    result = work()
    seconds = {"wall": time.perf_counter() - began, "cpu": cpu_seconds() - cpu}
    return seconds | {"peak_mib": round((_status("VmHWM") - before) / 2**10)}, result


def cpu_seconds() -> float:
    """Seconds of all processors that this process and its children have used."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


# --- the limits ----------------------------------------------------------------------------------


def encrypting(size: int) -> float:
    """Seconds of ChaCha20-Poly1305 alone for that many bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    aead, nonce, views = ChaCha20Poly1305(bytes(32)), bytes(12), _views(CHUNK)
    began = time.process_time()
    for number in range(size // CHUNK):
        aead.encrypt(nonce, views[number % len(views)], None)
    return time.process_time() - began


def decrypting(size: int) -> float:
    """Seconds of opening that many bytes in chunks."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    aead, nonce = ChaCha20Poly1305(bytes(32)), bytes(12)
    sealed = [aead.encrypt(nonce, view, None) for view in _views(CHUNK)]
    began = time.process_time()
    for number in range(size // CHUNK):
        aead.decrypt(nonce, sealed[number % len(sealed)], None)
    return time.process_time() - began


def hashing(sizes: list[int]) -> float:
    """Seconds of SHA-256 alone over entries of these sizes."""
    views = _views(max(sizes))
    hashed, count = sha256, len(views)
    began = time.process_time()
    for number, size in enumerate(sizes):
        hashed(views[number % count][:size]).digest()
    return time.process_time() - began


def small_hashes(count: int) -> float:
    """Seconds of the other hashes that the checks need: three for a pseudonym, a node of the tree.

    They have 64 to 84 bytes after the key's own block, so that each costs two blocks of SHA-256.
    """
    hashed, block = sha256, os.urandom(80)
    began = time.process_time()
    for _ in range(4 * count):
        hashed(block).digest()
    return time.process_time() - began


def _views(size: int) -> list[memoryview]:
    buffer = memoryview(os.urandom(BUFFER))
    return [buffer[at : at + size] for at in range(0, BUFFER - size + 1, size)]


# --- paths ---------------------------------------------------------------------------------------


def paths(chosen: argparse.Namespace) -> dict[str, Any]:
    """All inclusion paths of a tree, levels included, and verifying each of them."""
    from oepnode.domain.rounds import merkle
    from oepnode.domain.rounds.merkle_tree import InclusionVerifier, MerkleTree

    leaves = [merkle.leaf_hash(number.to_bytes(4)) for number in range(chosen.paths)]
    began = time.process_time()
    tree = MerkleTree(b"".join(leaves))
    for _path in tree.paths():  # one after the other, as they are written to a file
        pass
    making = time.process_time() - began
    made = list(tree.paths())
    verifier = InclusionVerifier(tree.size, tree.root)
    began = time.process_time()
    for index, (leaf, path) in enumerate(zip(leaves, made, strict=True)):
        verifier.verify(leaf, index, path)
    verifying = time.process_time() - began
    alone = max(1, chosen.paths // 20)
    began = time.process_time()
    for index in range(alone):
        merkle.verify_inclusion(leaves[index], index, tree.size, made[index], tree.root)
    single = time.process_time() - began
    return {
        "sites": chosen.paths,
        "paths_per_s": round(chosen.paths / making),
        "must_make": LEAST_PATHS,
        "verified_per_s": round(chosen.paths / verifying),
        "must_verify": LEAST_VERIFIED,
        "one_by_one_per_s": round(alone / single),
    }


# --- output --------------------------------------------------------------------------------------


def show(report: dict[str, Any]) -> None:
    """Print the report."""
    print("machine:", ", ".join(f"{name} {value}" for name, value in report["machine"].items()))
    for part in ("delivery", "paths"):
        print()
        for name, value in report[part].items():
            print(
                f"{name:>22}  {value:.3f}" if isinstance(value, float) else f"{name:>22}  {value}"
            )


if __name__ == "__main__":
    main()
