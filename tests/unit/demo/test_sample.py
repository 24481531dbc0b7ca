"""Sample data: the same for a seed, without a fault or warning, and as described."""

import json
import stat
from collections import Counter
from datetime import date
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.demo.sample.plan import SamplePlan
from oepnode.demo.sample.registry import sample_salt
from oepnode.demo.sample.sites import _digits, _nmi_text, make_sites, zipf_sizes
from oepnode.demo.sample.write import SampleSummary, write_sample
from oepnode.domain.nem import nmi
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.assignments import OPEN_END
from oepnode.domain.rounds.inputs.envelope_document import Document, parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot, parse_snapshot
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.errors import ConfigError


def write_and_parse(plan: SamplePlan, folder: Path) -> tuple[SampleSummary, Document, Snapshot]:
    summary = write_sample(plan, folder)
    data = (folder / summary.envelope_file).read_bytes()
    document = parse_document(data, Feed(profile="edge"))
    return summary, document, parse_snapshot((folder / "registry.json").read_bytes())


def test_the_default_sample_is_as_described(tmp_path: Path) -> None:
    summary, document, snapshot = write_and_parse(SamplePlan(), tmp_path)
    assert document.warnings == () and snapshot.warnings == ()
    assert (document.site_count, document.interval_count) == (300, 288)
    assert len(document.limits) == 300 * 288
    assert document.horizon_start == 1_795_111_200
    assert summary.horizon_start == format_nem(1_795_111_200)
    assert {name[:4] for name in document.nmi.tolist()} <= {b"6305", b"6306"}
    assert [a.id for a in snapshot.aggregators] == ["sample-01", "sample-02", "sample-03"]
    sizes = list(summary.aggregator_nmis.values())
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 1.5 * sizes[1] > 1.5 * sizes[2]
    assert sum(sizes) + summary.unassigned_nmis == summary.nmis == 300


def test_holders_are_as_described(tmp_path: Path) -> None:
    summary, document, snapshot = write_and_parse(SamplePlan(), tmp_path)
    starts = document.horizon_start + document.row_interval.astype(np.int64) * INTERVAL_S
    holders = snapshot.holders(document.nmi, document.row_site, starts).reshape(300, 288)
    nobodys = (holders == -1).all(axis=1)
    assert nobodys.sum() == summary.unassigned_nmis == 4
    assert ((holders == -1).any(axis=1) == nobodys).all()
    changing = np.flatnonzero((holders != holders[:, :1]).any(axis=1))
    assert len(changing) == summary.changing_nmis == 1
    row = holders[changing[0]]
    assert (row[:144] == 0).all() and (row[144:] == 1).all()
    assert Counter(snapshot.end.tolist())[OPEN_END] == len(snapshot.end) - 1


def test_limits_look_like_a_sunny_day(tmp_path: Path) -> None:
    _, document, _ = write_and_parse(SamplePlan(), tmp_path)
    export, import_ = (document.limits[:, kind].reshape(300, 288) for kind in (0, 1))
    assert export.min() >= 1_500 and export.max() <= 10_000
    assert import_.max() <= -2_000 and import_.min() >= -10_000
    assert (document.limits[:, :2] % 10 == 0).all()
    noon, night = export[:, 90:120].mean(), export[:, 230:260].mean()
    assert noon < 0.7 * night
    evening = import_[:, 168:180].mean()
    assert abs(evening) < 0.8 * abs(import_[:, 90:120].mean())
    assert export.mean(axis=1).std() > 300


@pytest.mark.parametrize("format_", ["json", "ndjson"])
@pytest.mark.parametrize("intervals", [1, 6, 576])
def test_every_shape_has_no_fault(tmp_path: Path, format_: str, intervals: int) -> None:
    plan = SamplePlan(nmis=40, intervals=intervals, flex=0.3, format=format_)  # type: ignore[arg-type]
    summary, document, snapshot = write_and_parse(plan, tmp_path)
    assert document.warnings == () and snapshot.warnings == ()
    assert len(document.limits) == 40 * intervals
    assert document.level.sum() == summary.flex_nmis == 12
    assert summary.changing_nmis == (0 if intervals == 1 else 1)


def test_a_seed_decides_every_byte(tmp_path: Path) -> None:
    def all_bytes(name: str, seed: int) -> dict[str, bytes]:
        write_sample(SamplePlan(nmis=20, intervals=6, seed=seed), tmp_path / name)
        files = [path for path in (tmp_path / name).rglob("*") if path.is_file()]
        return {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files}

    first = all_bytes("a", 7)
    assert all_bytes("b", 7) == first
    other = all_bytes("c", 8)
    assert set(other) == set(first)
    assert all(other[name] != first[name] for name in first)


def test_pieces_join_as_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = SamplePlan(nmis=50, intervals=6, flex=0.5)
    for module in ("envelope", "registry"):
        monkeypatch.setattr(f"oepnode.demo.sample.{module}._CHUNK_BYTES", 4000)
    stages: list[tuple[str, int, int]] = []
    summary = write_sample(plan, tmp_path, lambda *stage: stages.append(stage))
    document = parse_document((tmp_path / summary.envelope_file).read_bytes())
    snapshot = parse_snapshot((tmp_path / "registry.json").read_bytes())
    assert document.site_count == 50
    assert len(snapshot.nmi) == 50 - plan.unassigned + 1
    assert stages[-1] == ("registry", 50, 50)
    assert len([stage for stage in stages if stage[0] == "envelope"]) > 3


def test_secrets_are_for_their_owner_and_match(tmp_path: Path) -> None:
    summary, _, snapshot = write_and_parse(SamplePlan(nmis=20, intervals=6), tmp_path)
    salt = tmp_path / "salt"
    assert sha256(bytes.fromhex(salt.read_text())).digest() == snapshot.salt_digest
    assert stat.S_IMODE(salt.stat().st_mode) == 0o600
    for aggregator in snapshot.aggregators:
        path = tmp_path / "keys" / f"{aggregator.id}.key.json"
        key = json.loads(path.read_text())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert set(key) == {"aggregator", "kind", "publicKey", "privateKey"}
        assert key["aggregator"] == aggregator.id
        assert (
            PrivateKey(KeyKind(key["kind"]), bytes.fromhex(key["privateKey"])).public_key
            == aggregator.public_key
        )
    assert len(summary.aggregator_nmis) == len(list((tmp_path / "keys").iterdir())) == 3


def test_the_description_has_digests_and_no_nmi(tmp_path: Path) -> None:
    summary, document, _ = write_and_parse(SamplePlan(nmis=20, intervals=6), tmp_path)
    text = (tmp_path / "sample.json").read_text()
    assert not any(name.decode() in text for name in document.nmi.tolist())
    assert sample_salt(1).hex() not in text
    assert json.loads(text)["aggregators"] == 3
    for name, digest, size in (
        (summary.envelope_file, summary.envelope_digest, summary.envelope_bytes),
        ("registry.json", summary.registry_digest, summary.registry_bytes),
    ):
        data = (tmp_path / name).read_bytes()
        assert (sha256(data).hexdigest(), len(data)) == (digest, size)


def test_nmis_beyond_one_block_are_valid_and_distinct(monkeypatch: pytest.MonkeyPatch) -> None:
    text = _nmi_text(np.array([0, 1_999_999, 2_000_000, 2_000_034]))
    assert text.view("S10").ravel().tolist() == [
        b"6305000000",
        b"6306999999",
        b"VBBB000000",
        b"VBBB000010",
    ]
    monkeypatch.setattr("oepnode.demo.sample.sites._NUMERIC_BLOCK", 1000)
    sites = make_sites(SamplePlan(nmis=3000))
    names = sites.nmi.view("S10").ravel().tolist()
    assert len(set(names)) == 3000
    assert [nmi.parse(name.decode()).encode() for name in names] == names


def test_a_block_is_drawn_without_repetition() -> None:
    sites = make_sites(SamplePlan(nmis=5000, unassigned=0))
    assert len(np.unique(sites.nmi.view("S10"))) == 5000
    assert (sites.holder >= 0).all()


def test_digits_are_most_significant_first() -> None:
    assert _digits(np.array([405]), 10, 4).tolist() == [[0, 4, 0, 5]]


@pytest.mark.parametrize(("total", "parts"), [(1, 1), (3, 3), (4, 3), (296, 3), (1_000_000, 100)])
def test_zipf_sizes_add_up_and_fall(total: int, parts: int) -> None:
    sizes = zipf_sizes(total, parts)
    assert sum(sizes) == total and len(sizes) == parts and min(sizes) >= 1
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nmis": 6},
        {"nmis": 11_000_001},
        {"aggregators": 0},
        {"aggregators": 1000},
        {"intervals": 0},
        {"intervals": 577},
        {"seed": -1},
        {"unassigned": -1},
        {"flex": 1.01},
        {"flex": float("nan")},
        {"day": date(1970, 1, 1)},
        {"day": date(2105, 12, 31)},
    ],
)
def test_numbers_out_of_range_are_usage_errors(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SamplePlan(**wrong)  # type: ignore[arg-type]


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        write_sample(SamplePlan(nmis=20, intervals=6), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(ConfigError, match="folder cannot be created"):
        write_sample(SamplePlan(nmis=20, intervals=6), tmp_path / "mine")


def test_a_folder_that_cannot_be_written_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("oepnode.demo.sample.write._write", full)
    with pytest.raises(ConfigError, match="No space left"):
        write_sample(SamplePlan(nmis=20, intervals=6), tmp_path)
