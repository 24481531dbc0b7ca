"""What is lost with a Dask worker is made again; a lost scheduler is a fault that says so."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from distributed import LocalCluster

from oepnode.adapters.computing import dask_cluster, dask_work
from oepnode.adapters.computing.dask_cluster import check_cluster
from oepnode.adapters.computing.dask_work import installed_release
from oepnode.adapters.computing.dask_workshop import DaskWorkshop
from oepnode.adapters.computing.engine import EngineSettings, ProcessEngine
from oepnode.adapters.computing.job import outcome_of
from oepnode.adapters.computing.messages import ClusterAddress
from oepnode.adapters.crypto import sealing
from oepnode.adapters.storage.bundle_shelf import FileShelf
from oepnode.domain.documents.sources import BytesSource, read_all
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import bundle, bundle_reading
from oepnode.domain.rounds.computation import compute
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs.json_document import JsonDocument
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.pipeline import Pipeline
from oepnode.domain.rounds.workshop import Stores
from oepnode.errors import ComputationFault
from oepnode.ports import RoundTask
from tests.support.dask_clusters import (
    address_of,
    dask_workshop,
    kill_one,
    local_cluster,
)
from tests.support.round_world import CONTEXT, ENVELOPE, INPUTS, PRIVATE, PUBLIC, RESULT, opened

TASK = RoundTask(CONTEXT, opened(), b"\xa0" * 20)


class Numbers:
    """Twenty parts, which are their numbers."""

    def __len__(self) -> int:
        return 20

    def here(self, number: int) -> int:
        return number

    def sent(self, number: int) -> int | None:
        return number


class OnceKilled:
    """Ends its Dask worker at one part, the first time; keeps a little of each part."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __call__(self, part: int, stores: Stores, /) -> int:
        if part == 7 and not self._mark.exists():
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        assert stores.append(f"s-{part}", memoryview(bytes([part]) * 5)) == 0
        return part * part


class AlwaysKilled:
    """Ends every Dask worker that is given one part."""

    def __call__(self, part: int, _: Stores, /) -> int:
        if part == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return part


def test_a_part_that_is_lost_with_its_worker_is_done_again(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    with dask_workshop(address_of(cluster)) as workshop:
        results = list(workshop.spread(OnceKilled(tmp_path / "mark"), Numbers()))
        assert results == [number * number for number in range(20)]
        assert (tmp_path / "mark").exists()
        for number in range(20):
            assert workshop.read(f"s-{number}", 1, 3) == bytes([number]) * 3


def test_a_part_that_ends_every_worker_is_a_fault(cluster: LocalCluster) -> None:
    with (
        dask_workshop(address_of(cluster)) as workshop,
        pytest.raises(ComputationFault, match="memory may be short"),
    ):
        list(workshop.spread(AlwaysKilled(), Numbers()))


def pipeline(workshop: DaskWorkshop) -> Pipeline:
    return Pipeline(
        parse_snapshot(read_all(INPUTS.registry)),
        INPUTS.salt,
        CONTEXT,
        Horizon(TASK.opened.horizon_start, TASK.opened.interval_count),
        workshop,
    )


def test_entries_that_are_lost_with_their_worker_are_made_again(cluster: LocalCluster) -> None:
    """Their Dask worker is killed after the root is known, before bundles are sealed."""
    with dask_workshop(address_of(cluster)) as workshop:
        reader = JsonDocument(BytesSource(ENVELOPE), Feed(), part_size=2000)
        assert reader.part_count > 3
        result = pipeline(workshop).partition(reader).result
        assert result.root == RESULT.root
        client = workshop._client
        where = client.who_has(list(workshop._made_there.values()))
        assert where
        kill_one(client, next(iter(where.values()))[0])
        for ours, theirs in zip(result.partitions, RESULT.partitions, strict=True):
            assert list(ours.entries) == list(theirs.entries)


async def test_a_whole_round_in_the_computing_process(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    engine = ProcessEngine(engine_settings(tmp_path, address_of(cluster)))
    try:
        outcome = await engine.compute(TASK, INPUTS, lambda _: None)
        await engine.sealed(TASK.number)
    finally:
        await engine.close()
    assert outcome == outcome_of(TASK, compute(INPUTS, CONTEXT, opened()))
    shelf = FileShelf(tmp_path / "bundles")
    assert shelf.publish(TASK.number, TASK.opened.inputs) == len(PUBLIC)
    for owner, key in PRIVATE.items():
        path = shelf.path(TASK.number, bundle.bundle_name(CONTEXT, PUBLIC[owner]))
        assert path is not None
        plain = sealing.open_whole(key, path.read_bytes(), bundle.sealing_info(CONTEXT))
        bundle_reading.verify(plain, owner, CONTEXT, RESULT.root, RESULT.partition_count)


def test_a_scheduler_that_is_not_there_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "_CONNECT_S", 1)
    nobody = ClusterAddress("tcp://127.0.0.1:9")
    with pytest.raises(ComputationFault, match=r"tcp://127\.0\.0\.1:9.*compute\.scheduler"):
        check_cluster(nobody)


def test_a_scheduler_without_workers_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "_WORKERS_S", 1)
    with (
        local_cluster(0) as cluster,
        pytest.raises(ComputationFault, match="has had no Dask worker"),
    ):
        check_cluster(address_of(cluster))


def test_a_scheduler_that_is_lost_during_a_round_is_a_fault() -> None:
    with local_cluster(1) as cluster:
        address = address_of(cluster)
        with dask_workshop(address) as workshop:
            results = workshop.spread(OnceKilled(Path("/")), Numbers())
            assert next(results) == 0
            cluster.close()
            with pytest.raises(ComputationFault, match=r"was lost.*compute\.scheduler"):
                list(results)


def test_another_release_on_a_dask_worker_is_named(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "this release" in check_cluster(address_of(cluster))
    ours = installed_release()
    with dask_workshop(address_of(cluster)) as workshop:
        for module in ("dask_workshop", "dask_cluster"):
            name = f"oepnode.adapters.computing.{module}.installed_release"
            monkeypatch.setattr(name, lambda: "9.9 (sources 0)")
        with pytest.raises(ComputationFault) as caught:
            list(workshop.spread(OnceKilled(Path("/")), Numbers()))
        assert ours in str(caught.value)
        assert "9.9" in str(caught.value)
        assert "tcp://127.0.0.1" in str(caught.value)
    assert dask_work.installed_release() == ours


def engine_settings(folder: Path, cluster: ClusterAddress) -> EngineSettings:
    return EngineSettings(
        memory_limit_mb=1024,
        timeout_s=60,
        bundles=folder / "bundles",
        spill=folder / "spill",
        cluster=cluster,
    )
