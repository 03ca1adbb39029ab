"""From frames to the clips that the network sees, and from its answer back to the frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from vivant.faces.faults import common_faults
from vivant.faces.look import Look
from vivant.faces.observer import Observer
from vivant.geometry.boxes import median_box
from vivant.geometry.crop import CropBox, crop_box, cut
from vivant.geometry.grid import cell_centres, centres_to_corners
from vivant.geometry.shrink import shrink
from vivant.networks.card import ModelCard
from vivant.networks.config import CONTEXT_SIDE_PX, NetworkConfig
from vivant.records import Caution, FaceBox, Finding, Frame, Reason, Scores
from vivant.session.verdict import WindowResult
from vivant.session.voting import map_share, patches_vote
from vivant.video.keep import FrameKeeper
from vivant.video.sampling import Window, choose_windows

__all__ = [
    "Clip",
    "ClipBoxes",
    "FrameCrops",
    "Seen",
    "Sight",
    "clip_boxes",
    "clip_cautions",
    "cut_clips",
    "cut_frame",
    "find_slowness",
    "join_frames",
    "lack_of_frames",
    "shrink_to_poster",
    "to_batch",
    "to_results",
    "watch",
]

_POSTER_SIDE = 480
_TOLERANCE = 0.1  # How far a crop may be from what training cut: share of its side.


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What there was to see in a presentation."""

    looks: tuple[Look, ...]
    kept: FrameKeeper
    frame_size: tuple[int, int]
    poster: UInt8[np.ndarray, "height width 3"]
    poster_face: FaceBox | None


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One clip for the network, and where it was cut."""

    pixels: UInt8[np.ndarray, "n side side 3"]
    times_s: tuple[float, ...]
    face: FaceBox
    crop: CropBox
    is_padded: bool
    context: UInt8[np.ndarray, "n wide wide 3"] | None = None
    """The wider crops of the same frames; None where the model sees none."""
    context_crop: CropBox | None = None
    """Where the wider crops were cut."""


@dataclass(frozen=True, slots=True)
class ClipBoxes:
    """Where the crops of a clip are cut, in pixels of the frame."""

    crop: CropBox
    context: CropBox | None
    """The wider crop; None where the model sees none."""


FrameCrops = dict[str, UInt8[np.ndarray, "_ _ 3"]]
"""The crops of one frame by the names of the inputs of `encode` (`networks.part_specs`): `frames`,
and `context` where the model sees a wider crop."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A presentation that was watched and waits for the network: all that its verdict needs.

    Its frames are let go: of many presentations that wait, only clips and posters are in memory.
    """

    clips: tuple[Clip, ...]
    """To score; none where there is no face."""
    reasons: tuple[Finding, ...]
    """What speaks against deciding, whatever the network says."""
    num_looks: int
    num_faces: int
    """Of the looks, those on which the face was seen."""
    frame_size: tuple[int, int]
    """Width and height of the frames, in pixels."""
    poster: UInt8[np.ndarray, "height width 3"]
    poster_face: FaceBox | None
    decode_s: float
    """Seconds of waiting for frames."""
    faces_s: float
    """Seconds for all else: finding, following and measuring the face, and cutting."""


def watch(frames: Iterator[Frame], observer: Observer, num_frames: int) -> Sight:
    """Look at every frame once, and keep those that may be needed again.

    Args:
        frames: In the order of time; their end is where damage shows, so all are taken.
        observer: Finds and measures the face.
        num_frames: N, the frames of a clip.

    Raises:
        MediaError: from the frames.
    """
    kept = FrameKeeper(num_frames)
    size, poster, poster_face = (0, 0), None, None
    for position, frame in enumerate(frames):
        look = observer.look(frame)
        if look.is_usable:
            kept.add(position, frame)
        if poster is None or (poster_face is None and look.box is not None):
            poster, poster_face = shrink_to_poster(frame, look.box)
            size = (frame.pixels.shape[1], frame.pixels.shape[0])
    assert poster is not None  # Media without frames are refused before.
    return Sight(tuple(observer.looks), kept, size, poster, poster_face)


def cut_clips(
    sight: Sight, card: ModelCard, num_windows: int, *, is_still: bool
) -> tuple[tuple[Clip, ...], tuple[Finding, ...]]:
    """The clips to score, and why there are none or too few frames in them.

    Args:
        sight: What there was to see.
        card: The model's: frames of a clip, their distance in time, the crop.
        num_windows: W.
        is_still: Whether it was a picture: N = 1 repeated, which few models may decide on.
    """
    num_frames = card.architecture.num_frames
    windows = choose_windows(
        [look.time_s for look in sight.looks],
        [position in sight.kept for position in range(len(sight.looks))],
        num_frames,
        card.preprocessing.frame_interval_s,
        num_windows,
    )
    clips = tuple(_clip(sight, window, card) for window in windows)
    if windows and not windows[0].is_short:
        return clips, ()
    if is_still and card.stills and windows:
        return clips, ()
    return clips, lack_of_frames(sight.looks, num_frames, is_still=is_still)


def lack_of_frames(
    looks: Sequence[Look], num_frames: int, *, is_still: bool
) -> tuple[Finding, ...]:
    """Why there are no N usable frames in a row; nothing where NO_FACE says it all.

    Args:
        looks: At all frames.
        num_frames: N.
        is_still: Whether it was a picture.
    """
    if all(look.box is None for look in looks):
        return ()
    reasons = common_faults(looks)
    num_usable = sum(look.is_usable for look in looks)
    if num_usable or not reasons:
        advice = "send a video" if is_still else "film at least 2 seconds"
        reasons += (
            Finding(
                Reason.TOO_FEW_FRAMES,
                f"no {num_frames} usable frames in a row, {num_usable} in all: {advice}",
                float(num_usable),
                float(num_frames),
            ),
        )
    return reasons


def find_slowness(
    num_looks: int, filmed_s: float, num_frames: int, interval_s: float
) -> tuple[Finding, ...]:
    """The reason TOO_SLOW, where a live check got too few frames a second to hold one clip.

    A clip needs N frames in a row, an interval apart. If fewer than one in N + 1 frames is missing,
    some N follow one another; so a live check without a clip is slow where more are missing.

    Args:
        num_looks: Frames that were looked at.
        filmed_s: Time from the first frame to the last, those that were not looked at among them.
        num_frames: N.
        interval_s: Time between two frames of a clip, in seconds.

    Returns:
        One finding, or none where the frames came fast enough or for less than a clip's time.
    """
    if filmed_s < (num_frames - 1) * interval_s:
        return ()
    rate = num_looks / (filmed_s + interval_s)
    needed = num_frames / (num_frames + 1) / interval_s
    if rate > needed:
        return ()
    return (
        Finding(
            Reason.TOO_SLOW,
            f"Only {rate:.1f} frames a second could be looked at; a live check needs {needed:.1f}. "
            "The computer or its connection is too slow: close other programs, upload a video, or "
            "check on the device itself.",
            rate,
            needed,
        ),
    )


def clip_cautions(
    clips: Sequence[Clip], card: ModelCard, min_face_px: float
) -> tuple[Finding, ...]:
    """Where the crops differ from what the card says the model was trained on.

    Args:
        clips: As cut.
        card: The model's: scale of the crop.
        min_face_px: From which width on a face fills the crop.
    """
    found: dict[Caution, Finding] = {}
    for clip in clips:
        longer = max(clip.face.width_px, clip.face.height_px)
        scale = clip.crop.side_px / longer
        shorter = min(clip.face.width_px, clip.face.height_px)
        middle = clip.crop.side_px / 2
        away = max(
            abs(clip.crop.x + middle - clip.face.centre[0]),
            abs(clip.crop.y + middle - clip.face.centre[1]),
        )
        off = away / clip.crop.side_px
        expected = card.preprocessing.crop_scale
        checks = (
            (shorter < min_face_px, Caution.FACE_SMALLER_THAN_CROP, shorter, min_face_px,
             f"the face is {shorter:.0f} pixels wide: from {min_face_px:.0f} on the crop is not "
             "enlarged and shows all that a camera can"),
            (abs(scale / expected - 1) > _TOLERANCE, Caution.CROP_SCALE_DIFFERS, scale, expected,
             f"the crop is {scale:.2f} times the face, training had {expected:.2f}: the face fills "
             "the picture, move back"),
            *_wider_check(clip, longer, card),
            (off > _TOLERANCE, Caution.CROP_OFF_CENTRE, off, _TOLERANCE,
             f"the face is {off:.0%} of the crop away from its middle, where training had it: "
             "move to the middle"),
            (clip.is_padded, Caution.PADDED_WINDOW, None, None,
             "frames stand in twice: the video has too few in a second"),
        )  # fmt: skip
        for is_found, code, measured, limit, message in checks:
            if is_found:
                found.setdefault(code, Finding(code, message, measured, limit))
    return tuple(found.values())


def _wider_check(
    clip: Clip, longer_px: float, card: ModelCard
) -> tuple[tuple[bool, Caution, float, float, str], ...]:
    """Whether the frame was too small for the wider crop; nothing where the model sees none."""
    expected = card.preprocessing.context_scale
    if clip.context_crop is None or expected is None:
        return ()
    scale = clip.context_crop.side_px / longer_px
    message = (
        f"the wider crop is {scale:.2f} times the face, training had {expected:.2f}: the face "
        "fills the picture, move back"
    )
    is_off = abs(scale / expected - 1) > _TOLERANCE
    return ((is_off, Caution.CROP_SCALE_DIFFERS, scale, expected, message),)


def clip_boxes(face: FaceBox, frame_size: tuple[int, int], card: ModelCard) -> ClipBoxes:
    """Where to cut the crops of a clip. Files and streams cut at these places.

    Args:
        face: The median box of the clip's frames, in pixels of the frame.
        frame_size: Width and height in pixels.
        card: The model's: scales of the crops.
    """
    how = card.preprocessing
    wider = how.context_scale
    return ClipBoxes(
        crop_box(face, *frame_size, how.crop_scale),
        None if wider is None else crop_box(face, *frame_size, wider),
    )


def cut_frame(
    pixels: UInt8[np.ndarray, "height width 3"], boxes: ClipBoxes, card: ModelCard
) -> FrameCrops:
    """Cut the crops of one frame.

    Args:
        pixels: The frame, RGB, 0..255.
        boxes: Where, by `clip_boxes`.
        card: The model's: side of the crop.
    """
    crops = {"frames": cut(pixels, boxes.crop, card.preprocessing.crop_side_px)}
    if boxes.context is not None:
        crops["context"] = cut(pixels, boxes.context, CONTEXT_SIDE_PX)
    return crops


def join_frames(
    frames: Sequence[FrameCrops],
    times_s: tuple[float, ...],
    face: FaceBox,
    boxes: ClipBoxes,
    *,
    is_padded: bool,
) -> Clip:
    """A clip of frames that were cut at the same places.

    Args:
        frames: In the order of time.
        times_s: When each was taken.
        face: The box that the crops were cut for.
        boxes: Where they were cut.
        is_padded: Whether a frame is there twice.
    """
    has_context = boxes.context is not None
    return Clip(
        np.stack([frame["frames"] for frame in frames]),
        times_s,
        face,
        boxes.crop,
        is_padded,
        np.stack([frame["context"] for frame in frames]) if has_context else None,
        boxes.context,
    )


def to_batch(clips: Sequence[Clip]) -> tuple[UInt8[np.ndarray, "b n _ _ 3"], ...]:
    """What `Runner.run` takes of clips: their crops, and the wider ones where there are.

    Args:
        clips: At least one, all cut for the same model.
    """
    pixels = np.stack([clip.pixels for clip in clips])
    context = [clip.context for clip in clips if clip.context is not None]
    return (pixels, np.stack(context)) if context else (pixels,)


def to_results(
    clips: Sequence[Clip], scores: Scores, architecture: NetworkConfig
) -> tuple[WindowResult, ...]:
    """The network's answer, clip by clip, with its boxes in pixels of the frames.

    Args:
        clips: What was scored.
        scores: Of these clips, in their order.
        architecture: Of the network's card: which frames the second module sees, the grid of its
            cells, and whose scores count.
    """
    return tuple(_to_result(clip, scores, at, architecture) for at, clip in enumerate(clips))


def _clip(sight: Sight, window: Window, card: ModelCard) -> Clip:
    found = [sight.looks[position].box for position in window.frames]
    face = median_box([box for box in found if box is not None])
    boxes = clip_boxes(face, sight.frame_size, card)
    frames = [sight.kept[position] for position in window.frames]
    return join_frames(
        [cut_frame(frame.pixels, boxes, card) for frame in frames],
        tuple(frame.time_s for frame in frames),
        face,
        boxes,
        is_padded=window.is_padded,
    )


def _to_result(clip: Clip, scores: Scores, at: int, architecture: NetworkConfig) -> WindowResult:
    aam = architecture.aam
    num_frames, side = clip.pixels.shape[:2]
    seen: tuple[int, ...] = ()
    anchor_boxes = patch_boxes = None
    if aam is not None:
        seen = aam.frames_seen(num_frames)
        assert scores.anchors is not None
        assert scores.boxes is not None
        centres = cell_centres(aam.grid_side)[np.asarray(scores.anchors[at])]  # (a, k, 2)
        corners = np.concatenate(centres_to_corners(centres, side), axis=-1)
        anchor_boxes = _to_frame(corners, clip.crop, side)  # (a, k, 4)
        patch_boxes = _to_frame(scores.boxes[at].astype(np.float64), clip.crop, side)
    return WindowResult(
        times_s=clip.times_s,
        is_padded=clip.is_padded,
        face=clip.face,
        crop=clip.crop,
        bona_fide_score=float(scores.bona_fide_score[at]),
        advisor_score=float(scores.advisor_score[at]),
        aam_score=None if scores.aam_score is None else float(scores.aam_score[at]),
        crops=clip.pixels,
        cam=scores.cam[at],
        aam_frames=seen,
        anchors=None if scores.anchors is None else scores.anchors[at],
        anchor_boxes=anchor_boxes,
        patch_boxes=patch_boxes,
        depth=None if scores.depth is None else scores.depth[at],
        advisor_embedding=scores.advisor_embedding[at],
        aam_embedding=None if scores.aam_embedding is None else scores.aam_embedding[at].mean(0),
        fused_feature=None if scores.fused_feature is None else scores.fused_feature[at].mean(0),
        map_share=map_share(scores.advisor_embedding[at], architecture.advisor),
        patches_vote=patches_vote(architecture),
    )


def _to_frame(
    boxes: Float[np.ndarray, "a k 4"], crop: CropBox, side: int
) -> Float[np.ndarray, "a k 4"]:
    """Boxes of a crop in pixels of the frame."""
    x, y = crop.to_frame(boxes[..., 0::2], boxes[..., 1::2], side)  # (a, k, 2) each
    return np.stack([x, y], axis=-1).reshape(boxes.shape)


def shrink_to_poster(
    frame: Frame, face: FaceBox | None
) -> tuple[UInt8[np.ndarray, "height width 3"], FaceBox | None]:
    """A frame of 480 pixels at most, with the face's box in pixels of it."""
    height, width, _ = frame.pixels.shape
    scale = min(1.0, _POSTER_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = frame.pixels if size == (width, height) else shrink(frame.pixels, *size)
    if face is None:
        return small, None
    edges = (face.x0, face.y0, face.x1, face.y1)
    return small, FaceBox(*(edge * scale for edge in edges))
