"""The log: a line of JSON each, on standard error, and nothing in it of who asked for what."""

import io
import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from people import person_video
from services import SECRET, bearer, client, kept_loggers
from vivant.serving.log import log_to_stderr


class Screen(io.StringIO):
    is_terminal = False

    def isatty(self) -> bool:
        return self.is_terminal


def logged(error: Screen) -> list[dict]:
    return [json.loads(line) for line in error.getvalue().splitlines()]


@pytest.fixture
def error(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """Standard error, to which the service logs."""
    screen = Screen()
    monkeypatch.setattr("vivant.serving.log.sys", SimpleNamespace(stderr=screen))
    with kept_loggers():
        log_to_stderr()
        yield screen


def test_message_is_one_line_with_time_and_level(error: Screen) -> None:
    logging.getLogger("vivant.serving").warning("two\nlines of %s", '"quotes"')
    (line,) = logged(error)
    assert (line["level"], line["message"]) == ("warning", 'two\nlines of "quotes"')
    assert set(line) == {"time", "level", "message"}
    assert line["time"][:2] == "20"
    assert line["time"][10] == "T"


def test_fields_are_the_line_s_own(error: Screen) -> None:
    logging.getLogger("vivant.serving").info("x", extra={"fields": {"route": "/", "status": 200}})
    (line,) = logged(error)
    assert (line["route"], line["status"]) == ("/", 200)
    assert "message" not in line


def test_error_comes_with_its_trace_on_the_same_line(error: Screen) -> None:
    try:
        raise ZeroDivisionError("ours")
    except ZeroDivisionError:
        logging.getLogger("vivant.serving").exception("a check failed")
    (line,) = logged(error)
    assert line["message"] == "a check failed"
    assert line["error"].startswith("Traceback")
    assert line["error"].endswith("ZeroDivisionError: ours")


def test_server_s_own_log_is_kept_to_warnings(error: Screen) -> None:
    server = logging.getLogger("uvicorn.error")
    server.info('127.0.0.1:80 - "WebSocket /v1/stream?key=x" [accepted]')
    server.warning("Invalid HTTP request received.")
    assert [line["message"] for line in logged(error)] == ["Invalid HTTP request received."]


def test_logging_twice_writes_once(error: Screen) -> None:
    log_to_stderr()
    logging.getLogger("vivant.serving").info("once")
    assert len(logged(error)) == 1


def test_requests_are_logged_without_address_query_name_or_key(error: Screen) -> None:
    with client(has_keys=True) as asked:
        film = {"media": ("alice.mp4", person_video())}
        answer = asked.post("/v1/check?explain=true&who=bob", files=film, headers=bearer(SECRET))
        asked.get("/page/carol.js")
        asked.get("/dave?mallory=1")
        opened = asked.post("/v1/sessions", headers=bearer(SECRET)).json()
        asked.get(f"/v1/sessions/{opened['id']}", headers=bearer("wrong-secret"))
    check, page, other, _, session = logged(error)
    assert (check["method"], check["route"], check["status"]) == ("POST", "/v1/check", 200)
    assert check["request"] == answer.headers["x-request-id"]
    assert 0 < check["seconds"] < 60
    assert (page["route"], page["status"]) == ("/page/{name:path}", 404)
    assert (other["route"], other["status"]) == ("other", 404)
    assert (session["route"], session["status"]) == ("/v1/sessions/{session_id}", 401)
    text = json.dumps([check, page, other, session])
    secrets = ("alice", "bob", "carol", "dave", "mallory", SECRET, "wrong", "backend", "testclient")
    for word in (*secrets, opened["id"], opened["token"]):
        assert word not in text, word


def test_in_a_terminal_a_request_is_a_line_of_words(error: Screen) -> None:
    error.is_terminal = True
    log_to_stderr()
    fields = {"method": "POST", "route": "/v1/check", "status": 200, "seconds": 0.25}
    logging.getLogger("vivant.serving").info("request", extra={"fields": fields})
    logging.getLogger("vivant.serving").info("listening")
    request, other = error.getvalue().splitlines()
    assert request.endswith("  POST /v1/check  200  0.250 s")
    assert other.endswith("  listening")
