from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from people import person
from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.detectors.detector import Detection
from vivant.preparation.close import CloseDetector
from vivant.preparation.presentation import Preparer
from vivant.preparation.settings import PreparationSettings
from vivant.records import FaceBox, Label, Presentation


class Scripted:
    """Finds one face in the frame itself, or in what is larger than it."""

    def __init__(self, *, where: str) -> None:
        self.where = where
        self.sides: list[tuple[int, ...]] = []

    def detect(self, pixels: np.ndarray) -> tuple[Detection, ...]:
        self.sides.append(pixels.shape[:2])
        finds = len(self.sides) == (1 if self.where == "frame" else 2)
        box = FaceBox(100.0, 60.0, 180.0, 160.0)
        eyes = np.array([[120.0, 90.0], [160.0, 90.0]])
        return (Detection(box, 0.9, eyes),) if finds else ()


def test_a_frame_is_looked_at_again_only_where_nothing_was_found() -> None:
    frame = np.zeros((80, 120, 3), np.uint8)
    usual = Scripted(where="frame")
    (found,) = CloseDetector(usual).detect(frame)
    assert (usual.sides, found.box.x0) == ([(80, 120)], 100.0)
    close = Scripted(where="border")
    (found,) = CloseDetector(close).detect(frame)
    # Half a side on each side: 60 to the left, 40 above.
    assert close.sides == [(80, 120), (160, 240)]
    assert found.box == FaceBox(40.0, 20.0, 120.0, 120.0)
    np.testing.assert_array_equal(found.eyes, [[60.0, 50.0], [100.0, 50.0]])


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """The astronaut's face alone, as web portraits are cut."""
    (found,) = blazeface().detect(person(scale=2.0))
    x0, y0, x1, y1 = (round(edge) for edge in
                      (found.box.x0, found.box.y0, found.box.x1, found.box.y1))  # fmt: skip
    return cv2.resize(person(scale=2.0)[y0:y1, x0:x1], (224, 224), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("close_faces", [False, True])
def test_portrait_has_a_face_with_the_setting_alone(
    portrait: np.ndarray, tmp_path: Path, close_faces: bool
) -> None:
    Image.fromarray(portrait).save(tmp_path / "portrait.png")
    preparer = Preparer(tmp_path, PreparationSettings(close_faces=close_faces), isolated=False)
    row = preparer(Presentation("portrait.png", Label.BONA_FIDE, None))
    assert len(row.frames) == close_faces
    assert row.faults == (() if close_faces else ("NO_FACE",))
    for frame in row.frames:
        box = frame.square.box
        # As much as the frame has, on a grid of steps of 5; nothing of the border.
        assert (box.x, box.y, box.side_px) == (0, 0, 220)
