"""What a store is: the data set, the settings and the programs that made it. Its `store.json`."""

import hashlib
import json
from importlib.metadata import version

from pydantic import BaseModel, ConfigDict

from vivant import __version__
from vivant.errors import DataError
from vivant.faces.graph import packaged
from vivant.preparation.place import Place, read_text, write
from vivant.preparation.settings import PreparationSettings

__all__ = ["FILE", "StoreManifest", "current_manifest", "load_manifest", "save_manifest"]

FILE = "store.json"
_FORMAT = 2
_PROGRAMS = ("av", "numpy", "onnxruntime", "opencv-python-headless", "pylance")
_MODELS = ("blazeface_full_range.onnx", "face_mesh.onnx")


class StoreManifest(BaseModel):
    """Written before the first row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    """Of the tables: a store of another format is not read."""
    dataset: str
    """By the name in `vivant data list`."""
    is_synthetic: bool
    """Whether any of it was drawn or simulated by a program: what is trained on it says so."""
    settings: PreparationSettings
    models: dict[str, str]
    """SHA-256 of the models that found and fitted the faces, by their files' names."""
    programs: tuple[dict[str, str], ...]
    """Versions of all that wrote to it, one set after the other."""


def current_manifest(
    dataset: str, settings: PreparationSettings, *, is_synthetic: bool
) -> StoreManifest:
    """What this installation would write."""
    programs = {"vivant": __version__, **{name: version(name) for name in _PROGRAMS}}
    models = {name: hashlib.sha256(packaged(name)).hexdigest() for name in _MODELS}
    return StoreManifest(
        format=_FORMAT,
        dataset=dataset,
        is_synthetic=is_synthetic,
        settings=settings,
        models=models,
        programs=(programs,),
    )


def load_manifest(folder: Place) -> StoreManifest:
    """Read a store's manifest.

    Raises:
        DataError: there is none, it is damaged, or of another format.
    """
    try:
        text = read_text(folder / FILE)
    except FileNotFoundError as error:
        raise DataError(
            f"expected a folder written by `vivant data prepare` at {folder}, found no {FILE} "
            f"({error.strerror})"
        ) from error
    except OSError as error:
        raise DataError(f"cannot read {folder / FILE}: {error.strerror}") from error
    try:
        found = json.loads(text)["format"]
        if found == _FORMAT:
            return StoreManifest.model_validate_json(text)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{folder / FILE} is damaged: {error}") from error
    raise DataError(
        f"{folder} is a store of format {found}, this version of vivant reads {_FORMAT}: prepare "
        "the data again"
    )


def save_manifest(folder: Place, manifest: StoreManifest) -> None:
    """Write a store's manifest whole, or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write(folder / FILE, manifest.model_dump_json(indent=2) + "\n")
