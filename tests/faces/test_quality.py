import math

import numpy as np
import pytest

from faces.filming import astronaut, eyes, face_at, film, frontal, watch
from vivant.faces.mesh import region_of_box
from vivant.faces.quality import measure, motion, pose
from vivant.records import FaceBox

BOX = FaceBox(20.0, 10.0, 70.0, 70.0)


def noise(height: int = 80, width: int = 100) -> np.ndarray:
    return np.random.default_rng(8).integers(0, 256, (height, width, 3)).astype(np.uint8)


def luma_of(pixels: np.ndarray) -> np.ndarray:
    """ITU-R BT.601."""
    return np.rint(pixels @ np.array([0.299, 0.587, 0.114]))


def laplacian_of(luma: np.ndarray) -> np.ndarray:
    """With its border mirrored, without repeating the edge."""
    p = np.pad(luma, 1, mode="reflect")
    return p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * p[1:-1, 1:-1]


def turn(axis: str, degrees: float) -> np.ndarray:
    """Of the head: to the right of the picture (yaw), up (pitch), clockwise as seen (roll)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array({
        "yaw": [[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]],
        "pitch": [[1, 0, 0], [0, cos, sin], [0, -sin, cos]],
        "roll": [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]],
    }[axis])  # fmt: skip


def test_brightness_contrast_and_white_are_those_of_the_boxs_pixels() -> None:
    pixels = noise()
    pixels[10:22, 20:70] = 255
    found = measure(pixels, face_at(BOX))
    luma = luma_of(pixels[10:70, 20:70])
    assert found.brightness == pytest.approx(luma.mean(), abs=0.5)
    assert found.contrast == pytest.approx(luma.std(), abs=0.5)
    assert found.saturated == pytest.approx((luma >= 250).mean(), abs=0.01)
    assert found.saturated >= 0.2


def test_white_begins_at_250() -> None:
    for grey, share in ((249, 0.0), (250, 1.0)):
        assert measure(np.full((80, 100, 3), grey, np.uint8), face_at(BOX)).saturated == share


def test_sharpness_is_the_laplacian_over_the_contrast() -> None:
    pixels = noise()
    luma = luma_of(pixels[10:70, 20:70])
    expected = laplacian_of(luma).std() / luma.std()
    assert measure(pixels, face_at(BOX)).sharpness == pytest.approx(expected, rel=0.01)


def test_sharpness_of_stripes_by_hand() -> None:
    # Columns 0 100 0 100 ...: the Laplacian is +-200 and the contrast 50.
    pixels = np.zeros((80, 100, 3), np.uint8)
    pixels[:, 1::2] = 100
    assert measure(pixels, face_at(BOX)).sharpness == pytest.approx(200 / 50)


def test_sharpness_is_measured_on_112_pixels_at_most() -> None:
    small = noise(112, 112)
    large = np.repeat(np.repeat(small, 3, axis=0), 3, axis=1)
    expected = measure(small, face_at(FaceBox(0.0, 0.0, 112.0, 112.0))).sharpness
    found = measure(large, face_at(FaceBox(0.0, 0.0, 336.0, 336.0))).sharpness
    assert found == pytest.approx(expected, rel=1e-6)


def test_dim_light_alone_does_not_blur() -> None:
    bright = noise()
    dim = (bright // 4).astype(np.uint8)
    expected = measure(bright, face_at(BOX)).sharpness
    assert measure(dim, face_at(BOX)).sharpness == pytest.approx(expected, rel=0.03)


def test_flat_face_has_no_sharpness() -> None:
    found = measure(np.full((80, 100, 3), 7, np.uint8), face_at(BOX))
    assert (found.contrast, found.sharpness) == (0, 0)


def test_size_and_share_inside() -> None:
    found = measure(noise(), face_at(FaceBox(-25.0, 10.0, 25.0, 50.0)))
    assert found.face_px == 40
    assert found.inside == 0.5


def test_face_outside_the_frame_is_measured_as_nothing() -> None:
    found = measure(noise(), face_at(FaceBox(-50.0, 10.0, -10.0, 50.0)))
    assert (found.inside, found.brightness, found.contrast, found.sharpness) == (0, 0, 0, 0)


def test_face_that_shows_a_single_line_of_pixels_is_measured() -> None:
    """Shrunk to 112 pixels it would have no line left."""
    found = measure(noise(900, 900), face_at(FaceBox(0.0, -499.0, 500.0, 1.0)))
    assert found.inside == pytest.approx(0.002)
    assert found.sharpness >= 0


@pytest.mark.parametrize("axis", ["yaw", "pitch", "roll"])
@pytest.mark.parametrize("degrees", [-75.0, -20.0, 0.0, 35.0, 80.0])
def test_pose_is_the_turn_of_a_frontal_face(axis: str, degrees: float) -> None:
    expected = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0} | {axis: degrees}
    assert pose(frontal(turn(axis, degrees))) == pytest.approx(tuple(expected.values()), abs=1e-9)


def test_pose_of_the_astronaut_changes_by_the_turn() -> None:
    detection = eyes().detector.detect(astronaut())[0]
    points = eyes().mesh.fit(astronaut(), region_of_box(detection.box, detection.eyes)).points
    yaw, pitch, roll = pose(points)
    assert abs(yaw) < 10
    assert abs(pitch) < 20
    assert abs(roll) < 10
    for degrees in (-25, 15):
        assert pose(points @ turn("yaw", degrees).T)[0] == pytest.approx(yaw + degrees, abs=1e-6)
        assert pose(points @ turn("pitch", degrees).T)[1] == pytest.approx(pitch + degrees, abs=1)
        assert pose(points @ turn("roll", degrees).T)[2] == pytest.approx(roll + degrees, abs=1e-6)


def test_pose_does_not_depend_on_place_and_size() -> None:
    points = frontal(turn("yaw", 20) @ turn("pitch", 10))
    assert pose(points * 37 + [300, 200, -8]) == pytest.approx(pose(points))


def test_mirrored_picture_mirrors_yaw_and_roll() -> None:
    (plain,) = watch(film([astronaut()])).looks
    (mirrored,) = watch(film([astronaut()[:, ::-1]])).looks
    assert plain.quality is not None
    assert mirrored.quality is not None
    assert mirrored.quality.yaw_deg == pytest.approx(-plain.quality.yaw_deg, abs=5)
    assert mirrored.quality.pitch_deg == pytest.approx(plain.quality.pitch_deg, abs=5)
    assert mirrored.quality.roll_deg == pytest.approx(-plain.quality.roll_deg, abs=2)


def test_motion_is_the_mean_change_of_luma_in_the_box() -> None:
    before, after = noise(), noise()[::-1].copy()
    change = np.abs(luma_of(before) - luma_of(after))[10:70, 20:70]
    assert motion(before, after, face_at(BOX)) == pytest.approx(change.mean(), abs=0.5)
    assert motion(before, before, face_at(BOX)) == 0
    after = before.copy()
    after[70:] = 0  # Below the box.
    assert motion(before, after, face_at(BOX)) == 0
