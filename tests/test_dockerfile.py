"""The container: its file is linted, and what runs it keeps it locked up. Nothing is built here."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # Comes with schemathesis.

from vivant.serving.limits import ServiceLimits

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
CADDYFILE = (ROOT / "deploy" / "Caddyfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICE, PROXY = COMPOSE["services"]["vivant"], COMPOSE["services"]["proxy"]
HADOLINT = shutil.which("hadolint") or shutil.which("hadolint", path=Path(sys.prefix) / "bin")


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
@pytest.mark.parametrize("name", ["Dockerfile", "deploy/Dockerfile.ray"])
def test_dockerfile_has_no_fault(name: str) -> None:
    assert HADOLINT is not None
    ran = subprocess.run([HADOLINT, name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_container_runs_as_a_user_by_number_and_needs_keys() -> None:
    last = DOCKERFILE.split("FROM ")[-1]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert 'ENTRYPOINT ["vivant", "serve", "--host", "0.0.0.0"]' in last
    assert 'CMD ["--keys", "/run/secrets/keys.json"]' in last
    assert "--anyone-may-call" not in DOCKERFILE + str(SERVICE)
    assert "HEALTHCHECK" in last
    assert "/readyz" in last


def test_health_check_is_python_that_fails_where_nobody_answers() -> None:
    (code,) = re.findall(r'"(from urllib.*)"\]', DOCKERFILE)
    ran = subprocess.run(
        [sys.executable, "-c", code.replace(":8080", ":1")], capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert "URLError" in ran.stderr


def test_copied_files_are_there_and_not_ignored() -> None:
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("service", [SERVICE, PROXY], ids=["vivant", "proxy"])
def test_services_may_do_as_little_as_they_can(service: dict) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert service["mem_limit"]
    assert not service.get("privileged")


def test_service_is_reached_through_the_proxy_alone_and_believes_it_alone() -> None:
    assert "ports" not in SERVICE
    assert "cap_add" not in SERVICE
    assert set(SERVICE["networks"]) == {"inside"}
    assert COMPOSE["networks"]["inside"]["internal"] is True
    proxy = PROXY["networks"]["inside"]["ipv4_address"]
    assert f"--proxy={proxy}" in SERVICE["command"]
    address = SERVICE["networks"]["inside"]["ipv4_address"]
    assert f"reverse_proxy {address}:8080" in CADDYFILE


def test_keys_come_as_a_secret() -> None:
    (name,) = SERVICE["secrets"]
    assert f"--keys=/run/secrets/{name}" in SERVICE["command"]
    assert COMPOSE["secrets"][name]["file"] == "./keys.json"


def test_options_are_those_of_the_command() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "vivant", "serve", "--help"],
        capture_output=True, text=True, check=True, env={"COLUMNS": "200", "TERM": "dumb"},
    )  # fmt: skip
    for option in [*SERVICE["command"], "--host"]:
        assert re.search(rf"{option.partition('=')[0]}\b", ran.stdout), option


def test_proxy_takes_what_the_service_takes_and_keeps_no_connection_longer() -> None:
    limits = ServiceLimits()
    (size,) = re.findall(r"max_size (\d+)MiB", CADDYFILE)
    assert limits.max_body_bytes <= int(size) * 2**20 <= limits.max_body_bytes * 1.1
    (keep_s,) = re.findall(r"keepalive (\d+)s", CADDYFILE)
    assert int(keep_s) < limits.idle_timeout_s


def test_end_is_given_all_the_time_that_it_may_take() -> None:
    from vivant.serving import server

    grace_s = int(SERVICE["stop_grace_period"].removesuffix("s"))
    assert grace_s >= 3 + server._STREAMS_S + server._END_S
