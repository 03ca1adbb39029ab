"""What all routes share: who asks, what is written down, what is flagged, and the self-test."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from made_up import MadeUpRunner
from people import person_video
from services import PUBLIC, SECRET, bearer, client, service
from vivant.errors import VivantError
from vivant.serving.app import create_app
from vivant.serving.keys import Level
from vivant.serving.limits import ServiceLimits
from vivant.serving.problems import Problem, Trouble
from vivant.serving.service import Service
from vivant.session.session import Session
from vivant.session.verdict import Verdict


def request_from(host: str) -> Request:
    return Request({"type": "http", "client": (host, 1234), "headers": []})


def test_caller_is_who_has_the_key() -> None:
    with service(has_keys=True) as parts:
        assert parts.identify(request_from("10.0.0.1"), SECRET).level is Level.TRUSTED
        assert parts.identify(request_from("10.0.0.1"), PUBLIC).level is Level.PUBLIC
        for secret in (None, "", "backend", SECRET + " "):
            with pytest.raises(Problem) as refused:
                parts.identify(request_from("10.0.0.1"), secret)
            assert refused.value.code is Trouble.UNAUTHORIZED


def test_rate_is_of_a_key_wherever_it_comes_from_and_else_of_an_address() -> None:
    with service(
        has_keys=True, clock=lambda: 1000.0, request_burst=2, requests_per_minute=1
    ) as parts:
        for host in ("10.0.0.1", "10.0.0.2"):
            parts.identify(request_from(host), SECRET)
        with pytest.raises(Problem) as refused:
            parts.identify(request_from("10.0.0.3"), SECRET)
        assert refused.value.code is Trouble.RATE_LIMITED
        # A public key is many people's: each address has its own.
        for host in ("10.0.0.1", "10.0.0.1", "10.0.0.2"):
            assert parts.identify(request_from(host), PUBLIC).name == "page"
        with pytest.raises(Problem) as refused:
            parts.identify(request_from("10.0.0.1"), PUBLIC)
        assert refused.value.code is Trouble.RATE_LIMITED
        # Guesses are counted for their address, and leave others alone.
        for code in (Trouble.UNAUTHORIZED, Trouble.UNAUTHORIZED, Trouble.RATE_LIMITED):
            with pytest.raises(Problem) as refused:
                parts.identify(request_from("10.0.0.9"), "guess")
            assert refused.value.code is code


def test_audit_has_a_line_for_each_verdict_and_refusal_and_no_media(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with client(has_keys=True, audit=log) as asked:
        answer = asked.post("/v1/check", content=person_video(), headers=bearer(SECRET))
        asked.post("/v1/check", content=b"no video", headers=bearer(PUBLIC))
        opened = asked.post("/v1/sessions", headers=bearer(SECRET)).json()
        asked.put(
            f"/v1/sessions/{opened['id']}/media",
            content=person_video(),
            headers=bearer(opened["token"]),
        )
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["caller"] for line in lines] == ["backend", "page", "session"]
    assert [line["decision"] for line in lines] == ["bona_fide", None, "bona_fide"]
    assert [line["code"] for line in lines] == [None, "UNSUPPORTED_FORMAT", None]
    assert lines[0]["request"] == answer.headers["x-request-id"]
    assert lines[0]["threshold"] == 0.5
    assert lines[0]["model_sha256"] == "0" * 64
    assert lines[2]["session"] == opened["id"]
    # The digest by another way: of the length in eight bytes, then the file.
    key = bytes.fromhex((tmp_path / "audit.jsonl.key").read_text())
    fed = len(person_video()).to_bytes(8, "big") + person_video()
    assert lines[0]["media_hmac"] == hmac.new(key, fed, hashlib.sha256).hexdigest()
    assert lines[0]["media_hmac"] == lines[2]["media_hmac"]
    assert lines[0]["num_bytes"] == len(person_video())
    assert opened["token"] not in log.read_text()


def test_verdict_that_cannot_be_written_down_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with client(audit=tmp_path / "audit.jsonl") as asked:
        monkeypatch.setattr(
            "vivant.serving.audit.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full"))
        )
        answer = asked.post("/v1/check", content=person_video())
        assert (answer.status_code, answer.json()["code"]) == (500, "FAILED")
        monkeypatch.undo()


def test_media_that_the_service_failed_at_may_come_again() -> None:
    with client() as asked:
        runner = asked.app.state.service.session.runner
        answers = []
        for scores in (float("nan"), 0.9, 0.9):
            runner.scores = scores
            opened = asked.post("/v1/sessions").json()
            place = f"/v1/sessions/{opened['id']}/media"
            answers.append(
                asked.put(place, content=person_video(), headers=bearer(opened["token"]))
            )
    failed, judged, seen = answers
    assert (failed.status_code, failed.json()["code"]) == (500, "FAILED")
    assert judged.json()["decision"] == "bona_fide"
    assert [reason["code"] for reason in seen.json()["reasons"]] == ["MEDIA_SEEN_BEFORE"]


def test_self_test_refuses_a_network_that_answers_nonsense() -> None:
    with service(MadeUpRunner(float("nan"))) as parts:
        with pytest.raises(VivantError, match="weights are damaged"):
            parts.test_itself()
        assert not parts.is_ready


def test_self_test_refuses_what_decides_on_a_black_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    with service() as parts:
        verdict = parts.session.check(person_video())
        monkeypatch.setattr(parts.session, "check", lambda source: verdict)
        with pytest.raises(VivantError, match="black picture"):
            parts.test_itself()
        assert not parts.is_ready


def test_presentations_go_to_the_judge_that_is_given() -> None:
    class Elsewhere:
        is_up = True
        num_pending = 3
        asked: list[object]

        def __init__(self, verdict: Verdict) -> None:
            self.verdict, self.asked, self.is_drained = verdict, [], False

        def require_room(self) -> None:
            pass

        async def check(self, source: object, rate: float) -> Verdict:
            self.asked.append((source, rate))
            return self.verdict

        async def drain(self) -> None:
            self.is_drained = True

    with Session(MadeUpRunner(0.9), isolated=False) as session:
        judge = Elsewhere(session.check(person_video()))
        parts = Service(session, ServiceLimits(), keys=None, audit=None, num_workers=1, judge=judge)
        with TestClient(create_app(parts, None)) as asked:
            answer = asked.post("/v1/check", content=b"any bytes")
            assert answer.json()["decision"] == "bona_fide"
            assert "vivant_pending 3.0" in asked.get("/metrics").text
    assert [source for source, _ in judge.asked] == [b"any bytes"]
    assert judge.is_drained
