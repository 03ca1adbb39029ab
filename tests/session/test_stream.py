"""Frames as they come: the same scores as from scratch, at a fraction of the work."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from builders import moved, seeded, small_config
from context_models import save_context_model
from made_up import MadeUpRunner
from people import person, swaying
from vivant.errors import InputError
from vivant.geometry.crop import cut
from vivant.networks.card import read_card, write_card
from vivant.networks.checkpoint import load_checkpoint, save_checkpoint
from vivant.records import Frame, Reason
from vivant.runtimes.onnx import OnnxRunner
from vivant.runtimes.runner import Runner
from vivant.runtimes.torch import TorchRunner
from vivant.session.clip import to_batch
from vivant.session.session import STARTER, Session
from vivant.session.stream import Stream
from vivant.session.verdict import Decision, Verdict

SHARED = Path(__file__).parents[3] / "shared"


def frames(num: int, **how: float) -> Iterator[Frame]:
    return (Frame(pixels, i / 10) for i, pixels in enumerate(swaying(num, **how)))


def counting() -> tuple[MadeUpRunner, Session]:
    runner = MadeUpRunner()
    return runner, Session(runner, isolated=False)


@pytest.fixture(scope="module")
def small_runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    network = moved(seeded(small_config()))
    return TorchRunner(save_checkpoint(network, tmp_path_factory.mktemp("small"), "small"))


@pytest.fixture(scope="module")
def graph_runner() -> Runner:
    return OnnxRunner(STARTER)


def assert_like_scratch(runner: Runner, some: Iterator[Frame]) -> Stream:
    stream = Stream(Session(runner, isolated=False))
    num_windows = 0
    before = None
    for _ in stream.follow(some):
        window = stream.newest
        if window is None or window is before:
            continue
        num_windows, before = num_windows + 1, window
        assert stream.newest_clip is not None
        scores = runner.run(*to_batch([stream.newest_clip]))
        assert abs(scores.bona_fide_score[0] - window.bona_fide_score) < 1e-4
        assert abs(scores.advisor_score[0] - window.advisor_score) < 1e-4
        np.testing.assert_array_equal(window.anchors, scores.anchors[0])
        np.testing.assert_allclose(window.depth, scores.depth[0], atol=1e-3)
        np.testing.assert_allclose(window.fused_feature, scores.fused_feature[0].mean(0), atol=1e-3)
    assert num_windows >= 4
    return stream


def test_windows_score_as_from_scratch(small_runner: Runner) -> None:
    stream = assert_like_scratch(small_runner, frames(8))
    assert stream.counts.patches < 4 * 20, "patches of earlier windows are not computed again"


@pytest.fixture(scope="module")
def context_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_context_model(tmp_path_factory.mktemp("context"))


def test_windows_with_a_wider_crop_score_as_from_scratch_and_as_in_a_session(
    context_checkpoint: Path,
) -> None:
    runner = TorchRunner(context_checkpoint)
    stream = assert_like_scratch(runner, frames(6))
    assert stream.counts.encoded == 6
    pictures = swaying(3)
    with Session(runner, isolated=False) as session:
        (seen,) = session.check_frames(pictures, [0.0, 0.1, 0.2]).windows
        short = Stream(session)
        list(short.follow(Frame(pixels, i / 10) for i, pixels in enumerate(pictures)))
    assert short.newest is not None
    assert short.newest.bona_fide_score == pytest.approx(seen.bona_fide_score, abs=1e-6)
    assert short.newest.map_share == pytest.approx(seen.map_share, abs=1e-4)


def test_wider_crop_follows_the_face_with_the_first(context_checkpoint: Path) -> None:
    walking = [Frame(person(16.0 * i, 0, 1.5, seed=i), i / 10) for i in range(7)]
    stream = Stream(Session(TorchRunner(context_checkpoint), isolated=False))
    places, before = [], None
    for _ in stream.follow(iter(walking)):
        clip = stream.newest_clip
        assert clip is not None
        assert clip.context is not None
        assert clip.context_crop is not None
        newest = walking[round(clip.times_s[-1] * 10)].pixels
        np.testing.assert_array_equal(clip.context[-1], cut(newest, clip.context_crop, 160))
        if before is not None:
            assert (clip.crop == before.crop) == (clip.context_crop == before.context_crop)
        places.append(clip.crop)
        before = clip
    assert len(set(places)) > 1, "the crop moved"


@pytest.mark.slow
def test_graph_with_a_wider_crop_scores_as_from_scratch(
    context_checkpoint: Path, tmp_path: Path
) -> None:
    from vivant.export.export import export_graph

    graph = export_graph(context_checkpoint, tmp_path).card_path
    assert_like_scratch(OnnxRunner(graph), frames(6))


def test_windows_of_a_graph_score_as_from_scratch(graph_runner: Runner) -> None:
    stream = assert_like_scratch(graph_runner, frames(12))
    # The second module of `lite` sees the newest frame alone.
    assert stream.counts.patches == 8 * 4


def test_a_crop_that_follows_the_face_changes_no_score(small_runner: Runner) -> None:
    def walking() -> Iterator[Frame]:
        for i in range(8):
            yield Frame(person(16.0 * i, 0, 1.5, seed=i), i / 10)

    stream = assert_like_scratch(small_runner, walking())
    assert stream.counts.encoded > stream.counts.looked_at


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the webcam clips are not here")
def test_webcam_windows_score_as_from_scratch(graph_runner: Runner) -> None:
    from vivant.video.frames import read_media
    from vivant.video.limits import VideoLimits

    clip = (SHARED / "media" / "webcam_bona_fide" / "again.mkv").read_bytes()
    assert_like_scratch(graph_runner, read_media(clip, 0.1, VideoLimits()).frames)


def test_each_frame_is_encoded_once_and_known_patches_not_again() -> None:
    runner, session = counting()
    stream = Stream(session)
    runner.encoded = runner.executed = 0
    still = (Frame(person(0.2 * (i % 3), 0, 1.5, seed=i), i / 10) for i in range(12))
    verdicts = list(stream.follow(still))
    assert runner.encoded == stream.counts.encoded == 12
    # All cells and centres stay: each frame's four patches are seen once.
    assert runner.executed == stream.counts.patches == 12 * 4
    assert stream.counts.looked_at == stream.counts.pushed == 12
    assert len(verdicts) == 8, "from the first window on, one for each look"
    assert verdicts[-1].decision is Decision.BONA_FIDE


def test_windows_are_spread_over_the_span() -> None:
    _, session = counting()
    stream = Stream(session, span_s=1.0)
    verdict = list(stream.follow(frames(30)))[-1]
    starts = [window.times_s[0] for window in verdict.windows]
    assert starts == pytest.approx([1.9, 2.1, 2.3, 2.5])
    assert verdict.num_looks == 11


def test_what_is_past_the_span_is_forgotten() -> None:
    """Memory is bounded over days: nothing grows with the number of frames."""
    _, session = counting()
    stream = Stream(session, span_s=1.0)
    pictures = swaying(10)
    for i in range(60):
        stream.push(pictures[i % 10], i / 10)
        assert len(stream._observer.looks) <= 11
        assert len(stream._windows) <= 11
        assert len(stream._kept) <= 10
        assert len(stream._observer._history._looks) <= 11


def test_face_that_changes_is_a_reason_until_the_span_has_passed() -> None:
    _, session = counting()
    stream = Stream(session, span_s=2.0)
    other = [np.ascontiguousarray(frame[::-1, ::-1]) for frame in swaying(3)]  # A face elsewhere.
    shown = [*swaying(10), *other, *swaying(30)]
    verdicts = [stream.push(pixels, i / 10) for i, pixels in enumerate(shown)]
    codes = [{r.code for r in v.reasons} if v is not None else set() for v in verdicts]
    assert any(Reason.FACE_CHANGED in found for found in codes[10:20])
    last = stream.verdict
    assert last is not None
    assert last.decision is Decision.BONA_FIDE


def test_no_face_is_told_once_a_window_s_time_has_passed() -> None:
    _, session = counting()
    stream = Stream(session)
    grey = np.full((480, 640, 3), 128, np.uint8)
    given = [stream.push(grey, i / 10) for i in range(8)]
    assert given[:4] == [None] * 4
    verdict = given[-1]
    assert isinstance(verdict, Verdict)
    assert verdict.decision is Decision.NO_DECISION
    assert [reason.code for reason in verdict.reasons] == [Reason.NO_FACE]
    assert verdict.bona_fide_score is None


def test_short_stream_ends_without_a_decision() -> None:
    _, session = counting()
    stream = Stream(session)
    assert list(stream.follow(frames(3))) == []
    verdict = stream.end()
    assert verdict.decision is Decision.NO_DECISION
    assert [reason.code for reason in verdict.reasons] == [Reason.TOO_FEW_FRAMES]
    with pytest.raises(InputError, match="expected frames before the stream ends, got none"):
        Stream(session).end()


def test_push_takes_any_rate_and_looks_at_the_grid() -> None:
    _, session = counting()
    stream = Stream(session)
    pictures = swaying(30)
    for i in range(30):
        stream.push(pictures[i // 3], i / 30)
    assert stream.counts.pushed == 30
    assert stream.counts.looked_at == 10


def test_late_frames_are_dropped_and_counted() -> None:
    """The machine takes three intervals for one frame: the stream skips, and never lags more."""
    now = 100.0
    _, session = counting()
    stream = Stream(session, live=True, clock=lambda: now)
    picture = swaying(1)[0]
    lags = []
    for i in range(20):
        now = max(now, 100.0 + i / 10)
        looked = stream.counts.looked_at
        stream.push(picture, i / 10)
        lags.append(now - (100.0 + i / 10))
        if stream.counts.looked_at > looked:
            now += 0.3  # What the look took.
    counts = stream.counts
    assert counts.dropped > 5
    assert counts.dropped + counts.looked_at == 20
    assert max(lags) <= 0.3 + 1e-9


def test_verdict_does_not_outlive_its_span_while_all_frames_come_late() -> None:
    now = 0.0
    _, session = counting()
    stream = Stream(session, span_s=1.0, live=True, clock=lambda: now)
    pictures = swaying(10)
    for i, picture in enumerate(pictures):
        now = i / 10
        stream.push(picture, i / 10)
    assert stream.verdict is not None
    assert stream.verdict.decision is Decision.BONA_FIDE
    now += 100  # The machine hangs, and then takes what has waited.
    for i in range(10, 40):
        stream.push(pictures[0], i / 10)
    assert stream.counts.dropped == 30
    verdict = stream.end()
    assert verdict.decision is Decision.NO_DECISION
    (reason,) = verdict.reasons
    assert (reason.code, reason.measured) == (Reason.TOO_SLOW, 0.0)


def film_slowly(look_s: float, num: int = 30, interval_s: float = 0.1, **how: bool) -> Stream:
    """A live stream on a machine that takes `look_s` for one look."""
    now = 0.0
    _, session = counting()
    stream = Stream(session, clock=lambda: now, **how)
    pictures = swaying(10)
    for i in range(num):
        now = max(now, i * interval_s)
        looked_at = stream.counts.looked_at
        stream.push(pictures[i % 10], i * interval_s)
        if stream.counts.looked_at > looked_at:
            now += look_s
    return stream


@pytest.mark.regression
@pytest.mark.parametrize(
    ("look_s", "interval_s", "rate"),
    [(0.35, 0.1, 3.1), (0.01, 0.5, 2.2)],
    ids=["the looks are slow", "the frames are rare"],
)
def test_slow_machine_is_told_and_not_to_film_for_longer(
    look_s: float, interval_s: float, rate: float
) -> None:
    verdict = film_slowly(look_s, interval_s=interval_s, live=True).end()
    assert verdict.decision is Decision.NO_DECISION
    (reason,) = [found for found in verdict.reasons if found.code is Reason.TOO_SLOW]
    assert reason.measured == pytest.approx(rate, abs=0.1)
    assert reason.limit == pytest.approx(10 * 5 / 6)
    assert "too slow: close other programs, upload a video" in reason.message
    assert Reason.TOO_FEW_FRAMES not in {found.code for found in verdict.reasons}


def test_machine_that_keeps_up_is_not_told_that_it_is_slow() -> None:
    assert film_slowly(0.09, live=True).end().decision is Decision.BONA_FIDE
    short = film_slowly(0.0, num=3, live=True).end()
    assert [found.code for found in short.reasons] == [Reason.TOO_FEW_FRAMES]
    rare_in_a_file = film_slowly(0.0, interval_s=0.5, live=False).end()
    assert Reason.TOO_SLOW not in {found.code for found in rare_in_a_file.reasons}


def test_file_is_never_late() -> None:
    _, session = counting()
    stream = Stream(session, clock=iter(range(0, 10**6, 1000)).__next__)
    list(stream.follow(frames(6)))
    assert stream.counts.dropped == 0


def test_once_keeps_what_a_frame_s_patches_were(small_runner: Runner) -> None:
    """Four new patches a frame after the first window, and the record says where they were."""
    stream = Stream(Session(small_runner, isolated=False), patches="once")
    before = None
    for number, _ in enumerate(stream.follow(frames(10))):
        window = stream.newest
        assert window is not None
        assert stream.counts.patches == 20 + 4 * number
        if before is not None:
            np.testing.assert_array_equal(window.anchors[:-1], before.anchors[1:])
            np.testing.assert_array_equal(window.patch_boxes[:-1], before.patch_boxes[1:])
            np.testing.assert_array_equal(window.depth[:-1], before.depth[1:])
        before = window


def test_model_without_a_second_module_streams(tmp_path: Path) -> None:
    config = small_config().model_copy(update={"aam": None, "fusion": "am"})
    runner = TorchRunner(save_checkpoint(seeded(config), tmp_path, "b"))
    stream = Stream(Session(runner, isolated=False))
    list(stream.follow(frames(6)))
    assert stream.newest is not None
    scores = runner.run(stream.newest.crops[None])
    assert stream.newest.bona_fide_score == pytest.approx(
        float(scores.bona_fide_score[0]), abs=1e-4
    )
    assert stream.newest.anchors is None


@pytest.mark.parametrize(
    ("pixels", "time_s", "message"),
    [
        (np.zeros((480, 640), np.uint8), 1.0, r"expected a uint8 frame of shape \(height"),
        (np.zeros((480, 640, 3), np.float32), 1.0, "got float32"),
        (np.zeros((480, 640, 4), np.uint8), 1.0, r"expected a uint8 frame of shape \(height"),
        (np.zeros((240, 640, 3), np.uint8), 1.0, "a frame of 640x480 as those before, got 640x240"),
        (np.zeros((480, 640, 3), np.uint8), 0.0, "a time after 0 s, got 0"),
        (np.zeros((480, 640, 3), np.uint8), float("nan"), "a time after 0 s, got nan"),
    ],
)
def test_frame_that_is_none_is_refused(pixels: np.ndarray, time_s: float, message: str) -> None:
    _, session = counting()
    stream = Stream(session)
    stream.push(cv2.resize(person(), (640, 480)), 0.0)
    with pytest.raises(InputError, match=message):
        stream.push(pixels, time_s)


@pytest.mark.parametrize("span_s", [0.4, float("nan"), float("inf")])
def test_span_without_a_window_is_refused(span_s: float) -> None:
    _, session = counting()
    with pytest.raises(InputError, match=r"expected a span of at least 0.5 seconds"):
        Stream(session, span_s=span_s)


def test_untrained_network_never_decides(lite_card: Path, tmp_path: Path) -> None:
    network, _ = load_checkpoint(lite_card)
    path = save_checkpoint(network, tmp_path, "lite")
    assert read_card(path).training is None
    write_card(read_card(path), tmp_path)
    stream = Stream(Session(TorchRunner(path), isolated=False))
    verdicts = list(stream.follow(frames(6)))
    assert verdicts
    assert all(verdict.decision is Decision.NO_DECISION for verdict in verdicts)
