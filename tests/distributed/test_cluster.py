import os
import socket

import pytest

from clusters import Nodes
from vivant.errors import ClusterError


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_room_is_told_in_words() -> None:
    from vivant.distributed.cluster import Room

    assert str(Room(1, 2.0, 0.0, (2.0,), 0.5)) == (
        "the cluster has 1 node, 2 CPUs (0.5 free) and 0 GPUs"
    )
    assert "2 nodes, 5 CPUs" in str(Room(2, 5.0, 1.0, (2.0, 3.0), 0.0))


def test_statistics_of_use_are_sent_to_nobody() -> None:
    import vivant.distributed.cluster  # noqa: F401 - it sets the variable.

    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_address_where_nothing_listens_is_an_error_that_says_what_to_do() -> None:
    from vivant.distributed.cluster import connected

    address = f"127.0.0.1:{free_port()}"
    with (
        pytest.raises(ClusterError, match=rf"at {address}: .*refused.*`ray start --head`"),
        connected(address),
    ):
        pass


def test_cluster_that_wants_a_token_is_an_error_that_says_which(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray
    from ray.exceptions import AuthenticationError

    from vivant.distributed.cluster import connected

    def refuse(**_: object) -> None:
        raise AuthenticationError("Token authentication is enabled but no token was found")

    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(ClusterError, match="no token was found.*RAY_AUTH_MODE=token"),
        connected("auto"),
    ):
        pass


def test_address_that_is_none_is_an_error() -> None:
    from vivant.distributed.cluster import connected

    with pytest.raises(ClusterError, match="no cluster can be reached at head:port"):
        connected("head:port").__enter__()


def test_address_of_a_client_is_refused_with_the_way_that_works() -> None:
    from vivant.distributed.cluster import connected

    with pytest.raises(ClusterError, match="ray job submit"), connected("ray://head:10001"):
        pass


def test_address_of_the_environment_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from vivant.distributed.cluster import connected

    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ClusterError, match=f"at {address}"), connected(None):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_other_version_on_a_node_is_told(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    from vivant.distributed import cluster

    with cluster.connected(nodes.address) as room:
        assert (room.num_nodes, room.num_cpus) == (2, 2.0)
    monkeypatch.setattr(cluster, "__version__", "99.0")
    with (
        pytest.raises(ClusterError, match=r"expected vivant 99\.0 on every node.* has 0\.1"),
        cluster.connected(nodes.address),
    ):
        pass
