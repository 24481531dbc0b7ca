"""Another user of the aggregator's machine reads limits, NMIs and keys from files.

Who: any account on a machine on which the commands are run, with the usual umask of 022.

Before: limits with their NMIs, proofs with a disclosed key and fetched bundles were written with mode
0644, into folders of mode 0755, and a file that was already open to others stayed so.

Now: ``oepnode.adapters.storage.private`` is the one way in which ``oepnode.client``, and every
command with it, writes a file: under a random name with mode 0600, renamed when it is whole. Folders
that are made on the way have mode 0700.

What remains: a folder that its owner has opened to others still shows the names of files. Standard
output is the caller's.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oepnode import wiring
from oepnode.adapters.storage import private
from oepnode.cli.main import app
from tests.attacks.support.misbehaving import response, serving
from tests.support.round_world import CONTRACT, HELD, FakeReader, sealed, write_folder

OWN = ("--key", "A1.json")
WRITING = {
    "key": ("aggregator", "keygen", "--aggregator", "A1", "--out", "OUT"),
    "x25519 key": ("aggregator", "keygen", "--aggregator", "A1", "--kind", "x25519", "--out", "OUT"),
    "auditor's key": ("audit", "keygen", "--out", "OUT"),
    "limits as CSV": ("aggregator", "verify", "A1.oepb", *OWN, "--format", "csv", "--out", "OUT"),
    "limits as JSON": ("aggregator", "verify", "A1.oepb", *OWN, "--format", "json", "--out", "OUT"),
    "limits as Parquet": (
        "aggregator", "verify", "A1.oepb", *OWN, "--format", "parquet", "--out", "OUT",
    ),
    "proof": (
        "aggregator", "site-proof", HELD["A1"][0], "--bundle", "A1.oepb", *OWN, "--disclose-key",
        "--out", "OUT",
    ),
    "bundle": ("aggregator", "fetch", *OWN, "--out", "OUT"),
}  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on a machine with a umask that hides nothing, and a worker to fetch from."""
    reader = FakeReader()
    monkeypatch.setattr(wiring, "chain_reader", reader.connect)
    monkeypatch.setenv("OEPNODE_RPC", "http://node.test")
    monkeypatch.setenv("OEPNODE_CONTRACT", "0x" + CONTRACT.hex())
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path)
    before = os.umask(0)
    with serving(response(sealed("A1"))) as worker:
        monkeypatch.setenv("WORKER", worker.url)
        yield tmp_path
    os.umask(before)


def run(words: tuple[str, ...], out: str) -> None:
    more = ("--worker", os.environ["WORKER"]) if "fetch" in words else ()
    result = CliRunner().invoke(app, [word.replace("OUT", out) for word in (*words, *more)])
    assert result.exit_code == 0, result.output


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("what", WRITING)
def test_what_a_command_writes_is_its_owners(machine: Path, what: str) -> None:
    run(WRITING[what], "out.file")
    assert mode(machine / "out.file") == 0o600


@pytest.mark.parametrize("what", [what for what in WRITING if "key" not in what])
def test_a_file_that_was_open_is_closed(machine: Path, what: str) -> None:
    (machine / "out.file").write_bytes(b"old")
    (machine / "out.file").chmod(0o666)
    run(WRITING[what], "out.file")
    assert mode(machine / "out.file") == 0o600
    assert not list(machine.glob(".oepnode-*"))


def test_folders_made_for_a_key_are_closed(machine: Path) -> None:
    run(WRITING["key"], "a/b/key.json")
    assert (mode(machine / "a"), mode(machine / "a" / "b")) == (0o700, 0o700)


def test_without_the_mode_everybody_reads_them(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private, "FILE_MODE", 0o666)
    run(WRITING["limits as CSV"], "out.file")
    assert mode(machine / "out.file") & stat.S_IROTH
    assert HELD["A1"][0] in (machine / "out.file").read_text()
