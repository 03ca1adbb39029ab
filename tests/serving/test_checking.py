"""POST /v1/check: what comes in, and what is said of it to whom."""

import json

import jsonschema
import pytest
from starlette.testclient import TestClient

from forged import picture
from made_up import MadeUpRunner, card
from media import sound, video
from people import person_video, swaying
from services import PUBLIC, SECRET, bearer, client
from vivant.session.report import json_schema
from vivant.video.limits import VideoLimits


def jpegs(num: int) -> list[bytes]:
    return [picture("JPEG", pixels, quality=95) for pixels in swaying(num)]


def as_parts(files: list[bytes]) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("frames", (f"{i}.jpg", data, "image/jpeg")) for i, data in enumerate(files)]


def test_video_is_judged_by_its_bytes_and_as_a_form() -> None:
    with client() as asked:
        raw = asked.post("/v1/check", content=person_video())
        form = asked.post("/v1/check", files={"media": ("anything.txt", person_video())})
    for answer in (raw, form):
        assert answer.status_code == 200
        said = answer.json()
        assert (said["status"], said["decision"]) == ("decided", "bona_fide")
        assert said["bona_fide_score"] == pytest.approx(0.9)
        assert said["explanation"] is None
        assert len(said["windows"]) == 4


def test_answer_has_the_record_of_the_command_line() -> None:
    with client(MadeUpRunner(0.1)) as asked:
        said = asked.post("/v1/check", content=person_video()).json()
    record = {name: value for name, value in said.items() if name not in ("advice", "explanation")}
    jsonschema.validate(record, json_schema())
    assert record["decision"] == "attack"


def test_frames_are_a_clip_at_their_rate() -> None:
    with client() as asked:
        said = asked.post("/v1/check", files=as_parts(jpegs(6))).json()
        slow = asked.post("/v1/check", files=as_parts(jpegs(6)), data={"rate": "1"}).json()
    assert said["decision"] == "bona_fide"
    assert said["windows"][0]["times_s"] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert slow["decision"] is None
    assert [reason["code"] for reason in slow["reasons"]] == ["TOO_FEW_FRAMES"]


def test_explanation_has_the_crop_its_boxes_and_maps() -> None:
    with client() as asked:
        said = asked.post("/v1/check?explain=true", content=person_video()).json()["explanation"]
    assert said["crop"].startswith("data:image/jpeg;base64,")
    assert said["crop_side_px"] == 224
    # Cells 5, 6, 9, 10 of the 4x4 grid, and patches moved from them by (8, 4).
    assert said["anchor_boxes"][0] == pytest.approx([56, 56, 112, 112], abs=0.01)
    assert said["patch_boxes"][3] == pytest.approx([120, 116, 176, 172], abs=0.01)
    assert said["depth"][0] == [[0.5] * 14] * 14
    assert said["cam"][3][3] == 1
    assert sum(map(sum, said["cam"])) == 1


def test_still_picture_is_no_decision() -> None:
    with client() as asked:
        said = asked.post("/v1/check", content=jpegs(1)[0]).json()
    assert (said["status"], said["decision"]) == ("undecided", None)
    assert said["advice"] == ["Film for at least two seconds."]


def test_public_key_is_told_the_decision_and_no_number() -> None:
    with client(MadeUpRunner(0.1), has_keys=True) as asked:
        full = asked.post("/v1/check", content=person_video(), headers=bearer(SECRET)).json()
        said = asked.post(
            "/v1/check?explain=true", content=person_video(), headers=bearer(PUBLIC)
        ).json()
    assert full["bona_fide_score"] == pytest.approx(0.1)
    assert said["decision"] == "attack"
    assert set(said) == {
        "schema_version", "status", "decision", "reasons", "advice", "cautions", "model",
    }  # fmt: skip
    assert "0.1" not in json.dumps({k: v for k, v in said.items() if k != "model"})


@pytest.mark.parametrize(
    "header", [{}, bearer("no-such-key"), {"Authorization": f"Basic {SECRET}"}]
)
def test_without_a_known_key_nothing_is_read(header: dict[str, str]) -> None:
    runner = MadeUpRunner()
    with client(runner, has_keys=True) as asked:
        runner.clips.clear()
        answer = asked.post("/v1/check", content=person_video(), headers=header)
    assert_problem(answer, 401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not runner.clips


def test_untrained_model_decides_nothing() -> None:
    with client(MadeUpRunner(0.99, card(training=None, point=None))) as asked:
        said = asked.post("/v1/check", content=person_video()).json()
    assert said["decision"] is None
    assert [reason["code"] for reason in said["reasons"]] == ["UNTRAINED_MODEL"]
    assert said["advice"] == ["This service has no trained model."]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "EMPTY_INPUT"),
        (b"no media at all", 415, "UNSUPPORTED_FORMAT"),
        (person_video()[:2000], 422, "CORRUPT_MEDIA"),
        (sound(), 422, "NO_VIDEO_STREAM"),
        (video(swaying(3)[:1], 10), 200, None),
    ],
)
def test_media_that_are_refused_have_their_code(body: bytes, status: int, code: str | None) -> None:
    with client() as asked:
        answer = asked.post("/v1/check", content=body)
    if code is None:
        assert answer.json()["decision"] is None
    else:
        assert_problem(answer, status, code)


def test_file_of_too_many_bytes_is_refused_by_the_medias_limit_too() -> None:
    with client() as asked:
        service = asked.app.state.service
        service.session.video_limits = VideoLimits(max_bytes=1000)
        answer = asked.post("/v1/check", content=person_video())
    assert_problem(answer, 413, "TOO_LARGE")


def test_network_that_answers_nonsense_is_a_failure_and_no_verdict() -> None:
    with client() as asked:
        asked.app.state.service.session.runner.scores = float("nan")
        answer = asked.post("/v1/check", content=person_video())
    assert_problem(answer, 500, "FAILED")
    assert "bona" not in answer.text


def test_requests_beyond_the_rate_are_told_when_to_come_back() -> None:
    with client(clock=lambda: 1000.0, request_burst=2, requests_per_minute=6) as asked:
        answers = [asked.post("/v1/check", content=b"x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [415, 415, 429]
    assert_problem(answers[2], 429, "RATE_LIMITED")
    assert "requests_per_minute" in answers[2].json()["detail"]
    assert answers[2].headers["retry-after"] == "10"


def assert_problem(answer: "TestClient", status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (said["status"], said["code"]) == (status, code)
    assert said["detail"]
    assert "decision" not in said
