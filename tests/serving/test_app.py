"""The application as a whole: its OpenAPI document, its errors, its log."""

import json
import logging
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from people import person_video
from services import client, listening, service
from vivant.serving.app import create_app

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_MANY = {"requests_per_minute": 1e9, "request_burst": 10**9, "max_sessions": 10**6}


def test_document_has_every_route_and_its_errors() -> None:
    with client() as asked:
        document = asked.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/v1/check", "/v1/sessions", "/v1/sessions/{session_id}",
        "/v1/sessions/{session_id}/media", "/livez", "/readyz", "/metrics", "/v1/service",
    }  # fmt: skip
    check = document["paths"]["/v1/check"]["post"]
    assert {"200", "401", "413", "415", "422", "429", "503"} <= set(check["responses"])
    assert "application/problem+json" in check["responses"]["503"]["content"]
    assert "multipart/form-data" in check["requestBody"]["content"]


def test_docs_that_load_scripts_from_elsewhere_are_off() -> None:
    with client() as asked:
        assert asked.get("/docs").status_code == 404
        assert asked.get("/redoc").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/v1/check", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/check?explain=perhaps", 422, "BAD_REQUEST"),
        ("GET", f"/v1/sessions/{'x' * 65}", 422, "BAD_REQUEST"),
    ],
)
def test_every_error_is_a_problem(method: str, path: str, status: int, code: str) -> None:
    with client() as asked:
        answer = asked.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code


def test_fault_of_ours_is_a_problem_without_its_insides(monkeypatch: pytest.MonkeyPatch) -> None:
    with client() as asked:
        monkeypatch.setattr("vivant.serving.checking.to_answer", lambda *_, **__: 1 / 0)
        answer = asked.post("/v1/check", content=person_video())
    assert (answer.status_code, answer.json()["code"]) == (500, "FAILED")
    assert "Traceback" not in answer.text
    assert "content-security-policy" in answer.headers


def test_log_has_routes_and_times_and_nothing_of_anybody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vivant.serving")
    with client() as asked:
        opened = asked.post("/v1/sessions").json()
        asked.put(
            f"/v1/sessions/{opened['id']}/media?who=alice",
            files={"media": ("alice.mp4", person_video())},
            headers={"Authorization": f"Bearer {opened['token']}"},
        )
    lines = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert [line["route"] for line in lines] == ["/v1/sessions", "/v1/sessions/{session_id}/media"]
    assert [line["status"] for line in lines] == [201, 200]
    text = json.dumps(lines)
    for private in ("alice", opened["id"], opened["token"], "testclient"):
        assert private not in text


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listening(**_MANY) as (_, port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def document() -> schemathesis.BaseSchema:
    """The OpenAPI document that requests are made up from."""
    with service() as parts:
        return schemathesis.openapi.from_dict(create_app(parts, None).openapi())


@pytest.fixture(autouse=True)
def nodeid(request: pytest.FixtureRequest) -> None:
    """schemathesis 4.32 changes an attribute of nodes that pytest 9.2 has no more."""
    request.node._nodeid = request.node.nodeid


@schemathesis.pytest.from_fixture("document").parametrize()
@settings(suppress_health_check=list(HealthCheck))
def test_made_up_requests_find_no_fault(case: schemathesis.Case, address: str) -> None:
    """As many of each operation as the profile of Hypothesis in force says."""
    case.call_and_validate(base_url=address, checks=_CHECKS)
