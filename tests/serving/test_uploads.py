"""Sessions over HTTP: one token, one presentation, one verdict for the back end."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from made_up import MadeUpRunner
from people import person_video
from services import PUBLIC, SECRET, bearer, client


def opened(asked: TestClient, secret: str = SECRET) -> tuple[str, str]:
    answer = asked.post("/v1/sessions", headers=bearer(secret))
    assert answer.status_code == 201
    said = answer.json()
    return said["id"], said["token"]


def send(asked: TestClient, session: tuple[str, str], media: bytes, token: str = "") -> object:
    number, own = session
    return asked.put(f"/v1/sessions/{number}/media", content=media, headers=bearer(token or own))


def test_verdict_goes_to_the_back_end_and_the_decision_to_the_sender() -> None:
    with client(has_keys=True, clock=lambda: 1000.0) as asked:
        session = opened(asked)
        path = f"/v1/sessions/{session[0]}"
        before = asked.get(path, headers=bearer(SECRET)).json()
        assert (before["state"], before["answer"]) == ("open", None)
        assert before["expires_in_s"] == 180
        sent = send(asked, session, person_video()).json()
        assert sent["decision"] == "bona_fide"
        assert "bona_fide_score" not in sent
        full = asked.get(path, headers=bearer(SECRET)).json()
        assert full["state"] == "done"
        assert full["answer"]["bona_fide_score"] == pytest.approx(0.9)
        own = asked.get(path, headers=bearer(session[1])).json()
        assert own["answer"]["decision"] == "bona_fide"
        assert "bona_fide_score" not in own["answer"]


def test_second_media_of_a_session_are_409() -> None:
    with client(has_keys=True) as asked:
        session = opened(asked)
        assert send(asked, session, person_video()).status_code == 200
        again = send(asked, session, person_video(16))
        assert (again.status_code, again.json()["code"]) == (409, "SESSION_USED")


def test_media_that_come_late_are_410() -> None:
    now_s = 1000.0
    with client(has_keys=True, clock=lambda: now_s, session_s=180) as asked:
        session = opened(asked)
        now_s += 180
        late = send(asked, session, person_video())
        assert (late.status_code, late.json()["code"]) == (410, "SESSION_EXPIRED")
        state = asked.get(f"/v1/sessions/{session[0]}", headers=bearer(SECRET)).json()
        assert (state["state"], state["answer"]) == ("expired", None)


def test_same_media_in_another_session_are_never_decided_on() -> None:
    with client(has_keys=True) as asked:
        first, second, third = (opened(asked) for _ in range(3))
        assert send(asked, first, person_video()).json()["decision"] == "bona_fide"
        replayed = send(asked, second, person_video()).json()
        assert (replayed["status"], replayed["decision"]) == ("undecided", None)
        assert [reason["code"] for reason in replayed["reasons"]] == ["MEDIA_SEEN_BEFORE"]
        full = asked.get(f"/v1/sessions/{second[0]}", headers=bearer(SECRET)).json()["answer"]
        assert full["decision"] is None
        assert full["bona_fide_score"] == pytest.approx(0.9), "for the record, deciding nothing"
        assert send(asked, third, person_video(16)).json()["decision"] == "bona_fide"


def test_refused_media_use_the_session_up_and_say_why() -> None:
    with client(has_keys=True) as asked:
        session = opened(asked)
        assert send(asked, session, b"no video").status_code == 415
        state = asked.get(f"/v1/sessions/{session[0]}", headers=bearer(SECRET)).json()
        assert (state["state"], state["answer"]) == ("refused", None)
        assert state["problem"]["code"] == "UNSUPPORTED_FORMAT"
        assert send(asked, session, person_video()).status_code == 409


def test_media_that_did_not_arrive_leave_the_session_open() -> None:
    with client(has_keys=True, max_body_bytes=1_000_000) as asked:
        session = opened(asked)
        assert send(asked, session, bytes(1_000_001)).status_code == 413
        state = asked.get(f"/v1/sessions/{session[0]}", headers=bearer(SECRET)).json()
        assert state["state"] == "open"
        assert send(asked, session, person_video()).status_code == 200


def test_of_two_at_once_one_gets_the_session() -> None:
    with client(MadeUpRunner(0.9), has_keys=True) as asked:
        session = opened(asked)
        with ThreadPoolExecutor(2) as threads:
            clips = [person_video(), person_video(16)]
            answers = list(threads.map(lambda clip: send(asked, session, clip), clips))
        assert sorted(answer.status_code for answer in answers) == [200, 409]


def test_token_is_good_for_its_own_session_alone() -> None:
    with client(has_keys=True) as asked:
        mine, other = opened(asked), opened(asked)
        wrong = send(asked, mine, person_video(), token=other[1])
        assert (wrong.status_code, wrong.json()["code"]) == (401, "UNAUTHORIZED")
        none = asked.put(f"/v1/sessions/{mine[0]}/media", content=person_video())
        assert none.status_code == 401
        assert asked.get(f"/v1/sessions/{mine[0]}", headers=bearer(other[1])).status_code == 401
        # A key opens sessions; it is not a token.
        assert send(asked, mine, person_video(), token=SECRET).status_code == 401


def test_public_key_opens_sessions_and_reads_none() -> None:
    with client(has_keys=True) as asked:
        session = opened(asked, PUBLIC)
        read = asked.get(f"/v1/sessions/{session[0]}", headers=bearer(PUBLIC))
        assert (read.status_code, read.json()["code"]) == (403, "FORBIDDEN")
        assert asked.get(f"/v1/sessions/{session[0]}").status_code == 401
        assert asked.post("/v1/sessions").status_code == 401


def test_without_keys_whoever_reaches_it_reads_all() -> None:
    with client() as asked:
        said = asked.post("/v1/sessions").json()
        session = said["id"], said["token"]
        assert send(asked, session, person_video()).status_code == 200
        full = asked.get(f"/v1/sessions/{session[0]}").json()
        assert full["answer"]["bona_fide_score"] == pytest.approx(0.9)
        assert asked.get("/v1/sessions/none").status_code == 404


def test_full_store_says_when_to_come_back() -> None:
    with client(max_sessions=1) as asked:
        assert asked.post("/v1/sessions").status_code == 201
        full = asked.post("/v1/sessions")
    assert (full.status_code, full.json()["code"]) == (503, "BUSY")
    assert "max_sessions" in full.json()["detail"]
    assert full.headers["retry-after"] == "10"
