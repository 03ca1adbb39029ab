"""The service as an application of Ray Serve: what it refuses, its front, and both behind a proxy."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from made_up import MadeUpRunner
from vivant.distributed.replicas import Refused
from vivant.errors import InputError, Refusal, UnknownNameError
from vivant.serving.keys import Level, add_key, read_keys

if TYPE_CHECKING:
    from vivant.distributed.application import Settings


def settings(**fields: Any) -> "Settings":
    from vivant.distributed.application import Settings

    return Settings(**fields)


def build(**fields: Any) -> Any:
    """The application of these settings."""
    from vivant.distributed.application import build

    return build(settings(**fields))


def test_without_keys_it_needs_so_many_words() -> None:
    with pytest.raises(InputError, match="anyone_may_call=true"):
        build()
    with pytest.raises(InputError, match="cannot read the keys"):
        build(keys=Path("gone.json"))


def test_settings_are_checked_before_anything_starts() -> None:
    with pytest.raises(ValidationError, match="modle"):
        settings(modle="x")
    with pytest.raises(UnknownNameError, match="did you mean 'max_streams'"):
        build(anyone_may_call=True, limits={"max_steams": 1})
    with pytest.raises(InputError, match="expected replicas as MIN:MAX"):
        build(anyone_may_call=True, replicas="many")


def test_replicas_may_be_a_number_of_yaml() -> None:
    checkers = build(anyone_may_call=True, replicas=3)._bound_deployment.init_args[2]
    scaling = checkers._bound_deployment._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (3, 3)


def test_words_of_a_command_line_are_settings() -> None:
    found = settings(anyone_may_call="true", workers="3", limits={"max_streams": "2"})
    assert (found.anyone_may_call, found.workers) == (True, 3)
    assert (found.plan().limits.max_streams, found.plan().num_workers) == (2, 3)


def test_one_front_and_as_many_that_judge_as_are_asked_for() -> None:
    front = build(anyone_may_call=True, replicas="2:5")._bound_deployment
    assert front.num_replicas == 1
    assert front.max_ongoing_requests == 512
    assert 0 < front.ray_actor_options["num_cpus"] < 0.5
    checkers = front.init_args[2]._bound_deployment
    scaling = checkers._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (2, 5)


def test_front_asks_the_replicas_and_keeps_keys_and_audit_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from ray import serve
    from ray.serve.handle import DeploymentHandle

    from vivant.distributed import application

    class Handle(DeploymentHandle):
        """Stands for a handle to replicas that refuse everything."""

        def __init__(self) -> None:
            self.check = SimpleNamespace(remote=self._refuse)

        async def _refuse(self, source: object, rate: float) -> Refused:
            return Refused(Refusal.TOO_LONG, "expected 10 s, got 20 s", None)

    opened: list[tuple[object, ...]] = []

    def open_made_up(*given: object) -> MadeUpRunner:
        opened.append(given)
        return MadeUpRunner(0.9)

    one = SimpleNamespace(deployments={"Checker": SimpleNamespace(replica_states={"RUNNING": 1})})
    monkeypatch.setattr("vivant.session.session.open_runner", open_made_up)
    monkeypatch.setattr(serve, "status", lambda: SimpleNamespace(applications={"here": one}))
    monkeypatch.setattr(serve, "get_replica_context", lambda: SimpleNamespace(app_name="here"))
    monkeypatch.setattr(application, "log_to_stderr", lambda: None)
    secret = add_key(tmp_path / "keys.json", "backend", Level.TRUSTED)
    audit = tmp_path / "audit.jsonl"
    front = application.Front(
        settings(audit=audit, proxy="10.0.0.1", threads=2), read_keys(tmp_path / "keys.json"),
        Handle(),
    )  # fmt: skip
    try:
        with TestClient(front.__serve_build_asgi_app__()) as asked:
            assert asked.get("/readyz").status_code == 200
            assert asked.post("/v1/check", content=b"media").status_code == 401
            told = {"Authorization": f"Bearer {secret}"}
            answer = asked.post("/v1/check", content=b"media", headers=told)
            assert (answer.status_code, answer.json()["code"]) == (422, "TOO_LONG")
    finally:
        front.__del__()
    assert [given[-1] for given in opened] == [2]
    (line,) = audit.read_text().splitlines()
    assert json.loads(line)["code"] == "TOO_LONG"


# Serve's own proxy takes the requests; a front that is killed is started anew, with new sessions.
PROGRAM = """
import http.client, json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from ray import serve
from clocks import wait_until
from clusters import command_of
from people import person_video
from served_process import tree
from vivant.distributed.application import Settings, build
from vivant.distributed.cluster import connected

PORT = int(sys.argv[2])

def ask(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())

def fronts():
    title = b"ray::ServeReplica:vivant:Front"
    return [pid for pid in tree(os.getpid()) if command_of(pid).startswith(title)]

told = {}
with connected(None):
    serve.start(http_options={"host": "127.0.0.1", "port": PORT})
    serve.run(build(Settings(anyone_may_call=True, replicas="1")), name="vivant")
    # Who judges is counted once a second.
    def is_ready():
        told["ready"] = ask("GET", "/readyz")
        return told["ready"][0] == 200

    wait_until(is_ready, "the application is ready")
    told["verdict"] = ask("POST", "/v1/check", person_video())
    told["refused"] = ask("POST", "/v1/check", b"no video")
    told["opened"] = ask("POST", "/v1/sessions")
    place = "/v1/sessions/" + told["opened"][1]["id"]
    told["kept"] = ask("GET", place)
    (front,) = fronts()
    os.kill(front, signal.SIGKILL)
    wait_until(lambda: front not in fronts(), "the front has ended")
    told["after"] = ask("POST", "/v1/check", person_video())
    told["lost"] = ask("GET", place)
print(json.dumps(told))
"""


@pytest.mark.slow
def test_application_answers_behind_the_proxy_of_serve() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    tests = Path(__file__).parents[1]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tests), str(port)],
        capture_output=True, text=True, check=False, timeout=480,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    statuses = {name: status for name, (status, _) in told.items()}
    assert statuses == {
        "ready": 200, "verdict": 200, "refused": 415, "opened": 201, "kept": 200, "after": 200,
        "lost": 404,
    }  # fmt: skip
    assert told["refused"][1]["code"] == "UNSUPPORTED_FORMAT"
    first, second = told["verdict"][1], told["after"][1]
    assert first["bona_fide_score"] == second["bona_fide_score"] is not None
