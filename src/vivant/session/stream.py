"""A camera's frames in as they come, verdicts out: each frame goes through the backbone once."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from vivant.errors import InputError
from vivant.faces.look import Look
from vivant.faces.observer import Observer
from vivant.geometry.boxes import median_box
from vivant.networks.part_specs import output_fields, part_specs
from vivant.records import FaceBox, Finding, Frame, Reason, Scores
from vivant.runtimes.runner import Runner, blank_clips, run_in_parts, to_scores
from vivant.session.clip import (
    Clip,
    ClipBoxes,
    FrameCrops,
    Seen,
    clip_boxes,
    cut_frame,
    find_slowness,
    join_frames,
    lack_of_frames,
    shrink_to_poster,
    to_results,
)
from vivant.session.session import Session
from vivant.session.verdict import Verdict, WindowResult
from vivant.video.sampling import NearGrid, possible_windows, spread

__all__ = ["SPAN_S", "Stream", "StreamCounts"]

SPAN_S = 5.0
"""How much of the past a verdict is about, unless it is said: in seconds."""
_CROP_TOLERANCE = 0.05
"""By how much of its side the crop may lie beside the face's own before it follows: training drew
its scale between 1.2 and 1.5 times the face (D21)."""
_SAME_PLACE = 1e-5  # Centres of patches: a thousandth of a pixel.

Row = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """What became of the frames."""

    pushed: int
    looked_at: int
    """Those nearest to the grid of the model's interval."""
    dropped: int
    """Not looked at because the machine was behind."""
    encoded: int
    """Passes of the backbone: one a look, and N where the crop moved."""
    patches: int
    """Patches that the execution stage saw: those that were known already do not count."""


@dataclass(slots=True, eq=False)
class _Kept:
    """A look that may yet be in a window."""

    frame: Frame
    face: FaceBox | None
    """None where it is not usable."""
    boxes: ClipBoxes | None = None
    """Where its crops were cut."""
    crops: FrameCrops = field(default_factory=dict)
    encoded: Row | None = None
    """What the backbone said of these crops, by name; None where it has not seen them."""
    patches: dict[tuple[int, int], Row] = field(default_factory=dict)
    """By slot and cell: the centre and the box, and what the execution stage said."""


class Stream:
    """One presentation before a camera, for as long as it lasts. Not safe to use from threads.

    A window ends with each look, and its score is that of `Runner.run` on the same crops. What
    depends on one frame is computed once: the backbone's features, and the patches that an earlier
    window had in the same place. For that the crop stays where it is until the face has left its
    middle by more than a twentieth of its side.

    Memory is bounded: N frames and the windows of the last seconds are kept.

    Args:
        session: With the model, the limits and the profile. It stays the caller's to close.
        span_s: How much of the past a verdict is about: reasons and windows before are forgotten.
        patches: `exact` computes the patches that the window's Grad-CAM names, those that it did
            not name before; `once` leaves each frame's as they were when it was the newest: about
            half the time, and other scores (docs/speed.md has what that costs).
        live: Whether frames come as they are taken: what comes late by more than an interval, by
            the clock, is dropped and counted, so that the stream catches up. Off for files, which
            come as fast as they are read.
        clock: Seconds that pass.

    Raises:
        InputError: a span without a window in it.
    """

    def __init__(
        self,
        session: Session,
        *,
        span_s: float = SPAN_S,
        patches: Literal["exact", "once"] = "exact",
        live: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        card = session.card
        self._interval_s = card.preprocessing.frame_interval_s
        self._num_frames = card.architecture.num_frames
        least_s = self._interval_s * self._num_frames
        if not least_s <= span_s < float("inf"):
            raise InputError(f"expected a span of at least {least_s:g} seconds, got {span_s}")
        self._session = session
        self._span_s = span_s
        self._live = live
        self._clock = clock
        self._ahead_s: float | None = None  # Largest lead of the frames' time over the clock's.
        self._grid: NearGrid[Frame] = NearGrid(self._interval_s)
        self._first_s: float | None = None
        self._last_s = -float("inf")
        self._size: tuple[int, int] | None = None
        self._observer = Observer(session.eyes, session.quality_limits)
        self._kept: deque[_Kept] = deque(maxlen=2 * self._num_frames)
        self._windows: deque[tuple[Clip, WindowResult]] = deque()
        self._network = _Network(session.runner, once=patches == "once")
        self._boxes: ClipBoxes | None = None
        self._pushed = self._looked = self._dropped = 0
        self.verdict: Verdict | None = None
        """The last one."""

    @property
    def newest(self) -> WindowResult | None:
        """The newest window, for its boxes; None where there is none in the span."""
        return self._windows[-1][1] if self._windows else None

    @property
    def newest_clip(self) -> Clip | None:
        """The crops of the newest window; None where there is none in the span."""
        return self._windows[-1][0] if self._windows else None

    @property
    def newest_look(self) -> Look | None:
        """The newest look at a frame in the span; None before the first."""
        return self._observer.looks[-1] if self._observer.looks else None

    @property
    def counts(self) -> StreamCounts:
        """What became of the frames so far."""
        done = (self._network.num_encoded, self._network.num_patches)
        return StreamCounts(self._pushed, self._looked, self._dropped, *done)

    def push(self, pixels: Shaped[np.ndarray, "..."], time_s: float) -> Verdict | None:
        """Take the next frame.

        Args:
            pixels: (height, width, 3), uint8, RGB, 0..255, upright, of the size of those before;
                it is not copied.
            time_s: When it was taken, in seconds; later than the one before.

        Returns:
            A verdict on the last `span_s` seconds, when one more frame was looked at; None for
            frames between those. The first comes with the first window, or once a window's time has
            passed without one: then it says why.

        Raises:
            InputError: wrong shape, type, size or time.
            WeightsError: the network answered with a value that is not finite.
        """
        chosen = self._grid.add(Frame(pixels, time_s)) if self._take(pixels, time_s) else ()
        verdict = None
        for frame in chosen:
            verdict = self._look(frame)
        return verdict

    def follow(self, frames: Iterator[Frame]) -> Iterator[Verdict]:
        """Take frames that are about an interval apart already, such as a camera's `Media`.

        Args:
            frames: In the order of time.

        Raises:
            MediaError: from the frames.
            InputError: as `push` does.
        """
        for frame in frames:
            is_taken = self._take(frame.pixels, frame.time_s)
            if is_taken and (verdict := self._look(frame)) is not None:
                yield verdict

    def end(self) -> Verdict:
        """The verdict on the last `span_s` seconds, where there was no time for a window too.

        Frames that came too late to be looked at count for the time: no verdict outlives its span.

        Raises:
            InputError: there was no frame.
        """
        if not self._kept:
            raise InputError("expected frames before the stream ends, got none")
        if self._forget(self._last_s - self._span_s) or self.verdict is None:
            newest = self._kept[-1]
            self.verdict = self._judge(newest.frame, newest.face, 0.0, 0.0)
        return self.verdict

    def _forget(self, before_s: float) -> bool:
        """Let go of what was seen before a time; says whether there was anything."""
        num_looks = len(self._observer.looks)
        self._observer.forget(before_s)  # A window's frames are among the looks.
        while self._windows and self._windows[0][1].times_s[0] < before_s:
            self._windows.popleft()
        return len(self._observer.looks) < num_looks

    def _take(self, pixels: np.ndarray, time_s: float) -> bool:
        """Count a frame, and say whether there is time to look at it."""
        self._check(pixels, time_s)
        self._pushed += 1
        self._first_s = time_s if self._first_s is None else self._first_s
        self._last_s = time_s
        is_late = self._is_late(time_s)
        self._dropped += is_late
        return not is_late

    def _check(self, pixels: np.ndarray, time_s: float) -> None:
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise InputError(
                "expected a uint8 frame of shape (height, width, 3), got "
                f"{pixels.dtype} {pixels.shape}"
            )
        size = (pixels.shape[1], pixels.shape[0])
        self._size = self._size or size
        if size != self._size:
            raise InputError(
                f"expected a frame of {self._size[0]}x{self._size[1]} as those before, got "
                f"{size[0]}x{size[1]}: open another stream"
            )
        if not self._last_s < time_s < float("inf"):
            raise InputError(f"expected a time after {self._last_s:g} s, got {time_s:g}")

    def _is_late(self, time_s: float) -> bool:
        """Whether this frame has waited for longer than an interval, beside the quickest so far."""
        if not self._live:
            return False
        ahead_s = time_s - self._clock()
        self._ahead_s = ahead_s if self._ahead_s is None else max(self._ahead_s, ahead_s)
        return self._ahead_s - ahead_s > self._interval_s

    def _look(self, frame: Frame) -> Verdict | None:
        started_s = time.perf_counter()
        self._looked += 1
        self._forget(frame.time_s - self._span_s)
        look = self._observer.look(frame)
        self._kept.append(_Kept(frame, look.box if look.is_usable else None))
        window = self._newest_window()
        seen_s = time.perf_counter()
        if window is not None:
            self._windows.append(self._score(window))
        scored_s = time.perf_counter()
        if not self._windows and len(self._observer.looks) < self._num_frames:
            return None
        self.verdict = self._judge(frame, look.box, seen_s - started_s, scored_s - seen_s)
        return self.verdict

    def _newest_window(self) -> list[_Kept] | None:
        """The clip that ends with the newest look, by the rule that a session has (D24)."""
        kept = list(self._kept)
        if kept[-1].face is None or len(kept) < self._num_frames:
            return None
        times = [one.frame.time_s for one in kept]
        usable = [one.face is not None for one in kept]
        found = possible_windows(times, usable, self._num_frames, self._interval_s)
        ending = [window for window in found if window.frames[-1] == len(kept) - 1]
        ending = [window for window in ending if not window.is_padded]
        return [kept[position] for position in ending[-1].frames] if ending else None

    def _score(self, window: list[_Kept]) -> tuple[Clip, WindowResult]:
        card = self._session.card
        face = median_box([one.face for one in window if one.face is not None])
        self._boxes = self._hold(face)
        for one in window:
            if one.boxes != self._boxes:
                one.boxes, one.encoded = self._boxes, None
                one.crops = cut_frame(one.frame.pixels, self._boxes, card)
                one.patches.clear()
        crops = [one.crops for one in window]
        times = tuple(one.frame.time_s for one in window)
        clip = join_frames(crops, times, face, self._boxes, is_padded=False)
        scores = self._network.score(clip, window)
        (result,) = to_results([clip], scores, card.architecture)
        return clip, result

    def _hold(self, face: FaceBox) -> ClipBoxes:
        """The crops as they are, or the face's own where the first has left the face."""
        assert self._size is not None
        wanted = clip_boxes(face, self._size, self._session.card)
        if self._boxes is None:
            return wanted
        held, new = self._boxes.crop, wanted.crop
        corners = (
            (held.x - new.x, held.y - new.y),
            (held.x + held.side_px - new.x - new.side_px,
             held.y + held.side_px - new.y - new.side_px),
        )  # fmt: skip
        is_away = np.abs(corners).max() > _CROP_TOLERANCE * new.side_px
        return wanted if is_away else self._boxes

    def _judge(
        self, frame: Frame, face: FaceBox | None, faces_s: float, network_s: float
    ) -> Verdict:
        session, looks = self._session, self._observer.looks
        places = spread(len(self._windows), session.num_windows) if self._windows else ()
        chosen = [self._windows[place] for place in places]
        reasons = self._explain_lack(looks) if not chosen else self._observer.faults(is_still=False)
        assert self._size is not None
        poster, poster_face = shrink_to_poster(frame, face)
        seen = Seen(
            clips=tuple(clip for clip, _ in chosen),
            reasons=reasons,
            num_looks=len(looks),
            num_faces=sum(look.box is not None for look in looks),
            frame_size=self._size,
            poster=poster,
            poster_face=poster_face,
            decode_s=0.0,
            faces_s=faces_s,
        )
        return session.judge(seen, tuple(result for _, result in chosen), network_s)

    def _explain_lack(self, looks: Sequence[Look]) -> tuple[Finding, ...]:
        """Why there is no window. Who films with a slow machine is not told to film for longer."""
        found = self._observer.faults(is_still=False)
        found += lack_of_frames(looks, self._num_frames, is_still=False)
        if not self._live or self._first_s is None:
            return found
        filmed_s = min(self._last_s - self._first_s, self._span_s)
        slow = find_slowness(len(looks), filmed_s, self._num_frames, self._interval_s)
        if not slow:
            return found
        if not looks:  # Nobody knows whether a face was there.
            return slow
        return (*(lack for lack in found if lack.code is not Reason.TOO_FEW_FRAMES), *slow)


class _Network:
    """Scores windows part by part, and keeps what the next window can use."""

    def __init__(self, runner: Runner, *, once: bool) -> None:
        self._once = once
        self._run = runner.run_part
        architecture = runner.card.architecture
        # Runtimes prepare a part when it is first run: not while somebody waits.
        run_in_parts(runner, *blank_clips(runner.card))
        self._fields = output_fields(architecture)
        specs = part_specs(architecture)
        self._encode = specs["encode"]
        self._of_patches = specs["execute"].outputs if "execute" in specs else ()
        aam = architecture.aam
        self._seen = () if aam is None else aam.frames_seen(architecture.num_frames)
        self.num_encoded = 0
        self.num_patches = 0

    def score(self, clip: Clip, window: list[_Kept]) -> Scores:
        """The clip's scores: those of `Runner.run`.

        Args:
            clip: With the frames of the window, cut.
            window: Its looks, which keep what was said of them and of their patches.
        """
        new = [one for one in window if one.encoded is None]
        if new:
            names = self._encode.inputs
            given = {name: np.stack([one.crops[name] for one in new]) for name in names}
            answers = self._run("encode", given)
            for at, one in enumerate(new):
                one.encoded = {name: answers[name][at] for name in self._encode.outputs}
            self.num_encoded += len(new)
        rows = [one.encoded for one in window if one.encoded is not None]
        known = {name: np.stack([row[name] for row in rows])[None] for name in self._encode.outputs}
        known |= self._run("advise", known | {"clips": clip.pixels[None]})
        if self._of_patches:
            known |= self._execute(known, [window[position] for position in self._seen])
        known |= self._run("conclude", known)
        return to_scores({name: known[name] for name in self._fields})

    def _execute(self, known: Row, seen: list[_Kept]) -> Row:
        """What the execution stage says of the patches, the new ones computed and all kept.

        Args:
            known: From the Advisor: anchors, centres and patches.
            seen: The looks that the module sees.
        """
        anchors, patches = known["anchors"][0], known["patches"][0]
        num_patches = anchors.shape[1]
        places = {name: np.array(known[name][0]) for name in ("centres", "boxes")}
        new = []
        for row, one in enumerate(seen):
            if self._once and one.patches:
                continue  # As they were when this frame was the newest.
            for slot in range(num_patches):
                kept = one.patches.get((slot, int(anchors[row, slot])))
                centre = places["centres"][row, slot]
                if kept is None or np.abs(kept["centres"] - centre).max() > _SAME_PLACE:
                    new.append((row, slot))
        if new:
            rows, slots = np.array(new).T
            answers = self._run("execute", {"patches": patches[rows, slots]}) | {
                name: values[rows, slots] for name, values in places.items()
            }
            for at, (row, slot) in enumerate(new):
                key = (slot, int(anchors[row, slot]))
                seen[row].patches[key] = {name: values[at] for name, values in answers.items()}
            self.num_patches += len(new)
        chosen = [
            sorted(one.patches) if self._once else list(enumerate(anchors[row].tolist()))
            for row, one in enumerate(seen)
        ]
        every = [one.patches[key] for one, keys in zip(seen, chosen, strict=True) for key in keys]
        axes = (1, len(seen), num_patches)
        joined = {
            name: np.stack([said[name] for said in every]).reshape(*axes, *every[0][name].shape)
            for name in (*self._of_patches, *places)
        }
        cells = [[cell for _, cell in keys] for keys in chosen]
        joined["anchors"] = np.array([cells], anchors.dtype)
        depth = joined.get("each_depth")
        return joined if depth is None else joined | {"depth": depth}
