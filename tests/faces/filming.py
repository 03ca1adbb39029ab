"""What the tests of faces film: the astronaut, and the webcam clips where they lie beside us.

The webcam clips (Intel Corporation, CC BY 4.0) are not part of the repository.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from skimage import data

from vivant.faces.detectors.blazeface import blazeface
from vivant.faces.detectors.detector import Detection
from vivant.faces.limits import QualityLimits
from vivant.faces.mesh import FaceMesh, Mesh
from vivant.faces.observer import Eyes, Observer
from vivant.faces.track import Face
from vivant.records import FaceBox, Frame
from vivant.video.frames import read_media
from vivant.video.limits import VideoLimits

# Read by eye off the enlarged picture: ear to ear, middle of the forehead (under the hair) to chin.
ASTRONAUT = FaceBox(173.0, 72.0, 279.0, 178.0)
INTERVAL_S = 0.1

CLIPS = Path(__file__).parents[3] / "shared" / "media" / "webcam_bona_fide"
NO_CLIPS = f"the webcam clips are not at ../{CLIPS.relative_to(CLIPS.parents[2])}"
HAND = json.loads((Path(__file__).parent / "webcam_boxes.json").read_text())["clips"]
NAMES = sorted(HAND)


@cache
def eyes() -> Eyes:
    """The models, loaded once."""
    return Eyes(blazeface(), FaceMesh())


@cache
def astronaut() -> np.ndarray:
    """512x512, of NASA, in the public domain. Not to be written to."""
    picture = data.astronaut()
    picture.flags.writeable = False
    return picture


def film(pictures: Sequence[np.ndarray]) -> list[Frame]:
    """Frames 0.1 s apart."""
    return [Frame(np.array(p), index * INTERVAL_S) for index, p in enumerate(pictures)]


def watch(frames: Sequence[Frame], limits: QualityLimits | None = None) -> Observer:
    """An observer that has seen them all."""
    observer = Observer(eyes(), limits or QualityLimits())
    for frame in frames:
        observer.look(frame)
    return observer


def codes(observer: Observer, *, is_still: bool = False) -> set[str]:
    """The reasons of the clip as a whole."""
    return {finding.code.value for finding in observer.faults(is_still=is_still)}


def moved(picture: np.ndarray, x: float, y: float, *, degrees: float = 0.0) -> np.ndarray:
    """The picture moved by parts of a pixel and turned clockwise about (226, 121), its face."""
    matrix = cv2.getRotationMatrix2D((226.0, 121.0), -degrees, 1.0)
    matrix[:, 2] += (x, y)
    size = (picture.shape[1], picture.shape[0])
    return cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def sitting(number: int, picture: np.ndarray | None = None) -> list[np.ndarray]:
    """A person who sits still before a camera: small sway, and the sensor's noise."""
    rng = np.random.default_rng(7)
    base = astronaut() if picture is None else picture
    return [
        noisy(moved(base, 1.5 * math.sin(step), 0.8 * math.cos(1.3 * step)), rng)
        for step in range(number)
    ]


def noisy(picture: np.ndarray, rng: np.random.Generator, grey_levels: float = 2.0) -> np.ndarray:
    """With normal noise on top."""
    disturbed = picture + rng.normal(0, grey_levels, picture.shape)
    return np.clip(np.rint(disturbed), 0, 255).astype(np.uint8)


def box_of(edges: Sequence[float]) -> FaceBox:
    return FaceBox(*(float(edge) for edge in edges))


@dataclass(frozen=True, eq=False)
class Noted:
    """What was written by hand of one frame of a webcam clip."""

    time_s: float
    face: FaceBox
    others: tuple[FaceBox, ...]


def noted(name: str) -> list[Noted]:
    """The frames of a clip with boxes written by hand; the clips have 30 frames a second."""
    return [
        Noted(
            int(frame) / 30,
            box_of(content["face"]),
            tuple(box_of(other["box"]) for other in content["others"]),
        )
        for frame, content in HAND[name]["frames"].items()
    ]


@cache
def webcam(name: str) -> list[Frame]:
    """The frames of a webcam clip that are looked at."""
    content = (CLIPS / f"{name}.mkv").read_bytes()
    return list(read_media(content, INTERVAL_S, VideoLimits()).frames)


@cache
def watched(name: str) -> Observer:
    """An observer that has seen a webcam clip. Not to be shown more."""
    return watch(webcam(name))


def constant_model(boxes: np.ndarray, logits: np.ndarray) -> bytes:
    """An ONNX graph of BlazeFace's layout that says the same of every picture."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    outputs = {"boxes": boxes, "logits": logits}
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
        for name, value in outputs.items()
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 192, 192, 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)
            for name, value in outputs.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Told:
    """A detector that says what it was told, frame by frame."""

    def __init__(self, *frames: Sequence[FaceBox]) -> None:
        self._frames = iter(frames)

    def detect(self, pixels: np.ndarray) -> tuple[Detection, ...]:
        return tuple(
            Detection(box, 0.9, np.array([box.centre] * 2) + np.array([[-9.0, 0], [9.0, 0]]))
            for box in next(self._frames)
        )


def frontal(pose: np.ndarray | None = None) -> np.ndarray:
    """Points of a mesh that looks straight into the camera, or turned by this 3x3 matrix."""
    rng = np.random.default_rng(9)
    points = rng.uniform(-0.5, 0.5, (468, 3))
    # Outer corners of the eyes, forehead, chin; then nose and corners of the mouth.
    points[[33, 263, 10, 152]] = [[-1, -0.2, 0], [1, -0.2, 0], [0, -1, 0], [0, 1, 0]]
    points[[1, 61, 291]] = [[0, 0.1, -0.8], [-0.4, 0.5, -0.3], [0.4, 0.5, -0.3]]
    return points if pose is None else points @ pose.T


def face_at(box: FaceBox, presence_logit: float = 25.0) -> Face:
    """A face in that box, frontal."""
    x, y = box.centre
    points = frontal() * [box.width_px / 2, box.height_px / 2, box.width_px / 2] + [x, y, 0]
    return Face(box, Mesh(points, presence_logit, np.zeros((192, 192, 3), np.uint8)))
