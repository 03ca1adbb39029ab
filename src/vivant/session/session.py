"""`Session`: opened once, asked about any number of presentations, from any number of threads."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from vivant.errors import InputError
from vivant.faces.detectors.detector import Detector
from vivant.faces.limits import QualityLimits
from vivant.faces.mesh import FaceMesh
from vivant.faces.observer import Eyes, Observer
from vivant.plugins import find
from vivant.records import NUM_WINDOWS, Caution, Finding, Frame
from vivant.runtimes.opening import AUTO, open_runner
from vivant.runtimes.runner import Runner
from vivant.session.clip import (
    Clip,
    Seen,
    clip_cautions,
    cut_clips,
    to_batch,
    to_results,
    watch,
)
from vivant.session.decision import decide
from vivant.session.profile import Profile, presentation_score, read_profile
from vivant.session.verdict import ModelIdentity, Timings, Verdict, WindowResult
from vivant.session.voting import patches_vote
from vivant.video.frames import Media, read_media
from vivant.video.isolation import DecoderPool
from vivant.video.limits import VideoLimits
from vivant.video.pictures import PictureReader, picture_reader, read_pictures
from vivant.video.sampling import near_grid
from vivant.video.source import list_frames, read_file

__all__ = ["STARTER", "Session", "Source"]

Source = Path | str | bytes | Sequence[bytes]
"""A file or a folder by its path, a file's content, or that of each frame's picture."""

DETECTORS = "vivant.faces.detectors"

STARTER = Path(__file__).parent / "models" / "lite.onnx.json"
"""The card of the model that ships: see MODEL_CARD.md."""


class Session:
    """A model and all that is needed to ask it about a presentation. Safe to use from threads.

    Nothing is stored and nothing is logged. A check has two steps: `see` decodes, finds the face
    and cuts clips; `conclude` asks the network and decides. `vivant.session.batch` takes the first
    with the next presentations while the second goes on with those before.

    Args:
        runner: The network.
        detector: Finds faces; None: BlazeFace.
        quality_limits: How well a face must be filmed; None: as the model's card has it.
        video_limits: What is read of files.
        num_windows: W, the clips that are scored of a presentation.
        isolated: Whether files are decoded in processes of their own. Switch it off for files that
            you made yourself.
        profile: Calibrates the score, puts its operating point in the card's place and adds two
            reasons for doubt; None: the card's operating point, raw scores.

    Raises:
        InputError: no window, or not as many as the profile was fitted with.
        ProfileError: the profile is for other weights.

    Example:
        >>> with Session.open(Path("model.onnx.json")) as session:  # doctest: +SKIP
        ...     verdict = session.check(Path("clip.mp4"))
        ...     print(verdict.decision, verdict.reasons)
    """

    def __init__(
        self,
        runner: Runner,
        *,
        detector: Detector | None = None,
        quality_limits: QualityLimits | None = None,
        video_limits: VideoLimits | None = None,
        num_windows: int = NUM_WINDOWS,
        isolated: bool = True,
        profile: Profile | None = None,
    ) -> None:
        if num_windows < 1:
            raise InputError(f"expected at least one window, got {num_windows}")
        if profile is not None:
            profile.require_model(runner.card)
            if num_windows != profile.num_windows:
                raise InputError(
                    f"the profile was fitted with {profile.num_windows} windows, got {num_windows}"
                )
        self.card = runner.card
        self.profile = profile
        self._profile_point = None if profile is None else profile.point
        self._profile_sha256 = None if profile is None else profile.sha256
        self.quality_limits = quality_limits or runner.card.quality_limits or QualityLimits()
        self.video_limits = video_limits or VideoLimits()
        self.model = ModelIdentity(
            self.card.model,
            self.card.weights.sha256,
            self.card.training,
            runner.runtime,
            patches_vote(self.card.architecture),
        )
        self.runner = runner
        self.eyes = Eyes(detector or find(DETECTORS, "blazeface", "detector")(None), FaceMesh())
        self.num_windows = num_windows
        self._pool = DecoderPool(self.video_limits) if isolated else None

    @classmethod
    def open(
        cls,
        model: Path | None = None,
        *,
        detector: str = "blazeface",
        isolated: bool = True,
        profile: Path | None = None,
        runtime: str = AUTO,
        num_threads: int = 0,
    ) -> "Session":
        """A session with the model of that card, and defaults for the rest.

        Args:
            model: The card beside the weights; None: the `lite` that ships, which was trained on
                synthetic data alone, and whose verdicts say so.
            detector: A function of `faces/detectors`, such as `blazeface`; one that needs a file
                as `name:file`.
            isolated: As for the class.
            profile: File of `vivant calibrate`, for this model's weights; None: no profile.
            runtime: What runs the network: a name of `vivant.runtimes.opening`, or `auto` for the
                fastest of those that are installed.
            num_threads: Threads of the network; 0: one a core.

        Raises:
            CardError: the card or its weights are damaged.
            ProfileError: the profile is damaged, or for other weights.
            UnknownNameError: there is no such detector or runtime.
            InputError: the detector's file is not usable, or the runtime does not run the weights.
            MissingExtraError: the runtime is not installed.
        """
        name, _, file = detector.partition(":")
        build = find(DETECTORS, name, "detector")
        finder = build(Path(file) if file else None)
        fitted = None if profile is None else read_profile(profile)
        runner = open_runner(model or STARTER, runtime, num_threads)
        return cls(runner, detector=finder, isolated=isolated, profile=fitted)

    def check(self, source: Source, *, rate: float = 30.0) -> Verdict:
        """Judge a file or a folder.

        Args:
            source: A video or a still picture, by path or as bytes; or the frames of one clip as
                pictures: a folder of them, or the bytes of each.
            rate: Frames in a second, of such frames: pictures do not say when they were taken.

        Raises:
            MediaError: it cannot be read; the error's code says why.
            InputError: the rate is not positive.
        """
        return self.conclude([self.see(source, rate=rate)])[0]

    def check_media(self, media: Media) -> Verdict:
        """Judge media that are open already: a camera's, see `vivant.video.camera`."""
        return self.conclude([self._see(media, time.perf_counter())])[0]

    def check_frames(
        self, frames: Sequence[Shaped[np.ndarray, "..."]], times_s: Sequence[float]
    ) -> Verdict:
        """Judge frames that you decoded yourself.

        Args:
            frames: (height, width, 3), uint8, RGB, 0..255, upright, of one size.
            times_s: When each was taken, ascending, in seconds.

        Raises:
            InputError: wrong shape, type, number or order.
        """
        shapes = {frame.shape for frame in frames}
        good = all(frame.dtype == np.uint8 and frame.ndim == 3 for frame in frames)
        if not good or len(shapes) != 1 or next(iter(shapes))[2] != 3:
            raise InputError(
                "expected uint8 frames of one shape (height, width, 3), got "
                f"{sorted({f'{frame.dtype} {frame.shape}' for frame in frames}) or 'none'}"
            )
        ascending = all(before < after for before, after in pairwise(times_s))
        ascending = ascending and all(map(math.isfinite, times_s))
        if len(times_s) != len(frames) or not ascending:
            raise InputError(f"expected {len(frames)} ascending times, got {list(times_s)}")
        chosen = (Frame(p, float(t)) for p, t in zip(frames, times_s, strict=True))
        interval_s = self.card.preprocessing.frame_interval_s
        return self.check_media(Media(False, near_grid(chosen, interval_s)))

    def see(self, source: Source, *, rate: float = 30.0) -> Seen:
        """The first step of `check`, without the network: watch a file or a folder, and cut clips.

        Args:
            source: As for `check`.
            rate: As for `check`.

        Raises:
            MediaError: it cannot be read; the error's code says why.
            InputError: the rate is not positive.
        """
        started_s = time.perf_counter()
        interval_s = self.card.preprocessing.frame_interval_s
        if isinstance(source, bytes):
            media = self._read(source)
        elif not isinstance(source, str | Path):
            media = read_pictures(source, rate, interval_s, self.video_limits, self._pool)
        elif Path(source).is_dir():
            paths = list_frames(Path(source), self.video_limits)
            media = read_pictures(paths, rate, interval_s, self.video_limits, self._pool)
        else:
            media = self._read(read_file(Path(source), self.video_limits))
        return self._see(media, started_s)

    def conclude(self, seen: Sequence[Seen], max_clips: int | None = None) -> list[Verdict]:
        """The second step of `check`: the network on the clips of all presentations, and decisions.

        Args:
            seen: Presentations, each as `see` gave it.
            max_clips: Clips in one run of the network, at most; None: all in one.

        Returns:
            A verdict for each, in their order.

        Raises:
            WeightsError: the network answered with a value that is not finite: nobody is judged.
            InputError: fewer than one clip in a run.
        """
        clips = [clip for one in seen for clip in one.clips]
        started_s = time.perf_counter()
        results = iter(self._score(clips, max_clips))
        clip_s = (time.perf_counter() - started_s) / max(len(clips), 1)
        return [
            self.judge(one, tuple(islice(results, len(one.clips))), clip_s * len(one.clips))
            for one in seen
        ]

    def judge(self, seen: Seen, results: tuple[WindowResult, ...], network_s: float) -> Verdict:
        """The end of a check: a verdict of what was seen and what the network said.

        Args:
            seen: The presentation.
            results: The network's answer to each of its clips, in their order.
            network_s: Seconds that the network took for them.

        Raises:
            InputError: a score that is none, or not as many answers as clips.
        """
        if len(results) != len(seen.clips):
            raise InputError(f"expected answers to {len(seen.clips)} clips, got {len(results)}")
        started_s = time.perf_counter()
        of_windows = [result.bona_fide_score for result in results]
        score = presentation_score(of_windows) if of_windows else None
        reasons = seen.reasons
        if self.profile is not None and score is not None:
            score = self.profile.calibrated(score)
            reasons += self.profile.doubts(results)
        decision, reasons = decide(score, self.card, reasons, self._profile_point)
        cautions = clip_cautions(seen.clips, self.card, self.quality_limits.warn_face_px)
        worked_s = seen.decode_s + seen.faces_s + network_s
        return Verdict(
            decision=decision,
            reasons=reasons,
            cautions=(*cautions, *self._cautions()),
            bona_fide_score=score,
            score_spread=max(of_windows) - min(of_windows) if of_windows else None,
            operating_point=self._profile_point or self.card.operating_point,
            windows=results,
            model=self.model,
            num_looks=seen.num_looks,
            num_faces=seen.num_faces,
            frame_size=seen.frame_size,
            poster=seen.poster,
            poster_face=seen.poster_face,
            timings=Timings(
                decode_s=seen.decode_s,
                faces_s=seen.faces_s,
                network_s=network_s,
                total_s=worked_s + (time.perf_counter() - started_s),
            ),
            profile=self._profile_sha256,
        )

    def picture_reader(self) -> AbstractContextManager[PictureReader]:
        """Decodes a stream's pictures, in one process of its own where the session is isolated."""
        return picture_reader(self.video_limits, self._pool)

    def close(self) -> None:
        """End the processes that wait for files."""
        if self._pool is not None:
            self._pool.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, data: bytes) -> Media:
        interval_s = self.card.preprocessing.frame_interval_s
        if self._pool is None:
            return read_media(data, interval_s, self.video_limits)
        return self._pool.read_media(data, interval_s)

    def _see(self, media: Media, started_s: float) -> Seen:
        observer = Observer(self.eyes, self.quality_limits)
        clock = _Clock(media.frames)
        sight = watch(clock, observer, self.card.architecture.num_frames)
        clips, reasons = cut_clips(sight, self.card, self.num_windows, is_still=media.is_still)
        return Seen(
            clips=clips,
            reasons=(*observer.faults(is_still=media.is_still), *reasons),
            num_looks=len(sight.looks),
            num_faces=sum(look.box is not None for look in sight.looks),
            frame_size=sight.frame_size,
            poster=sight.poster,
            poster_face=sight.poster_face,
            decode_s=clock.waited_s,
            faces_s=time.perf_counter() - started_s - clock.waited_s,
        )

    def _score(self, clips: Sequence[Clip], max_clips: int | None) -> list[WindowResult]:
        if max_clips is not None and max_clips < 1:
            raise InputError(f"expected at least one clip in a run of the network, got {max_clips}")
        size = max_clips or max(len(clips), 1)
        results: list[WindowResult] = []
        for at in range(0, len(clips), size):
            some = clips[at : at + size]
            scores = self.runner.run(*to_batch(some))
            results += to_results(some, scores, self.card.architecture)
        return results

    def _cautions(self) -> tuple[Finding, ...]:
        found = []
        training = self.card.training
        if training is not None and training.is_synthetic:
            found.append(
                Finding(
                    Caution.NO_RECORDED_ATTACKS,
                    f"no recorded attack was in the training of {self.card.model} "
                    f"({training.data}): its attacks were simulated, and what it makes of yours "
                    "has to be measured",
                )
            )
        point = self.card.operating_point
        if self.profile is None and point is not None and point.cameras is not None:
            spread = point.cameras
            found.append(
                Finding(
                    Caution.UNCALIBRATED_CAMERA,
                    f"the threshold is not this camera's own: on {spread.num_cameras} sets of "
                    f"recordings that the model had not seen it rejected "
                    f"{spread.lowest_bpcer:.0%} to {spread.highest_bpcer:.0%} of bona fide. Set it "
                    "on recordings of your own (`vivant calibrate`), and give the profile with "
                    "--profile",
                    spread.highest_bpcer,
                )
            )
        if self._pool is not None and self._pool.not_locked:
            found.append(
                Finding(
                    Caution.NOT_ISOLATED,
                    f"the decoder could not be locked whole: {'; '.join(self._pool.not_locked)}",
                )
            )
        return tuple(found)


class _Clock:
    """Frames, and how long they were waited for."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self.waited_s = 0.0

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        started_s = time.perf_counter()
        try:
            return next(self._frames)
        finally:
            self.waited_s += time.perf_counter() - started_s
