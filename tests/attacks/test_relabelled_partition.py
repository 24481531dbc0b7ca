"""A worker gives one aggregator the partition of another, under the reader's own name.

Who: one enrolled worker, which holds the keys of the round and serves sealed bundles. It takes the
partition of aggregator A2 as the quorum made it, writes A1's id into the bundle, and seals it to
A1's public key. Every hash is right: NMIs fit pseudonyms, entries fit the partition's root, the
path leads to the final root.

Before: an aggregator's pseudonym was made with the key of the round, which only workers have. A1
could not recompute it, so `aggregator verify` passed unless A1 gave its list of NMIs, and A1 would
have applied another aggregator's limits, and read its NMIs.

Now: the pseudonym in the partition entry is HMAC(K_agg, "oep1 aggregator" ‖ id), under the K_agg
that the bundle brings (``oepnode.domain.rounds.pseudonyms``), and the check
``aggregator-pseudonym`` of ``oepnode.domain.rounds.bundle`` recomputes it with the reader's own
id. Neither A2's key nor A1's gives the pseudonym of A2's partition for A1's id.

What remains: A1 learns A2's NMIs from such a worker, as from any leak by a worker. It is not
misled.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oepnode import wiring
from oepnode.cli.main import app
from oepnode.domain.rounds import bundle, bundle_reading, bundle_writing
from oepnode.domain.rounds.bundle import BundleError
from oepnode.domain.rounds.entries import decode_partition
from tests.support.plain_bundle import pack_file
from tests.support.round_world import (
    CONTEXT,
    CONTRACT,
    HELD,
    RESULT,
    FakeReader,
    index_of,
    sealed,
    write_folder,
)

OWNER, READER = "A2", "A1"
PARTITION = RESULT.partitions[index_of(OWNER)]


def relabelled(key: bytes = PARTITION.key) -> bytes:
    """The owner's partition in a bundle that names the reader."""
    stolen = replace(PARTITION, aggregator_id=READER, key=key)
    parts = [stolen if part is PARTITION else part for part in RESULT.partitions]
    return b"".join(bundle_writing.build(replace(RESULT, partitions=tuple(parts)), index_of(OWNER)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reader's folder, with the worker's bundle as ``fetch`` would have written it."""
    monkeypatch.setattr(wiring, "chain_reader", FakeReader().connect)
    monkeypatch.setenv("OEPNODE_RPC", "https://node.test")
    monkeypatch.setenv("OEPNODE_CONTRACT", "0x" + CONTRACT.hex())
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path)
    file = pack_file(CONTEXT, sealed(READER, relabelled()))
    (tmp_path / f"{READER}.oepb").write_bytes(file)
    return tmp_path


def verify(data: bytes) -> bundle.VerifiedBundle:
    return bundle_reading.verify(data, READER, CONTEXT, RESULT.root, RESULT.partition_count)


def without_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before: the reader has to take the pseudonym of the partition entry on trust."""
    given = decode_partition(PARTITION.entry).pseudonym
    monkeypatch.setattr(bundle_reading, "aggregator_pseudonym", lambda key, aggregator_id: given)


def test_a_relabelled_partition_is_rejected_by_itself() -> None:
    with pytest.raises(BundleError) as caught:
        verify(relabelled())
    assert caught.value.check == "aggregator-pseudonym"
    assert not any(nmi in str(caught.value) for nmi in PARTITION.nmis)


def test_the_readers_own_key_in_it_does_not_help() -> None:
    with pytest.raises(BundleError) as caught:
        verify(relabelled(RESULT.partitions[index_of(READER)].key))
    assert caught.value.check == "aggregator-pseudonym"


def test_the_command_says_so_without_a_list_of_nmis(folder: Path) -> None:
    words = ["aggregator", "verify", f"{READER}.oepb", "--key", f"{READER}.json"]
    result = CliRunner().invoke(app, [*words, "--format", "csv", "--out", "limits.csv"])
    assert result.exit_code == 1
    assert "aggregator-pseudonym" in result.output
    assert not (folder / "limits.csv").exists()


def test_without_the_check_the_attack_succeeds(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_the_check(monkeypatch)
    assert set(HELD[OWNER]) <= set(verify(relabelled()).nmis)
    words = ["aggregator", "verify", f"{READER}.oepb", "--key", f"{READER}.json"]
    result = CliRunner().invoke(app, [*words, "--format", "csv", "--out", "limits.csv"])
    assert result.exit_code == 0
    assert HELD[OWNER][0] in (folder / "limits.csv").read_text()
