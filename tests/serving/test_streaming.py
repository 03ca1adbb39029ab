"""WS /v1/stream: frames in, hints and verdicts out, and what ends a stream that goes too far."""

import json
import logging
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from clocks import wait_until
from forged import picture
from made_up import MadeUpRunner
from people import person, swaying
from services import PUBLIC, SECRET, STREAM, bearer, client


def jpeg(pixels: np.ndarray) -> bytes:
    return picture("JPEG", pixels, quality=90)


@cache
def frames() -> list[bytes]:
    """A person who sways, twelve frames long."""
    return [jpeg(pixels) for pixels in swaying(12)]


def message(data: bytes, time_s: float) -> bytes:
    return struct.pack("<d", time_s) + data


def greet(socket: WebSocketTestSession, **hello: object) -> dict[str, object]:
    socket.send_json({"type": "hello", **hello})
    return socket.receive_json()


def film(socket: WebSocketTestSession, frames: list[bytes], rate: float = 10) -> list[dict]:
    answers = []
    for i, data in enumerate(frames):
        socket.send_bytes(message(data, i / rate))
        answers.append(socket.receive_json())
    return answers


def assert_refused(socket: WebSocketTestSession, status: int, code: str, close: int) -> str:
    said = socket.receive_json()
    assert (said["type"], said["status"], said["code"]) == ("problem", status, code)
    with pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    assert closed.value.code == close
    return str(said["detail"])


def test_frames_become_a_verdict() -> None:
    with client() as asked, asked.websocket_connect(STREAM) as socket:
        ready = greet(socket, explain=True)
        assert ready["type"] == "ready"
        assert ready["is_trusted"] is True
        answers = film(socket, frames())
        assert [answer["number"] for answer in answers] == list(range(1, 13))
        x0, y0, x1, y1 = answers[-1]["face"]
        assert 150 < x1 - x0 < 180
        assert 150 < y1 - y0 < 180
        assert answers[-1]["is_usable"] is True
        assert answers[-1]["hints"] == []
        assert answers[-1]["answer"]["decision"] == "bona_fide"
        assert answers[-1]["answer"]["explanation"] is None
        socket.send_json({"type": "end"})
        said = socket.receive_json()
        assert said["type"] == "verdict"
        assert said["answer"]["decision"] == "bona_fide"
        assert said["answer"]["bona_fide_score"] == pytest.approx(0.9)
        assert said["answer"]["explanation"]["crop"].startswith("data:image/jpeg")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert closed.value.code == 1000


def test_log_has_a_line_for_each_stream(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vivant.serving")
    with client() as asked:
        with asked.websocket_connect(STREAM) as socket:
            greet(socket)
            film(socket, frames()[:2])
            socket.send_json({"type": "end"})
            assert socket.receive_json()["type"] == "verdict"
        with asked.websocket_connect(STREAM) as socket:
            socket.send_text("no hello")
            assert socket.receive_json()["type"] == "problem"
    lines = [record.fields for record in caplog.records if hasattr(record, "fields")]
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/v1/stream", 200),
        ("/v1/stream", 422),
    ]
    assert len({line["request"] for line in lines}) == 2


def test_hints_say_what_is_wrong_with_the_newest_frame() -> None:
    far = [jpeg(person(scale=0.4, seed=i)) for i in range(3)]
    nobody = [jpeg(np.full((480, 640, 3), 90, np.uint8))] * 2
    with client() as asked, asked.websocket_connect(STREAM) as socket:
        greet(socket)
        answers = film(socket, far + nobody)
    assert [hint["code"] for hint in answers[2]["hints"]] == ["FACE_TOO_SMALL"]
    assert answers[2]["hints"][0]["advice"] == "Come closer."
    assert answers[2]["is_usable"] is False
    assert answers[-1]["face"] is None
    assert [hint["code"] for hint in answers[-1]["hints"]] == ["NO_FACE"]


def test_stream_without_a_face_is_no_decision() -> None:
    with client() as asked, asked.websocket_connect(STREAM) as socket:
        greet(socket)
        film(socket, [jpeg(np.full((480, 640, 3), 90, np.uint8))] * 6)
        socket.send_json({"type": "end"})
        said = socket.receive_json()["answer"]
    assert (said["status"], said["decision"]) == ("undecided", None)
    assert [reason["code"] for reason in said["reasons"]] == ["NO_FACE"]


def test_public_key_hears_the_decision_at_the_end_and_no_score() -> None:
    with client(has_keys=True) as asked, asked.websocket_connect(STREAM) as socket:
        assert greet(socket, key=PUBLIC, explain=True)["is_trusted"] is False
        assert all(answer["answer"] is None for answer in film(socket, frames()))
        socket.send_json({"type": "end"})
        said = socket.receive_json()["answer"]
    assert said["decision"] == "bona_fide"
    assert not {"bona_fide_score", "windows", "explanation"} & set(said)


def test_session_gets_its_verdict_by_a_stream_once() -> None:
    with client(has_keys=True) as asked:
        opened = asked.post("/v1/sessions", headers=bearer(SECRET)).json()
        ticket = {"id": opened["id"], "token": opened["token"]}
        with asked.websocket_connect(STREAM) as socket:
            greet(socket, session=ticket)
            film(socket, frames()[:3])
        # It broke off before its end: nothing was judged, and the session is still good.
        with asked.websocket_connect(STREAM) as socket:
            greet(socket, session=ticket)
            film(socket, frames())
            socket.send_json({"type": "end"})
            assert socket.receive_json()["answer"]["decision"] == "bona_fide"
        full = asked.get(f"/v1/sessions/{opened['id']}", headers=bearer(SECRET)).json()
        assert full["answer"]["bona_fide_score"] == pytest.approx(0.9)
        with asked.websocket_connect(STREAM) as socket:
            socket.send_json({"type": "hello", "session": ticket})
            assert_refused(socket, 409, "SESSION_USED", 1008)


def test_same_frames_in_another_session_are_never_decided_on() -> None:
    with client(has_keys=True) as asked:
        decisions = []
        for _ in range(2):
            opened = asked.post("/v1/sessions", headers=bearer(SECRET)).json()
            with asked.websocket_connect(STREAM) as socket:
                greet(socket, session={"id": opened["id"], "token": opened["token"]})
                film(socket, frames())
                socket.send_json({"type": "end"})
                decisions.append(socket.receive_json()["answer"]["decision"])
    assert decisions == ["bona_fide", None]


@pytest.mark.parametrize("key", [None, "no-such-key"])
def test_stream_without_a_known_key_is_refused(key: str | None) -> None:
    with client(has_keys=True) as asked, asked.websocket_connect(STREAM) as socket:
        socket.send_json({"type": "hello", "key": key})
        assert_refused(socket, 401, "UNAUTHORIZED", 1008)


@pytest.mark.parametrize("first", ["", "{}", '{"type": "end"}', '{"type": "hello", "score": 1}'])
def test_first_message_must_be_a_hello(first: str) -> None:
    with client() as asked, asked.websocket_connect(STREAM) as socket:
        socket.send_text(first)
        assert "hello" in assert_refused(socket, 422, "BAD_REQUEST", 1008)


def test_too_many_unanswered_frames_end_the_stream() -> None:
    runner = MadeUpRunner()
    with client(runner) as asked, asked.websocket_connect(STREAM) as socket:
        greet(socket)
        for i in range(20):
            socket.send_bytes(message(frames()[i % 12], i / 10))
        while (said := socket.receive_json())["type"] == "frame":
            assert said["number"] <= 17
        assert (said["code"], said["status"]) == ("RATE_LIMITED", 429)
        assert "max_in_flight" in said["detail"]


def test_frames_beyond_the_rate_end_the_stream() -> None:
    limits = {"max_frames_per_s": 2.0}
    with client(**limits) as asked, asked.websocket_connect(STREAM) as socket:
        greet(socket)
        for i in range(3):
            socket.send_bytes(message(frames()[i], i / 10))
            said = socket.receive_json()
        assert said["code"] == "RATE_LIMITED"
        assert "max_frames_per_s" in said["detail"]


def test_frame_of_too_many_bytes_ends_the_stream() -> None:
    with client(max_frame_bytes=1000) as asked, asked.websocket_connect(STREAM) as socket:
        greet(socket)
        socket.send_bytes(message(frames()[0], 0))
        assert "max_frame_bytes" in assert_refused(socket, 413, "TOO_LARGE", 1009)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (lambda: b"1234567", 422, "BAD_REQUEST"),
        (lambda: message(b"no picture", 0), 415, "UNSUPPORTED_FORMAT"),
        (lambda: message(frames()[0][:500], 0), 422, "CORRUPT_MEDIA"),
        (lambda: message(frames()[0], float("nan")), 422, "BAD_REQUEST"),
    ],
)
def test_frame_that_is_none_ends_the_stream(
    sent: Callable[[], bytes], status: int, code: str
) -> None:
    with client() as asked, asked.websocket_connect(STREAM) as socket:
        greet(socket)
        socket.send_bytes(sent())
        assert_refused(socket, status, code, 1008)


def test_frame_that_is_refused_is_written_down_and_ends_its_session(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with client(has_keys=True, audit=path) as asked:
        opened = asked.post("/v1/sessions", headers=bearer(SECRET)).json()
        with asked.websocket_connect(STREAM) as socket:
            greet(socket, session={"id": opened["id"], "token": opened["token"]})
            film(socket, frames()[:2])
            socket.send_bytes(message(frames()[2][:500], 0.2))
            assert_refused(socket, 422, "CORRUPT_MEDIA", 1008)
        kept = asked.get(f"/v1/sessions/{opened['id']}", headers=bearer(SECRET)).json()
    assert (kept["state"], kept["problem"]["code"]) == ("refused", "CORRUPT_MEDIA")
    (line,) = [json.loads(text) for text in path.read_text().splitlines()]
    assert (line["session"], line["code"], line["decision"]) == (
        opened["id"], "CORRUPT_MEDIA", None,
    )  # fmt: skip


def test_time_must_go_on_and_size_must_stay() -> None:
    with client() as asked:
        with asked.websocket_connect(STREAM) as socket:
            greet(socket)
            film(socket, frames()[:2])
            socket.send_bytes(message(frames()[2], 0.05))
            assert "after 0.1 s" in assert_refused(socket, 422, "BAD_REQUEST", 1008)
        with asked.websocket_connect(STREAM) as socket:
            greet(socket)
            film(socket, frames()[:1])
            socket.send_bytes(message(jpeg(np.zeros((240, 320, 3), np.uint8)), 0.1))
            assert "640x480" in assert_refused(socket, 422, "BAD_REQUEST", 1008)


def test_text_that_is_no_end_ends_the_stream_without_a_verdict() -> None:
    with client() as asked, asked.websocket_connect(STREAM) as socket:
        greet(socket)
        socket.send_text("[" * 4000)
        assert_refused(socket, 422, "BAD_REQUEST", 1008)


def test_silence_is_a_timeout() -> None:
    with client(hello_timeout_s=0.2) as asked, asked.websocket_connect(STREAM) as socket:
        assert "hello_timeout_s" in assert_refused(socket, 408, "BODY_TIMEOUT", 1008)


def test_stream_that_lasts_too_long_gets_its_verdict_then() -> None:
    with client(max_stream_s=1.0) as asked, asked.websocket_connect(STREAM) as socket:
        greet(socket)
        film(socket, frames())
        # Nobody says that it has ended, and no more frames come: only its time can end it.
        assert socket.receive_json()["type"] == "verdict"


def test_streams_at_a_time_are_bounded_for_one_and_for_all() -> None:
    with client(max_streams=3, max_streams_per_client=2) as asked:
        with asked.websocket_connect(STREAM) as one, asked.websocket_connect(STREAM) as two:
            greet(one)
            greet(two)
            with asked.websocket_connect(STREAM) as three:
                three.send_json({"type": "hello"})
                said = assert_refused(three, 429, "RATE_LIMITED", 1008)
                assert "max_streams_per_client" in said
        asked.app.state.service.num_streams["others"] = 3
        with asked.websocket_connect(STREAM) as four:
            four.send_json({"type": "hello"})
            assert "max_streams" in assert_refused(four, 503, "BUSY", 1013)
        del asked.app.state.service.num_streams["others"]
        with asked.websocket_connect(STREAM) as five:
            assert greet(five)["type"] == "ready", "places are given back"


def test_no_new_stream_while_the_service_ends() -> None:
    with client() as asked:
        asked.app.state.service.is_draining = True
        with asked.websocket_connect(STREAM) as socket:
            assert_refused(socket, 503, "GOING_DOWN", 1012)


def test_other_site_s_page_gets_no_stream() -> None:
    with (
        client() as asked,
        pytest.raises(WebSocketDisconnect) as closed,
        asked.websocket_connect(STREAM, headers={"Origin": "https://elsewhere.example"}),
    ):
        pass
    assert closed.value.code == 1008


def test_decoder_process_ends_with_its_stream() -> None:
    def decoders(asked: TestClient) -> set[str]:
        nursery = asked.app.state.service.session._pool._nursery.pid
        return set(Path(f"/proc/{nursery}/task/{nursery}/children").read_text().split())

    with client(isolated=True) as asked:
        with asked.websocket_connect(STREAM) as socket:
            greet(socket)
            assert len(film(socket, frames()[:2])) == 2
            during = decoders(asked)
            assert during
        # It ends, and with it whatever its frames did there.
        wait_until(lambda: not during & decoders(asked), "the stream's decoder has ended")
