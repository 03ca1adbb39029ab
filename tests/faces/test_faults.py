import math
from dataclasses import replace

import numpy as np
import pytest

from vivant.faces.faults import clip_faults, common_faults, frame_faults
from vivant.faces.identity import Appearance, changes
from vivant.faces.limits import QualityLimits
from vivant.faces.look import Look
from vivant.faces.quality import FaceQuality
from vivant.records import FaceBox, Finding, Reason

LIMITS = QualityLimits()
GOOD = FaceQuality(
    face_px=100.0, inside=1.0, brightness=120.0, saturated=0.0, contrast=40.0, sharpness=0.4,
    yaw_deg=0.0, pitch_deg=0.0, roll_deg=0.0, presence_logit=25.0,
)  # fmt: skip
BOX = FaceBox(100.0, 100.0, 200.0, 200.0)

DAMAGES = [
    ("face_px", 47.4, Reason.FACE_TOO_SMALL, "the face is 47 pixels wide, needs 48: come closer"),
    ("inside", 0.5, Reason.FACE_CUT_OFF, "50% of the face is in the picture, needs 90%: move to"),
    ("brightness", 39.0, Reason.TOO_DARK, "brightness of 39 of 255, needs 40: add light"),
    ("brightness", 226.0, Reason.TOO_BRIGHT, "brightness of 226 of 255, at most 225 is read"),
    ("saturated", 0.4, Reason.TOO_BRIGHT, "40% of the face is plain white, at most 30% is read"),
    ("contrast", 11.0, Reason.LOW_CONTRAST, "contrast of 11.0, needs 12.0: clean the lens"),
    ("sharpness", 0.05, Reason.TOO_BLURRED, "sharpness of 0.05, needs 0.10: hold still"),
    ("yaw_deg", -41.0, Reason.POSE, "turned by 41 degrees to the side, at most 40 is read"),
    ("pitch_deg", 50.0, Reason.POSE, "turned by 50 degrees up or down, at most 40 is read"),
    ("roll_deg", -60.0, Reason.POSE, "tilted by 60 degrees, at most 45 is read: hold the head"),
    ("presence_logit", 5.0, Reason.OCCLUDED, "fits the face with 5.0, needs 12.0: keep hands"),
]


def looks(number: int, **changes: object) -> list[Look]:
    return [
        replace(Look(step / 10, (), BOX, GOOD, motion=None if step == 0 else 3.0), **changes)
        for step in range(number)
    ]


def appearances(number: int) -> list[Appearance]:
    detail = np.random.default_rng(0).normal(size=(24, 20))
    return [Appearance(detail, np.zeros(2), np.zeros((18, 32))) for _ in range(number)]


def of_clip(seen: list[Look], *, is_still: bool = False) -> list[Finding]:
    return list(clip_faults(seen, changes(appearances(len(seen))), LIMITS, is_still=is_still))


def test_good_face_has_no_fault() -> None:
    assert frame_faults(GOOD, LIMITS) == ()


@pytest.mark.parametrize(("field", "value", "reason", "message"), DAMAGES)
def test_each_number_has_its_reason(field: str, value: float, reason: Reason, message: str) -> None:
    (fault,) = frame_faults(replace(GOOD, **{field: value}), LIMITS)
    assert fault.code is reason
    assert message in fault.message
    assert fault.measured == pytest.approx(abs(value))


@pytest.mark.parametrize(("field", "value"), [
    ("face_px", 48.0), ("inside", 0.9), ("brightness", 40.0), ("brightness", 225.0),
    ("saturated", 0.3), ("contrast", 12.0), ("sharpness", 0.1), ("yaw_deg", -40.0),
    ("pitch_deg", 40.0), ("roll_deg", 45.0), ("presence_logit", 12.0),
])  # fmt: skip
def test_the_limit_itself_is_good(field: str, value: float) -> None:
    assert frame_faults(replace(GOOD, **{field: value}), LIMITS) == ()


@pytest.mark.parametrize("field", FaceQuality.__dataclass_fields__)
def test_what_could_not_be_measured_is_a_fault(field: str) -> None:
    assert frame_faults(replace(GOOD, **{field: math.nan}), LIMITS)


def test_faults_of_a_frame_are_all_named() -> None:
    dim = replace(GOOD, brightness=20.0, contrast=5.0, yaw_deg=70.0)
    codes = [fault.code.value for fault in frame_faults(dim, LIMITS)]
    assert codes == ["TOO_DARK", "LOW_CONTRAST", "POSE"]


def with_faults(*qualities: FaceQuality) -> list[Look]:
    return [
        Look(step / 10, (), BOX, quality, frame_faults(quality, LIMITS))
        for step, quality in enumerate(qualities)
    ]


def test_common_faults_are_those_of_a_fifth_of_the_frames() -> None:
    dark, small = replace(GOOD, brightness=20.0), replace(GOOD, face_px=40.0)
    found = common_faults(with_faults(*[dark] * 5, *[small] * 2, *[GOOD] * 3))
    assert [fault.code.value for fault in found] == ["TOO_DARK", "FACE_TOO_SMALL"]
    assert found[0].message.startswith("on 5 of 10 frames with a face; at worst the face has")
    found = common_faults(with_faults(*[dark] * 5, small, *[GOOD] * 4))
    assert [fault.code.value for fault in found] == ["TOO_DARK"]


def test_rare_faults_are_named_where_there_are_no_others() -> None:
    dark, small = replace(GOOD, brightness=20.0), replace(GOOD, face_px=40.0)
    found = common_faults(with_faults(dark, small, *[GOOD] * 20))
    assert {fault.code.value for fault in found} == {"TOO_DARK", "FACE_TOO_SMALL"}
    assert common_faults(with_faults(*[GOOD] * 20)) == ()
    assert common_faults([Look(0.0), Look(0.1)]) == ()


def test_frames_without_a_face_are_not_counted() -> None:
    dark = replace(GOOD, brightness=20.0)
    found = common_faults([*with_faults(dark), Look(0.1), Look(0.2)])
    assert found[0].message.startswith("on 1 of 1 frames with a face; ")


def test_the_worst_of_a_kind_is_named_with_its_numbers() -> None:
    qualities = [replace(GOOD, brightness=value) for value in (30.0, 10.0, 20.0)]
    (found,) = common_faults(with_faults(*qualities))
    assert (found.measured, found.limit) == (10.0, 40.0)
    assert "brightness of 10 of 255" in found.message


def test_the_worst_is_worst_by_its_own_limit() -> None:
    """2 grey levels above 225 are less than a share of 0.9 above 0.3."""
    qualities = [replace(GOOD, brightness=227.0), replace(GOOD, saturated=0.9)]
    (found,) = common_faults(with_faults(*qualities))
    assert "90% of the face is plain white" in found.message


def test_what_could_not_be_measured_is_worst() -> None:
    for values in ((10.0, math.nan), (math.nan, 10.0)):
        qualities = [replace(GOOD, brightness=value) for value in values]
        found = {f.code.value: f.measured for f in common_faults(with_faults(*qualities))}
        assert found["TOO_DARK"] is not None
        assert math.isnan(found["TOO_DARK"])


def test_good_clip_has_no_fault() -> None:
    assert of_clip(looks(20)) == []


def test_clip_without_a_face_says_so_and_nothing_else() -> None:
    (found,) = clip_faults([Look(0.0), Look(0.1)], changes([]), LIMITS, is_still=False)
    assert (found.code, found.measured) == (Reason.NO_FACE, None)
    assert found.message == "no face on 2 frames: show one to the camera, and come closer"


def test_another_face_counts_from_a_quarter_of_the_area() -> None:
    bystander, second = FaceBox(0.0, 0.0, 49.0, 49.0), FaceBox(0.0, 0.0, 50.0, 50.0)
    assert of_clip(looks(10, others=(bystander,))) == []
    (found,) = of_clip(looks(10, others=(bystander, second)))
    assert (found.code, found.measured, found.limit) == (Reason.MULTIPLE_FACES, 1.0, 0.2)


def test_another_face_counts_among_the_frames_searched() -> None:
    second = (FaceBox(0.0, 0.0, 90.0, 90.0),)
    seen = looks(30, others=None)
    seen[::3] = looks(10)
    assert of_clip(seen) == []
    for number, faults in ((2, []), (3, ["MULTIPLE_FACES"])):  # Of ten.
        for step in range(number):
            seen[3 * step] = replace(seen[3 * step], others=second)
        assert [fault.code.value for fault in of_clip(seen)] == faults


def test_face_that_is_missing_counts_from_its_first_sight_on() -> None:
    gone = Look(9.0)
    assert of_clip([gone] * 20 + looks(6) + [gone] * 2) == []
    (found,) = of_clip(looks(5) + [gone] * 2)
    assert found.code is Reason.FACE_LOST
    assert found.measured == pytest.approx(2 / 7)
    assert "the face is missing on 29% of the frames after it was first seen" in found.message


def test_face_that_appears_elsewhere_has_changed() -> None:
    seen = looks(9)
    seen[4] = replace(seen[4], is_elsewhere=True)
    (found,) = of_clip(seen)
    assert (found.code, found.measured, found.limit) == (Reason.FACE_CHANGED, 1.0, 0.0)


@pytest.mark.parametrize(("second", "message"), [
    ("detail", "the face is like itself by -1.00 only, needs 0.55"),
    ("colour", "the face's colour changes by 5.0, at most 2.5 is read"),
    ("scene", "the whole picture changes by 40 grey levels at once, at most 11 is read"),
])  # fmt: skip
def test_clip_that_changes_says_what_does(second: str, message: str) -> None:
    first = appearances(5)
    change = {
        "detail": -first[0].detail,
        "colour": np.array([3.0, 4.0]),
        "scene": np.full((18, 32), 40.0),
    }[second]
    both = first + [replace(look, **{second: change}) for look in first]
    (found,) = clip_faults(looks(10), changes(both), LIMITS, is_still=False)
    assert found.code is Reason.FACE_CHANGED
    assert message in found.message


def test_copies_of_one_picture_are_no_video() -> None:
    (found,) = of_clip(looks(5, motion=0.1))
    assert (found.code, found.measured, found.limit) == (Reason.STATIC_FRAMES, 1.0, 0.5)
    half = looks(2, motion=0.1) + looks(2, motion=0.15)
    assert of_clip(half) == []


def test_picture_need_not_move() -> None:
    assert of_clip(looks(1, motion=None), is_still=True) == []
    assert of_clip(looks(5, motion=0.0), is_still=True) == []


def test_motion_that_could_not_be_measured_is_no_motion() -> None:
    (found,) = of_clip(looks(5, motion=math.nan))
    assert found.code is Reason.STATIC_FRAMES
