"""One Dask cluster of processes for all tests here."""

from collections.abc import Iterator

import pytest
from distributed import LocalCluster

from tests.support.dask_clusters import local_cluster


@pytest.fixture(scope="package")
def cluster() -> Iterator[LocalCluster]:
    with local_cluster() as cluster:
        yield cluster
