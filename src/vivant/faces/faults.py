"""From numbers to named reasons: each says what was found, what is needed and what to do."""

import math
from collections import Counter
from collections.abc import Sequence

from vivant.faces.identity import Changes
from vivant.faces.limits import QualityLimits
from vivant.faces.look import Look
from vivant.faces.quality import FaceQuality
from vivant.records import FaceBox, Finding, Reason

__all__ = ["clip_faults", "common_faults", "frame_faults"]

_COMMON = 0.2  # Share of the frames with a fault from which it is named.


def frame_faults(quality: FaceQuality, limits: QualityLimits) -> tuple[Finding, ...]:
    """What is wrong with a face on one frame.

    Args:
        quality: From `measure`.
        limits: What each number must reach.
    """
    q, most, least = quality, _most, _least
    found = (
        least(Reason.FACE_TOO_SMALL, "the face is {:.0f} pixels wide, needs {:.0f}: come closer",
              q.face_px, limits.min_face_px),
        least(Reason.FACE_CUT_OFF, "{:.0%} of the face is in the picture, needs {:.0%}: move to "
              "the middle", q.inside, limits.min_inside),
        least(Reason.TOO_DARK, "the face has a brightness of {:.0f} of 255, needs {:.0f}: add "
              "light", q.brightness, limits.min_brightness),
        most(Reason.TOO_BRIGHT, "the face has a brightness of {:.0f} of 255, at most {:.0f} is "
             "read: less light", q.brightness, limits.max_brightness),
        most(Reason.TOO_BRIGHT, "{:.0%} of the face is plain white, at most {:.0%} is read: less "
             "light", q.saturated, limits.max_saturated),
        least(Reason.LOW_CONTRAST, "the face has a contrast of {:.1f}, needs {:.1f}: clean the "
              "lens, avoid light from behind", q.contrast, limits.min_contrast),
        least(Reason.TOO_BLURRED, "the face has a sharpness of {:.2f}, needs {:.2f}: hold still, "
              "clean the lens", q.sharpness, limits.min_sharpness),
        most(Reason.POSE, "the face is turned by {:.0f} degrees to the side, at most {:.0f} is "
             "read: look into the camera", abs(q.yaw_deg), limits.max_yaw_deg),
        most(Reason.POSE, "the face is turned by {:.0f} degrees up or down, at most {:.0f} is "
             "read: look into the camera", abs(q.pitch_deg), limits.max_pitch_deg),
        most(Reason.POSE, "the face is tilted by {:.0f} degrees, at most {:.0f} is read: hold the "
             "head upright", abs(q.roll_deg), limits.max_roll_deg),
        least(Reason.OCCLUDED, "the mesh fits the face with {:.1f}, needs {:.1f}: keep hands and "
              "things away from the face", q.presence_logit, limits.min_presence_logit),
    )  # fmt: skip
    return tuple(finding for finding in found if finding is not None)


def common_faults(looks: Sequence[Look]) -> tuple[Finding, ...]:
    """The faults of a video's frames that are worth naming: the worst of each kind.

    Args:
        looks: Of all frames.
    """
    with_face = [look for look in looks if look.box is not None]
    count = Counter(code for look in with_face for code in {fault.code for fault in look.faults})
    worst: dict[str, Finding] = {}
    for look in with_face:
        for fault in look.faults:
            named = worst.get(fault.code)
            if named is None or _excess(fault) > _excess(named):
                worst[fault.code] = fault
    least = min(_COMMON * len(with_face), max(count.values(), default=0))
    return tuple(
        Finding(
            worst[code].code,
            f"on {number} of {len(with_face)} frames with a face; at worst {worst[code].message}",
            worst[code].measured,
            worst[code].limit,
        )
        for code, number in count.most_common()
        if number >= least
    )


def clip_faults(
    looks: Sequence[Look],
    change: Changes,
    limits: QualityLimits,
    *,
    is_still: bool,
) -> tuple[Finding, ...]:
    """What is wrong with a video as a whole.

    Args:
        looks: Of all frames, in the order of time.
        change: Of the face and the scene, over the frames with the face.
        limits: What each number must reach.
        is_still: Whether it was a picture: then nobody asks it to move.
    """
    with_face = [look for look in looks if look.box is not None]
    if not with_face:
        return (
            Finding(
                Reason.NO_FACE,
                f"no face on {len(looks)} frames: show one to the camera, and come closer",
            ),
        )
    most, least = _most, _least
    found = [
        most(Reason.MULTIPLE_FACES, "another face is on {:.0%} of the frames, at most {:.0%} is "
             "read: only one person before the camera", _others_share(looks, limits),
             limits.max_other_share),
        most(Reason.FACE_LOST, "the face is missing on {:.0%} of the frames after it was first "
             "seen, at most {:.0%} is read: stay in the picture", _lost_share(looks),
             limits.max_lost_share),
        least(Reason.FACE_CHANGED, "the face is like itself by {:.2f} only, needs {:.2f}: one "
              "person a video", change.likeness, limits.min_likeness),
        most(Reason.FACE_CHANGED, "the face's colour changes by {:.1f}, at most {:.1f} is read: "
             "one person a video, steady light", change.colour, limits.max_colour_change),
        most(Reason.FACE_CHANGED, "the whole picture changes by {:.0f} grey levels at once, at "
             "most {:.0f} is read: send a video that was not cut", change.scene,
             limits.max_scene_change),
        most(Reason.FACE_CHANGED, "a face appears where the one before was not ({:.0f} of at most "
             "{:.0f} times): one person a video",
             float(sum(look.is_elsewhere for look in looks)), float(limits.max_jumps)),
    ]  # fmt: skip
    motions = [look.motion for look in looks if look.motion is not None]
    if motions and not is_still:
        static = sum(not motion >= limits.min_motion for motion in motions) / len(motions)
        found.append(
            most(Reason.STATIC_FRAMES, "nothing moves on {:.0%} of the frames, at most {:.0%} is "
                 "read: film a person, not a picture", static, limits.max_static_share)
        )  # fmt: skip
    return tuple(finding for finding in found if finding is not None)


def _least(code: Reason, message: str, measured: float, limit: float) -> Finding | None:
    """The finding that a number is below its limit; a NaN is too."""
    if measured >= limit:
        return None
    return Finding(code, message.format(measured, limit), measured, limit)


def _most(code: Reason, message: str, measured: float, limit: float) -> Finding | None:
    """The finding that a number is above its limit; a NaN is too."""
    if measured <= limit:
        return None
    return Finding(code, message.format(measured, limit), measured, limit)


def _excess(fault: Finding) -> float:
    """How far beyond its limit, in parts of it: faults of one kind may differ in unit."""
    assert fault.measured is not None
    assert fault.limit is not None
    if math.isnan(fault.measured):
        return math.inf
    return abs(fault.measured - fault.limit) / (abs(fault.limit) or 1.0)


def _others_share(looks: Sequence[Look], limits: QualityLimits) -> float:
    """Of the frames searched that hold the face, the share with another one that counts."""
    searched = [
        any(_area(other) >= limits.min_other_area * _area(look.box) for other in look.others)
        for look in looks
        if look.box is not None and look.others is not None
    ]
    return sum(searched) / len(searched) if searched else 0.0


def _lost_share(looks: Sequence[Look]) -> float:
    """Of the frames from the first with the face on, the share without it."""
    first = next(i for i, look in enumerate(looks) if look.box is not None)
    return sum(look.box is None for look in looks[first:]) / len(looks[first:])


def _area(box: FaceBox) -> float:
    return box.width_px * box.height_px
