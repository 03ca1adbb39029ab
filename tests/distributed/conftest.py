"""The Ray cluster that the slow tests of a session share, and an object store.

Ray takes seconds to import, so nothing here imports it: fixtures and tests do, when they run.
"""

from collections.abc import Iterator

import pytest

from clusters import Nodes, cluster
from object_store import bucket, s3_environment, s3_port

__all__ = ["bucket", "s3_environment", "s3_port"]


@pytest.fixture(scope="session")
def cluster_of_session() -> Iterator[Nodes]:
    """Two nodes of one CPU each, for all tests that kill no node. Tests ask for `nodes`."""
    with cluster(2) as started:
        yield started


@pytest.fixture
def nodes(cluster_of_session: Nodes) -> Nodes:
    """The cluster of the session with all its CPUs free. Whoever kills a node starts a cluster."""
    cluster_of_session.wait_until_free()
    return cluster_of_session
