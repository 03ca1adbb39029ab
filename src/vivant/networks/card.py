"""The model card: one JSON file beside the weights that says how to use them rightly.

Needs no torch. Crop, colour, normalisation, label order and operating point stand here and nowhere
in file names, so that serving does what training did.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vivant.errors import CardError, OutputError
from vivant.faces.limits import QualityLimits
from vivant.files import write_whole
from vivant.geometry.crop import CROP_SCALE
from vivant.networks.config import NetworkConfig, explain

__all__ = [
    "CameraSpread",
    "ModelCard",
    "OperatingPoint",
    "Precision",
    "Preprocessing",
    "TrainingRecord",
    "WeightsFile",
    "digest",
    "read_card",
    "read_weights",
    "refuse_to_replace",
    "write_card",
]

_FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # A name, never a path.

Share = Annotated[float, Field(ge=0, le=1)]
Spread = Annotated[float, Field(gt=0, le=1)]
Text = Annotated[str, Field(pattern=r"\S")]


_LATER = {
    *(
        f"architecture.advisor.{name}"
        for name in ("freeze_backbone", "input_side_px", "levels", "context", "head")
    ),
    "preprocessing.context_scale",
    "operating_point.cameras",
}
"""Fields that older cards lack: their default is what all models were before there was a choice."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Preprocessing(_Entry):
    """How a crop is cut out of a frame and becomes numbers."""

    crop_scale: float = Field(CROP_SCALE, gt=1, le=3)
    """Side of the crop as a multiple of the face box's longer side (D22)."""
    context_scale: float | None = Field(None, gt=1, le=3)
    """The same of the second, wider crop, of 160 pixels a side; None where the model sees none
    (D46)."""
    padding: Literal["clip_to_frame"] = "clip_to_frame"
    """Where the crop would leave the frame: it is moved and shrunk to stay inside (D22)."""
    crop_side_px: int
    """Side of the crop after resizing, in pixels."""
    colour_order: Literal["RGB"] = "RGB"
    value_range: tuple[Literal[0], Literal[255]] = (0, 255)
    """Range of the uint8 crops, before normalisation."""
    mean_rgb: tuple[Share, Share, Share]
    """Subtracted from RGB values in 0..1 (D23)."""
    std_rgb: tuple[Spread, Spread, Spread]
    """Then divided by this (D23)."""
    frame_interval_s: float = Field(0.1, gt=0, le=2)
    """Time between two frames of a clip, in seconds (D24)."""


class TrainingRecord(_Entry):
    """What the weights were trained on."""

    data: Text
    """Name of the data set and protocol, such as `oulu-npu:1`."""
    is_synthetic: bool
    """Whether people or attacks in it are simulated: then every verdict says so."""
    pai_species: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The kinds of attack that it has seen."""


class CameraSpread(_Entry):
    """How far one threshold is from each camera's own: what it rejects of bona fide on each."""

    num_cameras: int = Field(ge=1)
    """Sets of recordings that the model had not seen, each of other cameras."""
    lowest_bpcer: Share
    highest_bpcer: Share


class OperatingPoint(_Entry):
    """The threshold of a decision, and where it comes from. Accept iff score >= threshold."""

    threshold: float = Field(gt=0, le=1)
    """Above 0: at 0 everything would be accepted."""
    rule: Text
    """How it was set, such as `dev-eer`."""
    data: Text
    """On what it was set."""
    cameras: CameraSpread | None = None
    """How much it differs between cameras; None where nobody has measured it."""


Arithmetic = Literal["float32", "fp16", "bf16", "int8"]


class Precision(_Entry):
    """In what the convolutions of a part are computed; the other parts are in float32 (D38).

    `fp16` is how the weights are stored: processors compute with them in float32.
    """

    encode: Arithmetic = "float32"
    """The backbone."""
    execute: Arithmetic = "float32"
    """The execution stage."""

    def __str__(self) -> str:
        """Such as `int8`, or `int8/float32` for a backbone and an execution stage that differ."""
        parts = (self.encode, self.execute)
        return self.encode if parts[0] == parts[1] else "/".join(parts)


class WeightsFile(_Entry):
    """The file that the card belongs to, in the same folder."""

    file_name: Annotated[str, Field(pattern=_FILE_NAME)]
    """An OpenVINO model is two files: this `.xml`, and a `.bin` of the same name."""
    format: Literal["safetensors", "onnx", "openvino"]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the file; of both, one after the other, where there are two."""


class ModelCard(_Entry):
    """All that is needed to use a file of weights rightly."""

    card_format: Literal[1] = 1
    """Version of the card's layout; any other is refused."""
    model: Annotated[str, Field(pattern=_FILE_NAME)]
    """Name of the model, such as `model_d`, and of its files."""
    architecture: NetworkConfig
    preprocessing: Preprocessing
    labels: tuple[Literal["bona_fide"], Literal["attack"]] = ("bona_fide", "attack")
    """Order of the logits (D1)."""
    training: TrainingRecord | None = None
    """None: the weights are UNTRAINED, and no decision may rest on them."""
    operating_point: OperatingPoint | None = None
    """None: there is no threshold, and so no decision."""
    stills: bool = False
    """Whether one picture, shown N times, is enough for a decision."""
    quality_limits: QualityLimits | None = None
    """How well a face must be filmed for this model; None: as `QualityLimits` has it."""
    precision: Precision = Precision()
    """In what it is computed: other arithmetic gives other scores."""
    versions: dict[str, str]
    """What the file was made with."""
    weights: WeightsFile

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "ModelCard":
        expected, given = self.architecture.crop_side_px, self.preprocessing.crop_side_px
        if expected != given:
            raise ValueError(
                f"the architecture takes crops of {expected} pixels, preprocessing makes {given}"
            )
        sees_context = self.architecture.advisor.context
        if sees_context != (self.preprocessing.context_scale is not None):
            raise ValueError(
                f"the architecture says context={sees_context}, preprocessing cuts it at "
                f"context_scale={self.preprocessing.context_scale}"
            )
        if self.weights.format == "safetensors" and self.precision != Precision():
            raise ValueError(f"a checkpoint is in float32, and its card says {self.precision}")
        if self.training is None and self.operating_point is not None:
            raise ValueError("an untrained model cannot have an operating point")
        return self


def read_card(path: Path) -> ModelCard:
    """Read a card.

    Raises:
        CardError: no such file, or not a card; all findings at once, each with its path. A field
            that is not there is one of them: what a card leaves out is not taken for granted.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CardError(f"expected a model card at {path}: {error.strerror}") from error
    try:
        card = ModelCard.model_validate_json(text)
    except ValidationError as error:
        raise CardError(f"{path.name} is not a model card: {explain(error)}") from error
    missing = _missing(json.loads(text), card.model_dump(mode="json"))
    missing = [name for name in missing if name not in _LATER]
    if missing:
        raise CardError(f"{path.name} is not a whole model card: it lacks {', '.join(missing)}")
    return card


def _missing(given: object, whole: object, prefix: str = "") -> list[str]:
    """Fields of the whole card that the given one leaves out, by their path."""
    if not isinstance(given, dict) or not isinstance(whole, dict):
        return []
    absent = [f"{prefix}{name}" for name in whole if name not in given]
    nested = [_missing(given[name], whole[name], f"{prefix}{name}.") for name in given]
    return absent + [path for paths in nested for path in paths]


def read_weights(card: ModelCard, folder: Path) -> list[bytes]:
    """The weights that a card belongs to, once their hash is found to be the card's.

    Args:
        card: The card.
        folder: Where the card lies.

    Returns:
        The content of the file; of both, for an OpenVINO model.

    Raises:
        CardError: a file is missing, or is not the one that the card describes.
    """
    path = folder / card.weights.file_name
    paths = [path]
    if card.weights.format == "openvino":
        paths.append(path.with_suffix(".bin"))
    try:
        contents = [path.read_bytes() for path in paths]
    except OSError as error:
        raise CardError(
            f"the card's weights are not at {error.filename}: {error.strerror}"
        ) from error
    if digest(*contents) != card.weights.sha256:
        raise CardError(
            f"{path.name} is not the file that its card describes: expected SHA-256 "
            f"{card.weights.sha256}, got {digest(*contents)}. Copy card and weights together"
        )
    return contents


def write_card(card: ModelCard, folder: Path) -> Path:
    """Write a card beside its weights: `model.safetensors` gets `model.safetensors.json`."""
    path = folder / f"{card.weights.file_name}.json"
    write_whole(path, card.model_dump_json(indent=2) + "\n")
    return path


def digest(*contents: bytes) -> str:
    """SHA-256 of a file's content, or of several one after the other, in hexadecimal."""
    found = hashlib.sha256()
    for content in contents:
        found.update(content)
    return found.hexdigest()


def refuse_to_replace(path: Path, *, force: bool) -> None:
    """Nobody's trained weights are overwritten unasked.

    Raises:
        OutputError: there is a file, and `force` is not set.
    """
    if path.exists() and not force:
        raise OutputError(f"{path} is there already: choose another folder, or say --force")
