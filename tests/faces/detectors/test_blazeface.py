from pathlib import Path

import numpy as np
import pytest

from faces.filming import astronaut, constant_model
from vivant.errors import InputError
from vivant.faces.detectors.blazeface import blazeface, letterbox
from vivant.faces.detectors.detector import Detection
from vivant.faces.graph import packaged
from vivant.geometry.boxes import iou
from vivant.records import FaceBox

NUM_CELLS = 48 * 48


def told(*cells: tuple[int, int, float, list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Outputs with these (row, column, logit, values); elsewhere there is no face."""
    boxes = np.zeros((1, NUM_CELLS, 16), np.float32)
    logits = np.full((1, NUM_CELLS, 1), -9, np.float32)
    for row, column, logit, values in cells:
        boxes[0, row * 48 + column, : len(values)] = values
        logits[0, row * 48 + column] = logit
    return boxes, logits


@pytest.fixture
def write_model(tmp_path: Path):
    def write(*cells: tuple[int, int, float, list[float]]) -> Path:
        path = tmp_path / "mine.onnx"
        path.write_bytes(constant_model(*told(*cells)))
        return path

    return write


def test_outputs_are_read_as_specified(write_model) -> None:
    # Cell (row 10, column 20) has its middle at (82, 42). Centre +3 -2, size 40x30, eyes -9 -5, 11 -6.
    detector = blazeface(write_model((10, 20, 0.0001, [3, -2, 40, 30, -9, -5, 11, -6])))
    (found,) = detector.detect(np.zeros((192, 192, 3), np.uint8))
    assert found.box == FaceBox(65.0, 25.0, 105.0, 55.0)
    assert found.eyes.tolist() == [[73, 37], [93, 36]]
    assert found.score == pytest.approx(0.5, abs=1e-4)


def test_boxes_come_back_to_a_frame_of_another_size(write_model) -> None:
    detector = blazeface(write_model((10, 20, 2.0, [3, -2, 40, 30, -9, -5, 11, -6])))
    (found,) = detector.detect(np.zeros((480, 960, 3), np.uint8))  # Shrunk to 192x96: by 5.
    assert found.box == FaceBox(325.0, 125.0, 525.0, 275.0)
    assert found.eyes.tolist() == [[365, 185], [465, 180]]
    assert found.score == pytest.approx(1 / (1 + np.exp(-2)))


def test_best_face_comes_first_and_doubles_go(write_model) -> None:
    values = [0.0, 0, 40, 40, -9, -5, 9, -5]
    detector = blazeface(
        write_model((10, 10, 1.0, values), (10, 11, 3.0, values), (40, 40, 2.0, values))
    )
    found = detector.detect(np.zeros((192, 192, 3), np.uint8))
    assert [face.box.centre for face in found] == [(46.0, 42.0), (162.0, 162.0)]
    assert found[0].score > found[1].score


def test_less_likely_than_not_is_no_face(write_model) -> None:
    detector = blazeface(write_model((10, 20, -0.001, [0, 0, 40, 40, -9, -5, 9, -5])))
    assert detector.detect(np.zeros((192, 192, 3), np.uint8)) == ()


@pytest.mark.parametrize(("height", "width", "small"), [
    (480, 640, (144, 192)), (640, 480, (192, 144)), (479, 641, (143, 192)),
    (1, 999, (1, 192)), (999, 1, (192, 1)), (192, 192, (192, 192)), (24, 48, (96, 192)),
])  # fmt: skip
def test_frame_is_shrunk_into_the_upper_left(
    height: int, width: int, small: tuple[int, int]
) -> None:
    square, scale = letterbox(np.full((height, width, 3), 90, np.uint8))
    rows, columns = small
    assert (square[:rows, :columns] == 90).all()
    assert (square[rows:] == 0).all()
    assert (square[:, columns:] == 0).all()
    assert scale.tolist() == [[columns / width, rows / height]]


def test_users_own_copy_gives_the_same(tmp_path: Path) -> None:
    path = tmp_path / "copy.onnx"
    path.write_bytes(packaged("blazeface_full_range.onnx"))
    mine, ours = blazeface(path).detect(astronaut()), blazeface().detect(astronaut())
    assert [face.box for face in mine] == [face.box for face in ours]


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="cannot read the detector's model .*nowhere.onnx: No such"
    ):
        blazeface(tmp_path / "nowhere.onnx")


@pytest.mark.parametrize("content", [b"", b"not a graph", bytes(100)])
def test_file_that_is_no_graph_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"bad.onnx is not a usable graph: "):
        blazeface(tmp_path / "bad.onnx")


def test_graph_of_another_layout_is_told(tmp_path: Path) -> None:
    (tmp_path / "mesh.onnx").write_bytes(packaged("face_mesh.onnx"))
    with pytest.raises(InputError) as caught:
        blazeface(tmp_path / "mesh.onnx")
    assert (
        "mesh.onnx is not a BlazeFace full-range: expected the outputs boxes (1, 2304, 16)"
        in str(caught.value)
    )
    assert "got landmarks (1, 468, 3), presence_logit (1, 1)" in str(caught.value)


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920)])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_small_face_is_found_on_a_second_and_closer_look(
    width: int, height: int, place: float
) -> None:
    face = astronaut()  # Of 107 pixels: 0.056 of the longer side, 0.099 of the shorter.
    frame = np.full((height, width, 3), 120, np.uint8)
    x, y = round(place * (width - 512)), round(place * (height - 512))
    frame[y : y + 512, x : x + 512] = face
    (found,) = blazeface().detect(frame)
    (alone,) = blazeface().detect(face)
    moved = FaceBox(alone.box.x0 + x, alone.box.y0 + y, alone.box.x1 + x, alone.box.y1 + y)
    assert iou(found.box, moved) > 0.5
    np.testing.assert_allclose(found.eyes, alone.eyes + np.array([x, y]), atol=30)


def test_face_that_two_closer_looks_see_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = blazeface()
    seen = Detection(FaceBox(300.0, 200.0, 400.0, 300.0), 0.8, np.zeros((2, 2)))
    better = Detection(FaceBox(304.0, 202.0, 404.0, 302.0), 0.9, np.zeros((2, 2)))
    answers = iter([(), (seen,), (better,), ()])
    monkeypatch.setattr(detector, "_find", lambda *_: next(answers))
    assert detector.detect(np.zeros((480, 640, 3), np.uint8)) == (better,)


def test_square_frame_has_no_closer_look(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = blazeface()
    answers = iter([()])
    monkeypatch.setattr(detector, "_find", lambda *_: next(answers))
    assert detector.detect(np.zeros((480, 480, 3), np.uint8)) == ()
