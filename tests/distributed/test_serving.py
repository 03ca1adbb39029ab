"""`vivant serve --engine ray` as a user runs it: the same answers, and deaths that nobody notices.

The plain service is tested in tests/serving; what it shares with this one is not tested again.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import served_process
from clocks import PATIENCE_S, wait_until
from clusters import Nodes, cluster, command_of, decoders_of
from people import person_video
from served_process import HOST, Served, is_running, served, tree
from vivant.distributed.replicas import CheckerPlan, Replicas
from vivant.errors import ClusterError
from vivant.serving.limits import ServiceLimits

if TYPE_CHECKING:
    from vivant.distributed.cluster import Room

LIMITS = {"requests_per_minute": 1e6, "request_burst": 1_000_000, "answer_timeout_s": PATIENCE_S}
"""None of them is reached: neither by the number of requests nor by a busy machine."""
START_S = 240
PLACES = 6
"""Of two replicas: two presentations in work and one that waits, each."""
REAL = Path(__file__).parents[3] / "shared" / "media" / "webcam_bona_fide" / "again.mkv"

# Fast: what is refused before anything is started.


class Connected:
    """Stands for a connection to a cluster with that room."""

    def __init__(self, room: "Room") -> None:
        self._room = room

    def __enter__(self) -> "Room":
        return self._room

    def __exit__(self, *_: object) -> None:
        pass


def test_more_replicas_than_have_room_are_refused_with_what_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ray import serve

    from vivant.distributed import serving
    from vivant.distributed.cluster import Room

    room = Room(2, 4.0, 0.0, (2.0, 2.0), 4.0)
    plan = CheckerPlan.made(ServiceLimits())
    monkeypatch.setattr(serving, "connected", lambda address: Connected(room))
    monkeypatch.setattr(serve, "start", lambda **_: pytest.fail("nothing may be started"))
    with (
        pytest.raises(ClusterError, match="room for 5 replicas of 0.9 CPUs each.*2 nodes, 4 CPUs"),
        serving.checkers(plan, None, Replicas(5, 9), "vivant-test"),
    ):
        pass


def test_with_patience_a_cluster_may_grow_first(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray import serve

    from vivant.distributed import serving
    from vivant.distributed.cluster import Room

    def start(**_: object) -> None:
        raise ClusterError("it goes on")

    room = Room(1, 0.0, 0.0, (0.0,), 0.0)
    plan = CheckerPlan.made(ServiceLimits())
    monkeypatch.setattr(serving, "connected", lambda address: Connected(room))
    monkeypatch.setattr(serve, "start", start)
    with (
        pytest.raises(ClusterError, match="it goes on"),
        serving.checkers(plan, None, Replicas(1, 4), "vivant-test", patience_s=600.0),
    ):
        pass


# Slow: what starts Ray.


def ask(
    port: int, path: str, body: bytes | None = None, method: str = "POST", token: str | None = None
) -> tuple[int, dict[str, object]]:
    """Status and answer; a form's type is not needed: the content decides."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=PATIENCE_S)) as connection:
        headers = {"Content-Type": "application/octet-stream"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def verdict(port: int, clip: bytes | None = None) -> dict[str, object]:
    status, answer = ask(port, "/v1/check", person_video() if clip is None else clip)
    assert status == 200, answer
    answer.pop("timings")
    return answer


def replicas_of(roots: list[int]) -> list[int]:
    """Processes that judge, the eldest first."""
    found = [pid for root in roots for pid in tree(root) if b":Checker" in command_of(pid)]
    return sorted(set(found))


@contextmanager
def stopped_decoders(replica: int) -> Iterator[None]:
    """Within, a replica takes presentations and gets none of them done."""
    starts_them = decoders_of(replica)[0]
    os.kill(starts_them, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(starts_them, signal.SIGCONT)  # It notices that its replica is gone, and ends.


@pytest.fixture(scope="module")
def _patience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served_process, "START_S", START_S)
        yield


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    with served(**LIMITS) as service:
        yield service


@pytest.fixture(scope="module")
def on_ray(_patience: None) -> Iterator[Served]:
    options = ("--engine", "ray", "--replicas", "2", "--drain", "1")
    with served(*options, **LIMITS) as service:
        yield service


def num_pending(port: int) -> int:
    """Presentations that the service has taken and not answered, as its metrics have it."""
    with closing(http.client.HTTPConnection(HOST, port, timeout=PATIENCE_S)) as connection:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    found = re.search(r"^vivant_pending (\S+)$", text, re.MULTILINE)
    assert found is not None, text
    return int(float(found[1]))


def in_flight(
    pool: ThreadPoolExecutor, port: int, number: int = PLACES
) -> list[Future[dict[str, object]]]:
    """Send requests, and wait until the service has taken all of them."""
    begun = [pool.submit(verdict, port) for _ in range(number)]

    def all_are_taken() -> bool:
        num_answered = sum(one.done() for one in begun)
        return num_pending(port) + num_answered >= number

    wait_until(all_are_taken, f"{number} requests are taken")
    return begun


@pytest.mark.slow
def test_answers_are_those_of_the_plain_service(plain: Served, on_ray: Served) -> None:
    assert verdict(on_ray.port) == verdict(plain.port)
    for refused in (b"no video", person_video()[:1000], b""):
        assert ask(on_ray.port, "/v1/check", refused) == ask(plain.port, "/v1/check", refused)


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason="needs real clips, which are not in the repository")
def test_real_clip_is_answered_alike(plain: Served, on_ray: Served) -> None:
    clip = REAL.read_bytes()
    assert verdict(on_ray.port, clip) == verdict(plain.port, clip)


@pytest.mark.slow
def test_session_goes_round(on_ray: Served) -> None:
    status, opened = ask(on_ray.port, "/v1/sessions")
    assert status == 201
    place, token = f"/v1/sessions/{opened['id']}", str(opened["token"])
    status, answer = ask(on_ray.port, f"{place}/media", person_video(), "PUT", token)
    assert status == 200, answer
    assert "bona_fide_score" not in answer
    status, kept = ask(on_ray.port, place, method="GET")
    assert (status, kept["state"]) == (200, "done")
    assert ask(on_ray.port, f"{place}/media", person_video(), "PUT", token)[0] == 409
    # The memory of seen media is in one place.
    _, second = ask(on_ray.port, "/v1/sessions")
    _, again = ask(
        on_ray.port, f"/v1/sessions/{second['id']}/media", person_video(), "PUT",
        str(second["token"]),
    )  # fmt: skip
    assert "MEDIA_SEEN_BEFORE" in json.dumps(again)


@pytest.mark.slow
def test_replica_that_is_killed_costs_no_request(on_ray: Served) -> None:
    expected = verdict(on_ray.port)
    victims = replicas_of([on_ray.process.pid])
    assert len(victims) == 2
    with ThreadPoolExecutor(PLACES) as pool, stopped_decoders(victims[0]):
        begun = in_flight(pool, on_ray.port)
        wait_until(lambda: any(one.done() for one in begun), "the other replica has answered")
        os.kill(victims[0], signal.SIGKILL)
        assert [one.result() for one in begun] == [expected] * PLACES
    assert any("a replica ended" in str(line.get("message")) for line in on_ray.log())
    wait_until(
        lambda: len(replicas_of([on_ray.process.pid])) == 2, "another replica is in its place"
    )


@pytest.mark.slow
def test_command_answers_what_it_took_and_leaves_nothing(on_ray: Served) -> None:
    """The last of those that ask this service: it ends here."""
    processes = tree(on_ray.process.pid)[1:]
    with ThreadPoolExecutor(PLACES) as pool:
        # As many as one replica takes: another, in the place of one that was killed, may not be up.
        begun = in_flight(pool, on_ray.port, PLACES // 2)
        on_ray.terminate()
        assert all(one.result()["status"] for one in begun)
    assert on_ray.process.wait(PATIENCE_S) == 0
    wait_until(lambda: not any(map(is_running, processes)), "all its processes have ended")


@pytest.fixture(scope="module")
def mortal_nodes() -> Iterator[Nodes]:
    """Two nodes, of which a test kills the second."""
    with cluster(2) as started:
        yield started


@pytest.mark.nightly  # A replica that is killed, above, is the same proof without a cluster of its own.
@pytest.mark.usefixtures("_patience")
def test_node_that_is_lost_costs_no_request_and_the_cluster_is_left_as_it_was(
    mortal_nodes: Nodes, plain: Served
) -> None:
    nodes = mortal_nodes
    expected = verdict(plain.port)
    options = ("--engine", "ray", "--address", nodes.address, "--replicas", "2")
    with served(*options, **LIMITS) as service:
        (victim,) = replicas_of(nodes.raylets[1:])
        assert len(replicas_of(nodes.raylets[:1])) == 1
        with ThreadPoolExecutor(PLACES) as pool, stopped_decoders(victim):
            begun = in_flight(pool, service.port)
            wait_until(lambda: any(one.done() for one in begun), "the other replica has answered")
            killing = threading.Thread(target=nodes.kill_node, args=(1,))
            killing.start()
            assert [one.result() for one in begun] == [expected] * PLACES
            killing.join()
        service.terminate()
        assert service.process.wait(PATIENCE_S) == 0
    wait_until(lambda: not replicas_of(nodes.raylets[:1]), "no replica is left in the cluster")
    assert is_running(nodes.raylets[0])


@pytest.mark.slow
@pytest.mark.usefixtures("_patience")
def test_replicas_of_a_command_that_is_killed_end_and_those_of_others_stay(nodes: Nodes) -> None:
    options = ("--engine", "ray", "--address", nodes.address, "--replicas", "1")
    with served(*options) as first:
        (kept,) = replicas_of(nodes.raylets)
        second = subprocess.run(
            [sys.executable, "-m", "vivant", "serve", *options, "--port", str(first.port)],
            capture_output=True, text=True, check=False, timeout=START_S,
        )  # fmt: skip
        assert f"Error: cannot listen at 127.0.0.1, port {first.port}" in second.stderr
        assert replicas_of(nodes.raylets) == [kept]
        assert verdict(first.port)
        first.process.kill()
        wait_until(lambda: not replicas_of(nodes.raylets), "no replica is left in the cluster")


@pytest.mark.slow
def test_model_that_replicas_cannot_read_is_one_line_and_an_end(
    nodes: Nodes, tmp_path: Path
) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from vivant.cli import app\n"
        "from vivant.distributed import replicas\n"
        "made = replicas.CheckerPlan.made\n"
        "gone = lambda limits, **how: made(limits, **how | {'model': Path('gone.json')})\n"
        "replicas.CheckerPlan.made = gone\n"
        "app.main()\n"
    )
    command = [sys.executable, "-c", script, "serve", "--engine", "ray", "--address", nodes.address]
    answer = subprocess.run(
        [*command, "--port", "0", "--replicas", "1"],
        capture_output=True, text=True, check=False, timeout=START_S, cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 1
    said = [line for line in answer.stderr.splitlines() if line.startswith("Error")]
    assert said == [
        f"Error: a replica cannot judge: expected a model card at {tmp_path / 'gone.json'}: "
        "No such file or directory"
    ]
    assert "Traceback" not in answer.stderr
    wait_until(lambda: not replicas_of(nodes.raylets), "no replica is left in the cluster")
    assert all(map(is_running, nodes.raylets))
