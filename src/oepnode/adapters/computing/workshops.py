"""Opens the workshop that a job asks for: processes of this machine, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oepnode.adapters.computing.messages import Job
from oepnode.adapters.computing.processes import ForkedProcesses
from oepnode.adapters.computing.spill import Spill
from oepnode.domain.rounds.workshop import Workshop


@contextmanager
def workshop_of(job: Job, spill: Spill) -> Iterator[Workshop]:
    """The workshop of a job.

    Raises:
        ComputationFault: If its cluster cannot be used.
    """
    cluster = job.cluster
    if cluster is None:
        yield ForkedProcesses(spill, job.processes)
        return
    from oepnode.adapters.computing.dask_cluster import connected
    from oepnode.adapters.computing.dask_workshop import DaskWorkshop

    with connected(cluster) as client:
        # One process: forking is not safe beside the threads of the client.
        yield DaskWorkshop(client, cluster, ForkedProcesses(spill, 1))
