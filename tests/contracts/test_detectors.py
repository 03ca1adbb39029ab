"""What every face detector owes, tested for every file in the folder: a new one needs no new test.

CenterFace's file does not ship: name it in VIVANT_CENTERFACE.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from vivant.errors import InputError
from vivant.faces.detectors.detector import Detection, Detector
from vivant.geometry.boxes import iou
from vivant.plugins import discover
from vivant.records import FaceBox

BUILDERS = discover("vivant.faces.detectors")
# Read by eye off the enlarged picture: ear to ear, middle of the forehead (under the hair) to chin.
ASTRONAUT = FaceBox(173.0, 72.0, 279.0, 178.0)
EYES = np.array([[203.0, 101.0], [247.0, 103.0]])


@cache
def build(name: str) -> Detector | None:
    try:
        return BUILDERS[name](None)
    except InputError:  # It needs a file.
        path = os.environ.get(f"VIVANT_{name.upper()}")
        return BUILDERS[name](Path(path)) if path else None


@pytest.fixture(params=list(BUILDERS))
def detector(request: pytest.FixtureRequest) -> Detector:
    found = build(request.param)
    if found is None:
        pytest.skip(f"the file of {request.param} is not named in VIVANT_{request.param.upper()}")
    return found


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()


def same(one: tuple[Detection, ...], other: tuple[Detection, ...]) -> bool:
    return [(d.box, d.score, d.eyes.tolist()) for d in one] == [
        (d.box, d.score, d.eyes.tolist()) for d in other
    ]


def test_finds_the_face_in_the_box_of_the_convention(
    detector: Detector, astronaut: np.ndarray
) -> None:
    (found,) = detector.detect(astronaut)
    assert iou(found.box, ASTRONAUT) > 0.75
    assert 0.5 <= found.score <= 1


def test_eyes_are_those_of_the_picture_left_one_first(
    detector: Detector, astronaut: np.ndarray
) -> None:
    for picture, eyes in (
        (astronaut, EYES),
        (np.ascontiguousarray(astronaut[:, ::-1]), EYES[::-1] * [-1, 1] + [512, 0]),
    ):
        (found,) = detector.detect(picture)
        assert found.eyes[0, 0] < found.eyes[1, 0]
        assert np.linalg.norm(found.eyes - eyes, axis=1).max() < 8  # Of 44 between them.


@pytest.mark.parametrize("size", [(64, 64), (480, 640), (1080, 1920)])
def test_finds_nothing_where_there_is_none(detector: Detector, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    assert detector.detect(noise) == ()
    for grey in (0, 128, 255):
        assert detector.detect(np.full((*size, 3), grey, np.uint8)) == ()


@pytest.mark.parametrize(("width", "height", "scale"), [
    (641, 479, 0.9), (1920, 1080, 2.0), (1080, 1920, 2.0), (515, 513, 1.0), (333, 1001, 1.0),
])  # fmt: skip
def test_finds_the_face_on_frames_of_any_size(
    detector: Detector, astronaut: np.ndarray, width: int, height: int, scale: float
) -> None:
    frame = np.full((height, width, 3), 128, np.uint8)
    small = cv2.resize(astronaut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    part = small[:height, :width]
    frame[: part.shape[0], : part.shape[1]] = part
    (found,) = detector.detect(frame)
    edges = (ASTRONAUT.x0, ASTRONAUT.y0, ASTRONAUT.x1, ASTRONAUT.y1)
    assert iou(found.box, FaceBox(*(edge * scale for edge in edges))) > 0.6


def test_finds_the_face_on_a_frame_of_64_pixels(detector: Detector, astronaut: np.ndarray) -> None:
    tiny = cv2.resize(astronaut[:256, 98:354], (64, 64), interpolation=cv2.INTER_AREA)
    (found,) = detector.detect(tiny)
    expected = FaceBox(
        *((v - shift) / 4 for v, shift in zip((173, 72, 279, 178), (98, 0) * 2, strict=True))
    )
    assert iou(found.box, expected) > 0.5


def test_finds_both_of_two_faces(detector: Detector, astronaut: np.ndarray) -> None:
    found = detector.detect(np.hstack([astronaut, astronaut[:, ::-1]]))
    assert len(found) == 2
    assert found[0].score >= found[1].score


def test_takes_frames_that_are_views(detector: Detector, astronaut: np.ndarray) -> None:
    mirrored = astronaut[:, ::-1]
    assert same(detector.detect(mirrored), detector.detect(np.ascontiguousarray(mirrored)))


def test_leaves_the_frame_as_it_is(detector: Detector, astronaut: np.ndarray) -> None:
    frame = astronaut.copy()
    detector.detect(frame)
    np.testing.assert_array_equal(frame, astronaut)


def test_threads_get_what_one_gets(detector: Detector, astronaut: np.ndarray) -> None:
    frames = [np.roll(astronaut, 16 * shift, axis=1) for shift in range(4)] * 4
    expected = [detector.detect(frame) for frame in frames]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(detector.detect, frames))
    assert all(map(same, found, expected))
