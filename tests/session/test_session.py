"""From media to a verdict, with a made-up network; the webcam clips with a small one of ours."""

import threading
from dataclasses import fields
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from builders import moved, seeded, small_config
from evaluations import GreyRunner
from made_up import TRAINED, MadeUpRunner, card
from media import pattern, video
from people import person, person_video, swaying
from text_session import TextSession, seen
from vivant.errors import InputError, MediaError, Refusal
from vivant.faces.limits import QualityLimits
from vivant.geometry.crop import cut
from vivant.networks.checkpoint import save_checkpoint
from vivant.records import Caution, Reason
from vivant.runtimes.opening import open_runner
from vivant.session.session import STARTER, Session
from vivant.session.verdict import Decision

SHARED = Path(__file__).parents[3] / "shared"
CLIPS = sorted((SHARED / "media" / "webcam_bona_fide").glob("*.mkv"))


def codes(findings: tuple) -> list[str]:
    return [finding.code.value for finding in findings]


def test_person_above_the_threshold_is_bona_fide() -> None:
    with Session(MadeUpRunner(0.9)) as session:
        verdict = session.check(person_video())
    assert verdict.decision is Decision.BONA_FIDE
    assert verdict.reasons == ()
    assert verdict.bona_fide_score == pytest.approx(0.9)
    assert verdict.num_faces == verdict.num_looks == 20
    assert verdict.frame_size == (640, 480)
    assert len(verdict.windows) == 4


def test_score_is_the_mean_over_the_windows_and_the_spread_their_range() -> None:
    with Session(MadeUpRunner([0.1, 0.2, 0.4, 0.5]), isolated=False) as session:
        verdict = session.check(person_video())
    assert verdict.bona_fide_score == pytest.approx(0.3)
    assert verdict.score_spread == pytest.approx(0.4)
    assert [w.bona_fide_score for w in verdict.windows] == pytest.approx([0.1, 0.2, 0.4, 0.5])
    assert verdict.decision is Decision.ATTACK


def test_windows_are_spread_over_the_video() -> None:
    with Session(MadeUpRunner(), isolated=False) as session:
        verdict = session.check(person_video())
    starts = [window.times_s[0] for window in verdict.windows]
    assert starts == pytest.approx([0.0, 0.5, 1.0, 1.5])
    for window in verdict.windows:
        assert np.diff(window.times_s) == pytest.approx([0.1] * 4)


def test_network_sees_what_the_crop_function_cuts() -> None:
    frames = swaying(9)
    runner = MadeUpRunner()
    with Session(runner, num_windows=2, isolated=False) as session:
        verdict = session.check_frames(frames, [0.1 * i for i in range(9)])
    (clips,) = runner.clips
    assert clips.shape == (2, 5, 224, 224, 3)
    for window, clip in zip(verdict.windows, clips, strict=True):
        start = round(window.times_s[0] / 0.1)
        for position in range(5):
            expected = cut(frames[start + position], window.crop, 224)
            np.testing.assert_array_equal(clip[position], expected)
        np.testing.assert_array_equal(window.crops, clip)


def test_boxes_are_in_pixels_of_the_frame() -> None:
    with Session(MadeUpRunner(), isolated=False) as session:
        window = session.check(person_video()).windows[0]
    assert window.anchor_boxes is not None
    assert window.patch_boxes is not None
    crop = window.crop
    # Cell 5 is the second of the second row, and the made-up patch lies 8 and 4 pixels further.
    quarter = crop.side_px / 4
    x, y = crop.x + quarter, crop.y + quarter
    assert window.anchor_boxes[0, 0] == pytest.approx([x, y, x + quarter, y + quarter])
    one = crop.side_px / 224
    shifted = [x + 8 * one, y + 4 * one, x + quarter + 8 * one, y + quarter + 4 * one]
    assert window.patch_boxes[0, 0] == pytest.approx(shifted)
    assert crop.to_frame(64.0, 60.0, 224) == pytest.approx((shifted[0], shifted[1]))


def test_same_verdict_inside_and_outside_the_isolation() -> None:
    scored = []
    for isolated in (True, False):
        runner = MadeUpRunner()
        with Session(runner, isolated=isolated) as session:
            session.check(person_video())
        scored.append(runner.clips[0])
    np.testing.assert_array_equal(*scored)


def test_untrained_model_is_undecided_whatever_its_score() -> None:
    with Session(MadeUpRunner(1.0, card(training=None, point=None)), isolated=False) as session:
        verdict = session.check(person_video())
    assert verdict.decision is Decision.NO_DECISION
    assert codes(verdict.reasons) == ["UNTRAINED_MODEL"]
    assert verdict.bona_fide_score == 1.0


def test_video_without_a_face_is_undecided_and_not_scored() -> None:
    runner = MadeUpRunner(1.0)
    with Session(runner, isolated=False) as session:
        verdict = session.check(video([pattern(i, 640, 480) for i in range(8)], rate=10))
    assert verdict.decision is Decision.NO_DECISION
    assert codes(verdict.reasons) == ["NO_FACE"]
    assert verdict.bona_fide_score is None
    assert verdict.windows == ()
    assert runner.clips == []


def test_few_frames_are_undecided_and_their_padded_window_says_so() -> None:
    with Session(MadeUpRunner(1.0), isolated=False) as session:
        verdict = session.check_frames(swaying(3), [0.0, 0.1, 0.2])
    assert codes(verdict.reasons) == ["TOO_FEW_FRAMES"]
    assert "film at least 2 seconds" in verdict.reasons[0].message
    (window,) = verdict.windows
    assert window.is_padded
    assert "PADDED_WINDOW" in codes(verdict.cautions)
    np.testing.assert_array_equal(window.crops[2], window.crops[4])


def test_still_is_undecided_unless_the_card_allows_it(tmp_path: Path) -> None:
    path = tmp_path / "still.png"
    Image.fromarray(person(scale=1.5)).save(path)
    for allowed, expected in ((False, ["TOO_FEW_FRAMES"]), (True, [])):
        runner = MadeUpRunner(0.9, card(stills=allowed))
        with Session(runner, isolated=False) as session:
            verdict = session.check(path)
        assert codes(verdict.reasons) == expected
        (clips,) = runner.clips
        assert (clips == clips[:, :1]).all()


def test_a_still_fed_as_video_is_static() -> None:
    with Session(MadeUpRunner(0.9), isolated=False) as session:
        verdict = session.check(video([person(scale=1.5)] * 12, rate=10))
    assert codes(verdict.reasons) == ["STATIC_FRAMES"]


def test_faults_of_some_frames_only_keep_windows_away_from_them() -> None:
    frames = swaying(16)
    for i in range(6):  # Dark at first.
        frames[i] = frames[i] // 8
    with Session(MadeUpRunner(0.9), isolated=False) as session:
        verdict = session.check_frames(frames, [0.1 * i for i in range(16)])
    assert min(window.times_s[0] for window in verdict.windows) >= 0.6 - 1e-9


def test_faults_of_all_frames_are_the_reasons() -> None:
    frames = [frame // 8 for frame in swaying(12)]
    runner = MadeUpRunner(1.0)
    with Session(runner, isolated=False) as session:
        verdict = session.check_frames(frames, [0.1 * i for i in range(12)])
    assert verdict.decision is Decision.NO_DECISION
    assert "TOO_DARK" in codes(verdict.reasons)
    assert verdict.bona_fide_score is None
    dark = next(reason for reason in verdict.reasons if reason.code is Reason.TOO_DARK)
    assert dark.limit == QualityLimits().min_brightness
    assert dark.measured is not None
    assert dark.measured < dark.limit


def test_card_s_limits_hold() -> None:
    strict = QualityLimits(min_face_px=400)
    with Session(MadeUpRunner(0.9, card(quality_limits=strict)), isolated=False) as session:
        verdict = session.check(person_video())
    assert "FACE_TOO_SMALL" in codes(verdict.reasons)


def test_face_that_fills_the_frame_warns_that_the_crop_is_not_as_in_training() -> None:
    frames = [person(scale=4.0, seed=i, shift_x=5 * np.sin(i)) for i in range(8)]
    with Session(MadeUpRunner(0.9), quality_limits=QualityLimits.off(), isolated=False) as session:
        verdict = session.check_frames(frames, [0.1 * i for i in range(8)])
    assert "CROP_SCALE_DIFFERS" in codes(verdict.cautions)


def test_small_face_warns() -> None:
    frames = [person(scale=0.8, seed=i, shift_x=5 * np.sin(i)) for i in range(8)]
    with Session(MadeUpRunner(0.9), isolated=False) as session:
        verdict = session.check_frames(frames, [0.1 * i for i in range(8)])
    assert Caution.FACE_SMALLER_THAN_CROP in [caution.code for caution in verdict.cautions]


def test_synthetic_training_is_said_in_every_verdict() -> None:
    synthetic = TRAINED.model_copy(update={"is_synthetic": True})
    with Session(MadeUpRunner(0.9, card(training=synthetic)), isolated=False) as session:
        verdict = session.check(person_video())
    assert "NO_RECORDED_ATTACKS" in codes(verdict.cautions)
    assert verdict.decision is Decision.BONA_FIDE


def test_folder_of_frames_is_a_video(tmp_path: Path) -> None:
    for i, frame in enumerate(swaying(11)):
        Image.fromarray(frame).save(tmp_path / f"{i}.png")  # 10.png comes after 9.png.
    runner = MadeUpRunner()
    with Session(runner) as session:
        verdict = session.check(tmp_path, rate=10.0)
    with Session(other := MadeUpRunner(), isolated=False) as session:
        session.check_frames(swaying(11), [0.1 * i for i in range(11)])
    assert verdict.decision is Decision.BONA_FIDE
    np.testing.assert_array_equal(runner.clips[0], other.clips[0])


def test_picture_of_another_size_in_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    for i, frame in enumerate(swaying(3)):
        Image.fromarray(frame if i < 2 else frame[:400]).save(tmp_path / f"{i}.png")
    with Session(MadeUpRunner()) as session, pytest.raises(MediaError, match=r"2\.png") as caught:
        session.check(tmp_path, rate=10.0)
    assert caught.value.code is Refusal.RESOLUTION_CHANGED


def test_folder_of_videos_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(person_video())
    with Session(MadeUpRunner(), isolated=False) as session:
        with pytest.raises(MediaError, match="to check several videos, name the videos") as caught:
            session.check(tmp_path)
        assert caught.value.code is Refusal.EMPTY_INPUT


def test_refusal_comes_with_its_code() -> None:
    with Session(MadeUpRunner()) as session:
        with pytest.raises(MediaError) as caught:
            session.check(b"nothing that is known")
        assert caught.value.code is Refusal.UNSUPPORTED_FORMAT
        # And the session goes on.
        assert session.check(person_video()).decision is Decision.BONA_FIDE


def test_threads_share_a_session() -> None:
    verdicts = []
    with Session(MadeUpRunner()) as session:
        threads = [
            threading.Thread(target=lambda: verdicts.append(session.check(person_video())))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(verdicts) == 4
    first = verdicts[0].windows
    for verdict in verdicts[1:]:
        for one, other in zip(first, verdict.windows, strict=True):
            assert one.crop == other.crop
            np.testing.assert_array_equal(one.crops, other.crops)


@pytest.mark.parametrize(
    ("frames", "times", "message"),
    [
        ([], [], "expected uint8 frames of one shape"),
        ([np.zeros((480, 640), np.uint8)], [0.0], "expected uint8 frames of one shape"),
        ([np.zeros((480, 640, 3))], [0.0], "expected uint8 frames of one shape"),
        ([np.zeros((480, 640, 3), np.uint8)] * 2, [0.0], "expected 2 ascending times"),
        ([np.zeros((480, 640, 3), np.uint8)] * 2, [0.1, 0.1], "expected 2 ascending times"),
        ([np.zeros((480, 640, 3), np.uint8)], [float("nan")], "expected 1 ascending times"),
    ],
)
def test_frames_that_are_none_are_refused(frames: list, times: list, message: str) -> None:
    with (
        Session(MadeUpRunner(), isolated=False) as session,
        pytest.raises(InputError, match=message),
    ):
        session.check_frames(frames, times)


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected at least one window"):
        Session(MadeUpRunner(), num_windows=0)
    (tmp_path / "0.png").touch()
    with (
        Session(MadeUpRunner(), isolated=False) as session,
        pytest.raises(InputError, match="expected a rate above 0"),
    ):
        session.check(tmp_path, rate=0.0)


def test_without_a_name_the_model_that_ships_is_opened_and_says_what_it_is() -> None:
    with Session.open() as session:
        verdict = session.check(person_video())
    assert session.card.training is not None
    assert session.card.training.is_synthetic
    assert session.card.operating_point is not None
    assert "each judged by a fit without it" in session.card.operating_point.data
    assert Caution.NO_RECORDED_ATTACKS in [caution.code for caution in verdict.cautions]
    assert verdict.bona_fide_score is not None


def test_open_takes_a_checkpoint(lite_card: Path) -> None:
    with Session.open(lite_card) as session:
        verdict = session.check(person_video())
    assert codes(verdict.reasons) == ["UNTRAINED_MODEL"]
    assert verdict.model.runtime == "torch"
    assert len(verdict.windows) == 4
    assert verdict.windows[0].aam_frames == (4,)


def test_timings_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads this clock finds it a second later than the last time."""
    ticks = count()
    clock = SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr("vivant.session.session.time", clock)
    with Session(MadeUpRunner(), isolated=False) as session:
        timings = session.check(person_video()).timings
    assert timings.decode_s == 21  # Of 20 frames, and of their end.
    assert timings.network_s == 1
    parts = timings.decode_s + timings.faces_s + timings.network_s
    assert min(getattr(timings, field.name) for field in fields(timings)) >= 0
    assert timings.total_s == parts + 1  # Of the decision.


@pytest.fixture(scope="module")
def small_card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = small_config(frames="last", widths=(8, 16, 24))
    return save_checkpoint(moved(seeded(config)), tmp_path_factory.mktemp("small"), "small")


@pytest.mark.skipif(not CLIPS, reason="the webcam clips are not at hand (../shared/media)")
@pytest.mark.parametrize(
    "path",
    [*CLIPS[:2], *(pytest.param(path, marks=pytest.mark.slow) for path in CLIPS[2:])],
    ids=[path.stem for path in CLIPS],
)
def test_webcam_clip_has_a_whole_score_record_with_limits_off(path: Path, small_card: Path) -> None:
    runner = open_runner(small_card)
    with Session(
        runner, quality_limits=QualityLimits.off(), num_windows=1, isolated=False
    ) as session:
        verdict = session.check(path)
    assert codes(verdict.reasons) == ["UNTRAINED_MODEL"]
    assert verdict.bona_fide_score is not None
    assert verdict.num_faces == verdict.num_looks
    (window,) = verdict.windows
    of_frames_head = {"map_share"}
    for name in {field.name for field in fields(window)} - of_frames_head:
        assert getattr(window, name) is not None, name
    assert not window.is_padded


def test_presentations_judged_together_share_the_network_s_time_by_their_clips() -> None:
    runner = MadeUpRunner()
    session = TextSession(runner)
    two, none, one = session.conclude([seen([10, 20]), seen([]), seen([30])])
    assert [len(clips) for clips in runner.clips] == [3]
    assert [len(each.windows) for each in (two, none, one)] == [2, 0, 1]
    assert [clip[0, 0, 0, 0] for clip in runner.clips[0]] == [10, 20, 30]
    assert two.timings.network_s == pytest.approx(2 * one.timings.network_s)
    assert none.timings.network_s == 0
    for each in (two, none, one):
        assert (each.timings.decode_s, each.timings.faces_s) == (0.25, 0.5)
        assert each.timings.total_s >= 0.75 + each.timings.network_s
    assert codes(none.reasons) == ["NO_FACE"]
    assert none.bona_fide_score is None


def test_clips_go_to_the_network_in_runs_of_the_size_that_is_asked_for() -> None:
    runner = GreyRunner()
    verdict, other = TextSession(runner).conclude([seen([51, 102, 153]), seen([204])], 2)
    assert [len(clips) for clips in runner.clips] == [2, 2]
    scores = [window.bona_fide_score for window in verdict.windows]
    assert scores == pytest.approx([0.2, 0.4, 0.6])
    assert other.bona_fide_score == pytest.approx(0.8)
    with pytest.raises(InputError, match="expected at least one clip in a run of the network"):
        TextSession().conclude([], 0)


def test_runtime_and_threads_are_the_runner_s(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def open_made_up(*words: object) -> MadeUpRunner:
        asked.append(words)
        runner = MadeUpRunner()
        runner.runtime = "openvino bf16"
        return runner

    monkeypatch.setattr("vivant.session.session.open_runner", open_made_up)
    with Session.open(Path("a.json"), isolated=False, runtime="openvino", num_threads=3) as session:
        assert session.model.runtime == "openvino bf16"
    Session.open(isolated=False)
    assert asked == [(Path("a.json"), "openvino", 3), (STARTER, "auto", 0)]


def test_a_verdict_needs_an_answer_to_each_clip() -> None:
    session = TextSession()
    with pytest.raises(InputError, match="expected answers to 2 clips, got 0"):
        session.judge(seen([10, 20]), (), 0.0)
