"""The face models in the package are the converted ones, and give what TFLite gives.

The numbers below are from TFLite's own runtime (ai-edge-litert 2.3.0), not from the files under test.
"""

import importlib
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest
from skimage import data

SCRIPTS = Path(__file__).parents[1] / "scripts"
NAMES = ("blazeface_full_range", "face_mesh")

BEST_CELL = 26 * 48 + 25  # row 26, column 25 of 48x48
LOGIT = 1.18727
BOX = [
    -2.00907, -1.7816, 110.77296, 110.7684,  # centre from the cell's, width and height
    -23.68473, -23.51759, 19.52822, -20.81125,  # right and left eye
    -2.21743, 3.4891, -3.98415, 25.48628,  # nose tip, mouth
    -47.23015, -14.59887, 39.18255, -9.93003,  # right and left ear
]  # fmt: skip
PRESENCE_LOGIT = 28.11141
LANDMARKS = {
    1: [97.7477, 111.8221, -23.4917],  # nose tip
    13: [97.2935, 123.4657, -5.3075],  # upper lip
    33: [66.7312, 81.0155, 3.2247],  # outer corner of the right eye
    152: [95.4457, 161.0244, 12.2104],  # chin
    263: [132.3646, 84.0823, 3.1587],  # outer corner of the left eye
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("convert_face_models")


def content(name: str) -> bytes:
    return (files("vivant") / "faces" / "models" / f"{name}.onnx").read_bytes()


def session(name: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(content(name), providers=["CPUExecutionProvider"])


def run(name: str) -> dict[str, np.ndarray]:
    """The astronaut's face, cut out without resampling so that it is the same everywhere."""
    face = data.astronaut()[19:211, 126:318]
    found = session(name)
    outputs = [output.name for output in found.get_outputs()]
    return dict(zip(outputs, found.run(outputs, {"image": face[None]}), strict=True))


def test_the_files_are_those_that_the_script_made(script: ModuleType) -> None:
    pinned = {model.name: model.onnx_sha256 for model in script.MODELS}
    assert pinned == {name: script.sha256(content(name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_graphs_take_and_give_what_the_script_says(name: str, script: ModuleType) -> None:
    found = session(name)
    (image,) = found.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", [1, 192, 192, 3])
    (model,) = (model for model in script.MODELS if model.name == name)
    outputs = {output.name: tuple(output.shape) for output in found.get_outputs()}
    assert outputs == model.outputs
    assert {output.type for output in found.get_outputs()} == {"tensor(float)"}


def test_blazeface_finds_the_face_where_tflite_does() -> None:
    outputs = run("blazeface_full_range")
    assert outputs["logits"].argmax() == BEST_CELL
    np.testing.assert_allclose(outputs["logits"].max(), LOGIT, atol=1e-3)
    np.testing.assert_allclose(outputs["boxes"][0, BEST_CELL], BOX, atol=1e-3)


def test_face_mesh_puts_the_landmarks_where_tflite_does() -> None:
    outputs = run("face_mesh")
    np.testing.assert_allclose(outputs["presence_logit"], [[PRESENCE_LOGIT]], atol=1e-3)
    for index, expected in LANDMARKS.items():
        np.testing.assert_allclose(outputs["landmarks"][0, index], expected, atol=1e-3)
