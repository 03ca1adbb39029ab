import math

import numpy as np
import pytest
from pydantic import ValidationError

from faces.filming import frontal
from vivant.faces.faults import clip_faults, frame_faults
from vivant.faces.identity import Appearance, changes
from vivant.faces.limits import QualityLimits
from vivant.faces.look import Look
from vivant.faces.quality import FaceQuality, pose
from vivant.records import FaceBox


@pytest.mark.parametrize(("change", "message"), [
    ({"min_face_px": -1}, "min_face_px"),
    ({"min_inside": 1.1}, "min_inside"),
    ({"min_brightness": -1}, "min_brightness"),
    ({"max_brightness": 256}, "max_brightness"),
    ({"max_saturated": 2}, "max_saturated"),
    ({"min_contrast": -0.1}, "min_contrast"),
    ({"min_sharpness": -0.1}, "min_sharpness"),
    ({"max_yaw_deg": 0}, "max_yaw_deg"),
    ({"max_pitch_deg": 91}, "max_pitch_deg"),
    ({"max_roll_deg": 181}, "max_roll_deg"),
    ({"min_presence_logit": math.nan}, "min_presence_logit"),
    ({"min_presence_logit": -math.inf}, "min_presence_logit"),
    ({"min_other_area": 0}, "min_other_area"),
    ({"max_other_share": 1.5}, "max_other_share"),
    ({"max_lost_share": -0.5}, "max_lost_share"),
    ({"min_likeness": -1.1}, "min_likeness"),
    ({"max_colour_change": math.inf}, "max_colour_change"),
    ({"max_scene_change": -1}, "max_scene_change"),
    ({"max_jumps": -1}, "max_jumps"),
    ({"max_jumps": 0.5}, "max_jumps"),
    ({"min_motion": -1}, "min_motion"),
    ({"max_static_share": 1.01}, "max_static_share"),
    ({"min_face_px": "large"}, "min_face_px"),
    ({"min_size": 3}, "min_size"),
])  # fmt: skip
def test_limit_that_is_none_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        QualityLimits.model_validate(change)


def test_limits_cannot_be_changed_in_passing() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        QualityLimits().min_face_px = 1


def test_limits_come_back_from_json() -> None:
    for limits in (QualityLimits(), QualityLimits.off(), QualityLimits(min_face_px=60)):
        assert QualityLimits.model_validate_json(limits.model_dump_json()) == limits


def worst(**changes: float) -> FaceQuality:
    values = {
        "face_px": 0.01, "inside": 0.0, "brightness": 0.0, "saturated": 1.0, "contrast": 0.0,
        "sharpness": 0.0, "yaw_deg": 180.0, "pitch_deg": -90.0, "roll_deg": 180.0,
        "presence_logit": -1e6,
    }  # fmt: skip
    return FaceQuality(**(values | changes))


def test_switched_off_nothing_fails_a_frame() -> None:
    named = {fault.code for fault in frame_faults(worst(), QualityLimits())}
    assert len(named) == 8  # All reasons of a frame: dark and bright share a place.
    assert frame_faults(worst(), QualityLimits.off()) == ()
    assert frame_faults(worst(brightness=255.0), QualityLimits.off()) == ()


def test_switched_off_nothing_fails_a_clip() -> None:
    box, bigger = FaceBox(0.0, 0.0, 9.0, 9.0), FaceBox(20.0, 0.0, 80.0, 60.0)
    away = Look(0.3)
    looks = [
        Look(step / 10, (bigger,), box, worst(), is_elsewhere=True, motion=0.0) for step in range(6)
    ] + [away] * 200
    colours = [np.array([0.0, 0.0])] * 3 + [np.array([255.0, 255.0])] * 3
    detail = np.random.default_rng(0).normal(size=(24, 20))
    appearances = [
        Appearance(
            detail if step < 3 else -detail, colour, np.full((18, 32), 0.0 if step < 3 else 255.0)
        )
        for step, colour in enumerate(colours)
    ]
    assert {f.code.value for f in clip_faults(looks, changes(appearances), QualityLimits(), is_still=False)} == {
        "MULTIPLE_FACES", "FACE_LOST", "FACE_CHANGED", "STATIC_FRAMES",
    }  # fmt: skip
    assert clip_faults(looks, changes(appearances), QualityLimits.off(), is_still=False) == ()


def test_switched_off_a_face_may_look_away() -> None:
    backwards = frontal(np.diag([-1.0, 1.0, -1.0]))
    yaw, pitch, roll = pose(backwards)
    assert abs(yaw) > 170
    turned = worst(yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)
    assert frame_faults(turned, QualityLimits.off()) == ()


def test_switched_off_doubt_stays_doubt() -> None:
    """What could not be measured is a fault under any limits."""
    assert [f.code.value for f in frame_faults(worst(sharpness=math.nan), QualityLimits.off())] == [
        "TOO_BLURRED"
    ]
