"""The gate: only for whom it is meant, and never for another site's page."""

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from services import STREAM, client, service
from vivant.serving.app import create_app

SECURITY = {
    "content-security-policy",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "referrer-policy",
    "x-content-type-options",
    "cache-control",
}


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8080", "localhost", "localhost:1", "LOCALHOST", "[::1]", "[::1]:80"],
)
def test_names_of_this_machine_are_answered(host: str) -> None:
    with client() as asked:
        assert asked.get("/livez", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example/localhost",
        "localhost@evil.example",
        "127.0.0.2",
        "0.0.0.0",
        "[::1",
        "",
    ],
)
def test_name_that_another_site_points_here_is_refused(host: str) -> None:
    with client() as asked:
        answer = asked.get("/v1/service", headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "WRONG_HOST")
    assert "--host-name" in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_own_page_and_back_ends_may_ask() -> None:
    with client() as asked:
        assert asked.get("/livez").status_code == 200
        own = asked.get("/livez", headers={"origin": "http://127.0.0.1"})
        assert own.status_code == 200
        there = {"host": "localhost:8080", "origin": "http://localhost:8080"}
        assert asked.get("/livez", headers=there).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        "http://localhost",
        "http://127.0.0.1:3000",
        "null",
        "",
        "http://[",
    ],
)
def test_page_of_another_site_is_refused_before_anything_is_done(origin: str) -> None:
    with client() as asked:
        answer = asked.post("/v1/sessions", headers={"origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_ORIGIN")
        assert not asked.app.state.service.sessions._sessions


def test_no_answer_lets_another_site_read_it() -> None:
    with client() as asked:
        preflight = {"origin": "http://evil.example", "access-control-request-method": "POST"}
        answers = [
            asked.options("/v1/check", headers=preflight),
            asked.get("/livez", headers={"origin": "http://127.0.0.1"}),
            asked.get("/livez"),
        ]
    assert answers[0].status_code == 403
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}])
def test_socket_of_another_site_is_never_accepted(headers: dict[str, str]) -> None:
    with client() as asked:
        with (
            pytest.raises(WebSocketDisconnect) as caught,
            asked.websocket_connect(STREAM, headers=headers),
        ):
            pass
        assert caught.value.code == 1008
        assert not asked.app.state.service.num_streams
        with asked.websocket_connect(STREAM):
            pass


def test_service_without_names_answers_to_all_and_keeps_to_its_own_pages() -> None:
    with service() as parts, TestClient(create_app(parts, None)) as asked:
        named = {"host": "pad.example"}
        assert asked.get("/livez", headers=named).status_code == 200
        own = named | {"origin": "https://pad.example"}
        assert asked.get("/livez", headers=own).status_code == 200
        other = named | {"origin": "https://evil.example"}
        assert asked.get("/livez", headers=other).status_code == 403


def test_every_answer_has_the_headers_that_keep_a_browser_here() -> None:
    with client(max_body_bytes=100, request_burst=3, requests_per_minute=0.1) as asked:

        def fails() -> None:
            raise ZeroDivisionError

        answers = {
            "200": asked.get("/livez"),
            "page": asked.get("/"),
            "file": asked.get("/page/style.css"),
            "404": asked.get("/no-such"),
            "405": asked.get("/v1/check"),
            "413": asked.post("/v1/check", content=bytes(101)),
            "415": asked.post("/v1/check", content=b"no video"),
            "421": asked.get("/livez", headers={"host": "evil.example"}),
            "403": asked.get("/livez", headers={"origin": "http://evil.example"}),
            "422": asked.post("/v1/check?explain=perhaps", content=b"x"),
        }
        asked.app.state.service.sessions.open = fails
        answers["500"] = asked.post("/v1/sessions")
        answers["429"] = asked.post("/v1/sessions")
    for name, answer in answers.items():
        assert answer.status_code == (int(name) if name.isdigit() else 200), name
        assert set(answer.headers) >= SECURITY, name
        assert answer.headers["x-content-type-options"] == "nosniff"
        if name not in ("page", "file"):
            assert answer.headers["cache-control"] == "no-store", name


def test_fault_of_ours_is_counted_as_500_and_has_a_request_id() -> None:
    with client() as asked:
        asked.app.state.service.sessions.open = lambda: 1 // 0
        answer = asked.post("/v1/sessions")
        text = asked.get("/metrics").text
    assert (answer.status_code, answer.json()["code"]) == (500, "FAILED")
    assert len(answer.headers["x-request-id"]) == 16
    assert 'vivant_requests_total{route="/v1/sessions",status="500"} 1.0' in text
    assert 'vivant_problems_total{code="FAILED"} 1.0' in text


def test_policy_lets_scripts_and_connections_go_nowhere_else() -> None:
    with client() as asked:
        headers = asked.get("/").headers
    policy = dict(
        rule.strip().split(" ", 1) for rule in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == policy["style-src"] == policy["worker-src"] == "'self'"
    assert policy["script-src"].split() == ["'self'", "'wasm-unsafe-eval'"]
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    for value in policy.values():
        assert "'unsafe-inline'" not in value
        assert "'unsafe-eval'" not in value
        assert "*" not in value
        assert "http" not in value
    assert headers["permissions-policy"].startswith("camera=(self), microphone=()")
