"""Dask clusters of processes on this machine, as deploy/cluster starts them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, LocalCluster

from oepnode.adapters.computing.dask_cluster import connected
from oepnode.adapters.computing.dask_workshop import DaskWorkshop
from oepnode.adapters.computing.messages import ClusterAddress
from oepnode.domain.rounds.workshop import InProcess


@contextmanager
def local_cluster(workers: int = 3) -> Iterator[LocalCluster]:
    """A scheduler in this process, and Dask workers in processes of their own."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=None,
    ) as cluster:
        yield cluster


def address_of(cluster: LocalCluster) -> ClusterAddress:
    return ClusterAddress(cluster.scheduler_address)


@contextmanager
def dask_workshop(address: ClusterAddress) -> Iterator[DaskWorkshop]:
    """A workshop over a cluster, whose other tasks are done in this process."""
    with connected(address) as client:
        yield DaskWorkshop(client, address, InProcess())


def kill_one(client: Client, address: str = "") -> None:
    """Kill the process of a Dask worker: the one at an address, or any."""
    pids: dict[str, int] = client.run(os.getpid)
    os.kill(pids[address or next(iter(pids))], signal.SIGKILL)
