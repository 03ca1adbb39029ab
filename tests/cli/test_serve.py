"""`vivant serve`: what it refuses to start with. A service that runs is in tests/serving."""

import socket
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from commands import run
from made_up import MadeUpRunner
from services import kept_loggers
from vivant.cli.app import app
from vivant.errors import InputError, OutputError, UnknownNameError, VivantError
from vivant.serving.keys import Level, add_key
from vivant.serving.limits import ServiceLimits


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Models that were opened, which are made up."""
    found: list[object] = []

    def open_made_up(*given: object) -> MadeUpRunner:
        found.append(given)
        return MadeUpRunner()

    monkeypatch.setattr("vivant.session.session.open_runner", open_made_up)
    return found


@pytest.fixture
def started(opened: list[object], monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Services that were to run, which do not."""
    found: list[dict] = []

    def note(service: object, host: str, port: int, **how: object) -> None:
        found.append({"service": service, "host": host, "port": port, **how})

    monkeypatch.setattr("vivant.serving.server.serve", note)
    return found


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    with kept_loggers():
        yield


def serve(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["serve", *map(str, arguments)])


def error_of(kind: type[VivantError], *arguments: object) -> str:
    answer = serve(*arguments)
    assert isinstance(answer.exception, kind), answer.output
    assert answer.exit_code == 1
    return str(answer.exception)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "pad.example", ""])
def test_address_that_others_reach_needs_keys(host: str, started: list[dict]) -> None:
    said = error_of(InputError, "--host", host)
    assert "can be reached from other machines" in said
    assert "vivant key add" in said
    assert "--anyone-may-call" in said
    assert started == []


def test_keys_or_so_many_words_let_it_listen_to_the_world(
    started: list[dict], tmp_path: Path
) -> None:
    add_key(tmp_path / "keys.json", "backend", Level.TRUSTED)
    assert serve("--host", "0.0.0.0", "--keys", tmp_path / "keys.json").exit_code == 0
    assert serve("--host", "0.0.0.0", "--anyone-may-call").exit_code == 0
    with_keys, without = started
    assert [key.name for key in with_keys["service"].keys.keys] == ["backend"]
    assert without["service"].keys is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_own_machine_needs_none(host: str, started: list[dict]) -> None:
    assert serve("--host", host).exit_code == 0
    assert started[0]["host"] == host


@pytest.mark.parametrize("option", [("--proxy", "10.0.0.1"), ("--host-name", "pad.example")])
def test_own_machine_behind_a_proxy_is_reached_by_others(
    option: tuple[str, str], started: list[dict]
) -> None:
    said = error_of(InputError, *option)
    assert "can be reached from other machines through a proxy" in said
    assert started == []
    assert serve(*option, "--anyone-may-call").exit_code == 0


def test_without_options_it_listens_to_this_machine_alone(started: list[dict]) -> None:
    assert serve().exit_code == 0
    (run,) = started
    assert (run["host"], run["port"], run["proxy"], run["host_names"]) == (
        "127.0.0.1", 8080, None, (),
    )  # fmt: skip
    assert run["service"].limits == ServiceLimits()


def test_options_reach_the_service(started: list[dict], tmp_path: Path) -> None:
    answer = serve(
        "--port", 9, "--workers", 3, "--limit", "max_streams=1", "--limit", "session_s=9",
        "--host-name", "pad.example", "--host-name", "b", "--proxy", "10.0.0.1", "--drain", 0,
        "--audit", tmp_path / "audit.jsonl", "--anyone-may-call",
    )  # fmt: skip
    assert answer.exit_code == 0
    (run,) = started
    service = run["service"]
    assert (run["port"], run["drain_s"], run["proxy"]) == (9, 0.0, "10.0.0.1")
    assert run["host_names"] == ("pad.example", "b")
    assert service.num_workers == 3
    assert (service.limits.max_streams, service.limits.session_s) == (1, 9)
    assert (tmp_path / "audit.jsonl.key").is_file()


def test_unknown_limit_comes_with_the_nearest_name(opened: list[object]) -> None:
    said = error_of(UnknownNameError, "--limit", "max_steams=8")
    assert "no limit is called 'max_steams': did you mean 'max_streams'?" in said
    assert opened == [], "before the model is loaded"


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("max_streams", "expected a limit as name=value, got 'max_streams'"),
        ("max_streams=lots", "limit max_streams: "),
        ("max_body_bytes=0", "limit max_body_bytes: "),
        ("body_timeout_s=inf", "limit body_timeout_s: "),
    ],
)
def test_bad_limit_is_refused_by_name(limit: str, message: str, opened: list[object]) -> None:
    assert message in error_of(InputError, "--limit", limit)
    assert opened == []


@pytest.mark.parametrize("content", [None, b"damaged", b'{"keys": []}'])
def test_keys_that_cannot_be_read_never_mean_no_keys(
    content: bytes | None, started: list[dict], tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_bytes(content)
    for host in ("127.0.0.1", "0.0.0.0"):
        assert str(path) in error_of(InputError, "--host", host, "--keys", path)
    assert started == []


def test_audit_log_that_cannot_be_written_is_said_at_once(
    started: list[dict], tmp_path: Path
) -> None:
    said = error_of(OutputError, "--audit", tmp_path / "gone" / "audit.jsonl")
    assert "cannot write the audit log" in said
    assert started == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "65536"],
        ["--port", "-1"],
        ["--port", "x"],
        ["--workers", "-1"],
        ["--drain", "-1"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], started: list[dict]) -> None:
    assert serve(*arguments).exit_code == 2
    assert started == []


def test_port_in_use_says_what_to_do(opened: list[object], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = error_of(InputError, "--port", port, "--audit", tmp_path / "audit.jsonl")
    assert f"cannot listen at 127.0.0.1, port {port}: Address already in use" in said
    assert "--port" in said


def test_address_of_another_machine_cannot_be_listened_at(opened: list[object]) -> None:
    said = error_of(InputError, "--host", "192.0.2.1", "--anyone-may-call", "--port", 0)
    assert "cannot listen at 192.0.2.1, port 0: Cannot assign requested address" in said


def test_mistake_is_one_line_and_exit_code_1() -> None:
    answer = run("serve", "--host", "0.0.0.0")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith(
        "Error: the service can be reached from other machines at 0.0.0.0"
    )
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", [("--replicas", "1:4"), ("--address", "auto")])
def test_what_only_a_cluster_knows_needs_one(option: tuple[str, str], started: list[dict]) -> None:
    answer = serve(*option)
    assert answer.exit_code == 2
    assert started == []


def test_on_a_cluster_others_judge_and_the_rest_is_as_it_was(
    started: list[dict], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found: list[tuple[object, ...]] = []

    class Elsewhere:
        is_up = True
        num_pending = 0

        def require_room(self) -> None:
            pass

        async def check(self, source: object, rate: float) -> None:
            pass

        async def drain(self) -> None:
            pass

    judge = Elsewhere()

    class Checkers:
        def __init__(self, *given: object) -> None:
            found.append(given)

        def __enter__(self) -> object:
            return judge

        def __exit__(self, *_: object) -> None:
            found.append(("closed",))

    module = types.ModuleType("vivant.distributed.serving")
    module.checkers = Checkers
    monkeypatch.setitem(sys.modules, "vivant.distributed.serving", module)
    monkeypatch.chdir(tmp_path)
    answer = serve(
        "--engine", "ray", "--address", "head:6379", "--replicas", "2:3", "--port", 81,
        "--workers", 4, "--threads", 2, "--limit", "max_waiting=5", "--model", "a.onnx.json",
        "--patience", 60,
    )  # fmt: skip
    assert answer.exit_code == 0, answer.output
    (plan, address, replicas, name, patience_s), closed = found
    assert (address, replicas.least, replicas.most) == ("head:6379", 2, 3)
    assert name.startswith("vivant-")
    assert patience_s == 60
    assert (plan.num_workers, plan.num_threads, plan.limits.max_waiting) == (4, 2, 5)
    assert plan.model == tmp_path / "a.onnx.json"
    assert closed == ("closed",), "when the service has ended"
    assert started[0]["service"].judge is judge


def test_replicas_that_are_none_are_refused(opened: list[object]) -> None:
    assert "MIN:MAX" in error_of(InputError, "--engine", "ray", "--replicas", "4:1")
    assert opened == [], "before the model is loaded"
