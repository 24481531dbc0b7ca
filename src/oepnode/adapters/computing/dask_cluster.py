"""Connects to a Dask cluster, and says in plain words what is wrong with it.

Guarantees: a scheduler that is silent, refuses the certificate or is lost is a `ComputationFault`
that names ``compute.scheduler``; the text of a foreign exception, which may quote an input, goes
nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from oepnode.adapters.computing.dask_work import installed_release
from oepnode.adapters.computing.messages import ClusterAddress
from oepnode.errors import ComputationFault

if TYPE_CHECKING:
    from distributed import Client

EXTRA: Final = 'compute.engine "dask" needs the extra: pip install "oepnode[cluster]"'
_CONNECT_S: Final = 10
_WORKERS_S: Final = 20
_LARGE: Final = "1GB"


@contextmanager
def connected(cluster: ClusterAddress) -> Iterator[Client]:
    """A client of the cluster, with a Dask worker at least.

    Raises:
        ComputationFault: If the cluster cannot be used.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as exc:
        raise ComputationFault(EXTRA) from exc
    # Parts are large by design, and the warning would say how large.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGE})
    try:
        client = Client(
            cluster.scheduler,
            security=_security(cluster),
            timeout=_CONNECT_S,
            set_as_default=False,
            direct_to_workers=True,
        )
    except (OSError, ValueError, TypeError) as exc:  # TimeoutError is an OSError
        raise ComputationFault(
            f"the Dask scheduler {cluster.scheduler} does not respond within {_CONNECT_S} s, or "
            f"refuses this worker's certificate ({type(exc).__name__}); check compute.scheduler "
            "and the files compute.tls_*"
        ) from None
    try:
        with named_faults(cluster):
            _wait_for_worker(client, cluster)
        yield client
    finally:
        client.close(timeout=2)


def check_cluster(cluster: ClusterAddress) -> str:
    """What the cluster has, in words.

    Raises:
        ComputationFault: If it cannot be used, or a Dask worker has another release.
    """
    with connected(cluster) as client, named_faults(cluster):
        releases: dict[str, str] = client.run(installed_release)
        threads = sum(client.nthreads().values())
    others = {name: found for name, found in releases.items() if found != installed_release()}
    if others:
        name, found = next(iter(others.items()))
        raise ComputationFault(
            f"{len(others)} of {len(releases)} Dask workers have another release of oepnode, such "
            f"as {name}: {found}, and this worker {installed_release()}; install one release on all"
        )
    return f"{len(releases)} Dask workers with {threads} threads and this release of oepnode"


@contextmanager
def named_faults(cluster: ClusterAddress) -> Iterator[None]:
    """Turns what Dask raises into faults that name the cluster and no input.

    Raises:
        ComputationFault: For every error of Dask.
    """
    from distributed import CancelledError, KilledWorker
    from distributed.client import ClosedClientError

    lost = (OSError, CancelledError, asyncio.CancelledError, ClosedClientError)
    try:
        yield
    except ComputationFault:
        raise
    except KilledWorker as exc:
        raise ComputationFault(
            f"a part of the round ended {exc.allowed_failures + 1} Dask workers one after another; "
            "their memory may be short"
        ) from None
    except lost:
        raise ComputationFault(
            f"the Dask scheduler {cluster.scheduler} was lost during the round (compute.scheduler)"
        ) from None
    except (ImportError, AttributeError) as exc:
        raise ComputationFault(
            f"the cluster {cluster.scheduler} lacks this release of oepnode "
            f"({type(exc).__name__}); install it for the scheduler and every Dask worker"
        ) from None


def _security(cluster: ClusterAddress) -> Any:  # noqa: ANN401 - distributed's, or None
    if not cluster.ca_file:
        return None
    from distributed import Security

    return Security(
        tls_ca_file=cluster.ca_file,
        tls_client_cert=cluster.cert_file,
        tls_client_key=cluster.key_file,
        require_encryption=True,
    )


def _wait_for_worker(client: Client, cluster: ClusterAddress) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKERS_S)
    except TimeoutError:
        raise ComputationFault(
            f"the Dask scheduler {cluster.scheduler} has had no Dask worker for {_WORKERS_S} s"
        ) from None
