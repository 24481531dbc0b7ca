"""A bundle many times larger than the memory that a process may use is verified all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.domain.rounds import bundle
from oepnode.domain.rounds.bundle_writing import build
from oepnode.domain.rounds.recipient_keys import KeyKind
from tests.support.large_bundle import CONTEXT, large_round

SITES, INTERVALS = 40_000, 288
ROOM = 32 << 20
"""Bytes that the child may use besides what it has when it begins to read."""

CHILD = """
import json, re, resource, sys
import pymerkle
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.client import bundle_files, bundles, proofs
from oepnode.client.keys import KeyPair
from oepnode.client.rounds import FinalRound
from oepnode.domain.rounds.recipient_keys import KeyKind
from tests.support.large_bundle import CONTEXT

file, root, room, whole = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
final = FinalRound(context=CONTEXT, root=root, partitions=1, notes=(), source="a test")
pair = KeyPair("A1", PrivateKey(KeyKind.X25519, bytes(range(1, 33))))
used = int(re.search(r"VmData:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (used + room, used + room))
read = bundles.unseal if whole == "whole" else bundles.unseal_partition
sites = 0

def count(block):
    global sites
    sites += block.limits.shape[0]

more = {} if whole == "whole" else {"sink": count}
with bundle_files.open_bundle(file, 1 << 30) as sealed:
    part = read(sealed.pieces, pair, final, **more)
print(json.dumps([part.site_count, sites]))
"""


@pytest.fixture(scope="module")
def sealed_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    result = large_round(SITES, INTERVALS)
    public = PrivateKey(KeyKind.X25519, bytes(range(1, 33))).public_key
    path = tmp_path_factory.mktemp("large") / "round-3.oepb"
    with path.open("wb") as file:
        file.write(bundle.file_head(CONTEXT))
        file.writelines(sealing.seal(public, build(result, 0), bundle.sealing_info(CONTEXT)))
    return path, result.root


def child(sealed_file: tuple[Path, bytes], how: str) -> subprocess.CompletedProcess[str]:
    path, root = sealed_file
    words = [sys.executable, "-c", CHILD, str(path), root.hex(), str(ROOM), how]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


def test_a_bundle_is_verified_in_a_part_of_its_size(sealed_file: tuple[Path, bytes]) -> None:
    assert sealed_file[0].stat().st_size > 4 * ROOM
    done = child(sealed_file, "stream")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [SITES, SITES]


def test_the_limit_would_end_a_process_that_keeps_it_whole(
    sealed_file: tuple[Path, bytes],
) -> None:
    done = child(sealed_file, "whole")
    assert done.returncode != 0
    assert "MemoryError" in done.stderr
